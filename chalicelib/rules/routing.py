"""Who hears about an event: lanes, topics and rules, and what they decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Final

from chalicelib.errors import PermanentError
from chalicelib.events.event import Event
from chalicelib.rules.caps import Cap
from chalicelib.rules.destinations import PERSON, RECIPIENT, parse, topic_of
from chalicelib.rules.digests import Digest
from chalicelib.rules.hours import Hours
from chalicelib.rules.journeys import Journey
from chalicelib.rules.lines import Lines
from chalicelib.rules.patterns import Mismatch, Pattern
from chalicelib.rules.patterns.rule_index import RuleIndex
from chalicelib.values import dataclass

_NEAR: Final = 10


@dataclass(frozen=True, slots=True)
class Lane:
    """A queue with a function of its own, and the event types that go through it."""

    name: str
    types: tuple[str, ...]
    line: int = 0


@dataclass(frozen=True, slots=True)
class Category:
    """What a recipient can switch off, channel by channel; each lane is one.

    `commercial`: it is advertising, not something that was ordered. `critical`: it cannot be switched
    off. `channels` has those that are on or off for whoever says nothing else. `hours`: when it is sent; `cap`: how much of
    it one recipient gets.
    """

    name: str
    commercial: bool = False
    critical: bool = False
    channels: Mapping[str, bool] = field(default_factory=dict)
    hours: Hours | None = None
    cap: Cap | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class Topic:
    """An SNS topic: whether it carries personal messages, its audience's locales, and who they are:
    an audience with words of its own (`company.es.j2`), or the customers."""

    name: str
    personal: bool = False
    locales: tuple[str, ...] = ()
    audience: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Webhook:
    """A server outside of AWS: the `urls` to which events are posted, by stage, and the `url` of the stage at
    hand (nothing where it has none there)."""

    name: str
    urls: Mapping[str, str]
    url: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """A named rule: where its pattern matches, its destinations are added.

    `starts` and `stops` are the journeys that it begins and ends, and `stages` those that it applies
    to; none are all. `digest`: what it would send is gathered.
    """

    name: str
    pattern: Pattern
    to: tuple[str, ...] = ()
    digest: Digest | None = None
    stop: bool = False
    suppress: bool = False
    starts: tuple[str, ...] = ()
    stops: tuple[str, ...] = ()
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
class TypeSettings:
    """What `[types."…"]` says of an event type: what to do where nobody knows whether it went out, its
    category where that is not its lane, and how many parts an SMS of it may cost (0: as many as SNS takes)."""

    on_unknown: str = "resend"
    category: str = ""
    sms_parts: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """What the rules say of one event: where it goes now, the rules that gather it (`digests`) for later, and which
    journeys it starts and stops.

    Where it goes nowhere at all, `reason` says why.
    """

    rules: tuple[str, ...]
    destinations: tuple[str, ...]
    reason: str = ""
    starts: tuple[str, ...] = ()
    stops: tuple[str, ...] = ()
    digests: tuple[Rule, ...] = ()

    @property
    def in_time(self) -> tuple[str, ...]:
        """Where it goes now or in a digest, each once."""
        if not self.digests:
            return self.destinations
        later = (to for rule in self.digests for to in rule.to)
        return tuple(dict.fromkeys((*self.destinations, *later)))


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
    types: Mapping[str, TypeSettings] = field(default_factory=dict)
    categories: Mapping[str, Category] = field(default_factory=dict)
    journeys: Mapping[str, Journey] = field(default_factory=dict)
    webhooks: Mapping[str, Webhook] = field(default_factory=dict)
    index: RuleIndex = field(init=False, repr=False)
    reaches_persons: bool = field(init=False, repr=False)
    keeps_hours: bool = field(init=False, repr=False)
    has_caps: bool = field(init=False, repr=False)
    has_digests: bool = field(init=False, repr=False)
    _decided: dict[int, tuple[Event, Decision]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", RuleIndex([rule.pattern for rule in self.rules]))
        personal = any(parse(to).is_somebody for rule in self.rules for to in rule.to)
        object.__setattr__(self, "reaches_persons", personal)
        categories = self.categories.values()
        object.__setattr__(self, "keeps_hours", any(c.hours is not None for c in categories))
        object.__setattr__(self, "has_caps", any(c.cap is not None for c in categories))
        gathers = any(rule.digest is not None for rule in self.rules)
        object.__setattr__(self, "has_digests", gathers)
        object.__setattr__(self, "_decided", {})

    @property
    def posts(self) -> bool:
        """Whether anything is posted from the stage at hand."""
        return any(webhook.url for webhook in self.webhooks.values())

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

    def category(self, event_type: str, lane: str) -> Category:
        """The category of an event type that goes through a lane, or of the lane itself."""
        name = self.settings(event_type).category or lane
        return self.categories.get(name) or Category(name)

    def settings(self, event_type: str) -> TypeSettings:
        return self.types.get(event_type) or _NO_SETTINGS

    def audience(self, destination: str) -> str:
        """Whose words go to a destination: those of an audience, or (empty) the customers'."""
        topic = topic_of(destination)
        if topic:
            return self.topics[topic].audience
        return COMPANY if parse(destination).kind == PERSON else ""

    def decide(self, event: Event) -> Decision:
        """Which rules match, and what they add, each destination and journey once and in rule order. A digest
        goes where the rule sends it that gathered it.

        What is suppressed starts nothing, and still stops: what it tells of has happened.
        """
        # A lane asks several times about each event of its batch.
        known = self._decided.get(id(event))
        if known is None or known[0] is not event:
            if len(self._decided) >= _DECIDED:
                self._decided.clear()
            known = self._decided[id(event)] = event, self._decide(event)
        return known[1]

    def _decide(self, event: Event) -> Decision:
        if event.digest is not None:
            return self._of_digest(event.digest.rule)
        matched: list[str] = []
        destinations: dict[str, None] = {}
        digests: tuple[Rule, ...] = ()
        starts: tuple[str, ...] = ()
        stops: tuple[str, ...] = ()
        for position in self.index.match(event.attributes()):
            rule = self.rules[position]
            matched.append(rule.name)
            if rule.stops:
                stops = tuple(dict.fromkeys((*stops, *rule.stops)))
            if rule.suppress:
                reason = f"rule {rule.name} suppresses it"
                return Decision(tuple(matched), (), reason, stops=stops)
            if rule.starts:
                starts = tuple(dict.fromkeys((*starts, *rule.starts)))
            if rule.digest is None:
                destinations.update(dict.fromkeys(rule.to))
            else:
                digests += (rule,)
            if rule.stop:
                break
        reason = ""
        if not destinations and not starts and not digests:
            reason = f"rule {matched[-1]} sends it nowhere" if matched else "no rule matches"
        return Decision(tuple(matched), tuple(destinations), reason, starts, stops, digests)

    def rule(self, name: str) -> Rule | None:
        return next((rule for rule in self.rules if rule.name == name), None)

    def _of_digest(self, name: str) -> Decision:
        rule = self.rule(name)
        if rule is None:
            return Decision((name,), (), f"rule {name}, which gathered it, is not there any more")
        reason = "" if rule.to else f"rule {name} sends it nowhere"
        return Decision((name,), rule.to, reason)

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
        topic = topic_of(destination)
        if not topic:
            return parse(destination).kind == RECIPIENT
        return self.topics[topic].personal and event.recipient is not None

    def locales(self, destination: str, event: Event) -> tuple[str | None, ...]:
        """The locales in which an event goes to a destination, as far as routing knows.

        A recipient is addressed in its own locale, which may be the event's. Anything else goes to an
        audience: in the event's locale if it names one and no recipient, else once for each locale
        of the topic. A customer's locale says nothing about the company's. None: the default.
        """
        if self.is_personal(destination, event):
            return (event.locale,)
        if event.locale is not None and event.recipient is None:
            return (event.locale,)
        topic = topic_of(destination)
        return (self.topics[topic].locales if topic else ()) or (None,)


COMPANY: Final = "company"
"""The audience of the persons whom rules name."""
_DECIDED: Final = 50
_NO_SETTINGS: Final = TypeSettings()
