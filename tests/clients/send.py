"""What somebody writes with a client that `openapi-python-client` generated; run in its environment."""

from __future__ import annotations

import json
import os
from pathlib import Path

from generated import AuthenticatedClient
from generated import models as m
from generated.api.default import get_event, get_event_types, send_event, send_events

unique = os.environ["EVENT_ID"]
document = json.loads(Path("openapi.json").read_text("utf-8"))
schemas = document["components"]["schemas"]
client = AuthenticatedClient(
    base_url=os.environ["HERALDO_API_URL"], token=os.environ["HERALDO_API_KEY"]
)
event = m.PaymentConfirmedEvent(
    type_="payment.confirmed",
    id=unique,
    recipient=unique,
    email=f"{unique}@example.com",
    data=m.PaymentConfirmedData.from_dict(
        schemas["PaymentConfirmedEvent"]["examples"][0]["data"],
    ),
)
event.additional_properties["campaign"] = "verano"
one = send_event.sync_detailed(client=client, body=event)
# Every type's own class, made of its sample and sent.
samples = []
for name, reference in schemas["Event"]["discriminator"]["mapping"].items():
    schema = reference.rsplit("/", 1)[1]
    sample = schemas[schema]["examples"][0]
    made = getattr(m, schema).from_dict({**sample, "id": f"{unique}-{name}"})
    samples.append(made)
batch = send_events.sync(client=client, body=samples)
life = get_event.sync(unique, client=client)
types = get_event_types.sync(client=client)
print(
    json.dumps(
        {
            "one": [one.status_code, one.parsed.to_dict()],
            "batch": [result.to_dict()["status"] for result in batch],
            "life": life.id,
            "types": [entry.type_ for entry in types.event_types],
        }
    )
)
