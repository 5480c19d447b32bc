"""What becomes of an event, decided once: a lane does it, `./heraldo dead-letters` foretells it.

Pure: it asks nothing and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from chalicelib.channels.publication import Publication
from chalicelib.errors import PermanentError
from chalicelib.events.event import Event
from chalicelib.plan.compose import Composed, compose, nobody, sms_type
from chalicelib.plan.reach import CAPPED, GONE, Known
from chalicelib.plan.timing import Wait, outlook
from chalicelib.rules.routing import Routing
from chalicelib.store import statuses
from chalicelib.store.counts import Count
from chalicelib.store.record import Record, text_of
from chalicelib.words import limits
from chalicelib.words.render import Templates

# What the message of a queue comes to: an event, a ready-made message, or why it is neither.
Content = Event | Publication | PermanentError
# Why nobody gets what a test key sent.
TEST_KEY: Final = "test-key"
READY_MADE: Final = "topic"  # the name under which a ready-made message is published


@dataclass(frozen=True, slots=True)
class Fate:
    """What is to be done with an event.

    `publications` are still to be published, by `destination/locale`. Where there are none, `status` is
    the event's last word; `reason` and `detail` say why. `unknown` names what is not published because
    nobody knows whether it was, and the type says skip. `known`: the ledger said so already. `until` is when
    (UTC) what is held is looked at again; `count` must be written before it is published.
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
        if isinstance(content, Publication):
            return self._left(self._addressed(content, lane), record)
        if content.expired(now):
            return Fate(statuses.EXPIRED, "expired", "expirytime was past")
        composed = compose(
            content,
            lane,
            self.routing,
            self.templates,
            self.topic_arn,
            known,
            chosen=record.chosen,
            withheld=gone_of(record),
        )
        if not composed.publications and not record.sent:
            return self._nobody(content, composed)
        if record.test:
            return Fate(statuses.TEST, TEST_KEY, _TESTED, composed=composed)
        left = self._left(composed.publications, record, composed)
        return self._later(content, record, lane, now, known, left) if left.publications else left

    def _later(
        self, event: Event, record: Record, lane: str, now: datetime, known: Known, fate: Fate
    ) -> Fate:
        """The fate of an event that has something to publish: now, or at its time."""
        category = self.routing.category(event.type, lane)
        if event.deliverat is None and category.hours is None and category.cap is None:
            return fate
        shop = self.templates.environment.time_zone
        woken = record.status == statuses.HELD and record.until <= text_of(now)
        found = outlook(event, category, fate.publications, known, shop, now, woken=woken)
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
    """The addresses of an event that turned out not to be there any more, by the ledger's names."""
    return {name: why for name, why in record.withheld.items() if why == GONE}


_TESTED: Final = "sent with a test key: rendered, and published to nobody"
_MAY_HAVE: Final = "it may have gone out to {}, and its type says skip"
