"""A journey's step, as it comes through a lane's queue: which run sends what, and nothing of whom it is for.

Whose event began the run is kept with the run (store/runs.py); a step becomes an event by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from chalicelib.errors import PermanentError
from chalicelib.events.event import Event, is_id, timestamp
from chalicelib.values import dataclass

STEPS: Final = "journey:"
"""How the source of every step's event begins."""
_PARTS: Final = frozenset(("send", "step", "at", "run"))


@dataclass(frozen=True, slots=True)
class Step:
    """What a run of a journey sends: an event of type `send`, from its state `step`, entered at `at`.

    `journey` and `key` say which run there may be, and `run` which it is; `begun` is id and source
    of the event that began it.
    """

    journey: str
    key: str
    run: str
    begun: tuple[str, str]
    send: str
    step: str
    at: str

    @property
    def id(self) -> str:
        return f"{self.journey}.{self.run}.{self.step}.{self.at}"

    @property
    def source(self) -> str:
        return STEPS + self.journey

    def event(self, first: Event) -> Event:
        """The event that it is, by the one that began the run: for the same person, of the same data, and in
        its order."""
        return replace(
            first,
            id=self.id,
            source=self.source,
            type=self.send,
            time=self.at,
            partitionkey=first.ordering_key,
            expirytime=None,
            deliverat=None,
        )


def is_step(raw: Mapping[str, Any]) -> bool:
    """Whether a decoded message is meant to be a step."""
    return "send" in raw and "run" in raw


def read_step(raw: Mapping[str, Any]) -> Step:
    """Read a step.

    Raises
    ------
    PermanentError : it is none.
    """
    run, begun = raw.get("run"), None
    if isinstance(run, Mapping):
        begun = run.get("event")
    if not raw.keys() >= _PARTS or not isinstance(run, Mapping) or not isinstance(begun, Mapping):
        raise PermanentError("not-a-step", _NONE)
    texts = [raw["send"], raw["step"], raw["at"]]
    texts += [*(run.get(name) for name in ("journey", "key", "run"))]
    texts += [begun.get("id"), begun.get("source")]
    if not all(isinstance(text, str) and text for text in texts):
        raise PermanentError("not-a-step", _NONE)
    send, step, at, journey, key, name, event_id, source = texts
    try:
        timestamp(at)
    except ValueError:
        raise PermanentError("not-a-step", _NONE) from None
    found = Step(journey, key, name, (event_id, source), send, step, at)
    if not is_id(found.id) or not is_id(found.source) or not is_id(send):
        raise PermanentError("not-a-step", _NONE)
    return found


_NONE: Final = (
    "the message is no step of a journey: send, step, at and run, as docs/journeys.md has it"
)


def run_of(event_id: str, source: str) -> str:
    """The run whose step's event this is; empty where it is no step's."""
    if not source.startswith(STEPS):
        return ""
    journey, _, rest = event_id.partition(".")
    run, _, _ = rest.partition(".")
    return run if journey == source.removeprefix(STEPS) else ""
