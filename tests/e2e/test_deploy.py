"""Both ways to deploy, as docs/deploy.md has them, from a shell, on the local AWS with IAM enforced."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml

from chalicelib import names
from cli.paths import ROUTING
from cli.stack import inbox
from cli.stack.emulator import Emulator
from tests.e2e.conftest import shell_environment

STAGE = "dev"
# The local AWS has no PutRestApi, with which chalice brings an API up to date that is there; and chalice
# looks every 5 s whether a function is active, which is quicker here.
PATIENT_CHALICE = (
    "import time; nap = time.sleep; time.sleep = lambda seconds: nap(min(seconds, 0.1));"
    " from chalice.awsclient import TypedAWSClient as AWS;"
    " AWS.update_api_from_swagger = lambda *_, **__: None;"
    " from chalice.cli import main; raise SystemExit(main())"
)
# A function takes effect here before it says so: half a second for each, twice.
CHALICE = PATIENT_CHALICE.replace(
    "AWS.update", "AWS._wait_for_active = AWS._wait_for_function_update = AWS.update"
)


def run(tree: Path, emulator: Emulator, *command: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        command,
        cwd=tree,
        env={**shell_environment(emulator), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def shell(tree: Path, emulator: Emulator, *command: str, **environment: str) -> str:
    code, said = run(tree, emulator, *command, **environment)
    assert code == 0, said
    return said


def chalice_deploy(tree: Path, emulator: Emulator, **environment: str) -> str:
    command = (".venv/bin/python", "-c", CHALICE, "deploy", "--stage", STAGE)
    return shell(tree, emulator, *command, **environment)


def impatient(tree: Path, emulator: Emulator, call: str) -> tuple[int, str]:
    """What `make infra` and `make deploy` do, without a minute's wait for what is taken out."""
    script = f"""
from cli import region
from chalicelib import names
from cli.deploy import deploy, generated, package
generated.renew()
try:
    deploy.{call.format(clients=f"region.clients({STAGE!r})")}
except deploy.DeployError as error:
    raise SystemExit(str(error))
"""
    return run(tree, emulator, ".venv/bin/python", "-c", script)


INFRA = f"deploy_infra({STAGE!r}, {{clients}}, quiet=0)"
DEPLOY = f"deploy(package.build({STAGE!r}), {{clients}}, quiet=0)"


def declare(tree: Path) -> str:
    """A lane, a topic and a webhook more in a tree; gives the file as it was."""
    file = tree / ROUTING
    before = file.read_text("utf-8")
    text = before.replace("[lanes]\n", '[lanes]\nstock = ["stock.*"]\n')
    text = text.replace("[topics]\n", '[topics]\nbuyers = { locales = ["es"] }\n')
    webhook = f"[webhooks]\nerp = {{ {STAGE} = 'https://erp.example/in' }}\n"
    to = 'to = ["topic:buyers", "webhook:erp"]\n'
    rule = f'{webhook}[[rule]]\nname = "stock"\npattern.source = ["/stock"]\n{to}'
    file.write_text(f"{text}\n{rule}", "utf-8")
    return before


def url(emulator: Emulator, queue: str) -> str:
    return str(emulator.client("sqs").get_queue_url(QueueName=queue)["QueueUrl"])


def all_names(emulator: Emulator) -> set[str]:
    """The queues and topics of the stage that the tests add."""
    urls = emulator.client("sqs").list_queues()["QueueUrls"]
    arns = [topic["TopicArn"] for topic in emulator.client("sns").list_topics()["Topics"]]
    names = {found.rsplit("/", 1)[-1].rsplit(":", 1)[-1] for found in (*urls, *arns)}
    return {name for name in names if any(word in name for word in ("stock", "buyers", "webhooks"))}


STOCK = {
    f"heraldo-{STAGE}-stock.fifo",
    f"heraldo-{STAGE}-stock-dead.fifo",
    f"heraldo-{STAGE}-buyers",
    f"heraldo-{STAGE}-webhooks.fifo",
    f"heraldo-{STAGE}-webhooks-dead.fifo",
}
POSTS = f"heraldo-{STAGE}-webhooks"


def secrets(emulator: Emulator) -> set[str]:
    """The webhooks that have something to sign with."""
    people = emulator.client("dynamodb").scan(TableName=names.table(STAGE, "people"))["Items"]
    return {item["id"]["S"] for item in people if "secret" in item}


def fill(emulator: Emulator) -> tuple[str, str]:
    """A dead letter in the lane, a subscription to the topic."""
    dead = url(emulator, f"heraldo-{STAGE}-stock-dead.fifo")
    emulator.client("sqs").send_message(
        QueueUrl=dead, MessageBody="x", MessageGroupId="g", MessageDeduplicationId="d"
    )
    sns = emulator.client("sns")
    arn = next(t["TopicArn"] for t in sns.list_topics()["Topics"] if "buyers" in t["TopicArn"])
    subscribed = sns.subscribe(
        TopicArn=arn, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:000000000000:q"
    )
    return dead, subscribed["SubscriptionArn"]


def empty(emulator: Emulator, dead: str, subscription: str) -> None:
    emulator.client("sqs").purge_queue(QueueUrl=dead)
    emulator.client("sns").unsubscribe(SubscriptionArn=subscription)


FULL = (
    "Nothing was changed. What routing.toml no longer has still holds something:",
    "lane stock has 1 dead letter. Put its line back",
    f"./heraldo dead-letters redrive --lane stock --stage {STAGE}",
    "topic buyers has 1 subscription. Put its line back",
)


def subscribe(emulator: Emulator) -> str:
    """Hear every topic; gives the URL of the queue that does."""
    sqs, sns = emulator.client("sqs"), emulator.client("sns")
    topics = {t["TopicArn"].rsplit("-", 1)[1]: t["TopicArn"] for t in sns.list_topics()["Topics"]}
    return inbox.subscribe(sqs, sns, topics)


def heard(emulator: Emulator, queue: str, tmp_path: Path) -> list[inbox.Delivery]:
    """Wait for what subscribers get of a critical.alert, on its two topics."""
    found: list[inbox.Delivery] = []
    for _ in range(20):
        inbox.receive(emulator.client("sqs"), queue, tmp_path / "inbox.jsonl", found.append, wait=1)
        if len(found) == 2:
            break
    return found


def critical(subject: str) -> dict[str, Any]:
    sample = Path(__file__).parents[2] / "templates" / "critical.alert" / "sample.json"
    event: dict[str, Any] = json.loads(sample.read_text("utf-8"))
    event |= {"specversion": "1.0", "id": subject}
    event["data"]["summary"] = subject
    return event


def deliver(emulator: Emulator, tmp_path: Path, subject: str) -> list[inbox.Delivery]:
    """Queue a CloudEvent as a script does, and wait for what subscribers get."""
    queue = subscribe(emulator)
    emulator.client("sqs").send_message(
        QueueUrl=url(emulator, f"heraldo-{STAGE}-alerts.fifo"),
        MessageBody=json.dumps(critical(subject)),
        MessageGroupId="g",
    )
    return heard(emulator, queue, tmp_path)


def deliver_over_the_bus(emulator: Emulator, tmp_path: Path, subject: str) -> list[inbox.Delivery]:
    """The same with an event put on EventBridge's bus."""
    queue = subscribe(emulator)
    detail = json.dumps({**critical(subject), "stage": STAGE})
    entry = {"Source": "shop", "DetailType": "Heraldo Event", "Detail": detail}
    emulator.client("events").put_events(Entries=[entry])
    return heard(emulator, queue, tmp_path)


def mappings(emulator: Emulator) -> dict[str, str]:
    found = emulator.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    return {
        m["EventSourceArn"].rsplit(":", 1)[1]: m["FunctionArn"].rsplit(":", 1)[1]
        for m in found
        if m["State"] != "Deleting"
    }


EXPECTED_MAPPINGS = {
    f"heraldo-{STAGE}-{lane}.fifo": f"heraldo-{STAGE}-{lane}"
    for lane in ("orders", "promotions", "reminders", "alerts")
} | {f"heraldo-{STAGE}-{inlet}": f"heraldo-{STAGE}-{inlet}" for inlet in names.INLETS}


def test_infrastructure_and_then_plain_chalice_deploy(
    tree: Path, emulator: Emulator, tmp_path: Path
) -> None:
    said = shell(tree, emulator, "make", "infra", f"STAGE={STAGE}")
    assert f"heraldo-{STAGE}-infra: account 000000000000, region us-east-1" in said
    assert f"heraldo-{STAGE}-infra is deployed" in said
    template = yaml.safe_load((tree / ".heraldo" / "infra" / f"{STAGE}.yaml").read_text("utf-8"))
    assert "OrdersQueue" in template["Resources"]
    chalice_deploy(tree, emulator)

    assert mappings(emulator) == EXPECTED_MAPPINGS
    delivered = deliver(emulator, tmp_path, "Llega por chalice deploy, ¿eh?")
    assert {d["topic"] for d in delivered} == {
        f"heraldo-{STAGE}-alerts",
        f"heraldo-{STAGE}-company",
    }
    assert all("Llega por chalice deploy, ¿eh?" in d["message"] for d in delivered)
    delivered = deliver_over_the_bus(emulator, tmp_path, "Llega por el bus, ¿eh?")
    assert len(delivered) == 2
    assert all("Llega por el bus, ¿eh?" in d["message"] for d in delivered)

    assert "nothing has changed" in shell(tree, emulator, "make", "infra", f"STAGE={STAGE}")


def test_the_single_packaged_stack(tree: Path, emulator: Emulator, tmp_path: Path) -> None:
    said = shell(tree, emulator, "make", "deploy", f"STAGE={STAGE}")
    assert "CREATE_COMPLETE  Lambda::Function  Orders" in said
    assert f"heraldo-{STAGE} is deployed\nAPI: https://" in said

    assert mappings(emulator) == EXPECTED_MAPPINGS
    delivered = deliver(emulator, tmp_path, "Llega por la pila, ¿eh?")
    assert len(delivered) == 2
    assert all("Llega por la pila, ¿eh?" in d["message"] for d in delivered)

    assert "nothing has changed" in shell(tree, emulator, "make", "deploy", f"STAGE={STAGE}")


def test_a_lane_and_a_topic_come_and_go_with_the_packaged_stack(
    tree: Path, emulator: Emulator
) -> None:
    before = declare(tree)
    said = shell(tree, emulator, "make", "deploy", f"STAGE={STAGE}")
    assert ".chalice/config.json was out of date, and is written anew: commit it" in said
    assert mappings(emulator)[f"heraldo-{STAGE}-stock.fifo"] == f"heraldo-{STAGE}-stock"
    assert mappings(emulator)[f"{POSTS}.fifo"] == POSTS
    assert all_names(emulator) == STOCK
    assert secrets(emulator) == {"webhook:erp"}

    held = fill(emulator)
    with_stock = (tree / ROUTING).read_text("utf-8")
    (tree / ROUTING).write_text(before, "utf-8")
    code, said = run(tree, emulator, "make", "deploy", f"STAGE={STAGE}")
    assert code != 0
    assert all(words in said for words in FULL), said
    assert all_names(emulator) == STOCK
    assert f"heraldo-{STAGE}-stock.fifo" in mappings(emulator)

    empty(emulator, *held)
    code, said = impatient(tree, emulator, DEPLOY)
    assert code == 0, said
    assert all_names(emulator) == set()
    assert POSTS not in mappings(emulator).values()
    assert f"heraldo-{STAGE}-stock.fifo" not in mappings(emulator)

    # Somebody made one by hand meanwhile, and something is in it.
    emulator.client("sqs").create_queue(
        QueueName=f"heraldo-{STAGE}-stock-dead.fifo", Attributes={"FifoQueue": "true"}
    )
    dead = url(emulator, f"heraldo-{STAGE}-stock-dead.fifo")
    emulator.client("sqs").send_message(
        QueueUrl=dead, MessageBody="kept", MessageGroupId="g", MessageDeduplicationId="k"
    )
    (tree / ROUTING).write_text(with_stock, "utf-8")
    code, said = impatient(tree, emulator, DEPLOY)
    assert code == 0, said
    assert "IMPORT_COMPLETE  SQS::Queue  StockDeadQueue" in said
    assert f"heraldo-{STAGE}-stock.fifo" in mappings(emulator)
    [letter] = emulator.client("sqs").receive_message(QueueUrl=dead)["Messages"]
    assert letter["Body"] == "kept"
    attributes = emulator.client("sqs").get_queue_attributes(QueueUrl=dead, AttributeNames=["All"])
    assert attributes["Attributes"]["MessageRetentionPeriod"] == "1209600"


def test_a_lane_and_a_topic_come_and_go_with_plain_chalice(tree: Path, emulator: Emulator) -> None:
    shell(tree, emulator, "make", "infra", f"STAGE={STAGE}")
    chalice_deploy(tree, emulator)
    before = declare(tree)
    assert impatient(tree, emulator, INFRA)[0] == 0
    chalice_deploy(tree, emulator)
    assert mappings(emulator)[f"heraldo-{STAGE}-stock.fifo"] == f"heraldo-{STAGE}-stock"
    assert mappings(emulator)[f"{POSTS}.fifo"] == POSTS
    assert all_names(emulator) == STOCK
    assert secrets(emulator) == {"webhook:erp"}

    held = fill(emulator)
    (tree / ROUTING).write_text(before, "utf-8")
    code, said = impatient(tree, emulator, INFRA)
    assert code != 0
    assert all(words in said for words in FULL), said

    empty(emulator, *held)
    code, said = impatient(tree, emulator, INFRA)
    assert code == 0, said
    assert "taken out of routing.toml, but the deployed functions use it" in said
    assert all_names(emulator) == STOCK
    chalice_deploy(tree, emulator)
    assert f"heraldo-{STAGE}-stock.fifo" not in mappings(emulator)
    code, said = impatient(tree, emulator, INFRA)
    assert code == 0, said
    assert all_names(emulator) == set()
    assert POSTS not in mappings(emulator).values()


def test_a_clean_checkout_finds_what_chalice_has_deployed(tree: Path, emulator: Emulator) -> None:
    command = (".venv/bin/python", "-c", CHALICE, "deploy", "--stage", STAGE)
    code, said = run(tree, emulator, *command)
    assert code == 1
    assert f"It is not known what is deployed of {STAGE}: run `make infra STAGE={STAGE}`" in said

    said = shell(tree, emulator, "make", "infra", f"STAGE={STAGE}")
    assert f"chalice has deployed nothing of {STAGE} here yet" in said
    chalice_deploy(tree, emulator)
    state = tree / ".chalice" / "deployed" / f"{STAGE}.json"
    written = json.loads(state.read_text("utf-8"))

    state.unlink()
    assert run(tree, emulator, *command)[0] == 1
    said = shell(tree, emulator, "make", "infra", f"STAGE={STAGE}")
    assert f"deployed/{STAGE}.json: as chalice last deployed {STAGE}" in said
    restored = json.loads(state.read_text("utf-8"))
    by_name = [sorted(s["resources"], key=lambda r: r["name"]) for s in (written, restored)]
    assert by_name[0] == by_name[1]
    chalice_deploy(tree, emulator)
    assert mappings(emulator) == EXPECTED_MAPPINGS
    assert len(emulator.client("apigateway").get_rest_apis()["items"]) == 1


@pytest.mark.parametrize("fixed", [False, True], ids=["of the shell", "of stages.toml"])
def test_a_deploy_goes_to_the_region_that_was_meant(
    tree: Path, emulator: Emulator, fixed: bool
) -> None:
    meant, shells = ("sa-east-1", "eu-west-1") if fixed else ("eu-west-1", "eu-west-1")
    if fixed:
        file = tree / "stages.toml"
        text = file.read_text("utf-8")
        file.write_text(text.replace("[dev]\n", f'[dev]\nregion = "{meant}"\n'), "utf-8")
    said = shell(tree, emulator, "make", "infra", f"STAGE={STAGE}", AWS_REGION=shells)
    assert f"account 000000000000, region {meant}" in said
    chalice_deploy(tree, emulator, AWS_REGION=shells)

    def functions(region: str) -> list[str]:
        aws = session(region, emulator, "lambda")
        return [f["FunctionName"] for f in aws.list_functions()["Functions"]]

    assert f"heraldo-{STAGE}" in functions(meant)
    assert functions("us-east-1") == []
    queues = session(meant, emulator, "sqs").list_queues()["QueueUrls"]
    assert any(found.endswith(f"heraldo-{STAGE}-orders.fifo") for found in queues)


def session(region: str, emulator: Emulator, service: str) -> Any:
    return botocore.session.get_session().create_client(
        service,
        region_name=region,
        endpoint_url=emulator.endpoint_url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def test_what_is_packaged_for_one_partition_goes_to_no_other(
    tree: Path, emulator: Emulator
) -> None:
    code, said = run(tree, emulator, "make", "infra", f"STAGE={STAGE}", AWS_REGION="cn-north-1")
    assert code != 0
    assert 'Say region = "cn-north-1" under [dev] in stages.toml.' in said


def test_the_two_ways_to_deploy_do_not_meet(tree: Path, emulator: Emulator) -> None:
    shell(tree, emulator, "make", "infra", f"STAGE={STAGE}")
    code, said = run(tree, emulator, "make", "deploy", f"STAGE={STAGE}")
    assert code != 0
    assert f"Stage {STAGE} was deployed with make infra and chalice deploy" in said


def test_a_deploy_that_fails_says_which_resource_and_why(tree: Path, emulator: Emulator) -> None:
    resources = tree / "infra" / "resources.yaml"
    text = resources.read_text("utf-8")
    wrong = "{Type: AWS::SQS::Queue, Properties: {MessageRetentionPeriod: 1}}"
    resources.write_text(f"{text}\n  WrongQueue: {wrong}\n")

    with pytest.raises(AssertionError) as failure:
        shell(tree, emulator, "make", "infra", f"STAGE={STAGE}")

    said = str(failure.value)
    assert f"heraldo-{STAGE}-infra was not deployed (ROLLBACK_COMPLETE)" in said
    assert "WrongQueue: " in said
    assert "MessageRetentionPeriod" in said

    resources.write_text(text)
    assert "is deployed" in shell(tree, emulator, "make", "infra", f"STAGE={STAGE}")


def switch_outcomes(tree: Path, on: bool) -> None:
    """Have the stage say that the bus is told of outcomes, or not any more."""
    file = tree / "stages.toml"
    text = file.read_text("utf-8").replace(f"[{STAGE}]\noutcomes = true\n", f"[{STAGE}]\n")
    file.write_text(text.replace(f"[{STAGE}]\n", f"[{STAGE}]\noutcomes = true\n") if on else text)


def told_of(emulator: Emulator) -> bool:
    """Whether a function hears of what is written to the ledger."""
    table = emulator.client("dynamodb").describe_table(TableName=names.table(STAGE, "ledger"))
    streams = bool(table["Table"].get("StreamSpecification", {}).get("StreamEnabled"))
    mapped = f"heraldo-{STAGE}-outcomes" in mappings(emulator).values()
    assert streams or not mapped
    return mapped


def test_outcomes_are_switched_on_and_off_with_the_packaged_stack(
    tree: Path, emulator: Emulator
) -> None:
    shell(tree, emulator, "make", "deploy", f"STAGE={STAGE}")
    assert not told_of(emulator)
    switch_outcomes(tree, on=True)
    shell(tree, emulator, "make", "deploy", f"STAGE={STAGE}")
    assert told_of(emulator)
    switch_outcomes(tree, on=False)
    code, said = impatient(tree, emulator, DEPLOY)
    assert (code, told_of(emulator)) == (0, False), said


def test_outcomes_are_switched_on_and_off_with_plain_chalice(
    tree: Path, emulator: Emulator
) -> None:
    switch_outcomes(tree, on=True)
    said = shell(tree, emulator, "make", "infra", f"STAGE={STAGE}")
    assert "Nobody is told of outcomes yet" in said
    chalice_deploy(tree, emulator)
    assert not told_of(emulator)
    assert "Nobody" not in shell(tree, emulator, "make", "infra", f"STAGE={STAGE}")
    assert told_of(emulator)
    chalice_deploy(tree, emulator)  # which knows nothing of the stream, and leaves it alone
    assert told_of(emulator)
    switch_outcomes(tree, on=False)
    code, said = impatient(tree, emulator, INFRA)
    assert (code, told_of(emulator)) == (0, False), said
