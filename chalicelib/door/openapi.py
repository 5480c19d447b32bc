"""`GET /openapi.json`: OpenAPI 3.1, made from what the code accepts, so that it cannot drift."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from chalicelib import names
from chalicelib.door import cloudevents, http, profile, recipients, schemas
from chalicelib.events import event


def document(server: str = ".") -> dict[str, Any]:
    """The API of this deployment at the address `server` (which may be relative to the document's),
    its event types included."""
    events = schemas.events()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Heraldo",
            "version": "1.0",
            "description": "An event goes in, the right people are told, in their words, once, in order.",
        },
        "servers": [{"url": server}],
        "security": _SECURITY,
        "paths": _paths(),
        "components": {
            "securitySchemes": _SECURITY_SCHEMES,
            "schemas": {**events, **schemas.ANSWERS},
            "responses": _problems(),
            "parameters": _CE_HEADERS,
            "requestBodies": {"BinaryEvent": _binary_body(events), "CloudEventsBatch": _BATCH_BODY},
        },
    }


# Keys are for the API itself to check, signatures for API Gateway.
_SECURITY_SCHEMES: Final[dict[str, Any]] = (
    {
        "signature": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "AWS Signature Version 4 for the service execute-api.",
            "x-amazon-apigateway-authtype": "awsSigv4",
        }
    }
    if names.iam_callers()
    else {"key": {"type": "http", "scheme": "bearer"}}
)
_SECURITY: Final[list[dict[str, Any]]] = [{name: []} for name in _SECURITY_SCHEMES]

# Binary mode: every attribute is a header, and the body is the data alone.
_CE_HEADERS: Final[dict[str, Any]] = {
    f"ce-{name}": {
        "name": f"ce-{name}",
        "in": "header",
        "required": name in ("specversion", "type"),
        "description": "Percent-encoded UTF-8, as all that is not visible ASCII.",
        "schema": {"const": "1.0"} if name == "specversion" else {"type": "string"},
    }
    # Its Content-Type is the event's datacontenttype.
    for name in ("type", *schemas.ATTRIBUTES)
    if name != "datacontenttype"
}


def _binary_body(events: Iterable[str]) -> dict[str, Any]:
    data = [schemas.ref(name) for name in events if name.endswith("Data")]
    return {
        "description": "In binary mode: the data of an event, whose attributes are in ce- headers.",
        "required": True,
        "content": {cloudevents.PLAIN: {"schema": {"anyOf": data}}},
    }


def _problems() -> dict[str, Any]:
    content = {"application/problem+json": {"schema": schemas.ref("Problem")}}
    return {
        str(status): {"description": title, "content": content, **_WITH_HEADERS.get(status, {})}
        for status, title in http.TITLES.items()
    }


def _header(name: str, description: str, **schema: str) -> dict[str, Any]:
    return {"headers": {name: {"description": description, "schema": schema}}}


_AGAIN: Final = _header("Retry-After", "Seconds to wait before it is sent again.", type="integer")
_WITH_HEADERS: Final = {
    401: _header(
        "WWW-Authenticate",
        "Bearer, where keys are asked for; API Gateway calls it x-amzn-Remapped-WWW-Authenticate.",
        type="string",
    ),
    405: _header("Allow", "The methods that there are.", type="string"),
    429: _AGAIN,
    503: _AGAIN,
}


def _refusals(*statuses: int) -> dict[str, Any]:
    return {str(s): {"$ref": f"#/components/responses/{s}"} for s in (*statuses, 429, 500)}


def _json(description: str, schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": schemas.ref(schema)}}
    return {"description": description, "content": content}


_TRACE: Final[dict[str, Any]] = {
    "name": "traceparent",
    "in": "header",
    "schema": {"type": "string"},
    "description": "The trace that the request is part of, as W3C has it. Events that name none are part of it.",
}
_BATCH: Final[dict[str, Any]] = {
    "type": "array",
    "maxItems": http.BATCH_EVENTS,
    # Whatever stands in a batch gets a result of its own.
    "items": {
        "anyOf": [
            schemas.ref("Event"),
            {"description": "Anything else: its result is `rejected`."},
        ]
    },
}
_BATCH_BODY: Final = {"required": True, "content": {cloudevents.BATCHED: {"schema": _BATCH}}}


def _recipient() -> dict[str, Any]:
    """What there is at the address of one recipient."""
    found = {"200": _json("What is kept of them", "Recipient")}
    refusals = _refusals(400, 401, 403, 503)
    body = {"schema": schemas.ref("RecipientFields")}
    merge, plain = recipients.PATCH_TYPES
    whose = {
        "parameters": [
            {
                "name": "id",
                "in": "path",
                "required": True,
                "description": "The shop's own id of them: an event's `recipient`.",
                "schema": {"type": "string", "pattern": profile.ID, "maxLength": event.MAX_ID},
            }
        ]
    }
    return {
        "get": {
            "operationId": "getRecipient",
            **whose,
            "summary": "All that is kept of a recipient",
            "responses": {**found, **refusals, **_refusals(404)},
        },
        "put": {
            "operationId": "putRecipient",
            **whose,
            "summary": "Keep this of a recipient, and nothing more",
            "description": "But preferences and consent stay unless they are named.",
            "requestBody": {"required": True, "content": {plain: body}},
            "responses": {
                **found,
                "201": _json("They are new", "Recipient"),
                **refusals,
                **_refusals(413, 415, 422),
            },
        },
        "patch": {
            "operationId": "patchRecipient",
            **whose,
            "summary": "Change what is named of a recipient; null takes away",
            "description": f"JSON Merge Patch (RFC 7396), also as {merge}.",
            "requestBody": {"required": True, "content": {plain: body}},
            "responses": {**found, **refusals, **_refusals(404, 413, 415, 422)},
        },
        "delete": {
            "operationId": "eraseRecipient",
            **whose,
            "summary": "Erase a recipient",
            "responses": {"204": {"description": "Erased"}, **refusals, **_refusals(404)},
        },
    }


def _event_parameters() -> list[dict[str, Any]]:
    return [
        {
            "name": "id",
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1, "maxLength": event.MAX_ID},
        },
        {
            "name": "source",
            "in": "query",
            "schema": {"type": "string"},
            "description": "Where two sources used one id, which of them.",
        },
    ]


def _paths() -> dict[str, Any]:
    one = schemas.ref("Event")
    door = _refusals(400, 401, 403, 413, 415, 422, 503)
    return {
        "/events": {
            "post": {
                "operationId": "sendEvent",
                "summary": "Send one event",
                "description": "A CloudEvent as structured JSON, or as plain JSON without "
                "specversion. In binary mode its attributes are headers (components/parameters) and "
                "the body is its data alone (components/requestBodies/BinaryEvent).",
                "parameters": [
                    {
                        "name": "dry_run",
                        "in": "query",
                        "schema": {"type": "string", "enum": ["true", "false"]},
                        "description": "true: answer with the plan; nothing is sent.",
                    },
                    {
                        "name": "Idempotency-Key",
                        "in": "header",
                        "schema": {"type": "string", "pattern": cloudevents.IDEMPOTENCY_KEY},
                        "description": "Stands for the id of an event that has none.",
                    },
                    _TRACE,
                ],
                "requestBody": {
                    "required": True,
                    "content": {
                        cloudevents.PLAIN: {"schema": one},
                        cloudevents.STRUCTURED: {"schema": one},
                    },
                },
                "responses": {
                    "202": _json("Accepted", "Accepted"),
                    "200": {
                        "description": "A duplicate, or the plan of a dry run",
                        "content": {
                            "application/json": {
                                "schema": {"anyOf": [schemas.ref("Accepted"), schemas.ref("Plan")]}
                            }
                        },
                    },
                    **door,
                    "409": {"$ref": "#/components/responses/409"},
                },
            }
        },
        "/events/batch": {
            "post": {
                "operationId": "sendEvents",
                "summary": "Send up to 500 events",
                "description": "One result per event, in order; a bad event never blocks a good one. "
                "Also as application/cloudevents-batch+json (components/requestBodies).",
                "parameters": [_TRACE],
                "requestBody": {
                    "required": True,
                    # A second type of content makes openapi-python-client write what does not import.
                    "content": {cloudevents.PLAIN: {"schema": _BATCH}},
                },
                "responses": {
                    "200": {
                        "description": "One result per event",
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "array",
                                    "items": schemas.ref("BatchResult"),
                                }
                            }
                        },
                    },
                    **door,
                },
            }
        },
        "/events/{id}": {
            "get": {
                "operationId": "getEvent",
                "summary": "What became of an event",
                "parameters": _event_parameters(),
                "responses": {
                    "200": _json("The event's life", "Life"),
                    **_refusals(400, 401, 403, 404, 503),
                },
            },
            "delete": {
                "operationId": "cancelEvent",
                "summary": "Have what is held never go out",
                "parameters": _event_parameters(),
                "responses": {
                    "200": _json("It is cancelled", "Life"),
                    **_refusals(400, 401, 403, 404, 409, 503),
                },
            },
        },
        "/events/{id}/ack": {
            "post": {
                "operationId": "acknowledgeEvent",
                "summary": "Somebody is on it: its journey sends nothing more",
                "parameters": _event_parameters(),
                "responses": {
                    "200": _json("It is acknowledged", "Life"),
                    **_refusals(400, 401, 403, 404, 409, 503),
                },
            },
        },
        "/recipients/{id}": _recipient(),
        "/event-types": {
            "get": {
                "operationId": "getEventTypes",
                "summary": "Every event type with its locales, required data and sample",
                "description": "Where there are more than an answer has room for, the last ones are "
                "listed without their data and sample: ask for one.",
                "parameters": [
                    {
                        "name": "type",
                        "in": "query",
                        "schema": {"type": "string"},
                        "description": "One event type alone.",
                    },
                ],
                "responses": {
                    "200": _json("The event types", "EventTypes"),
                    **_refusals(400, 401, 403, 503),
                },
            }
        },
        "/health": {
            "get": {
                "operationId": "getHealth",
                "summary": "Whether this deployment is up",
                "security": [{}, *_SECURITY],
                "responses": {
                    "200": _json("It is", "Health"),
                    **_refusals(400),
                },
            }
        },
        "/openapi.json": {
            "get": {
                "operationId": "getOpenapi",
                "summary": "This document",
                "security": [{}, *_SECURITY],
                "responses": {
                    "200": {
                        "description": "OpenAPI 3.1",
                        **_header(
                            "Access-Control-Allow-Origin", "Any page may read it.", type="string"
                        ),
                        "content": {"application/json": {"schema": {"type": "object"}}},
                    },
                    **_refusals(400),
                },
            }
        },
    }
