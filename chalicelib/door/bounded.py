"""How large an answer may be: it is cut where it would not fit, and says by how much.

Lambda gives 6 MB at the most, in which our JSON is a text within Lambda's own JSON and so takes up to
twice its size: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

# Bytes of what is listed in one answer; what stands around it is far smaller.
LISTED: Final = 2_000_000
# Bytes of all errors of a batch: its results alone, with ids of many bytes, may take as much.
_ERRORS: Final = 500_000
_RULES: Final = 500_000
_MESSAGES: Final = 1_500_000


def size(value: Any) -> int:
    """Bytes of a value in an answer."""
    return len(json.dumps(value, separators=(",", ":")))


class Room:
    """What is left of so many bytes."""

    def __init__(self, most: int) -> None:
        self._left = most

    def holds(self, value: Any) -> bool:
        """Whether a value still fits; if so, it takes its place."""
        taken = size(value)
        if taken > self._left:
            return False
        self._left -= taken
        return True


def results(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The results of a batch; errors that have no room are counted."""
    room = Room(_ERRORS)
    kept = []
    for result in found:
        problem = result.get("problem", {})
        errors = problem.get("errors")
        if errors and not room.holds(errors):
            rest = {name: value for name, value in problem.items() if name != "errors"}
            rest["detail"] += f" And {len(errors)} more fields: send it alone to see them."
            result = {**result, "problem": rest}
        kept.append(result)
    return kept


def plan(found: Mapping[str, Any]) -> dict[str, Any]:
    """A plan; what has no room are texts, then whole messages, and rules that did not match."""
    room = Room(_RULES)
    rules = [rule for rule in found["rules"] if rule["matched"] or room.holds(rule)]
    room = Room(_MESSAGES)
    messages = []
    for message in found["messages"]:
        without = {name: value for name, value in message.items() if name != "html"}
        without["bodies"] = {}
        if room.holds(message):
            messages.append(message)
        elif room.holds(without):
            messages.append(without)
    cut = sum(not message["bodies"] for message in messages)
    gone = {"rules": len(found["rules"]) - len(rules), "texts": cut}
    gone["messages"] = len(found["messages"]) - len(messages)
    notes = [f"and {n} more {what}: ./heraldo plan shows them all" for what, n in gone.items() if n]
    return {**found, "rules": rules, "messages": messages, "warnings": found["warnings"] + notes}


def event_types(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Event types; those that have no room are listed without sample and schema."""
    room = Room(LISTED)
    return [
        entry if room.holds(entry) else {**entry, "required": [], "data": {}, "sample": None}
        for entry in found
    ]
