"""The way to the console, which is a function of its own: what comes is passed on, and its answer given back.

So the API's function starts as fast as without it, and may do nothing that only the console does.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import aws, log, names
from chalicelib.door.http import RETRY, Answer, Problem, Request

# A form that sends an event, with room for its fields' names and encoding.
BODY_BYTES: Final = 1024 * 1024
# The request's headers that the console looks at.
_HEADERS: Final = {
    "cookie": "cookie",
    "language": "accept-language",
    "site": "sec-fetch-site",
}
_AWAY: Final = Path(__file__).parent / "pages" / "away.html"


def pass_on(request: Request, method: str, path: str) -> Answer:
    """Any call below /console: what the console answers to it. `path` is what stands below."""
    payload = json.dumps(asked(request, method, path)).encode()
    try:
        name = names.console(request.stage.name)
        # Where this is one of snapshots, so is the console.
        function = f"{name}:{names.LIVE}" if names.is_version() else name
        answer = request.stage.client("lambda").invoke(FunctionName=function, Payload=payload)
        said = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise ValueError  # it was killed, or could not start: its own log says why
        return Answer(said["status"], said["body"], "text/html; charset=utf-8", said["headers"])
    except (BotoCoreError, ClientError, ValueError, LookupError, TypeError) as error:
        log.error("the console does not answer", reason=aws.code_of(error))
        page = _AWAY.read_text("utf-8")
        return Answer(503, page, "text/html; charset=utf-8", RETRY)


def asked(request: Request, method: str, path: str) -> dict[str, Any]:
    """A request as the console takes it; `slash`: its address ended in one.

    Raises
    ------
    Problem : 413, 400 where its body is nothing that a form sends.
    """
    if len(request.body) > BODY_BYTES:
        raise Problem(413, "too-large", f"A form has {BODY_BYTES // 1024} KiB at the most.")
    try:
        body = request.body.decode("ascii")
    except UnicodeDecodeError:
        raise Problem(
            400, "not-a-form", "A form is sent as ASCII, other letters encoded."
        ) from None
    return {
        "method": method,
        "path": path.strip("/"),
        "slash": request.url.endswith("/"),
        "query": {name: values[-1] for name, values in request.query.items() if values},
        "body": body,
        **{name: request.headers.get(header, "") for name, header in _HEADERS.items()},
    }
