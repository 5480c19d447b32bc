"""People from a file into the table: all lines are looked at first, then as many as a transaction takes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from chalicelib.door import profile
from chalicelib.errors import FieldError
from chalicelib.patience import Patience
from chalicelib.rules.routing import Category
from chalicelib.stage import Stage
from chalicelib.store import people, register
from chalicelib.store.claims import TRANSACTION_ITEMS
from chalicelib.store.people import Person
from cli.people.files import Line

_WORKERS: Final = 4
_SECONDS: Final = 60


@dataclass(slots=True)
class Checked:
    """What a file holds: how many good lines, and what is wrong with which others."""

    good: int = 0
    faults: list[tuple[int, FieldError]] = field(default_factory=list)
    bad: set[int] = field(default_factory=set)

    def wrong(self, line: int, name: str, problem: str) -> None:
        self.faults.append((line, FieldError(name, problem)))
        self.bad.add(line)


class Reader:
    """Reads lines as the API reads a recipient; `country` is that of numbers written without one."""

    def __init__(self, categories: Mapping[str, Category], country: str = "") -> None:
        self._categories = categories
        self._country = country

    def said(self, line: Line) -> tuple[str, profile.Said, list[FieldError]]:
        """The id, what is said of it, and what is wrong with that."""
        if line.problem:
            return "", {}, [FieldError("line", line.problem)]
        raw = dict(line.said)
        person_id = raw.pop("id", None)
        problem = profile.id_problem(person_id)
        errors = [FieldError("id", problem)] if problem else []
        if isinstance(raw.get("phone"), str):
            raw["phone"] = normal_phone(raw["phone"], self._country)
        said, wrong = profile.check(raw, self._categories)
        return str(person_id), said, errors + wrong

    def check(self, lines: Iterable[Line], progress: Callable[[str], None]) -> Checked:
        """Look at every line; two with one id are a fault of the second."""
        found, seen = Checked(), dict[str, int]()
        for line in lines:
            person_id, _, errors = self.said(line)
            for error in errors:
                found.wrong(line.number, error.field, error.problem)
            if not errors and person_id in seen:
                found.wrong(line.number, "id", f"is that of line {seen[person_id]} already")
            elif not errors:
                seen[person_id] = line.number
                found.good += 1
            if (found.good + len(found.bad)) % 1000 == 0:
                progress(f"{found.good + len(found.bad):,} lines checked")
        return found


def normal_phone(text: str, country: str) -> str:
    """A number as it is sent to, from how a person writes it; as it is, where it is none."""
    import phonenumbers

    try:
        found = phonenumbers.parse(text, country or None)
    except phonenumbers.NumberParseException:
        return text
    if not phonenumbers.is_valid_number(found):
        return text if country else text.replace(" ", "")
    return str(phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164))


def save(
    stage: Stage, people_said: Iterable[tuple[str, profile.Said]]
) -> Iterator[tuple[int, int]]:
    """Change people by what was said of them; yields how many were dealt with, and how many changed.

    Raises
    ------
    TransientError, ClientError : as `register.change`; those before are kept.
    """
    done = changed = 0
    chunks = _chunks(people_said, TRANSACTION_ITEMS)
    with ThreadPoolExecutor(_WORKERS) as pool:
        while some := list(itertools.islice(chunks, _WORKERS)):
            for chunk, count in zip(some, pool.map(lambda c: _save(stage, c), some), strict=True):
                done += len(chunk)
                changed += count
                yield done, changed


def _chunks(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    left = iter(items)
    while chunk := list(itertools.islice(left, size)):
        yield chunk


def _save(stage: Stage, chunk: Sequence[tuple[str, profile.Said]]) -> int:
    def change_of(said: profile.Said) -> register.Change:
        def by(person: Person, is_known: bool) -> bool:
            before = profile.shown(person)
            profile.merged(person, said)
            return not is_known or profile.shown(person) != before

        return by

    changes = {people.PERSON + person_id: change_of(said) for person_id, said in chunk}
    return register.change_many(stage, changes, Patience(_SECONDS))
