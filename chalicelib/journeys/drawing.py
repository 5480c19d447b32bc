"""A journey as a picture: its states from top to bottom, and the ways between them, as SVG."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from html import escape
from typing import Any, Final

from chalicelib.journeys import spans
from chalicelib.journeys.states import State, States, code

WORDS: Final = {"waits": "waits {}", "sends": "sends {}", "otherwise": "otherwise"}

_WIDTH: Final = 280
_HEIGHT: Final = 44
_GAP: Final = 30
_MARGIN: Final = 24
_LANE: Final = 26
"""How far apart ways run that go past other states."""
_LOOKS: Final = """\
text { font: 14px system-ui, sans-serif; fill: #1f2933 } .small { font-size: 12px; fill: #52606d }
rect, polygon, path { stroke: #52606d; stroke-width: 1.5; fill: none }
.Wait { fill: #fff8e1 } .Task { fill: #e3f2fd } .Choice { fill: #f3e5f5 }
.Succeed, .end { fill: #e8f5e9 } .Fail { fill: #ffebee } .Pass { fill: #f5f7fa } .paper { fill: #fff; stroke: none }
.tip { fill: #52606d; stroke: none }
"""


def svg(journey: States) -> str:
    """The picture, as a whole SVG document."""
    width, height, parts = _drawn(journey, WORDS, {})
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
            f' height="{height}" role="img" aria-label="{escape(journey.comment or journey.name)}">',
            f"<style>\n{_LOOKS}</style>",
            f'<rect class="paper" width="{width}" height="{height}"/>',
            *parts,
            "</svg>",
            "",
        ]
    )


def inline(journey: States, words: Mapping[str, str], standing: Mapping[str, int]) -> str:
    """The picture for an HTML page that has its looks; beside each state, how many runs stand there.

    `words` are `WORDS` in the page's language.
    """
    width, height, parts = _drawn(journey, words, standing)
    about = escape(journey.comment or journey.name)
    return "\n".join(
        [
            f'<svg class="journey" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
            f' role="img" aria-label="{about}">',
            *parts,
            "</svg>",
        ]
    )


def _drawn(
    journey: States, words: Mapping[str, str], standing: Mapping[str, int]
) -> tuple[int, int, list[str]]:
    """How wide and high it is, and its parts."""
    order = _order(journey)
    rows = {name: row for row, name in enumerate(order)}
    ways = _ways(journey, rows, words["otherwise"])
    past = [way for way in ways if way[1] != way[0] + 1]
    left = _MARGIN + _LANE * sum(to <= start for start, to, _ in past)
    right = max(
        [_LANE * sum(to > start for start, to, _ in past)]
        + [9 * len(label) for start, to, label in ways if to > start + 1]
    )
    width = left + _WIDTH + right + _MARGIN
    height = 2 * _MARGIN + len(order) * (_HEIGHT + _GAP) - _GAP
    parts = [
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8"'
        ' orient="auto"><path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>',
    ]
    for name, row in rows.items():
        parts += _state(journey.states[name], left, _top(row), words)
        if standing.get(name):
            parts.append(_standing(left + _WIDTH - 14, _top(row), standing[name]))
    lanes = {True: 0, False: 0}
    for start, to, label in sorted(ways, key=lambda way: abs(way[1] - way[0])):
        middle = left + _WIDTH // 2
        if to == start + 1:
            parts.append(_way(f"M{middle} {_top(start) + _HEIGHT}V{_top(to)}"))
            parts.append(_label(middle + 8, _top(to) - 10, label))
            continue
        back = to <= start
        lanes[back] += 1
        side = left if back else left + _WIDTH
        out = side + (-1 if back else 1) * _LANE * lanes[back]
        begin, end = _top(start) + _HEIGHT // 2 + 8, _top(to) + _HEIGHT // 2 - 8
        parts.append(_way(f"M{side} {begin}H{out}V{end}H{side}"))
        parts.append(_label(side + (4 if not back else -4), begin - 5, label, back))
    return width, height, [part for part in parts if part]


def _top(row: int) -> int:
    return _MARGIN + row * (_HEIGHT + _GAP)


def _order(journey: States) -> list[str]:
    """The states from the first on, each as soon as one before leads to it; what is never reached is last."""
    found: list[str] = []
    ahead = [journey.start_at]
    while ahead:
        name = ahead.pop(0)
        if name in journey.states and name not in found:
            found.append(name)
            ahead = [there for _, there in journey.states[name].nexts()] + ahead
    return [*found, *(name for name in journey.states if name not in found)]


def _ways(journey: States, rows: dict[str, int], otherwise: str) -> list[tuple[int, int, str]]:
    return [
        (row, rows[there], otherwise if where == ("Default",) else "")
        for name, row in rows.items()
        for where, there in journey.states[name].nexts()
        if there in rows
    ]


def _state(state: State, left: int, top: int, words: Mapping[str, str]) -> list[str]:
    kind = escape(state.kind)
    middle = left + _WIDTH // 2
    ends = " end" if state.fields.get("End") is True and state.kind != "Task" else ""
    corner = _HEIGHT // 2 if state.kind in ("Succeed", "Fail") else 6
    if state.kind == "Choice":
        points = (
            f"{left},{top + _HEIGHT // 2} {left + 20},{top} {left + _WIDTH - 20},{top} "
            f"{left + _WIDTH},{top + _HEIGHT // 2} {left + _WIDTH - 20},{top + _HEIGHT} {left + 20},{top + _HEIGHT}"
        )
        box = f'<polygon class="{kind}" points="{points}"/>'
    else:
        box = f'<rect class="{kind}{ends}" x="{left}" y="{top}" width="{_WIDTH}" height="{_HEIGHT}" rx="{corner}"/>'
    about = _about(state, words)
    name = f'<text x="{middle}" y="{top + (19 if about else 27)}" text-anchor="middle">{escape(state.name)}</text>'
    small = f'<text class="small" x="{middle}" y="{top + 36}" text-anchor="middle">{escape(about)}</text>'
    return [box, name, small if about else ""]


def _about(state: State, words: Mapping[str, str]) -> str:
    """What a state does, in a few words."""
    fields = state.fields
    if state.kind == "Wait":
        return words["waits"].format(_until(fields))
    if state.kind == "Task":
        return words["sends"].format(state.sends)
    if state.kind == "Fail":
        return str(fields.get("Cause", ""))[:44]
    if state.kind == "Choice":
        return str(fields.get("Comment", ""))[:44]
    return ""


def _until(fields: Any) -> str:
    seconds = fields.get("Seconds")
    if isinstance(seconds, (int, float)):
        return spans.write(timedelta(seconds=seconds))
    given = seconds if seconds is not None else fields.get("Timestamp", "")
    told = code(given) or str(given)
    return told if len(told) <= 40 else f"{told[:39]}…"


def _standing(x: int, top: int, number: int) -> str:
    text = str(number)
    width = 18 + 8 * len(text)
    box = f'<rect x="{x - width // 2}" y="{top - 12}" width="{width}" height="24" rx="12"/>'
    return f'<g class="standing">{box}<text x="{x}" y="{top + 5}" text-anchor="middle">{text}</text></g>'


def _way(path: str) -> str:
    return f'<path d="{path}" marker-end="url(#tip)"/>'


def _label(x: int, y: int, text: str, ends: bool = False) -> str:
    anchor = ' text-anchor="end"' if ends else ""
    return f'<text class="small" x="{x}" y="{y}"{anchor}>{escape(text)}</text>' if text else ""
