"""One run of a journey, walked on a clock of its own: what Step Functions would do, without the waiting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from chalicelib.errors import HeraldoError
from chalicelib.events.event import timestamp
from chalicelib.journeys.states import State
from cli.journeys.definition import Definition
from cli.journeys.expressions import ExpressionError, evaluate, stamp

# An execution has 25,000 entries in its history, and a state takes at least two of them:
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
MOST_STATES: Final = 12_000


class WalkError(HeraldoError):
    """A run that fails: in this state."""

    def __init__(self, state: str, problem: str) -> None:
        super().__init__(f"{state}: {problem}")
        self.state = state


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that a run puts into a lane."""

    at: datetime
    state: str
    arguments: Mapping[str, Any]

    @property
    def body(self) -> Mapping[str, Any]:
        found = self.arguments.get("MessageBody")
        return found if isinstance(found, Mapping) else {}


@dataclass(frozen=True, slots=True)
class Ended:
    """A run's end, after so many of the transitions that AWS charges for; `error` where it is a Fail."""

    at: datetime
    state: str
    transitions: int
    error: str = ""


def walk(
    definition: Definition, run_input: Mapping[str, Any], started: datetime
) -> Iterator[Sent | Ended]:
    """What a run does, in its order; nothing is worked out before it is asked for.

    Raises
    ------
    WalkError : where an execution would fail, or never end.
    """
    now, name, given = started, definition.start_at, dict(run_input)
    execution = {
        "Id": f"arn:aws:states:us-east-1:000000000000:execution:{definition.name}:run",
        "Name": run_input.get("run", "run"),
        "Input": given,
        "StartTime": stamp(started),
    }
    for count in range(1, MOST_STATES + 1):
        state = definition.states.get(name)
        if state is None:
            raise WalkError(name, "there is no such state")
        context = {
            "Execution": execution,
            "State": {"Name": name, "EnteredTime": stamp(now), "RetryCount": 0},
            "StateMachine": {"Name": definition.name},
        }
        step = _Step(state, {"input": given, "context": context}, now)
        if state.kind in ("Succeed", "Fail"):
            error = str(step.value("Error", "")) or "States.TaskFailed"
            yield Ended(now, name, count + 1, error if state.kind == "Fail" else "")
            return
        if state.kind == "Wait":
            now = max(now, step.until())
        elif state.kind == "Task":
            yield Sent(now, name, step.value("Arguments", {}))
            step.states["result"] = {"MessageId": "00000000-0000-0000-0000-000000000000"}
        elif state.kind not in ("Pass", "Choice"):
            raise WalkError(name, f"{state.kind or 'a state without a type'} cannot be walked")
        following = step.choice() if state.kind == "Choice" else step.following()
        given = step.output(now, following)
        if following.end:
            yield Ended(now, name, count + 1)
            return
        name = following.name
    raise WalkError(name, f"comes round for ever: {MOST_STATES:,} states, and no end")


@dataclass(frozen=True, slots=True)
class _Following:
    name: str
    end: bool = False
    output: Any = None


@dataclass(slots=True)
class _Step:
    """A state that a run is in."""

    state: State
    states: dict[str, Any]
    now: datetime

    def value(self, field: str, otherwise: Any) -> Any:
        return self._evaluated(self.state.fields.get(field, otherwise))

    def _evaluated(self, value: Any) -> Any:
        try:
            return evaluate(value, self.states, self.now)
        except ExpressionError as error:
            raise WalkError(self.state.name, str(error)) from None

    def until(self) -> datetime:
        if "Timestamp" in self.state.fields:
            given = self.value("Timestamp", "")
            try:
                return timestamp(given).astimezone(UTC)
            except (TypeError, ValueError):
                raise WalkError(self.state.name, f"{given!r} is no time to wait for") from None
        seconds = self.value("Seconds", None)
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or seconds < 0:
            raise WalkError(self.state.name, f"{seconds!r} is no number of seconds to wait")
        return self.now + timedelta(seconds=seconds)

    def choice(self) -> _Following:
        for choice in self.state.fields.get("Choices", ()):
            met = self._evaluated(choice.get("Condition"))
            if not isinstance(met, bool):
                raise WalkError(self.state.name, f"a Condition came to {met!r}, not true or false")
            if met:
                return _Following(choice.get("Next", ""), output=choice.get("Output"))
        if "Default" not in self.state.fields:
            raise WalkError(self.state.name, "no Condition is met, and there is no Default")
        return _Following(self.state.fields["Default"])

    def following(self) -> _Following:
        return _Following(self.state.fields.get("Next", ""), bool(self.state.fields.get("End")))

    def output(self, now: datetime, following: _Following) -> Any:
        """What the next state gets."""
        self.now = now
        given = following.output
        if given is None:
            given = self.state.fields.get("Output")
        if given is not None:
            return self._evaluated(given)
        return self.states.get("result", self.states["input"])
