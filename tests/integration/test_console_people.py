"""The console's pages about people, on moto: found, shown, changed, lifted and erased, and in no address."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore.exceptions import EndpointConnectionError

from chalicelib import aws
from chalicelib.door import cancelling
from chalicelib.patience import Patience
from chalicelib.plan.compose import event_tag
from chalicelib.store import audit, holds, lookups, people, register, runs, secrets, stops
from chalicelib.store.holds import Hold
from chalicelib.store.people import Person
from chalicelib.store.record import Record, now_text
from chalicelib.store.run import Run, run_name
from tests.integration.aws_fixture import Stage
from tests.integration.console_browser import Browser, key
from tests.integration.test_console import MARKUP, written

EMAIL = "ana@example.com"
PHONE = "+34600111222"


def kept(person_id: str = "c-1", **known: Any) -> str:
    """Somebody is kept; gives the hash that stands for them."""

    def by(person: Person, _: bool) -> bool:
        for name, value in known.items():
            setattr(person, name, value)
        return True

    register.change(aws.stage(), people.PERSON + person_id, by, Patience(5))
    return hashed(person_id)


def hashed(text: str) -> str:
    return secrets.of(aws.stage()).hash_of(text)


def person(person_id: str = "c-1") -> Person | None:
    return register.find(aws.stage(), person_id, Patience(5)).person


def stop(address: str = EMAIL, reason: str = stops.COMPLAINT) -> str:
    """Somebody complained, and what is known of the address says so; gives its hash."""
    keyed = hashed(address)
    at = "2026-11-01T10:00:00.000Z"

    def by(known: Person, _: bool) -> bool:
        known.stopped = stops.after(known, keyed, reason, at, "abuse").stopped
        return True

    register.change(aws.stage(), people.ADDRESS + keyed, by, Patience(5))
    return keyed


def held(
    event_id: str = "e-h", recipient: str = "c-1", due: str = "2030-01-01T09:00:00.000Z"
) -> None:
    event = json.dumps({"type": "cart.abandoned", "data": {}})
    record = Record(event_id, "/shop", type="cart.abandoned", lane="orders", until=due)
    record.enter("held", now_text())
    tag = event_tag(event_id, "/shop")
    hold = Hold(
        "orders", "g", due, now_text(), tag, event_id, "/shop", event, recipient, "quiet-hours"
    )
    holds.keep(aws.stage(), [(hold, record)])


def began(journey: str = "cart-recovery", recipient: str = "c-1") -> None:
    run = Run(
        journey, recipient, run_name(journey, recipient, "t"), now_text(), "{}", "t", recipient
    )
    runs.begin(aws.stage(), run)


def entries() -> list[tuple[str, str, str]]:
    found = audit.newest(aws.stage(), 20).found
    return [(one.who, one.what, one.subject) for one in found]


@pytest.fixture
def eva(stage: Stage) -> Iterator[Browser]:
    """Somebody who may see people, and looks for one."""
    browser = Browser()
    browser.post("sign-in", key=key(stage, "read people"))
    yield browser


def look_up(browser: Browser, asked: str) -> Any:
    token = re.findall(r'name="token" value="([^"]+)"', browser.get("people")["body"])[0]
    return browser.post("people", q=asked, token=token)


def form(answer: Any) -> dict[str, str]:
    """The last form of a page, as a browser would send it untouched."""
    body = answer["body"][answer["body"].rindex("<form") :]
    found = dict(re.findall(r'<input[^>]* name="([^"]+)"[^>]* value="([^"]*)"', body))
    for name, inner in re.findall(r'<select[^>]* name="([^"]+)">(.*?)</select>', body, re.S):
        [found[name]] = re.findall(r'value="([^"]*)" selected', inner)
    found |= dict(re.findall(r'<textarea[^>]* name="([^"]+)"[^>]*>\n?(.*?)</textarea>', body, re.S))
    return found


def test_somebody_is_found_by_id_and_stands_in_no_address(eva: Browser) -> None:
    keyed = kept(email=EMAIL, phone=PHONE, locale="es-AR", time_zone="Europe/Madrid")
    shown = look_up(eva, " c-1 ")
    assert eva.path == f"person?who={keyed}"
    for text in ("<h1>c-1</h1>", EMAIL, PHONE, "es-AR", "Europe/Madrid"):
        assert text in shown["body"]
    assert eva.get(eva.path)["status"] == 200  # it can be reloaded


def test_who_was_not_looked_up_of_late_is_not_shown(eva: Browser) -> None:
    keyed = kept(email=EMAIL)
    shown = eva.get(f"person?who={keyed}")
    assert shown["status"] == 404
    assert "Look them up again" in shown["body"]
    lookups.keep(aws.stage(), keyed, "c-1")
    key_of = {"id": {"S": f"lookup\n{keyed}"}, "at": {"S": "-"}}
    aws.stage().dynamodb.update_item(
        TableName="heraldo-local-holds",
        Key=key_of,
        UpdateExpression="SET expires = :past",
        ExpressionAttributeValues={":past": {"N": "1"}},
    )
    assert eva.get(f"person?who={keyed}")["status"] == 404


@pytest.mark.parametrize("who", ["", "x", "0" * 32, MARKUP])
def test_a_hash_of_nobody_leads_to_nobody(eva: Browser, who: str) -> None:
    for path in ("person", "person-edit", "person-erase"):
        answer = eva.get(f"{path}?who={who.replace('<', '%3C').replace(' ', '+')}")
        assert answer["status"] == 404, path


def test_who_is_not_kept_is_told_and_where_to_look(eva: Browser) -> None:
    shown = look_up(eva, "c-9")
    assert shown["status"] == 404
    assert "Nothing is kept of anybody like that" in shown["body"]
    assert f"activity?whose={hashed('c-9')}" in shown["body"]


def test_an_address_is_found_by_its_hash_however_a_number_is_written(eva: Browser) -> None:
    stop()
    shown = look_up(eva, EMAIL)
    assert eva.path == f"person?who={hashed(EMAIL)}"
    assert "<h1>An address</h1>" in shown["body"]
    assert "They reported a mail as unwanted." in shown["body"]
    assert EMAIL not in shown["body"]

    def by(known: Person, _: bool) -> bool:
        known.preferences = {"promotions": {"sms": False}}
        return True

    register.change(aws.stage(), people.ADDRESS + hashed(PHONE), by, Patience(5))
    look_up(eva, "+34 600 111-222")
    assert eva.path == f"person?who={hashed(PHONE)}"


def test_what_they_get_says_who_decided_it(eva: Browser) -> None:
    said = {"at": "2026-03-01T10:00:00Z", "how": "one-click"}
    kept(
        preferences={"promotions": {"email": False, "sms": False}},
        refused={"promotions": {"email": said}},
        consent={"reminders": {"at": "2026-03-01T10:00:00Z", "how": "checkout"}},
    )
    body = look_up(eva, "c-1")["body"]
    rows = dict(re.findall(r'<tr><th scope="row">(\S+?)</th>(.*?)</tr>', body, re.S))
    words = {name: re.sub(r"<[^>]+>|\s+", " ", row) for name, row in rows.items()}
    assert re.search(
        r"No +they said so +1 Mar 11:00 +\(one-click\) +No +chosen", words["promotions"]
    )
    assert words["alerts"].count("always") == 3
    assert "checkout" in body


def test_what_waits_for_them_and_what_they_were_sent(eva: Browser) -> None:
    keyed = kept()
    written(status="published", whose=keyed)
    held()
    began()
    body = look_up(eva, "c-1")["body"]
    assert 'href="event?id=e-h&amp;source=%2Fshop">cart.abandoned</a>' in body
    assert "These are quiet hours for its recipient." in body
    assert "The journey cart-recovery" in body
    assert 'href="event?id=e-1&amp;source=%2Fshop">order.shipped</a>' in body
    assert f"activity?whose={keyed}" in body


def test_of_many_that_wait_those_due_last_are_read_and_shown_in_order(stage: Stage) -> None:
    for day in range(1, 6):
        held(f"e-{day}", due=f"2030-01-0{day}T09:00:00.000Z")
    stage.calls.clear()
    found = holds.last_of_person(aws.stage(), "c-1", 3)
    assert [hold.event_id for hold in found] == ["e-3", "e-4", "e-5"]
    assert stage.calls.count("Query") == 1


def test_somebody_who_is_not_kept_but_waited_for_is_found(eva: Browser) -> None:
    held(recipient="c-2")
    body = look_up(eva, "c-2")["body"]
    assert "Nothing is kept of them but what waits for them." in body
    assert "person-edit" not in body
    assert "person-erase" in body


def test_a_key_for_people_alone_sees_no_events(stage: Stage) -> None:
    browser = Browser()
    browser.post("sign-in", key=key(stage, "people"))
    keyed = kept()
    written(status="published", whose=keyed)
    held()
    body = look_up(browser, "c-1")["body"]
    assert "event?" not in body
    assert "activity?" not in body
    assert "cart.abandoned" in body


def test_a_key_for_some_types_sees_nothing_of_others(stage: Stage) -> None:
    browser = Browser()
    browser.post("sign-in", key=key(stage, "people read", types="payment.*"))
    keyed = kept()
    written(status="published", whose=keyed)
    held()
    body = look_up(browser, "c-1")["body"]
    assert "order.shipped" not in body
    assert "cart.abandoned" not in body


def test_a_key_that_may_not_see_people_is_told_so(stage: Stage) -> None:
    keyed = kept()
    lookups.keep(aws.stage(), keyed, "c-1")
    browser = Browser()
    browser.post("sign-in", key=key(stage, "read"))
    said = {"token": browser.token(), "q": "c-1", "who": keyed}
    for path in ("people", "person", "person-edit", "person-erase"):
        assert browser.get(f"{path}?who={keyed}")["status"] == 403, path
    for path in ("people", "person-lift", "person-edit", "person-erase"):
        answer = browser.ask("POST", path, said)
        assert (answer["status"], "lacks the scope" in answer["body"]) == (403, True), path


def test_no_form_of_another_page_changes_anything(eva: Browser) -> None:
    keyed = kept(email=EMAIL)
    look_up(eva, "c-1")
    for path in ("person-lift", "person-edit", "person-erase"):
        assert eva.ask("POST", path, {"who": keyed, "id": "c-1"})["status"] == 403
    assert person() is not None
    assert entries() == []


# -- changing --------------------------------------------------------------------------------------


def test_what_is_changed_is_kept_and_nothing_else(eva: Browser) -> None:
    kept(email=EMAIL, preferences={"promotions": {"sms": False}}, push=())
    look_up(eva, "c-1")
    page = eva.get(eva.path.replace("person?", "person-edit?"))
    said = form(page) | {
        "phone": PHONE,
        "wants.promotions.sms": "",
        "wants.promotions.email": "yes",
        "consent.promotions": "by phone",
        "email": "ana@EXAMPLE.com",
    }
    shown = eva.post("person-edit", **said)
    assert "Saved." in shown["body"]
    found = person()
    assert found is not None
    assert (found.email, found.phone, found.push) == (EMAIL, PHONE, ())
    assert found.preferences == {"promotions": {"email": True}}
    assert found.consent["promotions"]["how"] == "by phone"
    assert entries() == [("ana", "person-change", hashed("c-1"))]


def test_a_form_that_was_not_touched_changes_nothing(eva: Browser) -> None:
    consent = {"promotions": {"at": "2026-03-01T10:00:00Z", "how": "checkout"}}
    push = ("arn:aws:sns:eu-west-1:123456789012:endpoint/GCM/app/1",) * 1
    kept(email=EMAIL, consent=consent, push=push, preferences={"promotions": {"sms": True}})
    before = person()
    look_up(eva, "c-1")
    eva.post("person-edit", **form(eva.get(eva.path.replace("person?", "person-edit?"))))
    assert person() == before


@pytest.mark.parametrize(
    ("field", "typed", "problem"),
    [
        ("email", "ana", "This is no e-mail address"),
        ("phone", "600", "This is no number in international form"),
        ("locale", "spanish!", "This is no language"),
        ("time_zone", "Europe/Madird", "There is no such zone"),
        ("push", "arn:aws:sqs:x", "Each line must be the ARN of a device"),
        ("consent.promotions", "x" * 301, "One line, of 300 letters at the most"),
        ("email", MARKUP, "This is no e-mail address"),
    ],
)
def test_what_is_wrong_is_said_where_it_is_and_kept_as_it_was_typed(
    eva: Browser, field: str, typed: str, problem: str
) -> None:
    kept(email=EMAIL)
    before = person()
    look_up(eva, "c-1")
    page = eva.get(eva.path.replace("person?", "person-edit?"))
    answer = eva.post("person-edit", **form(page) | {field: typed})
    assert answer["status"] == 422
    assert f'id="{field}-problem">{problem}' in answer["body"]
    assert answer["body"].count('aria-invalid="true"') == 1
    assert unescape(form(answer)[field]) == typed
    assert person() == before
    assert entries() == []


def test_of_two_who_change_the_same_the_second_is_asked(eva: Browser) -> None:
    kept(email=EMAIL)
    look_up(eva, "c-1")
    said = form(eva.get(eva.path.replace("person?", "person-edit?")))
    kept(email="eva@example.com")
    answer = eva.post("person-edit", **said | {"phone": PHONE})
    assert answer["status"] == 409
    assert "Somebody else changed this person meanwhile" in answer["body"]
    assert person() is not None and person().email == "eva@example.com"  # type: ignore[union-attr]
    eva.post("person-edit", **form(answer))
    found = person()
    assert found is not None
    assert (found.email, found.phone) == (EMAIL, PHONE)


def test_who_was_erased_meanwhile_is_not_made_again(eva: Browser) -> None:
    kept(email=EMAIL)
    look_up(eva, "c-1")
    said = form(eva.get(eva.path.replace("person?", "person-edit?")))
    register.erase(aws.stage(), "c-1", now_text(), Patience(5))
    answer = eva.post("person-edit", **said | {"phone": PHONE})
    assert (answer["status"], person()) == (404, None)


# -- lifting ---------------------------------------------------------------------------------------


def test_a_stop_is_told_and_lifted(eva: Browser) -> None:
    stop()
    keyed = kept(email=EMAIL)
    shown = look_up(eva, "c-1")
    assert "Stopped: nothing goes to them by e-mail" in shown["body"]
    assert "abuse" in shown["body"]
    shown = eva.post("person-lift", **form(shown))
    assert "They are sent to again." in shown["body"]
    assert "Stopped:" not in shown["body"]
    found = person()
    assert found is not None and not found.stopped
    assert entries() == [("ana", "address-lift", keyed)]


def test_whose_address_is_nobodys_is_typed_once_more(eva: Browser) -> None:
    keyed = stop()
    said = form(look_up(eva, EMAIL))
    shown = eva.post("person-lift", **said | {"address": "eva@example.com"})
    assert "That is another address. Nothing was changed." in shown["body"]
    assert "Stopped:" in shown["body"]
    shown = eva.post("person-lift", **said | {"address": EMAIL})
    assert "They are sent to again." in shown["body"]
    assert entries() == [("ana", "address-lift", keyed)]


# -- erasing ---------------------------------------------------------------------------------------


def test_who_is_erased_is_gone_and_so_is_what_waited(eva: Browser) -> None:
    keyed = kept(email=EMAIL)
    held()
    began()
    look_up(eva, "c-1")
    page = eva.get(eva.path.replace("person?", "person-erase?"))
    assert "Erase c-1?" in page["body"]
    assert "what journeys under way would send them (1)" in page["body"]
    wrong = eva.post("person-erase", **form(page) | {"id": "c-2"})
    assert (wrong["status"], "Nothing was erased." in wrong["body"]) == (422, True)
    assert person() is not None
    shown = eva.post("person-erase", **form(page) | {"id": "c-1"})
    assert "Erased. Nothing is left of them." in shown["body"]
    assert eva.path == "people?erased=1"
    assert person() is None
    assert holds.of_person(aws.stage(), "c-1") == []
    assert runs.of_person(aws.stage(), "c-1") == []
    assert eva.get(f"person?who={keyed}")["status"] == 404
    assert "Somebody of this id was erased" in look_up(eva, "c-1")["body"]
    assert entries() == [("ana", "person-erase", keyed)]


def test_whoever_is_erased_elsewhere_can_no_longer_be_looked_at(eva: Browser) -> None:
    keyed = kept(email=EMAIL)
    look_up(eva, "c-1")
    cancelling.erase(aws.stage(), "c-1")
    assert lookups.find(aws.stage(), keyed) == ""


def test_what_fails_while_erasing_can_be_done_again_from_the_page(eva: Browser) -> None:
    kept(email=EMAIL)
    look_up(eva, "c-1")
    page = eva.get(eva.path.replace("person?", "person-erase?"))
    said = form(page) | {"id": "c-1"}
    events = aws.stage().dynamodb.meta.events

    def broken(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="x")

    events.register("before-call.dynamodb.DeleteItem", broken)
    answer = eva.post("person-erase", **said)
    assert answer["status"] == 503
    assert "Press again in a moment." in answer["body"]
    events.unregister("before-call.dynamodb.DeleteItem", broken)
    assert "Erased." in eva.post("person-erase", **form(answer))["body"]


# -- what is secret stays so -----------------------------------------------------------------------


def test_nothing_of_a_person_is_in_an_address_or_a_log(
    eva: Browser, capsys: pytest.CaptureFixture[str]
) -> None:
    stop()
    kept("c-secret", email=EMAIL, phone=PHONE)
    held(recipient="c-secret")
    shown = look_up(eva, "c-secret")
    addresses = re.findall(r'(?:href|action)="([^"]*)"', shown["body"])
    eva.post("person-lift", **form(shown))
    visited = [eva.path]
    page = eva.get(eva.path.split("&")[0].replace("person?", "person-erase?"))
    addresses += re.findall(r'(?:href|action)="([^"]*)"', page["body"])
    eva.post("person-erase", **form(page) | {"id": "c-secret"})
    for text in [*addresses, *visited, eva.path, capsys.readouterr().out, json.dumps(entries())]:
        for known in ("c-secret", "ana@", "600111222"):
            assert known not in text


def test_whatever_is_known_of_a_person_is_text(eva: Browser) -> None:
    person_id = MARKUP.replace("/", "")
    said = {"at": "2026-03-01T10:00:00Z", "how": MARKUP}
    stopped = {"email": people.Stop("x", MARKUP, "2026-03-01T10:00:00Z", MARKUP)}
    kept(
        person_id,
        email=MARKUP,
        phone=MARKUP,
        locale=MARKUP,
        time_zone=MARKUP,
        push=(f"</textarea>{MARKUP}",),
        consent={MARKUP: said, "promotions": said},
        preferences={"promotions": {"email": False}},
        refused={"promotions": {"email": said}},
        stopped=stopped,
    )
    bodies = [look_up(eva, person_id)["body"]]
    assert bodies[0].count("<script") == 1, bodies[0]
    who = eva.path.partition("?")[2]
    for page in ("person-edit?", "person-erase?"):
        bodies.append(eva.get(page + who)["body"])
    bodies.append(look_up(eva, MARKUP)["body"])
    for body in bodies:
        assert body.count("<script") == 1
        assert "<img" not in body
        assert not re.findall(r' style="| on\w+="', body)
        assert len(body) < 100_000


def test_an_address_of_the_console_holds_one_hash(eva: Browser) -> None:
    kept()
    look_up(eva, "c-1")
    assert dict(parse_qsl(urlsplit(eva.path).query)).keys() == {"who"}
