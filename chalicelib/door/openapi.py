"""`GET /openapi.json`: OpenAPI 3.1, made from what the code accepts, so that it cannot drift."""

from __future__ import annotations

from typing import Any, Final

from chalicelib import names
from chalicelib.door import bounded, cloudevents, http
from chalicelib.events import event
from chalicelib.plan import catalog
from chalicelib.store import ledger
from chalicelib.words.render import templates

_TEXT: Final = {"type": "string", "minLength": 1}
_MOMENT: Final = {"type": "string", "format": "date-time"}
# In an event, null stands for "not set": CloudEvents' JSON format, section 2.
_LINE: Final = {"type": ["string", "null"], "minLength": 1, "pattern": event.LINE}
_TIME: Final = {"type": ["string", "null"], "format": "date-time"}


def document(server: str = ".") -> dict[str, Any]:
    """The API of this deployment at the address `server` (which may be relative to the document's),
    its event types included."""
    schemas, schema_of = _event_schemas()
    any_event = {
        "oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in schemas],
        "discriminator": {
            "propertyName": "type",
            "mapping": {t: f"#/components/schemas/{name}" for t, name in schema_of.items()},
        },
    }
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
            "schemas": {"Event": any_event, **schemas, **_SCHEMAS},
            "responses": _problems(),
        },
    }


_OTHERS: Final = "event-others"


def _schema_name(event_type: str) -> str:
    return "event-" + event_type


def _event_schemas() -> tuple[dict[str, Any], dict[str, str]]:
    """The schemas of events by name, and the name by event type.

    What an answer has no room for shares one schema, that of any event.
    """
    room = bounded.Room(bounded.LISTED)
    schemas: dict[str, Any] = {}
    schema_of: dict[str, str] = {}
    others: list[str] = []
    for event_type in templates().types:
        entry = catalog.event_type(event_type)
        data = {name: value for name, value in entry["data"].items() if name != "$schema"}
        schema = _event_schema({"const": event_type}, data)
        if entry["sample"] is not None:
            schema["examples"] = [entry["sample"]]
        if room.holds(schema):
            schema_of[event_type] = _schema_name(event_type)
            schemas[_schema_name(event_type)] = schema
        else:
            others.append(event_type)
    if others:
        schemas[_OTHERS] = _event_schema({"enum": others}, {"type": "object"})
        schema_of |= dict.fromkeys(others, _OTHERS)
    return schemas, schema_of


def _event_schema(event_type: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["type", "data"],
        "properties": {**_ATTRIBUTES, "type": event_type, "data": data},
        # CloudEvents extensions: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
        "propertyNames": {"pattern": event.EXTENSION_NAME},
        "additionalProperties": {
            "type": ["string", "integer", "boolean", "null"],
            "minLength": 1,
            "maxLength": event.MAX_ATTRIBUTE,
            "pattern": event.LINE,
            "minimum": event.INT32[0],
            "maximum": event.INT32[1],
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

_ATTRIBUTES: Final[dict[str, Any]] = {
    "specversion": {"const": "1.0"},
    "id": {
        **_LINE,
        "maxLength": event.MAX_ID,
        "description": "Sent twice with one id and source is taken once.",
    },
    "source": {
        **_LINE,
        "maxLength": event.MAX_SOURCE,
        "pattern": event.URI_REFERENCE,
        "description": "A URI reference: the key's own, which is the default, or beneath it.",
    },
    "subject": {**_LINE, "maxLength": event.MAX_ATTRIBUTE},
    "time": _TIME,
    "datacontenttype": {"type": ["string", "null"], "pattern": event.JSON_TYPE},
    "dataschema": {
        "type": ["string", "null"],
        "maxLength": event.MAX_ATTRIBUTE,
        "pattern": event.ABSOLUTE_URI,
    },
    "recipient": {
        **_LINE,
        "maxLength": event.MAX_ATTRIBUTE,
        "description": "A customer's id.",
    },
    "locale": {
        "type": ["string", "null"],
        "pattern": event.LOCALE,
        "description": "es-AR falls back to es, and that to the default.",
    },
    "partitionkey": {
        **_LINE,
        "maxLength": event.MAX_ATTRIBUTE,
        "description": "Events with one key are delivered in order; default: the recipient, "
        "then the subject, then the type.",
    },
    "expirytime": {**_TIME, "description": "Past it, the event is recorded and not sent."},
    "deliverat": {
        "type": "null",
        "description": "Reserved: events are not held back yet, and a time to come is refused.",
    },
    "traceparent": {**_LINE, "maxLength": event.MAX_ATTRIBUTE},
}

_ACCEPTED: Final = {
    "type": "object",
    "required": ["id", "status", "lane"],
    "properties": {
        "id": _TEXT,
        "status": {"enum": ["accepted", "duplicate"]},
        "lane": _TEXT,
    },
}
_PROBLEM: Final = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "problem"],
                "properties": {"field": {"type": "string"}, "problem": _TEXT},
            },
        },
    },
}
_SCHEMAS: Final[dict[str, Any]] = {
    "Accepted": _ACCEPTED,
    "Problem": _PROBLEM,
    "BatchResult": {
        "oneOf": [
            {"$ref": "#/components/schemas/Accepted"},
            {
                "type": "object",
                "required": ["id", "status", "problem"],
                "properties": {
                    "id": {"type": ["string", "null"]},
                    "status": {"enum": ["rejected", "unavailable"]},
                    "problem": {"$ref": "#/components/schemas/Problem"},
                },
            },
        ]
    },
    "Life": {
        "type": "object",
        "required": ["id", "source", "status", "lane", "timeline", "rules", "messages"],
        "properties": {
            "id": _TEXT,
            "source": _TEXT,
            "type": {"type": ["string", "null"]},
            "status": {"enum": list(ledger.STATUSES)},
            "lane": _TEXT,
            "timeline": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["at", "status"],
                    "properties": {"at": _MOMENT, "status": _TEXT},
                },
            },
            "rules": {"type": "array", "items": _TEXT},
            "messages": {"type": "object", "additionalProperties": _TEXT},
            "template": {"type": ["string", "null"]},
            "attempts": {"type": "integer"},
            "reason": _TEXT,
            "detail": {"type": "string"},
            "key": {**_TEXT, "description": "The name of the key that sent it."},
            "test": {"type": "boolean"},
        },
    },
    "Plan": {
        "type": "object",
        "required": ["type", "lane", "ordering_key", "rules", "destinations", "messages"],
    },
    "EventTypes": {
        "type": "object",
        "required": ["event_types"],
        "properties": {
            "event_types": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["type", "lane", "locales", "required", "data", "sample"],
                },
            }
        },
    },
}


def _problems() -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        str(status): {"description": title, "content": content}
        for status, title in http.TITLES.items()
    }


def _refusals(*statuses: int) -> dict[str, Any]:
    return {str(s): {"$ref": f"#/components/responses/{s}"} for s in (*statuses, 429, 500)}


def _json(description: str, schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": description, "content": content}


def _paths() -> dict[str, Any]:
    one = {"$ref": "#/components/schemas/Event"}
    batch = {
        "type": "array",
        "maxItems": http.BATCH_EVENTS,
        # Whatever stands in a batch gets a result of its own.
        "items": {"anyOf": [one, {"description": "Anything else: its result is `rejected`."}]},
    }
    door = _refusals(400, 401, 403, 413, 415, 422, 503)
    return {
        "/events": {
            "post": {
                "operationId": "sendEvent",
                "summary": "Send one event",
                "description": "A CloudEvent as structured JSON, in binary mode (ce- headers), or as "
                "plain JSON without specversion.",
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
                                "schema": {
                                    "anyOf": [
                                        {"$ref": "#/components/schemas/Accepted"},
                                        {"$ref": "#/components/schemas/Plan"},
                                    ]
                                }
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
                "description": "One result per event, in order; a bad event never blocks a good one.",
                "requestBody": {
                    "required": True,
                    "content": {
                        cloudevents.PLAIN: {"schema": batch},
                        cloudevents.BATCHED: {"schema": batch},
                    },
                },
                "responses": {
                    "200": {
                        "description": "One result per event",
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "array",
                                    "items": {"$ref": "#/components/schemas/BatchResult"},
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
                "parameters": [
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
                ],
                "responses": {
                    "200": _json("The event's life", "Life"),
                    **_refusals(400, 401, 403, 404, 503),
                },
            }
        },
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
                    "200": {
                        "description": "It is",
                        "content": {"application/json": {"schema": {"type": "object"}}},
                    },
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
                        "content": {"application/json": {"schema": {"type": "object"}}},
                    },
                    **_refusals(400),
                },
            }
        },
    }
