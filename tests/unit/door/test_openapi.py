"""GET /openapi.json beside the routes that there are."""

from __future__ import annotations

import re

import app
from chalicelib.door import openapi
from chalicelib.store import ledger

PAGES = {"/"}  # for people: no part of the API


def calls(paths: dict[str, list[str]]) -> set[tuple[str, str]]:
    """Path and method of every call; what a path's parameter is called is no difference."""
    return {
        (re.sub(r"{\w+}", "{}", path), method.upper())
        for path, methods in paths.items()
        for method in methods
    }


def test_the_document_has_every_route_and_no_other() -> None:
    # HEAD is a GET without the body, and what is `taken` by no route answers 405.
    routes = {path: sorted(m) for path, m in app.taken.items() if path not in PAGES}
    without_head = {path: [m for m in methods if m != "HEAD"] for path, methods in routes.items()}
    documented = {path: list(item) for path, item in openapi.document()["paths"].items()}
    assert calls(documented) == calls(without_head)


def test_the_document_has_every_status_of_the_ledger() -> None:
    life = openapi.document()["components"]["schemas"]["Life"]
    declared = {v for name, v in vars(ledger).items() if name.isupper() and isinstance(v, str)}
    assert life["properties"]["status"]["enum"] == list(ledger.STATUSES)
    assert declared == set(ledger.STATUSES)
