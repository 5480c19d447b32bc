#!/usr/bin/env python3
"""Remind a customer of a cart left behind: an event, so that Heraldo finds the words.

It goes straight into the lane's queue; by HTTP it would be the same JSON. Run it with:
.venv/bin/python examples/abandoned_cart.py
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

event = {
    "specversion": "1.0",
    "type": "cart.abandoned",
    "source": "/shop/carts",
    "id": "cart-7781-reminder-1",
    "recipient": "cus-2210",
    "email": "marta@example.com",
    "data": {
        "name": "Iñaki",
        "cart": {
            "items": [{"name": "Cafetera italiana", "quantity": 1, "price": 24.9}],
            "total": 24.9,
            "currency": "EUR",
            "url": "https://abedul.example/carrito/7781",
        },
    },
}
body = json.dumps(event, ensure_ascii=False)
sent = sqs.send_message(
    QueueUrl=heraldo["queues"]["reminders"],
    MessageBody=body,
    MessageGroupId=event["recipient"],
    MessageDeduplicationId=hashlib.md5(body.encode()).hexdigest(),
)
print("queued as", sent["MessageId"])
