"""Somebody's browser before the console on moto, and the key with which they sign in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from chalicelib import aws
from chalicelib.console import web
from chalicelib.door import http, keys
from chalicelib.door.console import asked
from tests.integration.aws_fixture import Stage


@dataclass
class Browser:
    """Somebody's browser: it keeps cookies, and follows where it is sent."""

    cookies: dict[str, str] = field(default_factory=dict)
    language: str = "en"
    path: str = ""

    def ask(self, method: str, to: str, form: dict[str, str] | None = None, **more: Any) -> Any:
        parts = urlsplit(to)
        request = http.Request(
            headers={
                "cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
                "accept-language": self.language,
                "sec-fetch-site": more.get("site", "same-origin"),
            },
            body=urlencode(form or {}).encode(),
            stage=aws.stage(),
            query={name: [value] for name, value in parse_qsl(parts.query)},
        )
        answer = web.handle(asked(request, method, parts.path), aws.stage())
        if "Set-Cookie" in answer["headers"]:
            pair, *flags = answer["headers"]["Set-Cookie"].split("; ")
            name, _, value = pair.partition("=")
            self.cookies[name] = value
            assert {"HttpOnly", "Secure", "SameSite=Lax"} <= set(flags)
        self.path = to
        return answer

    def get(self, to: str) -> Any:
        answer = self.ask("GET", to)
        while answer["status"] == 303:
            answer = self.ask("GET", answer["headers"]["Location"])
        return answer

    def post(self, to: str, **form: str) -> Any:
        """Send a form of the page that is open."""
        answer = self.ask("POST", to, form)
        return self.get(answer["headers"]["Location"]) if answer["status"] == 303 else answer

    def token(self) -> str:
        return re.findall(r'name="token" value="([^"]+)"', self.get("activity")["body"])[0]


def key(stage: Stage, scopes: str = "read", types: str = "") -> str:
    secret = f"hk_{scopes.replace(' ', '')}_0123456789abcdef"
    item = {"hash": keys.hash_of(secret), "name": "ana", "scope": scopes, "source": "local *"}
    item |= {"types": types} if types else {}
    stage.dynamodb.put_item(
        TableName="heraldo-local-keys", Item={name: {"S": text} for name, text in item.items()}
    )
    return secret
