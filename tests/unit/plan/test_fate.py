"""chalicelib/plan/fate.py: what becomes of an event, by what is known of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.channels.publication import Publication
from chalicelib.errors import PermanentError
from chalicelib.events.event import Event, parse
from chalicelib.events.gathered import Gathered
from chalicelib.plan.compose import posted
from chalicelib.plan.fate import READY_MADE, Fate, Fates
from chalicelib.plan.reach import Known
from chalicelib.rules.reading import load
from chalicelib.store.record import Record
from chalicelib.store.statuses import SETTLED
from chalicelib.words import limits
from chalicelib.words.render import Templates

ROUTING = """
[lanes]
orders = ["order.*"]
offers = { types = ["offer.*"], commercial = true }
[topics]
users = { personal = true, locales = ["es"] }
company = { locales = ["es", "en"] }
[types."order.once"]
on_unknown = "skip"
[[rule]]
name = "quiet"
pattern.data.quiet = [true]
suppress = true
[[rule]]
name = "vips"
pattern.data.vip = [true]
to = ["topic:users"]
[[rule]]
name = "all"
pattern.type = [{ prefix = "order.o" }]
to = ["topic:users", "topic:company"]
"""
NOW = datetime(2026, 6, 1, tzinfo=UTC)
SMS = "{{ name }}{% for one in digest %}#{{ 'x' * 29 }}{% endfor %} of {{ digest_count }}"
ALL = ["topic:users/es", "topic:company/es", "topic:company/en"]


@pytest.fixture(scope="module")
def fates(tmp_path_factory: pytest.TempPathFactory) -> Fates:
    root: Path = tmp_path_factory.mktemp("templates")
    for name in ("order.one", "order.once", "order.lonely", "offer.new"):
        (root / name).mkdir()
        for locale in ("es", "en"):
            text = "{% block subject %}S{% endblock %}{% block body %}{{ name }}{% endblock %}"
            if name == "order.lonely":
                text += f"{{% block sms %}}{SMS}{{% endblock %}}"
            (root / name / f"{locale}.j2").write_text(text)
    return Fates(load(ROUTING, None), Templates(root), lambda name: f"arn:{name}")


def event(event_type: str = "order.one", **more: Any) -> Event:
    data = {"name": "Eva", **more.pop("data", {})}
    raw = {"type": event_type, "id": "e", "source": "/s", "data": data, **more}
    return parse(raw)


def of(fates: Fates, content: Any, lane: str = "orders", **known: Any) -> Fate:
    event_type = content.type if isinstance(content, Event) else ""
    return fates.of(content, Record("e", "/s", **{"type": event_type, **known}), lane, NOW, Known())


def ready_made(to: str = "arn:users", message: str = "hola") -> Publication:
    return Publication("topic", to, "S", message, {}, structured=False)


def test_what_was_never_seen_goes_everywhere(fates: Fates) -> None:
    found = of(fates, event())
    assert (found.status, list(found.publications), found.unknown) == ("", ALL, ())
    assert found.composed
    assert found.composed.decision.rules == ("all",)
    assert found.publications["topic:users/es"].to == "arn:users"


@pytest.mark.parametrize("status", sorted(SETTLED))
def test_what_the_ledger_has_a_last_word_on_is_not_looked_at(fates: Fates, status: str) -> None:
    for content in (event(), PermanentError("not-json", "it is not"), ready_made("arn:foreign")):
        assert of(fates, content, status=status) == Fate(status, known=True)


@pytest.mark.parametrize("status", ["", "accepted", "retrying", "failed"])
def test_what_went_out_is_not_sent_again(fates: Fates, status: str) -> None:
    sent = {"topic:users/es": "m", "topic:company/en": "m"}
    found = of(fates, event(), status=status, sent=sent)
    assert (found.status, list(found.publications)) == ("", ["topic:company/es"])
    found = of(fates, event(), status=status, sent=dict.fromkeys(ALL, "m"))
    assert (found.status, found.publications, found.reason) == ("published", {}, "")


def test_what_may_have_gone_out_is_sent_again_unless_the_type_skips(fates: Fates) -> None:
    doubt = {"status": "retrying", "unknown": ("topic:users/es",)}
    again = of(fates, event("order.one"), **doubt)
    assert (list(again.publications), again.unknown) == (ALL, ())
    skipped = of(fates, event("order.once"), **doubt)
    assert (list(skipped.publications), skipped.unknown) == (ALL[1:], ("topic:users/es",))


def test_where_only_the_unknown_is_left_the_outcome_is_unknown(fates: Fates) -> None:
    unknown = ("topic:users/es", "topic:company/en")
    sent = {"topic:company/es": "m"}
    found = of(fates, event("order.once"), status="publishing", unknown=unknown, sent=sent)
    assert (found.status, found.reason, found.unknown) == ("unknown", "outcome-unknown", unknown)
    assert "topic:users/es, topic:company/en" in found.detail
    # Written by a version that did not say what it was about to ask.
    found = of(fates, event("order.once"), status="publishing")
    assert (found.status, found.unknown) == ("unknown", tuple(ALL))
    assert of(fates, event("order.one"), status="publishing").publications.keys() == set(ALL)


def test_a_ready_made_message_goes_to_a_topic_of_the_stage_alone(fates: Fates) -> None:
    message = ready_made()
    found = of(fates, message)
    assert found.publications == {
        READY_MADE: replace(message, attributes={"AWS.SNS.SMS.SMSType": "Transactional"})
    }
    found = of(fates, message, "offers")
    assert found.publications[READY_MADE].attributes == {"AWS.SNS.SMS.SMSType": "Promotional"}
    assert of(fates, message, sent={READY_MADE: "m"}).status == "published"
    with pytest.raises(PermanentError, match="sns_topic is none of this stage's topics") as caught:
        of(fates, ready_made("arn:elsewhere"))
    assert caught.value.reason == "foreign-topic"


def test_a_ready_made_message_as_large_as_sns_takes_stays_so(fates: Fates) -> None:
    attribute = len("AWS.SNS.SMS.SMSType") + len("String") + len("Transactional")
    room = limits.MESSAGE_BYTES - len("S")
    for size, attributes in ((room - attribute, 1), (room - attribute + 1, 0), (room, 0)):
        [found] = of(fates, ready_made(message="x" * size)).publications.values()
        assert found.size <= limits.MESSAGE_BYTES
        assert len(found.attributes) == attributes


@pytest.mark.parametrize(
    ("when", "status"),
    [
        ("2026-05-31T23:59:59Z", "expired"),
        ("2026-06-01T00:00:00Z", "expired"),
        ("2026-06-01T00:00:01Z", ""),
    ],
)
def test_past_its_expirytime_it_is_not_sent(fates: Fates, when: str, status: str) -> None:
    found = of(fates, event(expirytime=when))
    assert found.status == status
    if status:
        assert (found.reason, found.detail) == ("expired", "expirytime was past")
        assert not found.publications


def test_what_the_rules_send_to_nobody_is_suppressed_with_the_reason(fates: Fates) -> None:
    found = of(fates, event(data={"quiet": True}))
    assert (found.status, found.reason) == ("suppressed", "suppressed")
    assert found.detail == "rule quiet suppresses it"
    found = of(fates, event("offer.new"), "offers")
    assert found.status == "suppressed"
    assert found.detail.startswith("no rule matches; ")
    assert "vips: data.vip" in found.detail
    assert found.composed is not None


def test_what_a_test_key_sent_is_published_to_nobody(fates: Fates) -> None:
    found = of(fates, event(), test=True)
    assert (found.status, found.publications) == ("test", {})
    assert of(fates, event(data={"quiet": True}), test=True).status == "suppressed"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (PermanentError("not-json", "it is not"), "not-json"),
        (event("order.unheard-of"), "unknown-type"),
        (parse({"type": "order.one", "id": "e", "source": "/s", "data": {}}), "missing-data"),
    ],
)
def test_what_can_never_be_published_is_said_with_its_reason(
    fates: Fates, content: Any, reason: str
) -> None:
    with pytest.raises(PermanentError) as caught:
        of(fates, content)
    assert caught.value.reason == reason


GATHERS = """
[[rule]]
name = "digest"
pattern.data.digest = [true]
to = ["topic:company"]
digest = { window = "30m" }
"""


@pytest.fixture(scope="module")
def gathering(fates: Fates) -> Fates:
    return replace(fates, routing=load(ROUTING + GATHERS, None))


def test_what_a_rule_gathers_is_gathered_and_what_others_send_goes_out(gathering: Fates) -> None:
    found = of(gathering, event(data={"digest": True}))
    assert (found.status, list(found.publications)) == ("", ["topic:users/es", *ALL[1:]])
    assert [share.rule.name for share in found.shares] == ["digest"]
    alone = of(gathering, event("order.lonely", data={"digest": True}))
    assert (alone.status, alone.reason) == ("gathered", "digest")
    assert alone.detail == "for the digest of rule digest"
    assert [share.due - NOW for share in alone.shares] == [timedelta(minutes=30)]


def test_what_is_gathered_already_is_not_gathered_again(gathering: Fates) -> None:
    known = {"digests": {"digest": "2026-06-01T00:30:00.000Z"}}
    found = of(gathering, event(data={"digest": True}), status="retrying", **known)
    assert (list(found.publications), found.shares) == (ALL, [])
    found = of(gathering, event("order.lonely", data={"digest": True}), **known)
    assert (found.status, found.shares) == ("gathered", [])


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"deliverat": "2026-06-02T00:00:00Z"}, "held"),
        ({"expirytime": "2026-06-01T00:30:00Z"}, "expired"),
        ({"expirytime": "2026-06-01T00:30:01Z"}, "gathered"),
    ],
)
def test_an_events_own_times_come_before_its_digest(
    gathering: Fates, more: dict[str, str], status: str
) -> None:
    found = of(gathering, event("order.lonely", data={"digest": True}, **more))
    assert (found.status, bool(found.shares)) == (status, status == "gathered")


def test_what_a_test_key_sent_is_gathered_for_nobody(gathering: Fates) -> None:
    found = of(gathering, event("order.lonely", data={"digest": True}), test=True)
    assert (found.status, found.shares) == ("test", ())


def digest(rule: str = "digest", number: int = 2) -> Event:
    one = event("order.lonely")
    return replace(one, digest=Gathered.alike(one, rule, number))


def test_a_digest_goes_where_its_rule_sends_it(gathering: Fates) -> None:
    found = of(gathering, digest())
    assert (found.status, list(found.publications)) == ("", ALL[1:])
    assert found.composed is not None
    assert found.composed.decision.rules == ("digest",)


def test_a_webhook_gets_the_list_of_a_digest() -> None:
    body = json.loads(posted(digest(number=3)))
    assert (body["data"], body["digest"]["count"]) == ({"name": "Eva"}, 3)
    assert [one["data"] for one in body["digest"]["events"]] == [{"name": "Eva"}] * 3
    assert "digest" not in json.loads(posted(event()))


def test_a_digest_whose_rule_is_gone_is_told_to_nobody_and_says_so(gathering: Fates) -> None:
    found = of(gathering, digest("other"))
    assert (found.status, found.detail) == (
        "suppressed",
        "rule other, which gathered it, is not there any more",
    )


def test_a_digest_that_is_more_than_its_channels_take_lists_less(gathering: Fates) -> None:
    found = of(gathering, digest(number=64))
    for publication in found.publications.values():
        sms = json.loads(publication.message)["sms"]
        assert sms.count("#") == 32
        assert sms.endswith(" of 64")
