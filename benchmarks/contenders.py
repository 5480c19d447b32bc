"""Four Lambda handlers that tell ten customers that their order was shipped.

Each does what its name says and no more, as its own documentation would have it: default boto3
clients, one module-level set-up per cold start. All read the same SQS event, render the subject, body
and SMS of the same template, and send the same bytes with the same message attributes.

The others render with Jinja's plain environment and Heraldo's filters: without the sandbox, the
budget and the named missing fields that Heraldo has, so what those cost is in Heraldo's figure alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
TOPIC: Final = "arn:aws:sns:us-east-1:123456789012:heraldo-local-users"

Handler = Callable[[dict[str, Any], Any], Any]


def heraldo() -> Handler:
    """The packaged entry point: ledger, rules, sandboxed templates, order per key, dead letters."""
    import app

    return app.orders  # type: ignore[no-any-return]


def publish_each() -> Handler:
    """(a) One `publish` per message. No ledger: a redelivered batch is sent again whole."""
    import boto3

    sns = boto3.client("sns")
    render = _plain_jinja()

    def handler(event: dict[str, Any], context: Any) -> None:
        for record in event["Records"]:
            sns.publish(TopicArn=TOPIC, **render(record["body"]))

    return handler


def powertools() -> Handler:
    """(b) Powertools' FIFO batch processor with its DynamoDB idempotency, one `publish` each."""
    import boto3
    from aws_lambda_powertools.utilities.batch import (
        SqsFifoPartialProcessor,
        process_partial_response,
    )
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.idempotency import (
        DynamoDBPersistenceLayer,
        IdempotencyConfig,
        idempotent_function,
    )

    sns = boto3.client("sns")
    render = _plain_jinja()
    processor = SqsFifoPartialProcessor()
    config = IdempotencyConfig(event_key_jmespath="messageId")
    persistence = DynamoDBPersistenceLayer(table_name="heraldo-local-ledger")

    @idempotent_function(
        data_keyword_argument="record", config=config, persistence_store=persistence
    )
    def notify(record: SQSRecord) -> str:
        answer = sns.publish(TopicArn=TOPIC, **render(record.body))
        return answer["MessageId"]

    def handler(event: dict[str, Any], context: Any) -> Any:
        config.register_lambda_context(context)
        return process_partial_response(
            event=event, record_handler=notify, processor=processor, context=context
        )

    return handler


def bare_batch() -> Handler:
    """(c) One bare `publish_batch`: no ledger, and what fails for one entry is not even looked at."""
    import boto3

    sns = boto3.client("sns")
    render = _plain_jinja()

    def handler(event: dict[str, Any], context: Any) -> None:
        entries = [
            {"Id": str(n), **render(record["body"])} for n, record in enumerate(event["Records"])
        ]
        sns.publish_batch(TopicArn=TOPIC, PublishBatchRequestEntries=entries)

    return handler


CONTENDERS: Final[dict[str, Callable[[], Handler]]] = {
    "heraldo": heraldo,
    "publish_each": publish_each,
    "powertools": powertools,
    "bare_batch": bare_batch,
}


def _plain_jinja() -> Callable[[str], dict[str, Any]]:
    """From a queue message's body to what `publish` takes."""
    import jinja2

    from chalicelib.words.filters import FILTERS

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROOT / "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
        auto_reload=False,
    )
    environment.filters.update(FILTERS)

    def render(body: str) -> dict[str, Any]:
        event = json.loads(body)
        template = environment.get_template(f"{event['type']}/es.j2")
        context = template.new_context({**event["data"], "event": event, "locale": "es"})
        text = environment.concat(template.root_render_func(context)).strip()
        subject = environment.concat(context.blocks["subject"][0](context)).strip()
        sms = environment.concat(context.blocks["sms"][0](context)).strip()
        attributes = {
            "event_type": event["type"],
            "locale": "es",
            "category": "orders",
            "recipient": event["recipient"],
        }
        return {
            "Subject": subject,
            "Message": json.dumps(
                {"default": text, "sms": sms}, ensure_ascii=False, separators=(",", ":")
            ),
            "MessageStructure": "json",
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value}
                for name, value in attributes.items()
            },
        }

    return render


class Context:
    """What Lambda tells a function of its invocation."""

    function_name = "heraldo-local-orders"
    memory_limit_in_mb = 256
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:heraldo-local-orders"
    aws_request_id = "52fdfc07-2182-154f-163f-5f0f9a621d72"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


def environment_variables(endpoint: str) -> dict[str, str]:
    """What a worker is started with, whoever it runs."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {
        **kept,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_SESSION_TOKEN": "test",  # Lambda's credentials have one
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "HERALDO_STAGE": "local",
        "POWERTOOLS_SERVICE_NAME": "heraldo",
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": "0",
    }
