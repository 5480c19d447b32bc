"""Who hears about an event: lanes, topics and rules, and what they decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from chalicelib.errors import PermanentError
from chalicelib.events.event import Event
from chalicelib.rules.lines import Lines
from chalicelib.rules.patterns import Mismatch, Pattern
from chalicelib.rules.patterns.rule_index import RuleIndex

_NEAR: Final = 10


@dataclass(frozen=True, slots=True)
class Lane:
    """A queue with a function of its own, and the event types that go through it.

    `commercial` says that what goes through it is advertising, not something that was ordered.
    """

    name: str
    types: tuple[str, ...]
    commercial: bool = False
    line: int = 0


@dataclass(frozen=True, slots=True)
class Topic:
    """An SNS topic: whether it carries personal messages, and its audience's locales."""

    name: str
    personal: bool = False
    locales: tuple[str, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """A named rule: where its pattern matches, its destinations are added.

    `stages` are those that it applies to; none are all.
    """

    name: str
    pattern: Pattern
    to: tuple[str, ...] = ()
    stop: bool = False
    suppress: bool = False
    stages: tuple[str, ...] = ()
    owner: str = ""
    note: str = ""
    position: int = 0
    lines: Lines = field(default=Lines(""), repr=False, compare=False)

    @property
    def line(self) -> int:
        """Where it begins in routing.toml, from 1; looked for when it is asked for."""
        return self.lines.of_rule(self.position)


@dataclass(frozen=True, slots=True)
class Decision:
    """What the rules say of one event. Without destinations, `reason` says why."""

    rules: tuple[str, ...]
    destinations: tuple[str, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule on one event: matched, or the first condition that was not met, or not reached."""

    rule: Rule
    matched: bool
    mismatch: Mismatch | None = None
    after_stop: str = ""


@dataclass(frozen=True, slots=True)
class Routing:
    """The loaded `routing.toml`, for one stage."""

    lanes: Mapping[str, Lane]
    topics: Mapping[str, Topic]
    rules: tuple[Rule, ...]
    on_unknown: Mapping[str, str] = field(default_factory=dict)
    index: RuleIndex = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", RuleIndex([rule.pattern for rule in self.rules]))

    def lane(self, event_type: str) -> str:
        """The lane of an event type: the longest of the names that fit it decides.

        Raises
        ------
        PermanentError : no lane takes this type.
        """
        best, length = "", -1
        for lane in self.lanes.values():
            for name in lane.types:
                fits = event_type.startswith(name[:-1]) if name[-1] == "*" else event_type == name
                if fits and len(name) > length:
                    best, length = lane.name, len(name)
        if not best:
            raise PermanentError("no-lane", "no lane in routing.toml takes this event type")
        return best

    def is_commercial(self, lane: str) -> bool:
        """Whether what goes through a lane is advertising."""
        return lane in self.lanes and self.lanes[lane].commercial

    def decide(self, event: Event) -> Decision:
        """Which rules match, and the destinations that they add, each once and in rule order."""
        matched: list[str] = []
        destinations: dict[str, None] = {}
        for position in self.index.match(event.attributes()):
            rule = self.rules[position]
            matched.append(rule.name)
            if rule.suppress:
                return Decision(tuple(matched), (), f"rule {rule.name} suppresses it")
            destinations.update(dict.fromkeys(rule.to))
            if rule.stop:
                break
        reason = ""
        if not destinations:
            reason = f"rule {matched[-1]} sends it nowhere" if matched else "no rule matches"
        return Decision(tuple(matched), tuple(destinations), reason)

    def explain(self, event: Event) -> list[Verdict]:
        """Every rule in order, matched or with the first condition that failed."""
        verdicts: list[Verdict] = []
        attributes = event.attributes()
        stopped = ""
        for rule in self.rules:
            if stopped:
                verdicts.append(Verdict(rule, False, after_stop=stopped))
                continue
            mismatch = rule.pattern.explain(attributes)
            verdicts.append(Verdict(rule, mismatch is None, mismatch))
            if mismatch is None and (rule.stop or rule.suppress):
                stopped = rule.name
        return verdicts

    def why_nobody(self, event: Event) -> str:
        """Why no rule sent this event anywhere, as the ledger may keep it: it shows no texts.

        Names the rules that are about this type, each with the first condition that failed.
        """
        near = [
            f"{verdict.rule.name}: {verdict.mismatch.without_text()}"
            for verdict in self.explain(event)
            if verdict.mismatch is not None and verdict.mismatch.field != "type"
        ]
        return "; ".join(near[:_NEAR]) if near else "no rule is about this type"

    def is_personal(self, destination: str, event: Event) -> bool:
        """Whether an event goes to a destination as a message to its recipient."""
        topic = self.topics[destination.removeprefix("topic:")]
        return topic.personal and event.recipient is not None

    def locales(self, destination: str, event: Event) -> tuple[str | None, ...]:
        """The locales in which an event goes to a destination.

        A recipient is addressed in its own locale on a personal topic. Anything else goes to an
        audience: in the event's locale if it names one and no recipient, else once for each locale
        of the topic. A customer's locale says nothing about the company's. None: the default.
        """
        topic = self.topics[destination.removeprefix("topic:")]
        if self.is_personal(destination, event):
            return (event.locale,)
        if event.locale is not None and event.recipient is None:
            return (event.locale,)
        return topic.locales or (None,)
