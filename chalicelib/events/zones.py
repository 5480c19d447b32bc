"""Time zones by the names that IANA gives them. Nothing is read before a zone is asked for.

https://www.iana.org/time-zones
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import resources

from chalicelib.spelling import nearest


def canonical(name: str) -> str | None:
    """A zone by the one name that it has today; None if there is no such zone.

    America/Buenos_Aires is America/Argentina/Buenos_Aires.
    """
    return _names().get(name)


def zone_problem(name: str) -> str | None:
    """Why this is no time zone, with the remedy; None where it is one."""
    if canonical(name) is not None:
        return None
    near = nearest(name, _names())
    return f"is no time zone{f'; did you mean {near}?' if near else ', such as Europe/Madrid'}"


@functools.cache
def _names() -> Mapping[str, str]:
    """Every name of a zone, with the one that it is a link to."""
    data = (resources.files("tzdata") / "zoneinfo" / "tzdata.zi").read_text("utf-8")
    found: dict[str, str] = {}
    for line in data.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "Z":
            name = rest.split(" ", 1)[0]
            found[name] = name
        elif kind == "L":
            target, name = rest.split(" ")
            found[name] = target
    return {name: found.get(target, target) for name, target in found.items()}
