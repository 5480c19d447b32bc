#!/usr/bin/env python3
"""Tell the company that a payment was confirmed: a ready-made message, published as it stands.

Needs nothing of Heraldo but the names of a queue and a topic; on the local stack they stand in
`.heraldo/local.json`. Run it with:  .venv/bin/python examples/payment_confirmation.py
"""

import hashlib
import json
from pathlib import Path

import boto3

heraldo = json.loads(Path(".heraldo/local.json").read_text())
sqs = boto3.client(
    "sqs",
    endpoint_url=heraldo["endpoint_url"],
    region_name=heraldo["region"],
    aws_access_key_id="test",
    aws_secret_access_key="test",
)

message = """Pago confirmado ✅

Pedido: A-1042
Cliente: Lucía Núñez
Importe: 119,85 €

¿Dudas? Responde a este correo."""
body = json.dumps(
    {
        "sns_topic": heraldo["topics"]["company"],
        "subject": "Pago confirmado: pedido A-1042",
        "message": message,
    },
    ensure_ascii=False,
)
sent = sqs.send_message(
    QueueUrl=heraldo["queues"]["orders"],
    MessageBody=body,
    # Messages of one group arrive in order; the same body within five minutes arrives once.
    MessageGroupId="payments",
    MessageDeduplicationId=hashlib.md5(body.encode()).hexdigest(),
)
print("queued as", sent["MessageId"])
