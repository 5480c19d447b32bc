"""What goes in: a CloudEvents 1.0 event, checked attribute by attribute.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from chalicelib.errors import FieldError, InvalidEvent
from chalicelib.events.addresses import email_problem, normal_email, phone_problem
from chalicelib.events.gathered import DIGEST, Gathered
from chalicelib.regex import regex
from chalicelib.values import dataclass

# Together they are the ledger's key, of at most 2,048 and 1,024 bytes of UTF-8:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MAX_ID: Final = 256
MAX_SOURCE: Final = 256
MAX_TYPE: Final = 256
MAX_ATTRIBUTE: Final = 1024

_STRINGS: Final = ("recipient", "locale", "partitionkey", "traceparent", "email", "phone")
_TIMES: Final = ("time", "expirytime", "deliverat")
# What decides an event's ordering key: the first of these that it has.
ORDERED_BY: Final = ("partitionkey", "recipient", "subject", "type")
# Where its recipient is reached. No rule and no template sees these: they are used, and kept nowhere.
_ADDRESSES: Final = ("email", "phone")
_OPTIONAL: Final = (
    *("subject", "time", "expirytime", "recipient", "locale", "partitionkey", "traceparent"),
    *("datacontenttype", "dataschema", "deliverat"),
)
KNOWN: Final = frozenset(
    ("specversion", "id", "source", "type", "subject", "data", "datacontenttype", "dataschema")
) | {*_STRINGS, *_TIMES}
# Patterns as JSON Schema and Python both read them: GET /openapi.json shows what is checked here.
LINE: Final = r"^[^\u0000-\u001f\u007f-\u009f]+$"
EXTENSION_NAME: Final = "^[a-z0-9]{1,64}$"
# A language tag with what phones add to it: es-MX-u-mu-celsius.
LOCALE: Final = "^[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8}){0,12}$"
# CloudEvents' JSON format, section 3.1: the subtype is json, or ends in it. Its case does not count.
_MEDIA: Final = "[A-Za-z0-9!#$&^_.-]+"
JSON_TYPE: Final = rf"^{_MEDIA}/({_MEDIA}\+)?[Jj][Ss][Oo][Nn]([ \t]*;[\t -~]*)?$"
# What may stand in a URI; letters beyond ASCII are let through.
_URI_CHARACTERS: Final = r"(?:[^\u0000-\u0020\u007f-\u00a0<>\"{}|\\^`%]|%[0-9A-Fa-f][0-9A-Fa-f])"
URI_REFERENCE: Final = f"^{_URI_CHARACTERS}+$"
ABSOLUTE_URI: Final = f"^[A-Za-z][A-Za-z0-9+.-]*:{_URI_CHARACTERS}+$"


def _compiled(pattern: str) -> re.Pattern[str]:
    # Python's $ would let a line break stand at the end.
    return regex(pattern.removesuffix("$") + r"\Z")


_SHOWN: Final = regex(r"[\w.-]{1,64}\Z")
_EXTENSION_NAME: Final = _compiled(EXTENSION_NAME)
_LOCALE: Final = _compiled(LOCALE)
_LINE: Final = _compiled(LINE)
_JSON_TYPE: Final = _compiled(JSON_TYPE)
_URI_REFERENCE: Final = _compiled(URI_REFERENCE)
_ABSOLUTE_URI: Final = _compiled(ABSOLUTE_URI)
# RFC 3339, section 5.6. Python's own reading knows forms that this does not have, and the reverse.
_RFC_3339: Final = regex(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d):(\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)\Z", re.ASCII
)
INT32: Final = (-(2**31), 2**31 - 1)
# Nobody means more, and a slip of the pen is told.
MOST_DAYS_AHEAD: Final = 366


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened. `data` and `extensions` are read, never changed.

    `email` and `phone` are where its recipient is reached this time, whatever else is known. `digest`: it
    stands for what a rule gathered, of which it was the last.
    """

    id: str
    source: str
    type: str
    data: Mapping[str, Any]
    subject: str | None = None
    time: str | None = None
    recipient: str | None = None
    locale: str | None = None
    partitionkey: str | None = None
    expirytime: str | None = None
    traceparent: str | None = None
    email: str | None = None
    phone: str | None = None
    datacontenttype: str | None = None
    dataschema: str | None = None
    deliverat: str | None = None
    extensions: Mapping[str, Any] = field(default_factory=dict)
    digest: Gathered | None = None

    @property
    def ordering_key(self) -> str:
        """Events with one ordering key are delivered in the order in which they were accepted."""
        return self.partitionkey or self.recipient or self.subject or self.type

    def attributes(self) -> dict[str, Any]:
        """Every attribute that is set but the addresses, `data` included: what rules and templates see."""
        found: dict[str, Any] = {
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "data": self.data,
        }
        for name in _OPTIONAL:
            value = getattr(self, name)
            if value is not None:
                found[name] = value
        if self.extensions:
            found.update(self.extensions)
        return found

    def to_json(self) -> str:
        """The event as a structured-mode CloudEvent, as it stands in a lane's queue."""
        attributes = {"specversion": "1.0", **self.attributes()}
        for name in _ADDRESSES:
            address = getattr(self, name)
            if address is not None:
                attributes[name] = address
        if self.digest is not None:
            attributes[DIGEST] = self.digest.to_raw()
        text = json.dumps(attributes, ensure_ascii=False, separators=(",", ":"))
        if "\ufffe" in text or "\uffff" in text:  # the two characters that SQS refuses
            text = text.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")
        return text

    def with_id(self, event_id: str) -> Event:
        return replace(self, id=event_id)

    def waits(self, now: datetime) -> bool:
        """Whether `deliverat` is yet to come at `now` (aware)."""
        return self.deliverat is not None and timestamp(self.deliverat) > now

    def expired(self, now: datetime) -> bool:
        """Whether `expirytime` is past at `now` (aware)."""
        return self.expirytime is not None and timestamp(self.expirytime) <= now


def timestamp(text: str) -> datetime:
    """Read an RFC 3339 timestamp; raises ValueError where it is none.

    A leap second is read as the second before it, and what is finer than microseconds is cut off:
    neither has a place in a datetime.
    """
    match = _RFC_3339.match(text)
    if match is None:
        raise ValueError("not RFC 3339")
    day, minute, second, fraction, offset = match.groups()
    second = "59" if second == "60" else second
    zone = "+00:00" if offset in "Zz" else offset
    return datetime.fromisoformat(f"{day}T{minute}:{second}.{(fraction or '0')[:6]:0<6}{zone}")


def parse(raw: object, *, default_id: str = "", default_source: str = "") -> Event:
    """Read an event from its JSON form.

    Parameters
    ----------
    raw : the decoded JSON, with or without `specversion`.
    default_id, default_source : used where the event names none; an `id` stays empty without.

    Raises
    ------
    InvalidEvent : with one entry for every attribute at fault.
    """
    if not isinstance(raw, Mapping):
        raise InvalidEvent("not-an-event", [FieldError("event", "must be a JSON object")])
    errors: list[FieldError] = []
    extensions: dict[str, Any] = {}
    for name, value in raw.items():
        if name not in KNOWN:
            _check_extension(name, value, extensions, errors)
    event_type = raw.get("type")
    if not isinstance(event_type, str) or not event_type:
        errors.append(FieldError("type", "is required: the event type, such as order.shipped"))
    elif len(event_type) > MAX_TYPE or not _LINE.match(event_type):
        errors.append(FieldError("type", "is too long, or has control characters, for a type"))
    data = raw.get("data")
    if not isinstance(data, Mapping):
        what = "is required and" if data is None else ""
        errors.append(FieldError("data", f"{what} must be a JSON object".strip()))
    if "data_base64" in raw:
        errors.append(FieldError("data_base64", "is not taken; send data as a JSON object"))
    if raw.get("specversion", "1.0") != "1.0":
        errors.append(FieldError("specversion", 'must be "1.0"'))
    content_type = raw.get("datacontenttype")
    if content_type is not None and not is_json(content_type):
        errors.append(FieldError("datacontenttype", "must be application/json"))
        content_type = None
    event_id = _string(raw, "id", MAX_ID, errors) or default_id
    source = _string(raw, "source", MAX_SOURCE, errors)
    if source is not None and not is_uri_reference(source):
        problem = (
            "must be a URI reference such as /shop: no spaces, quotes, or % without its digits"
        )
        errors.append(FieldError("source", problem))
    subject = _string(raw, "subject", MAX_ATTRIBUTE, errors)
    dataschema = _string(raw, "dataschema", MAX_ATTRIBUTE, errors)
    if dataschema is not None and not _ABSOLUTE_URI.match(dataschema):
        errors.append(FieldError("dataschema", "must be a whole URI, such as https://…"))
    named = {name: _string(raw, name, MAX_ATTRIBUTE, errors) for name in _STRINGS if name in raw}
    locale = named.get("locale")
    if locale is not None and not _LOCALE.match(locale):
        errors.append(FieldError("locale", "must be a language tag such as es or es-AR"))
    _check_addresses(named, errors)
    times = {name: _time(raw, name, errors) for name in _TIMES if name in raw}
    _check_time_to_come(times, errors)
    if errors:
        raise InvalidEvent("invalid-event", errors)
    assert isinstance(event_type, str)  # noqa: S101 - checked above, for the type checker
    assert isinstance(data, Mapping)  # noqa: S101
    return Event(
        id=event_id,
        source=source or default_source,
        type=event_type,
        data=data,
        subject=subject,
        datacontenttype=content_type,
        dataschema=dataschema,
        extensions=extensions,
        digest=None,
        **named,
        **times,
    )


def _check_time_to_come(times: Mapping[str, str | None], errors: list[FieldError]) -> None:
    """Refuse a time that nobody can mean."""
    at, until = times.get("deliverat"), times.get("expirytime")
    if at is None:
        return
    if timestamp(at) > datetime.now(UTC) + timedelta(days=MOST_DAYS_AHEAD):
        errors.append(FieldError("deliverat", "lies more than a year ahead"))
    if until is not None and timestamp(until) <= timestamp(at):
        errors.append(FieldError("expirytime", "is past before deliverat: it would never be sent"))


def _check_addresses(named: dict[str, str | None], errors: list[FieldError]) -> None:
    """Refuse what nothing can be sent to, and write the rest as it is sent to and compared."""
    email, phone = named.get("email"), named.get("phone")
    if email is not None:
        if problem := email_problem(email):
            errors.append(FieldError("email", problem))
        named["email"] = normal_email(email)
    if phone is not None and (problem := phone_problem(phone)):
        errors.append(FieldError("phone", problem))


def shown(name: object, otherwise: str) -> str:
    """A field's name as a refusal or a log may have it; what is no name could be anything."""
    return str(name) if _SHOWN.match(str(name)) else otherwise


def is_uri_reference(text: str) -> bool:
    """Whether this can be a source: a URI reference such as /shop."""
    return _URI_REFERENCE.match(text) is not None


def is_json(media: object) -> bool:
    """Whether this is a media type of JSON, such as `application/json; charset=utf-8`."""
    return (
        isinstance(media, str)
        and len(media) <= MAX_ATTRIBUTE
        and _JSON_TYPE.match(media) is not None
    )


def is_id(value: object) -> bool:
    """Whether this can be an event's id, and so may be repeated in an answer."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= MAX_ID
        and _LINE.match(value) is not None
        and value.encode(errors="ignore").decode() == value  # half a surrogate pair is no character
    )


def _string(
    raw: Mapping[str, Any], name: str, longest: int, errors: list[FieldError]
) -> str | None:
    value = raw.get(name)
    if value is None:  # the JSON format has null for "not set"
        return None
    if not isinstance(value, str) or not value:
        errors.append(FieldError(name, "must be a non-empty string; leave it out if there is none"))
    elif len(value) > longest:
        errors.append(FieldError(name, f"has more than {longest} characters"))
    elif not _LINE.match(value):
        errors.append(FieldError(name, "has line breaks or other control characters"))
    else:
        return value
    return None


def _time(raw: Mapping[str, Any], name: str, errors: list[FieldError]) -> str | None:
    value = _string(raw, name, MAX_ATTRIBUTE, errors)
    if value is not None:
        try:
            timestamp(value)
        except ValueError:
            problem = "must be an RFC 3339 timestamp with an offset, such as 2026-11-22T10:00:00Z"
            errors.append(FieldError(name, problem))
            return None
    return value


def _check_extension(
    name: object, value: object, extensions: dict[str, Any], errors: list[FieldError]
) -> None:
    """Keep an unknown attribute if CloudEvents allows it (name: a-z and 0-9; value: no object)."""
    if name == "data_base64":
        return
    if name == DIGEST:
        errors.append(FieldError(name, "is what Heraldo calls what it gathers: name it otherwise"))
        return
    if not isinstance(name, str) or not _EXTENSION_NAME.match(name):
        found = shown(name, "(attribute)")
        problem = "attribute names are lower-case letters and digits; put your own fields in data"
        errors.append(FieldError(found, problem))
    elif value is None:
        return
    elif isinstance(value, bool):
        extensions[name] = value
    elif isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        value = int(value)
        if INT32[0] <= value <= INT32[1]:
            extensions[name] = value
        else:
            errors.append(FieldError(name, "is an integer outside 32 bits"))
    elif isinstance(value, str):
        checked = _string({name: value}, name, MAX_ATTRIBUTE, errors)
        if checked is not None:
            extensions[name] = checked
    else:
        problem = "must be a string, an integer or a boolean; put structured values in data"
        errors.append(FieldError(name, problem))
