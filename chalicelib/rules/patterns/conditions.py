"""What one entry of a field's list means in an EventBridge event pattern.

The operators are AWS's: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html.
Where that page is silent or out of date, AWS's own matcher decides: docs/decisions/0010-event-patterns.md.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final

from chalicelib.errors import HeraldoError
from chalicelib.regex import regex
from chalicelib.values import dataclass

Test = Callable[[Any], bool]
_IPV4: Final = regex(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+", re.ASCII)
_IPV6: Final = regex(r"[0-9a-fA-F:]*:[0-9a-fA-F:]*", re.ASCII)
_EXACT_INTEGERS: Final = 2**53
_MAX: Final = sys.float_info.max
_WILDCARDS: Final = 10


class PatternError(HeraldoError):
    """A pattern that AWS would refuse: `path` is the dotted field, `problem` what to do about it."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}" if path else problem)
        self.path = path
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Condition:
    """One entry of a field's list.

    `test` decides on a string, number, boolean or null of the event. `absent` is set for the one
    entry that a missing field fulfils. `anchor` is what a value that passes `test` is sure to have,
    ("is", key), ("prefix", text) or ("suffix", text), or None: an index can rely on it.
    """

    text: str
    test: Test
    anchor: tuple[str, Hashable] | None = None
    absent: bool = False


def key(value: Any) -> Hashable:
    """What two values have in common when EventBridge takes them for equal.

    300, 300.0 and 3.0e2 are equal; true is not 1, and "300" is not 300.
    """
    kind = value.__class__
    if kind is str:
        return value  # type: ignore[no-any-return]
    if kind is bool or value is None:
        return (value,)
    if kind is int and not -_EXACT_INTEGERS <= value <= _EXACT_INTEGERS:
        return value if comparable(value) is None else float(value)
    return value  # type: ignore[no-any-return]


def comparable(value: Any) -> float | int | None:
    """The number that takes part in numeric comparisons, or None.

    A number that a double cannot hold (a long account number, say) is compared digit by digit only.
    """
    kind = value.__class__
    if kind is float:
        return value if -_MAX <= value <= _MAX else None
    if kind is not int:
        return None
    if -_EXACT_INTEGERS <= value <= _EXACT_INTEGERS:
        return value  # type: ignore[no-any-return]
    try:
        from decimal import Decimal  # only enormous integers pay for it

        return float(value) if Decimal(repr(float(value))) == value else None
    except OverflowError:
        return None


def parse(path: str, entry: Any) -> Condition:
    """Compile one entry of the list at `path`.

    Raises
    ------
    PatternError : AWS would refuse it.
    """
    if not isinstance(entry, Mapping):
        return _exactly(path, entry)
    if len(entry) != 1:
        found = ", ".join(map(str, entry)) or "none"
        raise PatternError(path, f"a comparison is one operator and its value, found {found}")
    (name, operand), *_ = entry.items()
    build = _OPERATORS.get(name)
    if build is None:
        raise PatternError(path, f"unknown operator {name!r}{_nearest(name, _OPERATORS)}")
    return build(path, operand)


def address(text: str) -> tuple[int, int] | None:
    """(bits, number) of an IP address, equal for every spelling of it; None if it is none."""
    if _IPV4.fullmatch(text):
        parts = [int(part) for part in text.split(".")] if len(text) <= 15 else [256]
        return None if max(parts) > 255 else (32, int.from_bytes(bytes(parts), "big"))
    if not _IPV6.fullmatch(text):
        return None
    import ipaddress  # only patterns about addresses pay for it

    try:
        found = ipaddress.IPv6Address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped
    return (32, int(mapped)) if mapped else (128, int(found))


def _exactly(path: str, value: Any) -> Condition:
    if value is not None and not isinstance(value, (str, bool, int, float)):
        kind = "a list" if isinstance(value, (list, tuple)) else f"a {type(value).__name__}"
        problem = f"an entry is a string, a number, true, false, null or a comparison, not {kind}"
        if hasattr(value, "isoformat"):
            problem += "; put dates in quotes"
        raise PatternError(path, problem)
    if isinstance(value, float) and not math.isfinite(value):
        raise PatternError(path, f"{value} is no JSON number")
    wanted = key(value)
    if isinstance(value, str) and (place := address(value)) is not None:
        return Condition(show(value), lambda v: isinstance(v, str) and address(v) == place)
    return Condition(show(value), lambda v: key(v) == wanted, ("is", wanted))


def _exact_string(path: str, operand: Any) -> Condition:
    text = _string(path, "exactly", operand)
    return Condition(show(text), lambda v: bool(v == text), ("is", text))


def _prefix(path: str, operand: Any) -> Condition:
    if isinstance(operand, Mapping):
        text = _string(path, "equals-ignore-case", _only(path, "prefix", operand, _CASELESS))
        return Condition(f"prefix {show(text)} ignoring case", _caseless(text, "prefix"))
    text = _string(path, "prefix", operand)
    return Condition(
        f"prefix {show(text)}",
        lambda v: isinstance(v, str) and v.startswith(text),
        ("prefix", text) if text else None,
    )


def _suffix(path: str, operand: Any) -> Condition:
    if isinstance(operand, Mapping):
        text = _string(path, "equals-ignore-case", _only(path, "suffix", operand, _CASELESS))
        return Condition(f"suffix {show(text)} ignoring case", _caseless(text, "suffix"))
    text = _string(path, "suffix", operand)
    return Condition(
        f"suffix {show(text)}",
        lambda v: isinstance(v, str) and v.endswith(text),
        ("suffix", text) if text else None,
    )


def _equals_ignore_case(path: str, operand: Any) -> Condition:
    text = _string(path, "equals-ignore-case", operand)
    return Condition(f"{show(text)} ignoring case", _caseless(text, "whole"))


def _caseless(text: str, part: str) -> Test:
    """Each character in its upper or lower case, as AWS compares: not Unicode case folding."""
    if text.isascii():
        size, low = len(text), text.lower()
        start, end = {"prefix": (0, size), "suffix": (-size, None)}.get(part, (0, None))
        if not size and part != "whole":
            return lambda v: isinstance(v, str)

        def ascii_test(value: Any) -> bool:
            if not isinstance(value, str):
                return False
            piece = value[start:end]
            return len(piece) == size and piece.isascii() and piece.lower() == low

        return ascii_test
    either = "".join(
        "(?:" + "|".join(map(re.escape, sorted({c.lower(), c.upper()}))) + ")" for c in text
    )
    shape = re.compile(
        {"prefix": f"{either}", "suffix": rf"(?s:.*){either}\Z"}.get(part, rf"{either}\Z")
    )
    return lambda v: isinstance(v, str) and shape.match(v) is not None


def _wildcard(path: str, operand: Any) -> Condition:
    text = _string(path, "wildcard", operand)
    parts = _split(path, text)
    shown = f"wildcard {show(text)}"
    if len(parts) == 1:
        return Condition(shown, lambda v: bool(v == parts[0]), ("is", parts[0]))
    first, *middle, last = parts
    shortest = sum(map(len, parts))

    # Looking for each piece after the one before it is enough, and cannot backtrack as a regular
    # expression would: a customer's long string must not stall a lane.
    def test(value: Any) -> bool:
        if not isinstance(value, str) or len(value) < shortest:
            return False
        if not value.startswith(first) or not value.endswith(last):
            return False
        position, end = len(first), len(value) - len(last)
        for piece in middle:
            position = value.find(piece, position, end)
            if position < 0:
                return False
            position += len(piece)
        return True

    anchor = ("prefix", first) if first else ("suffix", last) if last else None
    return Condition(shown, test, anchor)


def _split(path: str, text: str) -> list[str]:
    """The literal pieces between the wildcards."""
    pieces, characters, after_star = [""], iter(text), False
    for character in characters:
        if character == "*":
            if after_star:
                raise PatternError(path, f"wildcard {show(text)} has ** in it: write one *")
            pieces.append("")
        elif character == "\\":
            character = next(characters, "")
            if character not in ("*", "\\"):
                problem = f"in wildcard {show(text)} a backslash may only stand before * or \\"
                raise PatternError(path, problem)
            pieces[-1] += character
            character = ""
        else:
            pieces[-1] += character
        after_star = character == "*"
    if len(pieces) - 1 > _WILDCARDS:
        raise PatternError(path, f"wildcard {show(text)} has more than {_WILDCARDS} *: use fewer")
    return pieces


def _numeric(path: str, operand: Any) -> Condition:
    usage = 'write it as ["=", 5], [">", 0] or [">", 0, "<=", 5]'
    if not isinstance(operand, (list, tuple)) or len(operand) not in (2, 4):
        raise PatternError(path, f"numeric takes a list: {usage}")
    bounds: list[float | int] = []
    for sign, bound in zip(operand[::2], operand[1::2], strict=True):
        if sign not in ("=", "<", "<=", ">", ">="):
            raise PatternError(path, f"numeric knows no {sign!r}: {usage}")
        number = comparable(bound)
        if number is None:
            raise PatternError(path, f"numeric {sign} needs a number, found {show(bound)}: {usage}")
        bounds.append(number)
    first = operand[0]
    if len(bounds) == 2:
        if first not in (">", ">=") or operand[2] not in ("<", "<="):
            raise PatternError(path, f"a numeric range has its lower bound first: {usage}")
        if bounds[0] >= bounds[1]:
            raise PatternError(path, "a numeric range needs a lower bound below its upper bound")
    shown = "numeric " + " and ".join(
        f"{sign} {show(bound)}" for sign, bound in zip(operand[::2], operand[1::2], strict=True)
    )
    if first == "=":
        wanted = key(bounds[0])
        return Condition(shown, lambda v: key(v) == wanted, ("is", wanted))
    low, high = (bounds[0], bounds[-1]) if len(bounds) == 2 else (-_MAX, _MAX)
    if len(bounds) == 1:
        low, high = (bounds[0], _MAX) if first[0] == ">" else (-_MAX, bounds[0])
    above, below = first == ">", operand[-2] == "<"

    def test(value: Any) -> bool:
        if value.__class__ is not int and value.__class__ is not float:
            return False
        if not low <= value <= high or (above and value == low) or (below and value == high):
            return False
        return value.__class__ is float or comparable(value) is not None

    return Condition(shown, test)


def _anything_but(path: str, operand: Any) -> Condition:
    usage = "anything-but takes a string, a number, or a list of only strings or only numbers"
    if isinstance(operand, Mapping):
        (name,) = operand if len(operand) == 1 else (", ".join(map(str, operand)),)
        values = _only(path, "anything-but", operand, _NEGATABLE)
        values = list(values) if isinstance(values, (list, tuple)) else [values]
        if not values:
            raise PatternError(
                path, f"anything-but {name} has an empty list: say what to leave out"
            )
        if name in ("prefix", "suffix") and "" in values:
            raise PatternError(path, f"anything-but {name} needs at least one character")
        refused = [_NEGATABLE[name](path, _string(path, name, value)).test for value in values]
        shown = f"anything but {name} {', '.join(map(show, values))}"
        return Condition(shown, lambda v: not any(test(v) for test in refused))
    values = list(operand) if isinstance(operand, (list, tuple)) else [operand]
    numbers = [comparable(value) for value in values]
    strings = all(isinstance(value, str) for value in values)
    if not values or not (strings or all(number is not None for number in numbers)):
        raise PatternError(path, usage)
    keys = frozenset(map(key, values))
    shown = f"anything but {', '.join(map(show, values))}"
    return Condition(shown, lambda v: key(v) not in keys)


def _exists(path: str, operand: Any) -> Condition:
    if operand is True:
        return Condition("to exist", lambda _: True)
    if operand is False:
        return Condition("not to exist", lambda _: False, absent=True)
    raise PatternError(path, f"exists is true or false, found {show(operand)}")


def _cidr(path: str, operand: Any) -> Condition:
    text = _string(path, "cidr", operand)
    base, slash, mask = text.partition("/")
    place = address(base)
    if place is None or not slash or not (mask.isascii() and mask.isdigit()):
        raise PatternError(path, f"{show(text)} is no address range: write it as 10.0.0.0/24")
    bits, number = place
    size = int(mask)
    if size >= bits:
        problem = f"the mask of {show(text)} must be below {bits}"
        raise PatternError(
            path, f"{problem}; for one address write the address itself, {show(base)}"
        )
    network = number >> (bits - size)

    def test(value: Any) -> bool:
        found = address(value) if isinstance(value, str) else None
        return found is not None and found[0] == bits and found[1] >> (bits - size) == network

    return Condition(f"cidr {text}", test)


def _string(path: str, operator: str, operand: Any) -> str:
    if not isinstance(operand, str):
        raise PatternError(path, f"{operator} needs a string, found {show(operand)}")
    return operand


def _only(path: str, operator: str, operand: Mapping[str, Any], known: Mapping[str, Any]) -> Any:
    """The value of the one operator that may stand within `operator`."""
    names = " or ".join(known)
    if len(operand) != 1:
        raise PatternError(path, f"{operator} takes one of {names} within it")
    (name, value), *_ = operand.items()
    if name not in known:
        raise PatternError(path, f"{operator} knows no {name!r} within it: use {names}")
    return value


def _nearest(word: object, known: Mapping[str, Any]) -> str:
    import difflib  # only mistakes pay for it

    near = difflib.get_close_matches(str(word), known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; the operators are {', '.join(known)}"


def show(value: Any) -> str:
    """A value as people wrote it, cut where it is long."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = str(value)
    return text if len(text) <= 80 else text[:79] + "…"


_OPERATORS: Final[Mapping[str, Callable[[str, Any], Condition]]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _equals_ignore_case,
    "wildcard": _wildcard,
    "anything-but": _anything_but,
    "numeric": _numeric,
    "exists": _exists,
    "cidr": _cidr,
    "exactly": _exact_string,
}
_CASELESS: Final = {"equals-ignore-case": _equals_ignore_case}
_NEGATABLE: Final = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _equals_ignore_case,
    "wildcard": _wildcard,
}
# Names that AWS keeps for itself within $or, so that a forgotten field name is noticed.
RESERVED: Final = frozenset(_OPERATORS) | frozenset(
    (
        *("=", "<", "<=", ">", ">=", "regex", "not-wildcard", "not-equals-ignore-case"),
        *("date-after", "date-on-or-after", "date-before", "date-on-or-before", "in-date-range"),
        *("ip-address-in-range", "ip-address-not-in-range"),
    )
)
