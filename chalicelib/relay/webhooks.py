"""What a server outside of AWS is told: posted, tried again for three days, and then given up on.

A message of the queue is one post (`channels.webhooks`). Those of one webhook and ordering key are a group, of
which SQS hands out nothing while an earlier one waits: so order is kept, and only that key waits. Whatever ends
the function in between, a message comes again, and is known to its receiver by its id.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from chalicelib import log, names
from chalicelib.channels.publication import POST_EVENT, POST_ID
from chalicelib.channels.webhooks import WEBHOOK
from chalicelib.errors import TransientError
from chalicelib.lanes import queues
from chalicelib.lanes.dispatch import Redeliver
from chalicelib.lanes.queues import DeadLetter, Received
from chalicelib.names import Place
from chalicelib.plan.compose import destination_tag
from chalicelib.relay import posting
from chalicelib.relay.posting import Answer
from chalicelib.rules.reading import routing
from chalicelib.stage import Stage
from chalicelib.store import receipts, statuses, webhooks
from chalicelib.store.receipts import Receipt
from chalicelib.store.record import now_text
from chalicelib.values import dataclass

# A post waits as long again as it has waited already, within these. SQS keeps one back for 12 hours at the most:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
SHORTEST_WAIT: Final = 5.0
LONGEST_WAIT: Final = 10 * 3600.0
GIVE_UP_SECONDS: Final = 3 * 24 * 3600
# Whoever does not answer in time is let be for so long by this worker, or its time were all spent on them.
REST_SECONDS: Final = 30.0
LONGEST_REST: Final = 60.0
# What a post must have left of the function's time: its own ten seconds, a slow resolver, and the end.
_POST_MILLISECONDS: Final = 18_000
_RECORD_SECONDS: Final = 3.0
# Of one who says that nobody is there any more, and does not want to be asked again.
GONE: Final = 410
_ASK_TO_WAIT: Final = (429, 503)

# By stage and webhook, until when it is let be; for the life of the worker.
_resting: dict[tuple[str, str], float] = {}


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a message: its receipt's `kind` (nothing: not tried), the seconds to `wait` where it comes
    again, or the `reason` for which it is given up on."""

    kind: str = ""
    detail: str = ""
    wait: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Post:
    """A message of the queue, and what its attributes say."""

    message: Received
    webhook: str
    id: str
    event: str

    @classmethod
    def of(cls, message: Received) -> Post:
        carried = (message.carried(name) for name in (WEBHOOK, POST_ID, POST_EVENT))
        return cls(message, *carried)

    @property
    def age(self) -> float:
        return time.time() - self.message.sent_at


def fate(answer: Answer, age: float) -> Fate:
    """What becomes of a post that is `age` seconds old and got this answer. Pure."""
    if 200 <= answer.status < 300:
        return Fate(statuses.DELIVERED, answer.word)
    if answer.status == GONE:
        return Fate(statuses.REJECTED, answer.word, reason="receiver-gone")
    if age >= GIVE_UP_SECONDS:
        return Fate(statuses.REJECTED, answer.word, reason="gave-up")
    wait = age
    if answer.status in _ASK_TO_WAIT and answer.retry_after is not None:
        wait = answer.retry_after
    return Fate(statuses.DELAYED, answer.word, wait=min(max(wait, SHORTEST_WAIT), LONGEST_WAIT))


def drain(stage: Stage, records: Sequence[dict[str, Any]], remaining: Callable[[], int]) -> None:
    """Deal with the records of one SQS Lambda event; `remaining` says how many milliseconds are left.

    Raises
    ------
    Redeliver : some messages are kept for redelivery; all others are already deleted.
    TransientError : what is done could not be deleted; it comes again, and its receiver knows it.
    """
    stage = stage.at(Place.of_arn(records[0]["eventSourceARN"]))
    groups: dict[str, list[Post]] = {}
    for post in (Post.of(Received.of(record)) for record in records):
        groups.setdefault(post.message.group, []).append(post)
    urls = {name: webhook.url for name, webhook in routing(stage.name).webhooks.items()}
    secrets = _secrets(stage, {p.webhook for posts in groups.values() for p in posts} & urls.keys())

    def in_order(posts: Sequence[Post]) -> list[tuple[Post, Fate]]:
        """A group's posts, one after the other; what comes after one that must wait does, too."""
        told: list[tuple[Post, Fate]] = []
        for post in posts:
            waits = told[-1][1].wait if told else None
            if waits is None:
                in_time = remaining() >= _POST_MILLISECONDS
                found = _deal(stage, post, urls, secrets) if in_time else Fate(wait=0)
            else:
                found = Fate(wait=waits)
            told.append((post, found))
        return told

    with ThreadPoolExecutor(len(groups)) as pool:
        told = [pair for of in pool.map(in_order, groups.values()) for pair in of]
    _finish(stage, told)


def _secrets(stage: Stage, wanted: set[str]) -> Mapping[str, Sequence[str]]:
    """What signs for these webhooks; those of which that cannot be known now are left out."""
    found: dict[str, Sequence[str]] = {}
    for name in wanted:
        try:
            found[name] = webhooks.of(stage, name)
        except TransientError as error:
            log.error("needs mending", webhook=name, detail=str(error))
    return found


def _deal(
    stage: Stage, post: Post, urls: Mapping[str, str], secrets: Mapping[str, Sequence[str]]
) -> Fate:
    """Post it, where it can be, and say what becomes of it."""
    name = post.webhook
    if not (name and post.id and post.event):
        return Fate(reason="not-a-post", detail="it lacks what says where it goes")
    if not urls.get(name):  # taken out of routing.toml meanwhile
        return Fate(statuses.REJECTED, "no-url", reason="no-url")
    if name not in secrets:
        return fate(Answer(why="no-secret"), post.age)
    rest = _resting.get((stage.name, name), 0.0) - time.monotonic()
    if rest > 0:
        return Fate(wait=rest + SHORTEST_WAIT)
    body = post.message.body.encode()
    try:
        proof = posting.headers(body, post.id, secrets[name], time.time())
        answer = posting.post(urls[name], body, proof, anywhere=stage.name == "local")
    except Exception as error:  # ours, and must not keep the other posts
        log.error("unexpected", **log.origin(error))
        answer = Answer(why="unexpected")
    _let_be(stage, name, answer)
    found = fate(answer, post.age)
    if found.kind != statuses.DELIVERED:
        tell = log.error if answer.why == posting.NOT_PUBLIC else log.warning
        tell("not delivered", webhook=name, post=post.id, why=answer.word)
    return found


def _let_be(stage: Stage, name: str, answer: Answer) -> None:
    """Give whoever is slow or busy a rest."""
    rest = REST_SECONDS if answer.why == posting.TIMEOUT else 0.0
    if answer.status in _ASK_TO_WAIT:
        rest = min(answer.retry_after or 0.0, LONGEST_REST)
    if rest:
        _resting[stage.name, name] = time.monotonic() + rest


def _finish(stage: Stage, told: Sequence[tuple[Post, Fate]]) -> None:
    """Put what is given up on aside, record what became of each, and hand back what has to wait."""
    dead = [_letter(post, found) for post, found in told if found.reason]
    safe = queues.dead_letter(stage.sqs, stage.dead_queue_url(names.WEBHOOKS), dead) if dead else ()
    for letter in dead:
        about = {"lane": names.WEBHOOKS, "post": letter.message.carried(POST_ID)}
        if letter.message.message_id in safe:
            log.warning("dead-lettered", **about, reason=letter.reason)
        else:
            log.error("the dead-letter queue refuses", **about)
    kept: list[tuple[Received, int]] = []
    waits: dict[str, int] = {}
    done: list[Received] = []
    noted: list[Receipt] = []
    for post, found in told:
        wait = found.wait
        if found.reason and post.message.message_id not in safe:
            wait = SHORTEST_WAIT
        elif found.kind:
            whose = destination_tag(f"webhook:{post.webhook}")
            told_of = (post.event, whose, post.id)
            noted.append(Receipt(*told_of, found.kind, now_text(), found.detail))
        if wait is None:
            done.append(post.message)
        else:
            # Not all of a receiver's at once, when it is back; but those of a group together.
            spread = min(wait * random.uniform(1.0, 1.1), LONGEST_WAIT)  # noqa: S311 - no secret
            kept.append((post.message, waits.setdefault(post.message.group, int(spread))))
    if noted and (left := receipts.note(stage, noted, _RECORD_SECONDS)):
        log.error("not recorded", lane=names.WEBHOOKS, receipts=left)
    if kept:
        url = stage.queue_url(names.WEBHOOKS)
        try:
            if done:
                queues.delete(stage.sqs, url, done)
        finally:
            queues.hand_back(stage.sqs, url, kept)
        raise Redeliver(f"{len(kept)} of {len(told)} messages are kept for redelivery")


def _letter(post: Post, found: Fate) -> DeadLetter:
    try:
        event = json.loads(post.message.body)
        event_id, source, kind = (str(event.get(name) or "") for name in ("id", "source", "type"))
    except (ValueError, AttributeError):
        event_id = source = kind = ""
    carried = {WEBHOOK: post.webhook, POST_ID: post.id, POST_EVENT: post.event}
    detail = f"{found.detail} ({WEBHOOK}:{post.webhook})" if post.webhook else found.detail
    return DeadLetter(post.message, found.reason, detail, event_id, source, kind, carried)
