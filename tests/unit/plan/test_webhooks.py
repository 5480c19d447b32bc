"""What a webhook is sent of an event: the event, to be known again, in its order; planned as it will be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chalicelib.channels.publication import POST_GROUP, POST_ID, Publication
from chalicelib.errors import PermanentError
from chalicelib.events.event import Event, parse
from chalicelib.plan.compose import Composed, compose, rehearse
from chalicelib.plan.plan import plan
from chalicelib.plan.reach import NO_URL
from chalicelib.rules.reading import load
from chalicelib.words.render import RenderError, Templates

ROUTING = """
[lanes]
orders = ["order.*"]
[topics]
company = { locales = ["es"] }
[webhooks]
erp = { dev = "https://erp.example/in?key=geheim", prod = "https://erp.example/in" }
crm = { prod = "https://crm.example/in" }
[[rule]]
name = "machines"
pattern.type = [{ prefix = "order." }]
to = ["webhook:erp", "webhook:crm"]
[[rule]]
name = "company"
pattern.data.large = [true]
to = ["topic:company"]
[[rule]]
name = "customer"
pattern.data.told = [true]
to = ["recipient:email"]
"""
NAMED = {"name": "Ana"}


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    root: Path = tmp_path_factory.mktemp("templates")
    (root / "order.placed").mkdir()
    text = "{% block subject %}S{% endblock %}{% block body %}{{ name }}{% endblock %}"
    (root / "order.placed" / "es.j2").write_text(text)
    return Templates(root)


def event(**more: Any) -> Event:
    return parse({"type": "order.placed", "id": "o-1", "source": "/shop", "data": NAMED, **more})


def composed(found: Event, templates: Templates, stage: str = "prod") -> Composed:
    return compose(found, "orders", load(ROUTING, stage), templates, str)


def to_erp(templates: Templates, **more: Any) -> Publication:
    return composed(event(**more), templates).publications["webhook:erp"]


def test_a_webhook_gets_the_event_as_it_is_and_no_addresses(templates: Templates) -> None:
    found = to_erp(
        templates,
        time="2026-11-25T10:00:00Z",
        subject="o-1",
        recipient="c-1",
        email="ana@shop.example",
        phone="+34600111222",
        campaign="verano",
        data={**NAMED, "note": "mañana"},
    )
    assert (found.channel, found.to) == ("webhook", "erp")
    assert found.message.isascii()
    assert json.loads(found.message) == {
        "type": "order.placed",
        "timestamp": "2026-11-25T10:00:00Z",
        "data": {"name": "Ana", "note": "mañana"},
        "id": "o-1",
        "source": "/shop",
        "subject": "o-1",
        "recipient": "c-1",
        "campaign": "verano",
    }


def test_an_extension_replaces_nothing(templates: Templates) -> None:
    found = json.loads(to_erp(templates, time="2026-11-25T10:00:00Z", timestamp="never").message)
    assert found["timestamp"] == "2026-11-25T10:00:00Z"


def test_an_event_is_known_again_by_each_webhook_for_itself(templates: Templates) -> None:
    once, again = (composed(event(), templates).publications for _ in range(2))
    assert once == again
    ids = {
        *(publication.attributes[POST_ID] for publication in once.values()),
        to_erp(templates, id="o-2").attributes[POST_ID],
        to_erp(templates, source="/other").attributes[POST_ID],
    }
    assert len(ids) == 4
    assert all(found.startswith("msg_") and found[4:].isalnum() for found in ids)


def test_events_of_one_key_are_of_one_group_and_those_of_two_webhooks_of_two(
    templates: Templates,
) -> None:
    first = to_erp(templates, recipient="c-1").attributes[POST_GROUP]
    assert to_erp(templates, id="o-2", recipient="c-1").attributes[POST_GROUP] == first
    assert to_erp(templates, id="o-2", recipient="c-2").attributes[POST_GROUP] != first
    crm = composed(event(recipient="c-1"), templates).publications["webhook:crm"]
    assert crm.attributes[POST_GROUP] != first


def test_a_webhook_without_a_url_in_the_stage_gets_nothing_and_the_ledger_says_so(
    templates: Templates,
) -> None:
    found = composed(event(), templates, "dev")
    assert found.publications.keys() == {"webhook:erp"}
    assert found.withheld == {"webhook:crm": NO_URL}


def test_an_event_for_machines_alone_needs_no_recipient_and_is_checked_all_the_same(
    templates: Templates,
) -> None:
    routing = load(ROUTING, "prod")
    assert rehearse(event(), "orders", routing, templates).publications.keys() == {
        *("webhook:erp", "webhook:crm")
    }
    with pytest.raises(RenderError, match=r"data\.name is missing"):
        rehearse(event(data={}), "orders", routing, templates)
    with pytest.raises(PermanentError, match=r"order\.sold"):
        compose(event(type="order.sold"), "orders", routing, templates, str)


def test_an_event_for_a_machine_and_a_recipient_whom_it_does_not_name_is_taken(
    templates: Templates,
) -> None:
    found = event(data={**NAMED, "told": True})
    assert rehearse(found, "orders", load(ROUTING, "prod"), templates).publications


def test_a_plan_shows_what_is_posted_and_no_url(templates: Templates) -> None:
    found = event(data={**NAMED, "large": True})
    for stage in ("prod", "dev"):
        routing = load(ROUTING, stage)
        shown = plan(found, "orders", compose(found, "orders", routing, templates, str), routing)
        assert shown["suppressed"] is None
        posts = [m for m in shown["messages"] if m["channel"] == "webhook"]
        assert [m["channel"] for m in shown["messages"]] == ["topic", *["webhook"] * len(posts)]
        assert json.loads(posts[0]["bodies"]["webhook"])["data"] == found.data
        assert "geheim" not in json.dumps(shown)
    assert any("no URL for this webhook" in warning for warning in shown["warnings"])


def test_nobody_hears_of_what_is_for_a_webhook_without_a_url_alone(templates: Templates) -> None:
    text = ROUTING.replace('["webhook:erp", "webhook:crm"]', '["webhook:crm"]')
    routing = load(text, "dev")
    found = compose(event(), "orders", routing, templates, str)
    assert plan(event(), "orders", found, routing)["suppressed"] == NO_URL
