"""The schemas of `GET /openapi.json`: what an event may hold, and what is answered.

Named so that generators make classes of them: no dots, and an object of its own wherever somebody would
want to name it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from chalicelib.door import bounded, profile
from chalicelib.events import addresses, event
from chalicelib.plan import catalog
from chalicelib.plan.gathering import WHY_LEFT_OUT
from chalicelib.plan.timing import WHY_HELD
from chalicelib.rules.destinations import CHANNELS
from chalicelib.store.statuses import RECEIPTS, STATUSES
from chalicelib.words.render import templates

_TEXT: Final = {"type": "string", "minLength": 1}
_TEXTS: Final = {"type": "array", "items": _TEXT}
_STRINGS: Final = {"type": "object", "additionalProperties": {"type": "string"}}
_MOMENT: Final = {"type": "string", "format": "date-time"}
# In an event, null stands for "not set": CloudEvents' JSON format, section 2.
_LINE: Final = {"type": ["string", "null"], "minLength": 1, "pattern": event.LINE}
_TIME: Final = {"type": ["string", "null"], "format": "date-time"}
_OTHERS: Final = "Other"


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def events() -> dict[str, Any]:
    """The schemas of events: `Event`, and for each type the event's and its data's own.

    Types that an answer has no room for share one, that of any event.
    """
    room = bounded.Room(bounded.LISTED)
    found: dict[str, Any] = {}
    mapping: dict[str, str] = {}
    others: list[str] = []
    for event_type, name in _names(templates().types).items():
        entry = catalog.event_type(event_type)
        data = {key: of for key, of in entry["data"].items() if key != "$schema"}
        schema = _event({"const": event_type}, ref(f"{name}Data"))
        if entry["sample"] is not None:
            schema["examples"] = [entry["sample"]]
        if room.holds([schema, data]):
            mapping[event_type] = f"{name}Event"
            found |= {f"{name}Event": schema, f"{name}Data": data}
        else:
            others.append(event_type)
    if others:
        found[f"{_OTHERS}Event"] = _event({"enum": others}, {"type": "object"})
        mapping |= dict.fromkeys(others, f"{_OTHERS}Event")
    any_event = {
        "oneOf": [ref(name) for name in dict.fromkeys(mapping.values())],
        "discriminator": {
            "propertyName": "type",
            "mapping": {of: ref(name)["$ref"] for of, name in mapping.items()},
        },
    }
    return {"Event": any_event, **found}


def _names(types: Iterable[str]) -> Mapping[str, str]:
    """What each type is called in code: order.shipped is OrderShipped; no two are called the same."""
    found: dict[str, str] = {}
    taken = {_OTHERS.lower()}
    for event_type in types:
        words = re.findall("[A-Za-z0-9]+", event_type)
        plain = "".join(word[0].upper() + word[1:] for word in words) or "Type"
        name, number = plain, 2
        while name.lower() in taken:
            name, number = f"{plain}{number}", number + 1
        taken.add(name.lower())
        found[event_type] = name
    return found


def _event(event_type: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["type", "data"],
        "properties": {**ATTRIBUTES, "type": event_type, "data": data},
        # CloudEvents extensions: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
        "propertyNames": {"pattern": event.EXTENSION_NAME},
        "unevaluatedProperties": {
            "type": ["string", "integer", "boolean", "null"],
            "minLength": 1,
            "maxLength": event.MAX_ATTRIBUTE,
            "pattern": event.LINE,
            "minimum": event.INT32[0],
            "maximum": event.INT32[1],
        },
    }


ATTRIBUTES: Final[dict[str, Any]] = {
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
    "datacontenttype": {
        "type": ["string", "null"],
        "maxLength": event.MAX_ATTRIBUTE,
        "pattern": event.JSON_TYPE,
    },
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
    "email": {
        "type": ["string", "null"],
        "pattern": addresses.EMAIL,
        "maxLength": addresses.EMAIL_CHARACTERS,
        "description": "Where its recipient is reached by e-mail this time; used, and kept nowhere.",
    },
    "phone": {
        "type": ["string", "null"],
        "pattern": addresses.PHONE,
        "description": "The same by SMS: a number such as +34600111222.",
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
        "type": ["string", "null"],
        "format": "date-time",
        "description": "When it goes out, up to a year ahead; until then it can be cancelled.",
    },
    "traceparent": {**_LINE, "maxLength": event.MAX_ATTRIBUTE},
}


def _object(
    properties: dict[str, Any], optional: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(properties),
        "properties": {**properties, **(optional or {})},
        **more,
    }


def _list(of: str) -> dict[str, Any]:
    return {"type": "array", "items": ref(of)}


_NOTHING: Final = {"type": "null"}
_CHANNELS: Final = list(CHANNELS)
# What may be said of a recipient; null takes a field away.
_RECIPIENT: Final[dict[str, Any]] = {
    "locale": {"type": ["string", "null"], "pattern": event.LOCALE},
    "time_zone": {
        "type": ["string", "null"],
        "pattern": "^[A-Za-z0-9_+/-]{1,64}$",
        "description": "Of IANA, such as America/Argentina/Buenos_Aires.",
    },
    "email": ATTRIBUTES["email"] | {"description": "Where they get e-mail."},
    "phone": ATTRIBUTES["phone"] | {"description": "In international form, such as +34600111222."},
    "push": {
        "type": ["array", "null"],
        "maxItems": profile.PUSH_ENDPOINTS,
        "items": {"type": "string", "pattern": profile.ENDPOINT},
        "description": "ARNs of SNS platform endpoints, one for each device.",
    },
    "preferences": {
        "type": ["object", "null"],
        "description": 'By category and channel, what they want: {"promotions": {"sms": false}}.',
        "additionalProperties": {
            "type": ["object", "null"],
            "propertyNames": {"enum": _CHANNELS},
            "additionalProperties": {"type": ["boolean", "null"]},
        },
    },
    "consent": {
        "type": ["object", "null"],
        "description": "By category, when and how they agreed to it.",
        "additionalProperties": {"oneOf": [_NOTHING, ref("Consent")]},
    },
}

ANSWERS: Final[dict[str, Any]] = {
    "RecipientFields": {
        "type": "object",
        "properties": _RECIPIENT,
        "additionalProperties": False,
    },
    "Consent": _object(
        {
            "at": _MOMENT,
            "how": {
                **_TEXT,
                "maxLength": profile.HOW_CHARACTERS,
                "pattern": event.LINE,
            },
        },
        additionalProperties=False,
    ),
    "Recipient": _object(
        {"id": _TEXT},
        {
            **_RECIPIENT,
            "refused": {
                "type": "object",
                "description": "By category and channel, when and how they said that they do not want it.",
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": ref("Consent"),
                },
            },
            "stopped": {
                "type": "object",
                "description": "The channels whose address nothing is sent to any more, and why.",
                "additionalProperties": ref("Stop"),
            },
            "soft_bounces": {
                "type": "object",
                "description": "How often in a row mail came back for a while, by channel.",
                "additionalProperties": {"type": "integer"},
            },
        },
    ),
    "Stop": _object({"reason": _TEXT, "at": _MOMENT, "detail": {"type": "string"}}),
    "Accepted": _object(
        {"id": _TEXT, "status": {"enum": ["accepted", "duplicate"]}, "lane": _TEXT},
        {
            "warnings": _list("FieldProblem"),
            "held_until": {**_MOMENT, "description": "When it goes out, of what has a deliverat."},
        },
        description="`warnings` names fields that the words print and that are empty.",
    ),
    "NotTaken": _object(
        {
            "id": {"type": ["string", "null"]},
            "status": {"enum": ["rejected", "unavailable"]},
            "problem": ref("Problem"),
        },
        description="rejected: mend it. unavailable: send it again as it is.",
    ),
    "BatchResult": {"oneOf": [ref("Accepted"), ref("NotTaken")]},
    "Problem": _object(
        {"type": _TEXT, "title": _TEXT, "status": {"type": "integer"}, "detail": _TEXT},
        {"errors": _list("FieldProblem")},
        description="RFC 9457; `errors` names the fields at fault, `detail` how many more there are.",
    ),
    "FieldProblem": _object({"field": {"type": "string"}, "problem": _TEXT}),
    "Life": _object(
        {
            "id": _TEXT,
            "source": _TEXT,
            "type": {"type": ["string", "null"]},
            "status": {
                "enum": list(STATUSES),
                "description": "; ".join(f"{name}: {about}" for name, about in STATUSES.items()),
            },
            "lane": _TEXT,
            "timeline": _list("Step"),
            "rules": _TEXTS,
            "messages": {
                **_STRINGS,
                "description": "SNS's or SES's ids, or of posts the `webhook-id`, by destination and locale.",
            },
            "template": {"type": ["string", "null"]},
            "attempts": {"type": "integer"},
        },
        {
            "held": ref("Held"),
            "digests": {
                **_list("Digested"),
                "description": "What rules gathered of it, and what became of that.",
            },
            "outcomes": {
                "type": "object",
                "additionalProperties": {"enum": list(RECEIPTS)},
                "description": "By destination: "
                + "; ".join(f"{name}: {about}" for name, about in RECEIPTS.items()),
            },
            "receipts": _list("Receipt"),
            "reason": _TEXT,
            "detail": {"type": "string"},
            "withheld": {
                **_STRINGS,
                "description": "To whom it did not go, by destination and channel, and why.",
            },
            "unknown": {**_TEXTS, "description": "Where it may have gone out, and nobody knows."},
            "acknowledged": {**_MOMENT, "description": "Since when somebody is on it."},
            "key": {**_TEXT, "description": "The name of the key that sent it, or of who did so."},
            "test": {"type": "boolean"},
        },
    ),
    "Digested": _object(
        {
            "rule": _TEXT,
            "status": {
                **_TEXT,
                "description": "held while it waits, forgotten where its recipient was erased; else the digest's own.",
            },
            "until": {**_MOMENT, "description": "When its digest goes out, or went."},
        },
        {
            "id": {**_TEXT, "description": "The digest, an event of its own in the ledger."},
            "reason": {"enum": list(WHY_LEFT_OUT)},
            "detail": _TEXT,
        },
    ),
    "Held": _object(
        {
            "until": _MOMENT,
            "why": {
                **_TEXT,
                "description": "; ".join(f"{why}: {what}" for why, what in WHY_HELD.items()),
            },
        },
        {"local": {**_TEXT, "description": "The same on its recipient's clock, or the shop's."}},
        description="Until when an event is kept back, and why.",
    ),
    "Receipt": _object(
        {"destination": _TEXT, "status": {"enum": list(RECEIPTS)}, "at": _MOMENT},
        {
            "detail": {
                **_TEXT,
                "description": "SES's words for why; of a post, the status or what went wrong.",
            }
        },
        description="What SES said of a mail after it had taken it, or what became of a post.",
    ),
    "Step": _object({"at": _MOMENT, "status": _TEXT}),
    "Plan": _object(
        {
            "type": _TEXT,
            "lane": _TEXT,
            "ordering_key": _TEXT,
            "rules": _list("PlannedRule"),
            "destinations": _TEXTS,
            "suppressed": {"type": ["string", "null"], "description": "Why nobody is told."},
            "withheld": {**_STRINGS, "description": "Whom it does not reach, and why."},
            "messages": _list("PlannedMessage"),
            "warnings": {**_TEXTS, "description": "What to look at, and what is left out here."},
        },
        {
            "held": ref("Held"),
            "digests": _list("PlannedDigest"),
            "starts": {**_TEXTS, "description": "The journeys that it starts."},
            "stops": {**_TEXTS, "description": "The journeys that it ends."},
        },
    ),
    "PlannedDigest": _object(
        {
            "rule": _TEXT,
            "until": {**_MOMENT, "description": "When its digest goes out, at the latest."},
            "local": {**_TEXT, "description": "The same on its recipient's clock."},
            "to": _TEXTS,
            "why": _TEXT,
        },
        description="What a rule gathers of it, which goes out later with others.",
    ),
    "PlannedRule": _object(
        {"name": _TEXT, "matched": {"type": "boolean"}},
        {
            "to": _TEXTS,
            "gathers": {"type": "boolean", "description": "It goes there in a digest."},
            "suppresses": {"type": "boolean"},
            "stops": {"type": "boolean"},
            "starts_journeys": _TEXTS,
            "stops_journeys": _TEXTS,
            "why": {**_TEXT, "description": "The first condition that failed."},
            "owner": _TEXT,
            "note": _TEXT,
        },
    ),
    "PlannedMessage": _object(
        {
            "destination": _TEXT,
            "channel": _TEXT,
            "bodies": {**_STRINGS, "description": "The text for each protocol, `default` first."},
            "attributes": _STRINGS,
            "bytes": {"type": "integer"},
        },
        {
            # What is posted to a webhook has none of these four: it is the event, and no words.
            "locale": _TEXT,
            "subject": {"type": "string"},
            "template": _TEXT,
            "sms": ref("Sms"),
            "fallback_from": _TEXT,
            "html": {"type": "string", "description": "The HTML part of an e-mail."},
            "headers": {**_STRINGS, "description": "Of an e-mail, beside what SES writes itself."},
        },
    ),
    "Sms": _object(
        {
            "encoding": {"enum": ["GSM-7", "UCS-2"]},
            "characters": {"type": "integer"},
            "parts": {"type": "integer"},
        }
    ),
    "EventTypes": _object({"event_types": _list("EventType")}),
    "EventType": _object(
        {
            "type": _TEXT,
            "lane": _TEXT,
            "locales": _TEXTS,
            "required": {**_TEXTS, "description": "Such as `order.items[].name`."},
            "data": {"type": "object", "description": "JSON Schema of the event's data."},
            "sample": {
                "type": ["object", "null"],
                "description": "An event, to be posted as it is.",
            },
        }
    ),
    "Health": _object({"status": {"const": "ok"}, "event_types": {"type": "integer"}}),
}
