"""EventBridge event patterns: compile once, match often, and say why not.

Which values pass is decided in `conditions`; here is how fields combine: fields are and, entries of a
list are or, `$or` is or, and what a pattern asks of one array's objects must hold within one element.
Documentation: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html; what
differs from it, and why: docs/decisions/0010-event-patterns.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from chalicelib.rules.patterns import conditions
from chalicelib.rules.patterns.conditions import Condition, PatternError, Test, show
from chalicelib.rules.patterns.fields import (
    MISSING,
    Field,
    consistent,
    dotted_keys,
    found,
    has_dotted_key,
)
from chalicelib.values import dataclass

__all__ = ["MISSING", "Field", "Mismatch", "Pattern", "PatternError", "compile_pattern"]

# AWS's limit on what $or may multiply to; the depth only keeps a hostile file off Python's stack.
_COMBINATIONS: Final = 1000
_DEPTH: Final = 100

# What the quick walk through an event can meet instead of one value: an array with a plain value that
# passed, and an array of more than plain values, which takes the thorough walk.
_PASSED: Final = object()
_WITHIN: Final = object()


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The first condition that failed: `found` is the value met, or MISSING."""

    field: str
    condition: str
    found: object

    def __str__(self) -> str:
        found = "nothing" if self.found is MISSING else show(self.found)
        return f"{self.field}: wanted {self.condition}, found {found}"

    def without_text(self) -> str:
        """The same, for where nothing of a customer's may stand: numbers are shown, texts are not."""
        if isinstance(self.found, (str, list, dict)):
            return f"{self.field}: wanted {self.condition}, found another"
        return str(self)


Alternative = tuple[Field, ...]


class Pattern:
    """A compiled event pattern. Events are as `json.loads` gives them."""

    __slots__ = ("_steps", "alternatives")

    def __init__(self, alternatives: Sequence[Alternative]) -> None:
        # Whatever $or says, as plain conjunctions: one of them must hold.
        self.alternatives = tuple(alternatives)
        self._steps = tuple(
            tuple((f.keys, f.test, f.absent, dotted_keys(f.keys)) for f in alternative)
            for alternative in self.alternatives
        )

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Whether the event matches."""
        if not isinstance(event, dict):
            event = dict(event)
        for position, steps in enumerate(self._steps):
            for keys, test, absent, dotted in steps:
                node: Any = event
                for key in keys:
                    if not isinstance(node, dict):
                        node = _WITHIN if isinstance(node, list) else MISSING
                        break
                    node = node.get(key, MISSING)
                    if node is MISSING:
                        break
                if isinstance(node, list):
                    node = _one_passing(node, test)
                if node is MISSING or isinstance(node, dict):
                    if dotted and has_dotted_key(event, keys, dotted):
                        node = _WITHIN
                    elif not absent:
                        break
                elif node is not _PASSED and node is not _WITHIN and not test(node):
                    if not (dotted and has_dotted_key(event, keys, dotted)):
                        break
                    node = _WITHIN
                if node is _WITHIN:
                    # Objects within arrays belong together: that is told for all fields at once.
                    if consistent(self.alternatives[position], event):
                        return True
                    break
            else:
                return True
        return False

    def explain(self, event: Mapping[str, Any]) -> Mismatch | None:
        """None where the event matches, else the first condition, in the pattern's order, that failed.

        With `$or` it is told for the branch that came furthest.
        """
        if self.matches(event):
            return None
        furthest, nearest = -1, None
        same = True
        for alternative in self.alternatives:
            reached, mismatch = _first_failure(alternative, event)
            same = same and nearest in (None, mismatch)
            if reached > furthest:
                furthest, nearest = reached, mismatch
        assert nearest is not None  # noqa: S101 (a pattern has at least one alternative)
        if same:
            return nearest
        return Mismatch(
            nearest.field, f"{nearest.condition} (or another branch of $or)", nearest.found
        )


def compile_pattern(pattern: Mapping[str, Any]) -> Pattern:
    """Compile an event pattern.

    Raises
    ------
    PatternError : AWS would refuse it; names the field and what to do.
    """
    if not isinstance(pattern, Mapping):
        raise PatternError("", f"a pattern is an object, not {show(pattern)}")
    return Pattern([tuple(fields.values()) for fields in _object(pattern, "", [{}], in_or=False)])


# Every conjunction built so far, by path. A path that is named again replaces what it said before,
# which is how AWS's matcher reads a field inside and outside of $or.
_Drafts = list[dict[str, Field]]


def _object(
    pattern: Mapping[str, Any], path: str, drafts: _Drafts, *, in_or: bool, depth: int = 0
) -> _Drafts:
    if not pattern:
        raise PatternError(
            path, "an empty object matches nothing in particular: name a field in it"
        )
    if depth > _DEPTH:
        raise PatternError(path, f"is nested deeper than {_DEPTH} levels")
    for name, value in pattern.items():
        here = f"{path}.{name}" if path else str(name)
        if name == "$or":
            drafts = _or(value, path, here, drafts, depth)
        elif in_or and name in conditions.RESERVED:
            raise PatternError(here, "is an operator, and $or takes fields: name the field first")
        elif isinstance(value, Mapping):
            drafts = _object(value, here, drafts, in_or=in_or, depth=depth + 1)
        elif isinstance(value, (list, tuple)):
            field = _field(here, value)
            for draft in drafts:
                draft[here] = field
        else:
            raise PatternError(here, f"must be a list or an object: write [{show(value)}]")
    return drafts


def _or(branches: Any, path: str, here: str, drafts: _Drafts, depth: int) -> _Drafts:
    if not isinstance(branches, (list, tuple)) or len(branches) < 2:
        raise PatternError(here, "takes a list of at least two objects")
    combined: _Drafts = []
    for position, branch in enumerate(branches):
        if not isinstance(branch, Mapping):
            raise PatternError(f"{here}[{position}]", f"must be an object, not {show(branch)}")
        if not branch:
            raise PatternError(f"{here}[{position}]", "is empty: name a field in it")
        copies = [dict(draft) for draft in drafts]
        combined += _object(branch, path, copies, in_or=True, depth=depth + 1)
        if len(combined) > _COMBINATIONS:
            problem = f"multiplies to more than {_COMBINATIONS} combinations: split the pattern"
            raise PatternError(here, problem)
    return combined


def _field(path: str, values: Sequence[Any]) -> Field:
    if not values:
        raise PatternError(path, "an empty list matches nothing: put at least one value in it")
    entries = tuple(conditions.parse(path, value) for value in values)
    absent = any(entry.absent for entry in entries)
    return Field(path, tuple(path.split(".")), entries, _any_of(entries), absent)


def _any_of(entries: Iterable[Condition]) -> Test:
    entries = [entry for entry in entries if not entry.absent]
    exact = frozenset(e.anchor[1] for e in entries if e.anchor and e.anchor[0] == "is")
    tests = [e.test for e in entries if not e.anchor or e.anchor[0] != "is"]
    key = conditions.key
    if not tests and all(isinstance(wanted, str) for wanted in exact):
        return exact.__contains__
    if not tests:
        return lambda value: key(value) in exact
    if not exact and len(tests) == 1:
        return tests[0]

    def test(value: Any) -> bool:
        if key(value) in exact:
            return True
        for each in tests:  # noqa: SIM110 (a generator costs more than what it runs)
            if each(value):
                return True
        return False

    return test


def _one_passing(values: list[Any], test: Test) -> object:
    """For an array at a field's end: _PASSED, a value that does not pass, MISSING or _WITHIN."""
    for value in values:
        if isinstance(value, (dict, list)):
            return _WITHIN
    for value in values:
        if test(value):
            return _PASSED
    return values[0] if values else MISSING


def _first_failure(alternative: Alternative, event: Mapping[str, Any]) -> tuple[int, Mismatch]:
    """How many fields held before the first that did not, and that one."""
    for reached, field in enumerate(alternative):
        if not consistent([field], event):
            return reached, Mismatch(field.path, field.condition, found(event, field.keys))
    for reached in range(1, len(alternative)):
        if not consistent(alternative[: reached + 1], event):
            break
    field = alternative[reached]
    condition = f"{field.condition} in the same array element as the conditions before it"
    return reached, Mismatch(field.path, condition, found(event, field.keys))
