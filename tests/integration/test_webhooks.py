"""Webhooks on moto: from a lane through their queue to a real server, however it answers."""

from __future__ import annotations

import base64
import json
import os
import re
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from chalicelib import aws, names
from chalicelib.door import api
from chalicelib.lanes.dispatch import Redeliver
from chalicelib.plan.compose import event_tag
from chalicelib.relay import posting, webhooks
from chalicelib.relay.posting import Answer
from chalicelib.rules import reading
from chalicelib.store import ledger, receipts
from chalicelib.store import webhooks as secrets
from cli.main import main
from cli.paths import ROOT
from cli.stack.emulator import free_port
from tests.endpoint import endpoint
from tests.factories import shipped
from tests.integration.aws_fixture import Stage
from tests.integration.certificates import certificate
from tests.patience import PATIENCE

QUEUE = names.queue("local", names.WEBHOOKS)
DEAD = names.dead_queue("local", names.WEBHOOKS)


@pytest.fixture
def there(stage: Stage) -> Iterator[Stage]:
    """The stage, with the queues of webhooks and nothing known of receivers."""
    fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    for name in (QUEUE, DEAD):
        stage.sqs.create_queue(QueueName=name, Attributes=fifo)
    webhooks._resting.clear()
    yield stage
    webhooks._resting.clear()


def route(**urls: str) -> None:
    """Send what was shipped to these webhooks, which have secrets, and to nobody else."""
    text = reading.FILE.read_text("utf-8").partition("[[rule]]")[0].partition("[webhooks]")[0]
    lines = [f"{name} = {{ local = '{url}' }}" for name, url in urls.items()]
    to = ", ".join(f'"webhook:{name}"' for name in urls)
    rule = f'[[rule]]\nname = "machines"\npattern.type = ["order.shipped"]\nto = [{to}]\n'
    reading.FILE.write_text("\n".join([text, "[webhooks]", *lines, rule]), "utf-8")
    reading.routing.cache_clear()
    for name in urls:
        secrets.made(aws.stage(), name)


def secret(name: str = "erp") -> str:
    return secrets.made(aws.stage(), name)[0]


def waiting(stage: Stage) -> list[dict[str, Any]]:
    """What lies in the queue of webhooks, as Lambda would hand it over."""
    return stage.receive_from(QUEUE)


def drain(
    records: list[dict[str, Any]], *, age: timedelta = timedelta(), remaining: int = 30_000
) -> bool:
    """One invocation as the event source mapping does it, of messages that were sent so long ago: deletes them unless
    it raises. Says whether all of it is done."""
    sent = int((time.time() - age.total_seconds()) * 1000)
    aged = [
        {**record, "attributes": {**record["attributes"], "SentTimestamp": str(sent)}}
        for record in records
    ]
    try:
        webhooks.drain(aws.stage(), aged, lambda: remaining)
    except Redeliver:
        return False
    for record in records:
        url = aws.stage().queue_url(names.WEBHOOKS)
        aws.stage().sqs.delete_message(QueueUrl=url, ReceiptHandle=record["receiptHandle"])
    return True


def post(stage: Stage, *events: dict[str, Any]) -> list[dict[str, Any]]:
    """Bring events through their lane; gives what lies in the queue of webhooks then."""
    for event in events:
        key = event["recipient"]
        stage.send(event, dedup=event["id"], group=key)
    stage.handle()
    return waiting(stage)


def told(event_id: str) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """What the API says became of what was sent, and each receipt."""
    [record] = ledger.find(aws.stage(), event_id)
    found = receipts.of_event(aws.stage(), event_tag(record.id, record.source))
    life = api.life(record, found)
    return life["outcomes"], [(r["status"], r.get("detail", "")) for r in life.get("receipts", [])]


def letters(stage: Stage) -> list[dict[str, Any]]:
    got = stage.sqs.receive_message(
        QueueUrl=stage.queue_url(DEAD),
        MaxNumberOfMessages=10,
        VisibilityTimeout=0,
        MessageAttributeNames=["All"],
    )
    return [
        {n: v["StringValue"] for n, v in m["MessageAttributes"].items()}
        for m in got.get("Messages", [])
    ]


def test_an_event_is_posted_verified_and_recorded(there: Stage) -> None:
    with endpoint() as erp:
        route(erp=erp.url)
        records = post(there, shipped(1, time="2026-11-25T10:00:00Z"))
        assert told("e-1") == ({"webhook:erp": "awaited"}, [])
        assert drain(records)
        [heard] = erp.heard
    assert heard.path == "/in"
    assert heard.headers["content-type"] == "application/json"
    said = heard.verified(secret())
    assert (said["type"], said["id"], said["source"]) == ("order.shipped", "e-1", "/shop")
    assert (said["timestamp"], said["recipient"]) == ("2026-11-25T10:00:00Z", "cus-1")
    assert said["data"] == shipped(1)["data"]
    assert told("e-1") == ({"webhook:erp": "delivered"}, [("delivered", "204")])
    life = there.ledger("e-1")
    assert life["status"] == "published"
    assert life["messages"] == {"webhook:erp": heard.headers["webhook-id"]}


def test_ten_events_take_the_lane_no_more_calls_than_one_topic_does(there: Stage) -> None:
    with endpoint() as erp:
        route(erp=erp.url)
        for n in range(10):
            there.send(shipped(n), dedup=str(n), group=f"g{n}")
        records = there.receive()
        there.calls.clear()
        there.handle(records=records)
    assert there.calls.count("SendMessageBatch") == 1


def test_three_refusals_and_then_it_is_taken_with_the_same_id_and_in_order(there: Stage) -> None:
    with endpoint(500, 500, 500) as erp:
        route(erp=erp.url)
        first, second = shipped(1, recipient="ana"), shipped(2, recipient="ana")
        records = post(there, first, second)
        assert len(records) == 2
        for _ in range(3):
            assert not drain(records)
            assert told("e-1") == ({"webhook:erp": "delayed"}, [("delayed", "500")])
            assert told("e-2") == ({"webhook:erp": "awaited"}, [])
            assert waiting(there) == []  # it stays away for a while, and its key with it
        assert drain(records)
        said = [heard.verified(secret())["id"] for heard in erp.heard]
        ids = [heard.headers["webhook-id"] for heard in erp.heard]
    assert said == ["e-1", "e-1", "e-1", "e-1", "e-2"]
    assert len(set(ids)) == 2
    assert told("e-1") == ({"webhook:erp": "delivered"}, [("delayed", "500"), ("delivered", "204")])


def test_one_that_is_gone_holds_up_no_other(there: Stage) -> None:
    with endpoint() as crm:
        route(erp=f"http://localhost:{free_port()}/in", crm=crm.url)
        records = post(there, shipped(1), shipped(2))
        assert len(records) == 4
        assert not drain(records)
        assert sorted(heard.verified(secret("crm"))["id"] for heard in crm.heard) == ["e-1", "e-2"]
    for event in ("e-1", "e-2"):
        assert told(event)[0] == {"webhook:erp": "delayed", "webhook:crm": "delivered"}
        assert ("delayed", "refused") in told(event)[1]
    assert there.waiting("webhooks") == 2


def test_one_that_is_slow_is_let_be_for_a_while_and_holds_up_no_other(
    there: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "SECONDS", 0.3)
    with endpoint() as erp, endpoint() as crm:
        erp.gate.clear()
        route(erp=erp.url, crm=crm.url)
        assert not drain(post(there, shipped(1)))
        assert (len(erp.heard), len(crm.heard)) == (1, 1)
        assert ("delayed", "timeout") in told("e-1")[1]
        # The next is not tried, and nothing is said of it.
        assert not drain(post(there, shipped(2)))
        assert (len(erp.heard), len(crm.heard)) == (1, 2)
        assert told("e-2") == (
            {"webhook:erp": "awaited", "webhook:crm": "delivered"},
            [("delivered", "204")],
        )
        erp.gate.set()
        webhooks._resting.clear()  # half a minute later


def test_groups_are_posted_at_the_same_time(there: Stage) -> None:
    with endpoint() as erp:
        route(erp=erp.url)
        records = post(there, *(shipped(n) for n in range(5)))
        erp.gate.clear()
        worker = threading.Thread(target=drain, args=(records,))
        worker.start()
        for _ in range(5):
            erp.arrived.get(timeout=PATIENCE)
        erp.gate.set()
        worker.join()
        assert erp.most_at_once == 5


def test_no_redirect_is_followed(there: Stage) -> None:
    with endpoint() as inner, endpoint() as erp:
        erp.answers = [(status, {"Location": inner.url}) for status in (301, 302, 303, 307, 308)]
        route(erp=erp.url)
        records = post(there, shipped(1))
        for _ in range(5):
            assert not drain(records)
        assert len(erp.heard) == 5
        assert inner.heard == []
    assert told("e-1")[0] == {"webhook:erp": "delayed"}


def test_who_is_gone_for_good_makes_a_dead_letter_at_once_and_a_redrive_posts_it_again(
    there: Stage,
) -> None:
    with endpoint(410) as erp:
        route(erp=erp.url)
        assert drain(post(there, shipped(1)))
        [letter] = letters(there)
        assert letter["reason"] == "receiver-gone"
        assert (letter["webhook"], letter["event_id"], letter["event_type"]) == (
            *("erp", "e-1"),
            "order.shipped",
        )
        assert told("e-1") == ({"webhook:erp": "rejected"}, [("rejected", "410")])
        run = CliRunner().invoke
        shown = run(main, ["dead-letters", "list", "--lane", "webhooks", "--json"])
        assert shown.exit_code == 0, shown.output
        assert "receiver-gone" in shown.output
        shown = run(main, ["dead-letters", "show", "e-1"])
        assert shown.exit_code == 0, shown.output
        assert "it would go to webhook:erp" in shown.output
        done = run(main, ["dead-letters", "redrive", "--lane", "webhooks", "--yes"])
        assert done.exit_code == 0, done.output
        assert drain(waiting(there))
        first, second = erp.heard
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert second.verified(secret()) == first.verified(secret())
    assert told("e-1")[0] == {"webhook:erp": "delivered"}


def test_dead_letters_of_one_event_for_two_webhooks_are_both_redriven(there: Stage) -> None:
    with endpoint(410) as erp, endpoint(410) as crm:
        route(erp=erp.url, crm=crm.url)
        assert drain(post(there, shipped(1)))
        assert len(letters(there)) == 2
        done = CliRunner().invoke(main, ["dead-letters", "redrive", "--lane", "webhooks", "--yes"])
        assert done.exit_code == 0, done.output
        assert drain(waiting(there))
        assert (len(erp.heard), len(crm.heard)) == (2, 2)


def test_after_three_days_it_is_given_up(there: Stage) -> None:
    with endpoint(503, 503) as erp:
        route(erp=erp.url)
        records = post(there, shipped(1))
        assert not drain(records, age=timedelta(days=2, hours=23))
        assert letters(there) == []
        assert drain(records, age=timedelta(days=3))
    [letter] = letters(there)
    assert (letter["reason"], letter["detail"]) == ("gave-up", "503 (webhook:erp)")
    assert told("e-1")[0] == {"webhook:erp": "rejected"}


def test_what_is_for_a_webhook_that_was_taken_out_is_a_dead_letter(there: Stage) -> None:
    with endpoint() as erp, endpoint() as crm:
        route(erp=erp.url)
        records = post(there, shipped(1))
        route(crm=crm.url)
        assert drain(records)
        assert erp.heard == crm.heard == []
    assert [letter["reason"] for letter in letters(there)] == ["no-url"]


def test_what_somebody_else_put_into_the_queue_is_a_dead_letter(there: Stage) -> None:
    there.sqs.send_message(
        QueueUrl=there.queue_url(QUEUE),
        MessageBody="x",
        MessageGroupId="g",
        MessageDeduplicationId="d",
    )
    assert drain(waiting(there))
    assert [letter["reason"] for letter in letters(there)] == ["not-a-post"]


def test_where_there_is_no_time_nothing_is_posted(there: Stage) -> None:
    with endpoint() as erp:
        route(erp=erp.url)
        assert not drain(post(there, shipped(1)), remaining=10_000)
        assert erp.heard == []
        assert drain(waiting(there))
        assert len(erp.heard) == 1


def test_without_a_secret_nothing_is_posted_and_a_person_is_told(
    there: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    with endpoint() as erp:
        route(erp=erp.url)
        key = {"id": {"S": "webhook:erp"}}
        there.dynamodb.delete_item(TableName=names.table("local", "people"), Key=key)
        records = post(there, shipped(1))
        assert not drain(records)
        assert erp.heard == []
        assert "./heraldo webhooks secret erp --stage local" in capsys.readouterr().err
        secret()
        assert drain(records)
        assert len(erp.heard) == 1


def test_while_a_secret_is_changed_both_verify(there: Stage) -> None:
    with endpoint() as erp:
        route(erp=erp.url)
        before = secret()
        new = secrets.rotate(aws.stage(), "erp")
        assert drain(post(there, shipped(1)))
        [heard] = erp.heard
        assert len(heard.headers["webhook-signature"].split()) == 2
        assert heard.verified(before) == heard.verified(new)


def test_the_secret_before_fades(there: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    route(erp="http://localhost:1/in")
    monkeypatch.setattr(secrets, "FADING_SECONDS", -1)
    new = secrets.rotate(aws.stage(), "erp")
    assert secrets.of(aws.stage(), "erp") == (new,)


def test_no_log_shows_a_url_or_a_body(there: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    with endpoint(500, 410) as erp:
        route(erp=f"{erp.url}?key=geheim", crm=f"http://localhost:{free_port()}/geheim")
        records = post(there, shipped(1))
        drain(records)
        drain(records, age=timedelta(days=3))
        assert erp.heard[0].path == "/in?key=geheim"
    said = capsys.readouterr().err
    assert '"webhook": "erp"' in said
    for word in ("geheim", "localhost", "cus-1", "tracking", secret()):
        assert word not in said


@pytest.mark.parametrize("dripping", [False, True])
def test_a_post_ends_in_time_however_slowly_somebody_answers(
    dripping: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "SECONDS", 0.4)
    with endpoint() as slow:
        slow.dripping = dripping
        if not dripping:
            slow.gate.clear()
        assert posting.post(slow.url, b"{}", {}, anywhere=True) == Answer(why="timeout")


def test_a_name_that_leads_into_a_network_of_its_own_is_told_nothing(tmp_path: Path) -> None:
    with endpoint(context=server(tmp_path)) as inner:
        assert posting.post(inner.url, b"{}", {}) == Answer(why="not-public")
        assert inner.heard == []


def server(folder: Path, host: str = "localhost") -> ssl.SSLContext:
    made = certificate(folder, host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made)
    return context


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    posting._context.cache_clear()
    yield lambda file: monkeypatch.setenv("SSL_CERT_FILE", str(file))
    posting._context.cache_clear()


def test_over_tls_a_certificate_must_hold(tmp_path: Path, trusting: Callable[[Path], None]) -> None:
    context = server(tmp_path)
    with endpoint(context=context) as erp:
        assert posting.post(erp.url, b"{}", {}, anywhere=True) == Answer(why="certificate")
        posting._context.cache_clear()
        trusting(tmp_path / "localhost.pem")
        assert posting.post(erp.url, b"{}", {}, anywhere=True) == Answer(204)
        other = erp.url.replace("localhost", "127.0.0.1")
        assert posting.post(other, b"{}", {}, anywhere=True) == Answer(why="certificate")
        assert len(erp.heard) == 1


def test_what_speaks_no_http_or_no_tls_or_is_not_there_is_told_in_a_word() -> None:
    with endpoint() as plain:
        secure = plain.url.replace("http://", "https://")
        assert posting.post(secure, b"{}", {}, anywhere=True).why in ("tls", "no-answer")
    assert posting.post(plain.url, b"{}", {}, anywhere=True) == Answer(why="refused")
    nowhere = "https://erp.invalid/in"
    assert posting.post(nowhere, b"{}", {}, anywhere=True) == Answer(why="no-such-host")


SAMPLE = re.search(
    "## How to receive it\n\n```python\n(.*?)```",
    (ROOT / "docs" / "webhooks.md").read_text("utf-8"),
    re.DOTALL,
)


def test_the_receiver_of_the_guide_takes_what_is_signed_and_nothing_else() -> None:
    assert SAMPLE is not None
    mine, other = (f"whsec_{base64.b64encode(c * 32).decode()}" for c in (b"a", b"b"))
    port = free_port()
    environment = {**os.environ, "WEBHOOK_SECRET": mine, "PORT": str(port)}
    command = [sys.executable, "-c", SAMPLE[1]]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as receiver:
        try:
            url, body, now = f"http://127.0.0.1:{port}/", b'{"type": "order.placed"}', time.time()

            def posted(*secrets: str, at: float = now, said: bytes = body) -> Answer:
                proof = posting.headers(body, "msg_1", secrets, at)
                return posting.post(url, said, proof, anywhere=True)

            until = time.monotonic() + PATIENCE
            while posted(other).why == "refused" and time.monotonic() < until:
                pass
            assert posted(mine) == Answer(204)
            assert posted(other, mine) == Answer(204)
            assert posted(other) == Answer(401)
            assert posted(mine, at=now - 400) == Answer(401)
            assert posted(mine, said=b'{"type": "order.sold"}') == Answer(401)
        finally:
            receiver.kill()
        assert receiver.stdout is not None
        assert receiver.stdout.read() == "msg_1 {'type': 'order.placed'}\n" * 2


# -- ./heraldo webhooks --------------------------------------------------------------------------


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["webhooks", *arguments])
    return done.exit_code, done.output


def test_webhooks_are_listed_by_their_hosts_alone(there: Stage) -> None:
    assert run("list") == (
        0,
        "No webhooks. Declare one under [webhooks] in chalicelib/routing.toml\n",
    )
    route(erp="http://localhost:9000/geheim")
    code, said = run("list")
    assert code == 0
    assert [line.split() for line in said.splitlines()] == [
        ["NAME", "HOST", "RULES", "SECRET"],
        ["erp", "localhost", "machines", "yes"],
    ]
    [listed] = json.loads(run("list", "--json")[1])["webhooks"]
    assert listed == {"name": "erp", "host": "localhost", "rules": ["machines"], "secret": True}


def test_a_secret_is_made_shown_and_changed(there: Stage) -> None:
    route(erp="http://localhost:9000/in")
    key = {"id": {"S": "webhook:erp"}}
    there.dynamodb.delete_item(TableName=names.table("local", "people"), Key=key)
    first = run("secret", "erp")[1].strip()
    assert first.startswith("whsec_")
    assert len(secrets.key_of(first)) == 32
    assert json.loads(run("secret", "erp", "--json")[1]) == {"name": "erp", "secrets": [first]}
    new = json.loads(run("rotate", "erp", "--json")[1])["secret"]
    assert run("secret", "erp")[1].split() == [new, first]
    code, said = run("secret", "erq")
    assert code == 2
    assert "there is no webhook 'erq'; did you mean erp" in said


@pytest.mark.parametrize(
    ("status", "code", "word"),
    [(204, 0, "erp took it (204)"), (500, 1, "did not take it (500): it is posted again"),
     (410, 1, "did not take it (410): it is a dead letter")],
)  # fmt: skip
def test_a_test_is_posted_the_way_that_events_go(
    there: Stage, status: int, code: int, word: str
) -> None:
    over = threading.Event()

    def work() -> None:  # the function, as Lambda calls it
        while not over.is_set():
            if records := waiting(there):
                drain(records)
                return

    with endpoint(status) as erp:
        route(erp=erp.url)
        worker = threading.Thread(target=work)
        worker.start()
        try:
            assert run("test", "erp")[0] == code
        finally:
            over.set()
            worker.join()
        [heard] = erp.heard
    said = heard.verified(secret())
    assert (said["type"], said["data"]) == ("heraldo.test", {})
