"""That the other stories here meet what they say they meet."""

from __future__ import annotations

from chalicelib import names
from tests.factories import shipped
from tests.integration.aws_fixture import Stage
from tests.integration.later.conftest import LATER
from tests.integration.test_api import add_key, post


def test_items_and_messages_have_what_this_version_knows_nothing_of(stage: Stage) -> None:
    from chalice.test import Client

    import app

    add_key(stage, "hk_later-key-of-the-integration-tests", "shop", "send read")
    with Client(app.app, stage_name="local") as door:
        answer = post(door, shipped(1), secret="hk_later-key-of-the-integration-tests")
    assert answer.status_code == 202
    [record] = stage.receive()
    assert '"later": "später"' in record["body"]
    assert record["messageAttributes"]["later"]["stringValue"] == "später"
    stage.handle(records=[record])
    assert len(stage.delivered("users")) == 1
    [item] = stage.dynamodb.scan(TableName=names.table("local", "ledger"))["Items"]
    assert {name: item[name] for name in LATER} == {**LATER, "later_set": item["later_set"]}
