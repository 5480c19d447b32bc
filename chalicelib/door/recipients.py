"""`/recipients/{id}`: the people whom events may be for, by the shop's own ids."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote

from botocore.exceptions import ClientError

from chalicelib import log
from chalicelib.door import cancelling, http, keys, profile
from chalicelib.door.http import Answer, Problem, Request
from chalicelib.errors import FieldError, TransientError
from chalicelib.rules.reading import routing
from chalicelib.store import audit, people, register, secrets
from chalicelib.store.people import Person
from chalicelib.store.record import now_text

SCOPE: Final = "people"
BODY_BYTES: Final = 32 * 1024
PUT_TYPES: Final = ("application/json",)
PATCH_TYPES: Final = ("application/merge-patch+json", "application/json")


def get(request: Request, given: str) -> Answer:
    """`GET /recipients/{id}`: all that is kept of a person."""
    keys.require(request, SCOPE)
    http.query(request)
    person_id = _id(given)
    found = _asked(lambda: register.find(request.stage, person_id, request.patience))
    if found.person is None:
        when = f" Somebody of this id was erased on {found.erased[:10]}." if found.erased else ""
        raise Problem(404, "no-such-recipient", f"Nothing is kept of this recipient.{when}")
    return Answer(200, profile.shown(found.person))


def put(request: Request, given: str) -> Answer:
    """`PUT /recipients/{id}`: this and no more is to be kept of a person; 201 where they are new."""
    keys.require(request, SCOPE)
    http.query(request)
    person_id = _id(given)
    said = _said(request, person_id, PUT_TYPES)
    new: list[bool] = []

    def replace(person: Person, is_known: bool) -> bool:
        new[:] = [not is_known]
        before = profile.shown(person)
        profile.replaced(person, said)
        return not is_known or profile.shown(person) != before

    person = _changed(request, person_id, replace)
    return Answer(201 if new[0] else 200, profile.shown(person))


def patch(request: Request, given: str) -> Answer:
    """`PATCH /recipients/{id}`: change what is named (JSON Merge Patch), and nothing else."""
    keys.require(request, SCOPE)
    http.query(request)
    person_id = _id(given)
    said = _said(request, person_id, PATCH_TYPES)

    def merge(person: Person, is_known: bool) -> bool:
        if not is_known:
            detail = "Nothing is kept of this recipient. PUT makes one."
            raise Problem(404, "no-such-recipient", detail)
        before = profile.shown(person)
        profile.merged(person, said)
        return profile.shown(person) != before

    return Answer(200, profile.shown(_changed(request, person_id, merge)))


def delete(request: Request, given: str) -> Answer:
    """`DELETE /recipients/{id}`: erase a person. That it was done is kept, and not who it was."""
    key = keys.require(request, SCOPE)
    http.query(request)
    person_id = _id(given)
    whose = _asked(lambda: secrets.of(request.stage).hash_of(person_id))
    _asked(lambda: audit.write(request.stage, key.name, "person-erase", whose))
    waited = _asked(lambda: cancelling.erase(request.stage, person_id))
    was_there = _asked(
        lambda: register.erase(request.stage, person_id, now_text(), request.patience)
    )
    if not was_there and not waited:
        raise Problem(404, "no-such-recipient", "Nothing is kept of this recipient.")
    log.warning("a recipient was erased", key=key.name)
    return Answer(204, "")


def _changed(request: Request, person_id: str, by: Any) -> Person:
    item_id = people.PERSON + person_id
    found: Person = _asked(lambda: register.change(request.stage, item_id, by, request.patience))
    return found


def _asked(call: Any) -> Any:
    try:
        return call()
    except (TransientError, ClientError):
        detail = "People cannot be read or written right now. Send it again as it is."
        raise Problem(503, "unavailable", detail, headers=http.RETRY) from None


def _id(given: str) -> str:
    """The id that stands in the address; a gateway hands it on as it was sent, or decoded."""
    person_id = unquote(given)
    if problem := profile.id_problem(person_id):
        raise Problem(400, "recipient-id", "There is no such id.", [FieldError("id", problem)])
    return person_id


def _said(request: Request, person_id: str, types: tuple[str, ...]) -> profile.Said:
    """What a body says of a person.

    Raises
    ------
    Problem : 400, 413, 415 or 422, naming every field at fault.
    """
    if http.content_type(request) not in types:
        raise Problem(415, "content-type", f"Send {' or '.join(types)}.")
    raw = http.read_json(request.body, most_bytes=BODY_BYTES)
    if not isinstance(raw, dict):
        raise Problem(422, "invalid-recipient", "A recipient must be a JSON object.")
    if raw.get("id", person_id) != person_id:
        problem = "is another than that of the address: leave it out"
        raise Problem(422, "invalid-recipient", "Nothing was changed.", [FieldError("id", problem)])
    raw.pop("id", None)
    said, errors = profile.check(raw, routing(request.stage.name).categories)
    if errors:
        detail = "Nothing was changed. Mend the fields below and send it again."
        raise Problem(422, "invalid-recipient", detail, errors)
    return said
