"""Four Lambda handlers that tell ten customers that their order was shipped: through a topic that they
listen to, by an e-mail of their own, or by SMS.

Each does what its name says and no more, as its own documentation would have it: default boto3
clients, one module-level set-up per cold start. All read the same SQS event, render the subject, body
and SMS of the same template, and send the same bytes with the same message attributes.

The others render with Jinja's plain environment and Heraldo's filters: without the sandbox, the
budget and the named missing fields that Heraldo has, so what those cost is in Heraldo's figure alone.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
# The ways in which they hear, and what stands for each in a rule.
DESTINATIONS: Final = {"topic": "topic:users", "email": "recipient:email", "sms": "recipient:sms"}
SENDER: Final = "Abedul <hola@abedul.example>"
TOPIC: Final = "arn:aws:sns:us-east-1:123456789012:heraldo-local-users"

Handler = Callable[[dict[str, Any], Any], Any]


def heraldo(by: str) -> Handler:
    """The packaged entry point: ledger, rules, sandboxed templates, order per key, dead letters."""
    use_rules(by)
    import app

    return app.orders  # type: ignore[no-any-return]


def use_rules(by: str) -> None:
    """The shipped rules, whose customers hear by one way alone: that of the others here."""
    from chalicelib.rules import reading
    from tests.factories import customers_hear_by

    text = customers_hear_by(DESTINATIONS[by], reading.FILE.read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        reading.FILE = Path(folder, "routing.toml")
        reading.FILE.write_text(text, "utf-8")
        reading.routing("local")  # read once, and kept


def publish_each(by: str) -> Handler:
    """(a) One call per message. No ledger: a redelivered batch is sent again whole."""
    send, render = _sender(by), _plain_jinja(by)

    def handler(event: dict[str, Any], context: Any) -> None:
        for record in event["Records"]:
            send(**render(record["body"]))

    return handler


def powertools(by: str) -> Handler:
    """(b) Powertools' FIFO batch processor with its DynamoDB idempotency, one call each."""
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

    send, render = _sender(by), _plain_jinja(by)
    processor = SqsFifoPartialProcessor()
    config = IdempotencyConfig(event_key_jmespath="messageId")
    persistence = DynamoDBPersistenceLayer(table_name="heraldo-local-ledger")

    @idempotent_function(
        data_keyword_argument="record", config=config, persistence_store=persistence
    )
    def notify(record: SQSRecord) -> str:
        answer = send(**render(record.body))
        return answer["MessageId"]

    def handler(event: dict[str, Any], context: Any) -> Any:
        config.register_lambda_context(context)
        return process_partial_response(
            event=event, record_handler=notify, processor=processor, context=context
        )

    return handler


def bare_batch(by: str) -> Handler:
    """(c) One bare call for all: no ledger, and what fails for one entry is not even looked at."""
    import boto3

    render = _plain_jinja(by)
    if by == "email":
        ses = boto3.client("sesv2")

        def mail(event: dict[str, Any], context: Any) -> None:
            entries = []
            for record in event["Records"]:
                found = render(record["body"])
                content = found["Content"]["Simple"]
                data = {
                    "s": content["Subject"]["Data"],
                    "t": content["Body"]["Text"]["Data"],
                    "h": content["Body"]["Html"]["Data"],
                }
                replacement = {"ReplacementTemplate": {"ReplacementTemplateData": json.dumps(data)}}
                entries.append(
                    {
                        "Destination": found["Destination"],
                        "ReplacementEmailContent": replacement,
                        "ReplacementTags": found["EmailTags"],
                    }
                )
            template = {"Subject": "{{s}}", "Text": "{{t}}", "Html": "{{h}}"}
            ses.send_bulk_email(
                FromEmailAddress=SENDER,
                DefaultContent={"Template": {"TemplateContent": template, "TemplateData": "{}"}},
                BulkEmailEntries=entries,
            )

        return mail
    sns = boto3.client("sns")

    def handler(event: dict[str, Any], context: Any) -> None:
        entries = []
        for number, record in enumerate(event["Records"]):
            entries.append({"Id": str(number), **render(record["body"])})
            entries[-1].pop("TopicArn")
        sns.publish_batch(TopicArn=TOPIC, PublishBatchRequestEntries=entries)

    return handler


CONTENDERS: Final[dict[str, Callable[[str], Handler]]] = {
    "heraldo": heraldo,
    "publish_each": publish_each,
    "powertools": powertools,
    "bare_batch": bare_batch,
}


def _sender(by: str) -> Callable[..., Any]:
    import boto3

    return boto3.client("sesv2").send_email if by == "email" else boto3.client("sns").publish


def _plain_jinja(by: str) -> Callable[[str], dict[str, Any]]:
    """From a queue message's body to what the call takes. A mail's HTML is made as Heraldo makes it."""
    import jinja2

    from chalicelib.words.filters import FILTERS
    from chalicelib.words.mail import Links
    from chalicelib.words.render import Message, Templates

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROOT / "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
        auto_reload=False,
    )
    environment.filters.update(FILTERS)
    mails = Templates(ROOT / "templates")

    def render(body: str) -> dict[str, Any]:
        event = json.loads(body)
        template = environment.get_template(f"{event['type']}/es.j2")
        context = template.new_context({**event["data"], "event": event, "locale": "es"})

        def block(name: str) -> str:
            return environment.concat(context.blocks[name][0](context)).strip()

        # The whole first: its layout sets what the blocks use.
        text = environment.concat(template.root_render_func(context)).strip()
        subject = block("subject")
        if by == "sms":
            return {
                "PhoneNumber": phone_of(event["recipient"]),
                "Message": block("sms"),
                "MessageAttributes": _attributes({"AWS.SNS.SMS.SMSType": "Transactional"}),
            }
        if by == "email":
            made = mails.mail(Message(subject, {"default": text}, "es", "1"), Links())
            parts = {"Text": {"Data": made.text}, "Html": {"Data": made.html}}
            return {
                "FromEmailAddress": SENDER,
                "Destination": {"ToAddresses": [email_of(event["recipient"])]},
                "Content": {"Simple": {"Subject": {"Data": subject}, "Body": parts}},
                "EmailTags": [{"Name": "event", "Value": event["id"]}],
            }
        bodies = {"default": text, "sms": block("sms")}
        return {
            "TopicArn": TOPIC,
            "Subject": subject,
            "Message": json.dumps(bodies, ensure_ascii=False, separators=(",", ":")),
            "MessageStructure": "json",
            "MessageAttributes": _attributes(
                {
                    "event_type": event["type"],
                    "locale": "es",
                    "category": "orders",
                    "recipient": event["recipient"],
                    "AWS.SNS.SMS.SMSType": "Transactional",
                }
            ),
        }

    return render


def _attributes(values: dict[str, str]) -> dict[str, Any]:
    return {name: {"DataType": "String", "StringValue": value} for name, value in values.items()}


def email_of(recipient: str) -> str:
    """Where somebody is written to. The others here know it; Heraldo reads it with its ledger."""
    return f"{recipient}@example.com"


def phone_of(recipient: str) -> str:
    return f"+346{int(recipient.rpartition('-')[2]):08d}"


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
        "HERALDO_SENDER": SENDER,
        "POWERTOOLS_SERVICE_NAME": "heraldo",
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": "0",
    }
