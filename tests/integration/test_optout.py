"""The pages at the foot of a mail through app.py, on moto: who may switch what, and what is kept of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from chalice.test import Client, HTTPResponse
from click.testing import CliRunner

from chalicelib import aws
from chalicelib.door import profile
from chalicelib.door.page_words import WORDS
from chalicelib.patience import Patience
from chalicelib.store import register, secrets, tokens
from chalicelib.store.people import Person
from chalicelib.store.tokens import DAYS, Grant
from cli.main import main
from tests.integration.aws_fixture import Stage

WHO = "person:c-1"
CLICK = "List-Unsubscribe=One-Click"


@pytest.fixture(autouse=True)
def customers_are_a_topic() -> None:
    """They are not: these pages are for people who are reached as the shipped rules say."""


@pytest.fixture
def door(stage: Stage) -> Iterator[Client]:
    import app

    with Client(app.app, stage_name="local") as client:
        yield client


def token(category: str = "promotions", locale: str = "es", who: str = WHO, age: float = 0) -> str:
    keys = secrets.of(aws.stage()).tokens
    return tokens.sign(keys, Grant(who, category, "email", locale), time.time() - age)


def call(
    door: Client, method: str, path: str, body: str | bytes = b"", **more: str
) -> HTTPResponse:
    headers = {"Content-Type": "application/x-www-form-urlencoded", **more}
    return door.http.request(method, path, headers=headers, body=body)


def text(answer: HTTPResponse) -> str:
    return answer.body.decode()


def kept(who: str = WHO) -> Person:
    return register.change(aws.stage(), who, lambda *_: False, Patience(5))


def test_looking_changes_nothing_and_asking_does(door: Client, stage: Stage) -> None:
    path = f"/u/{token()}"
    for _ in range(3):
        shown = call(door, "GET", path)
        assert shown.status_code == 200
        assert "¿Dejar de recibir estos avisos?" in text(shown)
        assert "ofertas y promociones por correo" in text(shown)
    assert call(door, "HEAD", path).status_code == 200
    assert kept().version == 0
    done = call(door, "POST", path, "do=stop")
    assert "Hecho: no recibirás más" in text(done)
    assert kept().preferences == {"promotions": {"email": False}}
    assert "Ya no los recibes" in text(call(door, "GET", path))


def test_a_mail_programs_own_button_is_enough(door: Client) -> None:
    assert call(door, "POST", f"/u/{token()}", CLICK).status_code == 200
    assert kept().preferences == {"promotions": {"email": False}}


def test_the_same_as_multipart(door: Client) -> None:
    kind = "multipart/form-data; boundary=x"
    part = (
        '--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--'
    )
    answer = call(door, "POST", f"/u/{token()}", part, **{"Content-Type": kind})
    assert answer.status_code == 200
    assert kept().preferences == {"promotions": {"email": False}}


def test_it_can_be_undone_and_who_agrees_has_agreed(door: Client) -> None:
    path = f"/u/{token()}"
    call(door, "POST", path, "do=stop")
    assert "Hecho: los recibirás" in text(call(door, "POST", path, "do=again"))
    person = kept()
    assert person.preferences == {"promotions": {"email": True}}
    assert person.consent["promotions"]["how"] == "unsubscribe page"
    call(door, "POST", path, "do=stop")
    assert not kept().consent


WAYS = {
    "by the mail program's button": ("u", CLICK, "one-click"),
    "on the page of that kind": ("u", "do=stop", "unsubscribe page"),
    "on the page of all kinds": ("p", "on=promotions.email", "preferences page"),
}


@pytest.mark.parametrize(("way", "body", "how"), WAYS.values(), ids=WAYS)
def test_when_and_how_somebody_refused_is_kept_and_given_to_them(
    door: Client, way: str, body: str, how: str
) -> None:
    path = f"/{way}/{token()}"
    call(door, "POST", path, body)
    shown = profile.shown(kept())
    said = shown["refused"]["promotions"]["email"]
    assert said["how"] == how
    assert said["at"].startswith("20")
    call(door, "POST", path, body)
    assert profile.shown(kept())["refused"]["promotions"]["email"] == said, "the first time counts"
    call(door, "POST", f"/u/{token()}", "do=again")
    assert "refused" not in profile.shown(kept())


def test_what_the_shop_switches_on_again_is_refused_no_more(door: Client) -> None:
    call(door, "POST", f"/u/{token()}", CLICK)

    def by(person: Person, _: bool) -> bool:
        profile.merged(person, {"preferences": {"promotions": {"email": True}}})
        return True

    assert register.change(aws.stage(), WHO, by, Patience(5)).refused == {}


def test_who_gets_an_address_that_refused_gets_its_refusal(door: Client) -> None:
    who = "address:" + secrets.of(aws.stage()).hash_of("ana@example.com")
    call(door, "POST", f"/u/{token(who=who)}", CLICK)

    def by(person: Person, _: bool) -> bool:
        person.email = "ana@example.com"
        return True

    person = register.change(aws.stage(), WHO, by, Patience(5))
    assert person.preferences == {"promotions": {"email": False}}
    assert person.refused["promotions"]["email"]["how"] == "one-click"


@pytest.mark.parametrize(
    "body", ["", "do=x", "x" * 20_000, "do=stop&" * 300, "\x00", "List-Unsubscribe=No"]
)
def test_what_asks_for_nothing_changes_nothing(door: Client, body: str) -> None:
    answer = call(door, "POST", f"/u/{token()}", body)
    assert answer.status_code == 400
    assert "No hemos cambiado nada" in text(answer)
    assert kept().version == 0


def test_what_is_critical_cannot_be_stopped(door: Client) -> None:
    path = f"/u/{token('alerts')}"
    assert "Estos avisos son necesarios" in text(call(door, "GET", path))
    assert call(door, "POST", path, CLICK).status_code == 400
    assert kept().version == 0


def test_a_token_of_nobody_opens_nothing(door: Client) -> None:
    good = token()
    foreign = tokens.sign((b"x" * 32,), Grant(WHO, "promotions", "email", "es"), time.time())
    altered = good[:5] + ("A" if good[5] != "A" else "B") + good[6:]
    for other in (foreign, altered, good[:-1], "x", quote("../../x", safe="")):
        for way in ("u", "p"):
            for method in ("GET", "POST"):
                answer = call(
                    door, method, f"/{way}/{other}", CLICK, **{"Accept-Language": "en-GB"}
                )
                assert answer.status_code == 404
                assert "We do not know this link" in text(answer)
    assert kept().version == 0


def test_an_old_token_says_so(door: Client) -> None:
    answer = call(door, "POST", f"/u/{token(age=(DAYS + 2) * 86_400)}", CLICK)
    assert answer.status_code == 410
    assert "Este enlace ya no sirve" in text(answer)
    assert kept().version == 0


class Forms(HTMLParser):
    """The forms of a page, each as what a browser would send, had nobody touched it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.all: list[list[tuple[str, str]]] = []
        self.boxes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = dict(attrs)
        if tag == "form":
            self.all.append([])
        elif tag == "input":
            name, value = str(of["name"]), str(of["value"])
            if of["type"] == "checkbox":
                self.boxes.add(value)
            if of["type"] == "hidden" or "checked" in of:
                self.all[-1].append((name, value))


def choices(door: Client, path: str) -> list[tuple[str, str]]:
    """The form of the page of all preferences."""
    return Forms(text(call(door, "GET", path))).all[-1]


def send(door: Client, path: str, form: list[tuple[str, str]]) -> str:
    return text(call(door, "POST", path, urlencode(form)))


def test_all_that_somebody_hears_about_is_chosen_on_one_page(door: Client) -> None:
    path = f"/p/{token(locale='en')}"
    page = text(call(door, "GET", path))
    assert "Offers and promotions" in page
    assert "Always: something important depends on it." in page
    assert Forms(page).boxes >= {"orders.email", "promotions.email", "promotions.sms"}
    assert "alerts.email" not in Forms(page).boxes
    form = choices(door, path)
    form.remove(("want", "promotions.email"))
    saved = send(door, path, form)
    assert "Saved." in saved
    assert "<title>Saved. What you hear about" in saved
    assert kept().preferences == {"promotions": {"email": False}}
    undo, again = Forms(saved).all
    assert ("want", "promotions.email") not in again
    undone = send(door, path, undo)
    assert "Saved." in undone
    assert kept().preferences == {"promotions": {"email": True}}
    assert ("want", "promotions.email") not in Forms(undone).all[0]
    assert "You changed nothing." in send(door, path, choices(door, path))


def test_two_tabs_lose_nothing_of_each_other(door: Client) -> None:
    path = f"/p/{token()}"
    one, other = choices(door, path), choices(door, path)
    one.remove(("want", "promotions.email"))
    other.remove(("want", "orders.sms"))
    send(door, path, one)
    call(door, "POST", f"/u/{token('reminders')}", CLICK)
    send(door, path, other)
    assert kept().preferences == {
        "promotions": {"email": False},
        "reminders": {"email": False},
        "orders": {"sms": False},
    }
    assert not kept().consent, "nobody agreed to advertising"


def test_only_what_was_shown_is_changed(door: Client) -> None:
    path = f"/p/{token()}"
    call(door, "POST", path, "on=alerts.email&on=x.email&on=orders.fax&on=orders&on=")
    assert kept().preferences == {}
    assert call(door, "POST", path, "want=orders.email").status_code == 400


def test_who_was_erased_is_told_so_and_can_still_choose(door: Client) -> None:
    call(door, "POST", f"/u/{token('orders')}", CLICK)
    register.erase(aws.stage(), WHO.removeprefix("person:"), "2026-11-25T10:00:00Z", Patience(5))
    for way in ("u", "p"):
        assert "Ya no guardamos nada tuyo" in text(call(door, "GET", f"/{way}/{token()}"))
    assert "Hecho" in text(call(door, "POST", f"/u/{token()}", CLICK))
    assert kept().preferences == {"promotions": {"email": False}}
    assert "Ya no guardamos" not in text(call(door, "GET", f"/p/{token()}"))


def test_every_language_says_everything() -> None:
    spanish, english = WORDS["es"], WORDS["en"]
    assert spanish.keys() == english.keys()
    assert all(spanish.values())
    assert all(english.values())


def test_two_at_once_lose_nothing_of_each_other(door: Client, stage: Stage) -> None:
    """Between what the page reads and what it writes, the shop changes the address."""
    once: list[int] = []

    def move(**_: Any) -> None:
        if not once:
            once.append(1)

            def by(person: Person, _: bool) -> bool:
                person.email = "new@example.com"
                return True

            register.change(aws.stage(), WHO, by, Patience(5))

    emitter = aws.hurried_stage().dynamodb.meta.events
    emitter.register("before-call.dynamodb.PutItem", move)
    try:
        call(door, "POST", f"/u/{token()}", CLICK)
    finally:
        emitter.unregister("before-call.dynamodb.PutItem", move)
    person = kept()
    assert (person.email, person.preferences) == (
        "new@example.com",
        {"promotions": {"email": False}},
    )


def test_an_address_without_a_person_has_wishes_too(door: Client) -> None:
    who = "address:" + secrets.of(aws.stage()).hash_of("ana@example.com")
    call(door, "POST", f"/u/{token(who=who)}", CLICK)
    assert kept(who).preferences == {"promotions": {"email": False}}


def rotate(*options: str) -> str:
    """Change the secret, and let every worker know."""
    rotated = CliRunner().invoke(main, ["keys", "rotate", "--yes", *options])
    assert rotated.exit_code == 0, rotated.output
    secrets._cache.clear()
    return rotated.output


def test_links_are_signed_anew_and_those_before_still_work(door: Client) -> None:
    old = token()
    rotate()
    assert token() != old
    assert call(door, "GET", f"/u/{old}").status_code == 200


def test_links_of_a_secret_that_is_forgotten_stop_working_once_nobody_signs_with_it(
    door: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = token()
    rotate()
    last = token()
    assert "stop working within" in rotate("--forget-old")
    assert [call(door, "GET", f"/u/{old}").status_code for old in (older, last)] == [404, 200]
    rotate()
    assert call(door, "GET", f"/u/{last}").status_code == 200, "a rotation forgets nothing sooner"
    last = token()
    monkeypatch.setattr(secrets, "FADING_SECONDS", 0)
    rotate("--forget-old")
    assert call(door, "GET", f"/u/{last}").status_code == 404
    assert call(door, "GET", f"/u/{token()}").status_code == 200


def test_a_page_lets_nothing_in_from_elsewhere(door: Client) -> None:
    for path in (f"/u/{token()}", f"/p/{token()}", "/u/x"):
        answer = call(door, "GET", path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "http" not in text(answer).replace("https://abedul.example", "")


def test_other_methods_are_refused_by_name(door: Client) -> None:
    assert call(door, "DELETE", f"/u/{token()}").status_code == 405
