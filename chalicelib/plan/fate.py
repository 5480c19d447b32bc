"""What becomes of an event, decided once: a lane does it, `./heraldo dead-letters` foretells it.

Pure: it asks nothing and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime, tzinfo
from typing import Final

from chalicelib.channels.publication import Publication
from chalicelib.errors import PermanentError
from chalicelib.events.event import Event, timestamp
from chalicelib.events.gathered import DIGEST
from chalicelib.events.step import Step
from chalicelib.plan.compose import Composed, compose, nobody, sms_type
from chalicelib.plan.gathering import Share, shares
from chalicelib.plan.journeys import ENDED, START
from chalicelib.plan.reach import CAPPED, GONE, Known
from chalicelib.plan.timing import DELIVERAT, Wait, outlook
from chalicelib.rules.routing import Routing
from chalicelib.store import statuses
from chalicelib.store.counts import Count
from chalicelib.store.record import Record, text_of
from chalicelib.store.run import RUNNING, STOPPED
from chalicelib.values import dataclass
from chalicelib.words import limits
from chalicelib.words.render import Templates

# What the message of a queue comes to: an event, a ready-made message, or why it is neither. A step of a
# journey is an event as long as its run is under way.
Content = Event | Publication | Step | PermanentError
# Why nobody gets what a test key sent.
TEST_KEY: Final = "test-key"
READY_MADE: Final = "topic"  # the name under which a ready-made message is published


@dataclass(frozen=True, slots=True)
class Fate:
    """What is to be done with an event.

    `publications` are still to be published, by `destination/locale`. Where there are none, `status` is
    the event's last word; `reason` and `detail` say why. `unknown` names what is not published because
    nobody knows whether it was, and the type says skip. `known`: the ledger said so already. `until` is when
    (UTC) what is held is looked at again; `count` must be written before it is published, and before anything `shares`
    kept, which rules gather of it.
    """

    status: str = ""
    reason: str = ""
    detail: str = ""
    publications: Mapping[str, Publication] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    composed: Composed | None = None
    known: bool = False
    until: datetime | None = None
    count: Count | None = None
    shares: Sequence[Share] = ()


@dataclass(frozen=True, slots=True)
class Fates:
    """Decides by these rules and templates. `topic_arn` turns a topic's short name into its ARN."""

    routing: Routing
    templates: Templates
    topic_arn: Callable[[str], str]

    def of(self, content: Content, record: Record, lane: str, now: datetime, known: Known) -> Fate:
        """The fate of what `record` is about, at `now` (aware), by what is `known` of its persons.

        Raises
        ------
        PermanentError : it can never be published: a dead letter.
        """
        if record.status in statuses.SETTLED:
            return Fate(record.status, known=True)
        if isinstance(content, PermanentError):
            raise content
        if isinstance(content, Step):
            last = statuses.PUBLISHED if record.sent else statuses.SUPPRESSED
            return Fate(last, ENDED, _ENDED)
        if isinstance(content, Publication):
            return self._left(self._addressed(content, lane), record)
        if content.expired(now):
            return Fate(statuses.EXPIRED, "expired", "expirytime was past")
        composed = self._composed(content, record, lane, known)
        digests = composed.decision.digests
        if not composed.publications and not record.sent and not digests:
            return self._nobody(content, composed)
        if record.test:
            return Fate(statuses.TEST, TEST_KEY, _TESTED, composed=composed)
        if digests and not content.waits(now):
            return self._gathered(content, record, lane, now, known, composed)
        left = self._left(composed.publications, record, composed)
        if digests and not left.publications:
            return self._held(Wait(timestamp(str(content.deliverat)), DELIVERAT), left)
        return self._later(content, record, lane, now, known, left) if left.publications else left

    def _composed(self, event: Event, record: Record, lane: str, known: Known) -> Composed:
        """What an event comes to. A digest that is more than its channels take lists less."""
        try:
            return compose(
                event,
                lane,
                self.routing,
                self.templates,
                self.topic_arn,
                known,
                chosen=record.chosen,
                withheld=gone_of(record),
            )
        except PermanentError:
            if event.digest is None or len(event.digest.events) < 2:
                raise
            fewer = event.digest.events[: len(event.digest.events) // 2]
            shorter = replace(event, digest=replace(event.digest, events=fewer))
            return self._composed(shorter, record, lane, known)

    @property
    def shop(self) -> tzinfo | None:
        """The shop's own clock."""
        return self.templates.environment.time_zone

    def _gathered(
        self,
        event: Event,
        record: Record,
        lane: str,
        now: datetime,
        known: Known,
        composed: Composed,
    ) -> Fate:
        """The fate of an event of which rules gather something: that is kept, whatever becomes of the rest."""
        fate = Fate(statuses.GATHERED, composed=composed)
        if composed.publications or record.sent:
            fate = self._left(composed.publications, record, composed)
            if fate.publications:
                fate = self._later(event, record, lane, now, known, fate)
        decision, shop = composed.decision, self.shop
        found = shares(event, decision, self.routing, lane, known, shop, now, record)
        wanted = [share for share in found if not event.expired(share.due)]
        if fate.status in (statuses.SUPPRESSED, statuses.EXPIRED) and (wanted or record.digests):
            fate = replace(fate, status=statuses.GATHERED)
        if fate.status == statuses.GATHERED and not wanted and not record.digests:
            why = f"expirytime passes before its digest goes out (rule {found[0].rule.name})"
            return Fate(statuses.EXPIRED, "expired", why, composed=composed)
        if fate.status == statuses.GATHERED:
            names = (rule.name for rule in decision.digests)
            told = f"for the digest of rule {', '.join(names)}"
            fate = replace(fate, reason=DIGEST, detail=told)
        return replace(fate, shares=wanted)

    def _later(
        self, event: Event, record: Record, lane: str, now: datetime, known: Known, fate: Fate
    ) -> Fate:
        """The fate of an event that has something to publish: now, or at its time."""
        category = self.routing.category(event.type, lane)
        if event.deliverat is None and category.hours is None and category.cap is None:
            return fate
        # A digest has a line of its own: nothing waits before it.
        woken = event.digest is not None or (
            record.status == statuses.HELD and record.until <= text_of(now)
        )
        found = outlook(event, category, fate.publications, known, self.shop, now, woken=woken)
        if found.wait is not None:
            return self._held(found.wait, fate)
        if not found.capped or fate.composed is None:
            return replace(fate, count=found.count)
        others = {name: to for name, to in fate.publications.items() if name not in found.capped}
        withheld = {**fate.composed.withheld, **dict.fromkeys(found.capped, CAPPED)}
        composed = replace(fate.composed, withheld=withheld)
        if others:
            return replace(fate, publications=others, composed=composed)
        text = category.cap.text if category.cap is not None else "enough"
        why = f"{text} of {category.name} went to its recipient already"
        return Fate(statuses.SUPPRESSED, CAPPED, why, unknown=fate.unknown, composed=composed)

    def _held(self, wait: Wait, fate: Fate) -> Fate:
        """The fate of an event that waits."""
        if wait.expires:
            why = f"expirytime passes before it may go out ({wait.why})"
            return Fate(statuses.EXPIRED, "expired", why, composed=fate.composed)
        # What may have gone out already stays in doubt.
        return Fate(
            statuses.HELD,
            wait.why,
            unknown=fate.unknown,
            composed=fate.composed,
            until=wait.until,
        )

    def _nobody(self, event: Event, composed: Composed) -> Fate:
        """The fate of an event that nobody hears of."""
        if composed.withheld:
            told = (f"{why} ({name})" for name, why in composed.withheld.items())
            return Fate(statuses.SUPPRESSED, nobody(composed), "; ".join(told), composed=composed)
        why = composed.decision.reason
        if not composed.decision.rules:
            why = f"{why}; {self.routing.why_nobody(event)}"
        return Fate(statuses.SUPPRESSED, "suppressed", why, composed=composed)

    def skips(self, event_type: str) -> bool:
        """Whether what may have gone out is not sent again, for this type."""
        return self.routing.settings(event_type).on_unknown == "skip"

    def _addressed(self, message: Publication, lane: str) -> dict[str, Publication]:
        if message.to not in {self.topic_arn(name) for name in self.routing.topics}:
            raise PermanentError("foreign-topic", "sns_topic is none of this stage's topics")
        typed = replace(message, attributes=sms_type(self.routing.category("", lane).commercial))
        return {READY_MADE: typed if typed.size <= limits.MESSAGE_BYTES else message}

    def _left(
        self,
        publications: Mapping[str, Publication],
        record: Record,
        composed: Composed | None = None,
    ) -> Fate:
        """What there is to publish yet, after what the ledger says of each."""
        unknown: tuple[str, ...] = ()
        if self.skips(record.type):
            unknown = record.unknown
            if (
                record.status == statuses.PUBLISHING and not unknown
            ):  # written by an earlier version
                unknown = tuple(publications)
        # A journey starts once, however often it is asked to.
        unknown = tuple(name for name in unknown if not name.startswith(START))
        left = publications
        if record.sent or unknown:
            left = {
                name: publication
                for name, publication in publications.items()
                if name not in record.sent and name not in unknown
            }
        if left:
            return Fate("", publications=left, unknown=unknown, composed=composed)
        if unknown:
            return Fate(
                statuses.UNKNOWN,
                "outcome-unknown",
                _MAY_HAVE.format(", ".join(unknown)),
                unknown=unknown,
                composed=composed,
            )
        return Fate(statuses.PUBLISHED, composed=composed)


def gone_of(record: Record) -> dict[str, str]:
    """What was withheld when it was tried, by the ledger's names: addresses that turned out not to be there any
    more, and journeys that did not start."""
    return {n: why for n, why in record.withheld.items() if why in (GONE, RUNNING, STOPPED)}


_ENDED: Final = "its journey was stopped, or taken away, or another run has taken its place"
_TESTED: Final = "sent with a test key: rendered, and published to nobody"
_MAY_HAVE: Final = "it may have gone out to {}, and its type says skip"
