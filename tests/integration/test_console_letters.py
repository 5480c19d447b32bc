"""The console's pages about dead letters, and what is done about an event, on moto."""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib import aws
from chalicelib.console import redriving
from chalicelib.door import api, http, keys
from chalicelib.letters import letters
from chalicelib.store import audit
from tests.factories import shipped
from tests.integration.aws_fixture import Stage, needing_nothing
from tests.integration.test_console import MARKUP, Browser, key, written
from tests.integration.test_dead_letters import bad, die, drain


@pytest.fixture
def stage(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(letters, "WAIT_SECONDS", 0)  # moto's empty answers are never a mistake
    return stage


@pytest.fixture
def mend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Make order.shipped need nothing, as an author does who mends a template."""
    return lambda: needing_nothing(monkeypatch, tmp_path, "chalicelib.console.letters")


def signed_in(stage: Stage, scopes: str, types: str = "") -> Browser:
    browser = Browser()
    assert browser.post("sign-in", key=key(stage, scopes, types))["status"] in (200, 403)
    return browser


@pytest.fixture
def eva(stage: Stage) -> Browser:
    """Somebody who may read, send and see people."""
    return signed_in(stage, "read send people")


def links(body: str, to: str) -> list[str]:
    return [html.unescape(found) for found in re.findall(rf'href="({to}\?[^"]+)"', body)]


def fields(body: str, action: str) -> dict[str, str]:
    """What the form of a page sends."""
    [form] = re.findall(rf'action="{action}".*?</form>', body, re.DOTALL)
    found = re.findall(r'name="(\w+)" value="([^"]*)"', form)
    return {name: html.unescape(value) for name, value in found}


def put_down() -> list[tuple[str, str, str]]:
    return [(entry.who, entry.what, entry.subject) for entry in audit.newest(aws.stage(), 99).found]


def test_without_dead_letters_the_page_says_so(eva: Browser) -> None:
    assert "No dead letters" in eva.get("letters")["body"]


def test_dead_letters_are_grouped_by_their_cause_and_a_group_says_what_would_become_of_it(
    stage: Stage, eva: Browser, mend: Any
) -> None:
    die(stage, bad(1), bad(2))
    die(stage, {"type": "offer.gone", "id": "o", "data": {}}, lane="promotions")
    body = eva.get("letters")["body"]
    first, second = links(body, "group")
    assert "Data is missing" in body
    assert first == "group?type=order.shipped&reason=missing-data&lane=orders"
    body = eva.get(first)["body"]
    assert ("Can be put back: 0" in body, "Would fail again, and stay: 2." in body) == (True, True)
    assert 'action="redrive"' not in body, "nothing of it could go"
    mend()
    body = eva.get(first)["body"]
    assert "Can be put back: 2" in body
    assert "Who follows users (es), topic" in body
    assert "Nothing was moved yet." in body
    assert "Unknown type" in eva.get(second)["body"]
    assert put_down() == []
    assert len(stage.dead()) == 2


def test_a_letter_shows_then_and_now_side_by_side(stage: Stage, eva: Browser, mend: Any) -> None:
    die(stage, bad(1))
    [one] = links(eva.get("group")["body"], "letter")
    body = eva.get(one)["body"]
    assert body.count("Data is missing") > 1
    assert "Would fail again" in body
    mend()
    body = eva.get(one)["body"]
    assert "Can go" in body
    assert "<b>Va</b>" in body
    assert '<pre tabindex="0">e-1</pre>' in body
    assert "&#34;recipient&#34;: &#34;cus&#34;" in body
    # By its event's id as well, as the event's own page leads to it.
    [by_event] = links(eva.get("event?id=e-1&source=/shop")["body"], "letter")
    assert "Can go" in eva.get(by_event)["body"]


def test_what_a_letter_says_is_for_keys_that_may_see_people(stage: Stage, mend: Any) -> None:
    die(stage, bad(1, recipient="cus-7"))
    mend()
    reader = signed_in(stage, "read")
    for path in ("letters", "group", "letter?id=e-1"):
        body = reader.get(path)["body"]
        assert "cus-7" not in body
        assert "<b>Va</b>" not in body
        assert 'action="redrive"' not in body
    assert "needs the scope “people”" in body
    assert reader.ask("POST", "redrive", {"token": reader.token()})["status"] == 403


def test_a_key_for_some_types_sees_and_moves_those_alone(stage: Stage, mend: Any) -> None:
    die(stage, bad(1))
    mend()
    other = signed_in(stage, "read send", "cart.*")
    assert "No dead letters" in other.get("letters")["body"]
    assert other.get("letter?id=e-1")["status"] == 404
    other.post("redrive", token=other.token())
    assert len(stage.dead()) == 1


def test_a_key_moves_only_what_it_may_speak_for(stage: Stage, mend: Any) -> None:
    die(stage, bad(1))
    mend()
    browser = signed_in(stage, "read send")
    # Somebody with a source of their own, and no other.
    stage.dynamodb.update_item(
        TableName="heraldo-local-keys",
        Key={"hash": {"S": keys.hash_of(key(stage, "read send"))}},
        UpdateExpression="SET #s = :own",
        ExpressionAttributeNames={"#s": "source"},
        ExpressionAttributeValues={":own": {"S": "ana"}},
    )
    keys._cache.clear()
    body = browser.get("group")["body"]
    assert "this key does not speak for" in body
    browser.post("redrive", token=browser.token())
    assert len(stage.dead()) == 1


def test_a_group_is_put_back_after_its_dry_run_and_on_the_record(
    stage: Stage, eva: Browser, mend: Any
) -> None:
    die(stage, bad(1), bad(2))
    die(stage, {"type": "offer.gone", "id": "o", "data": {}}, lane="promotions")
    mend()
    body = eva.get("group?type=order.shipped")["body"]
    shown = eva.post("redrive", **fields(body, "redrive"))
    assert eva.path.startswith("redriven?type=order.shipped&moved=2&all=2")
    assert "<h1>Put back: 2</h1>" in shown["body"]
    assert "data-goes-on" not in shown["body"].split("</main>")[0]
    assert put_down() == [("ana", "redrive", "type=order.shipped")]
    drain(stage)
    assert len(stage.delivered("users")) == 2
    assert "offer.gone" in eva.get("letters")["body"], "what was not meant stays"


def test_one_is_put_back_alone(stage: Stage, eva: Browser, mend: Any) -> None:
    die(stage, bad(1, recipient="a"), group="a")
    die(stage, bad(2, recipient="b"), group="b")
    mend()
    eva.post("redrive", **fields(eva.get("letter?id=e-2&lane=orders")["body"], "redrive"))
    drain(stage)
    assert [one["Message"] for one in stage.delivered("users")] == ["e-2"]
    assert len(stage.dead()) == 1


class Hasty:
    """A clock by which a step has time for a few letters."""

    now = 0.0

    def monotonic(self) -> float:
        self.now += 1.0
        return self.now


def test_what_takes_more_than_one_step_says_how_far_it_is_and_goes_on(
    stage: Stage, eva: Browser, mend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        die(stage, *(bad(f"{name}{n}", recipient=name) for n in range(9)), group=name)
    mend()
    clock = Hasty()
    monkeypatch.setattr(letters, "time", clock)
    monkeypatch.setattr(redriving, "time", clock)
    form = {"token": eva.token(), "all": "27"}
    seen = []
    for _ in range(30):
        body = eva.post("redrive", **form)["body"]
        seen.append(int(re.findall(r"<h1>Put back: (\d+)", body)[0]))
        if "data-goes-on" not in body.split("</main>")[0]:
            break
        assert f'value="{seen[-1]}" max="27"' in body
        form = fields(body, "redrive")
    assert seen == sorted(set(seen))
    assert (len(seen) > 1, seen[-1]) == (True, 27)


def test_a_step_that_gets_nowhere_does_not_go_on_by_itself(
    stage: Stage, eva: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    die(stage, bad(1))
    monkeypatch.setattr(redriving, "STEP_SECONDS", -1.0)
    body = eva.post("redrive", token=eva.token())["body"]
    assert "Those in front fail again" in body
    assert "data-goes-on" not in body.split("</main>")[0]


def test_numbers_of_an_address_that_are_none_are_nothing(eva: Browser) -> None:
    body = eva.get("redriven?moved=-1&all=x&stay=99999999999&then=who")["body"]
    assert "<h1>Put back: 0</h1>" in body


def test_whatever_a_letter_holds_is_text(stage: Stage, eva: Browser, mend: Any) -> None:
    event = bad(1, recipient=MARKUP, data={"order": {"id": MARKUP}})
    die(stage, {**event, "id": MARKUP[:100]}, group="x")
    die(stage, MARKUP, group="y")
    mend()
    pages = ["letters", "group", *links(eva.get("group")["body"], "letter")]
    assert len(pages) == 4
    for path in pages:
        body = eva.get(path)["body"]
        assert body.count("<script") == 1, path
        assert "<img" not in body


def test_queues_that_do_not_answer_are_told_on_a_page(stage: Stage, eva: Browser) -> None:
    for name in ("orders", "orders-dead"):
        stage.sqs.delete_queue(QueueUrl=stage.queue_url(f"heraldo-local-{name}.fifo"))
    for path in ("letters", "group", "letter?id=e-1"):
        assert eva.get(path)["status"] == 503
    assert "stopped answering" in eva.post("redrive", token=eva.token())["body"]


def test_what_is_held_is_cancelled_on_its_page_and_on_the_record(
    stage: Stage, eva: Browser
) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    door = http.Request(
        headers={"authorization": f"Bearer {key(stage, 'send')}"},
        body=json.dumps({**shipped(1, deliverat=tomorrow), "source": "local"}).encode(),
        stage=aws.stage(),
    )
    assert api.post_event(door).status == 202
    page = "event?id=e-1&source=local"
    form = fields(eva.get(page)["body"], "cancel")
    body = eva.post("cancel", **form)["body"]
    assert "<h1>Cancelled</h1>" in body
    assert 'action="cancel"' not in body
    assert put_down() == [("ana", "cancel", "e-1")]
    eva.post("cancel", **form)  # from another tab: there is nothing to cancel, and nothing put down
    assert len(put_down()) == 1
    reader = signed_in(stage, "read")
    assert 'action="cancel"' not in reader.get(page)["body"]


def test_somebody_says_on_its_page_that_they_are_on_it(stage: Stage, eva: Browser) -> None:
    written(type="critical.alert", status="published", sent={"start:escalation": "run-1"})
    form = fields(eva.get("event?id=e-1")["body"], "acknowledge")
    body = eva.post("acknowledge", **form)["body"]
    assert "Somebody is on it:" in body
    assert 'action="acknowledge"' not in body
    assert put_down() == [("ana", "acknowledge", "e-1")]


def test_an_event_without_a_journey_has_nothing_to_acknowledge(eva: Browser) -> None:
    written(status="published")
    body = eva.get("event?id=e-1")["body"]
    assert 'action="acknowledge"' not in body
    assert "nobody keeps what it said" in body
    eva.post("acknowledge", id="e-1", source="/shop", token=eva.token())
    assert put_down() == []


def test_nothing_is_done_that_cannot_be_put_down(stage: Stage, eva: Browser, mend: Any) -> None:
    die(stage, bad(1))
    mend()
    stage.dynamodb.delete_table(TableName="heraldo-local-holds")
    assert eva.post("redrive", token=eva.token())["status"] == 503
    assert len(stage.dead()) == 1


@pytest.mark.parametrize(
    "form", [{}, {"id": "none", "source": "/shop"}, {"id": "\n", "source": ""}]
)
@pytest.mark.parametrize("act", ["cancel", "acknowledge"])
def test_what_is_gone_is_told(eva: Browser, act: str, form: dict[str, str]) -> None:
    assert eva.ask("POST", act, {**form, "token": eva.token()})["status"] == 404
