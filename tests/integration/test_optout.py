"""The pages at the foot of a mail through app.py, on moto: who may switch what, and what is kept of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from chalice.test import Client, HTTPResponse
from click.testing import CliRunner

from chalicelib import aws
from chalicelib.patience import Patience
from chalicelib.store import register, secrets, tokens
from chalicelib.store.people import Person
from chalicelib.store.tokens import DAYS, Grant
from cli.main import main
from tests.integration.aws_fixture import Stage

WHO = "person:c-1"
CLICK = "List-Unsubscribe=One-Click"


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
    assert person.consent["promotions"]["how"] == "preferences page"
    call(door, "POST", path, "do=stop")
    assert not kept().consent


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


def test_all_that_somebody_hears_about_is_chosen_on_one_page(door: Client) -> None:
    path = f"/p/{token(locale='en')}"
    page = text(call(door, "GET", path))
    assert "Offers and promotions" in page
    assert "Always: something important depends on it." in page
    assert 'value="alerts.email"' not in page
    shown = "shown=orders.email&shown=orders.sms&shown=promotions.email&shown=promotions.sms"
    saved = call(
        door, "POST", path, f"{shown}&want=orders.email&want=orders.sms&want=promotions.sms"
    )
    assert "Saved." in text(saved)
    assert kept().preferences == {"promotions": {"email": False}}
    undo = call(
        door,
        "POST",
        path,
        f"{shown}&want=orders.email&want=orders.sms&want=promotions.email&want=promotions.sms",
    )
    assert "Saved." in text(undo)
    assert kept().preferences == {"promotions": {"email": True}}
    again = call(
        door,
        "POST",
        path,
        f"{shown}&want=orders.email&want=orders.sms&want=promotions.email&want=promotions.sms",
    )
    assert "You changed nothing." in text(again)


def test_only_what_was_shown_is_changed(door: Client) -> None:
    path = f"/p/{token()}"
    call(
        door,
        "POST",
        path,
        "shown=alerts.email&shown=orders.email&shown=x.email&shown=orders.fax&want=orders.email",
    )
    assert kept().preferences == {}
    assert call(door, "POST", path, "want=orders.email").status_code == 400


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


def test_links_are_signed_anew_and_those_before_still_work(door: Client) -> None:
    old = token()
    rotated = CliRunner().invoke(main, ["keys", "rotate", "--yes"])
    assert rotated.exit_code == 0, rotated.output
    secrets._cache.clear()
    assert token() != old
    assert call(door, "GET", f"/u/{old}").status_code == 200
    forgot = CliRunner().invoke(main, ["keys", "rotate", "--forget-old", "--yes"])
    assert forgot.exit_code == 0, forgot.output
    secrets._cache.clear()
    assert call(door, "GET", f"/u/{old}").status_code == 404
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
