"""What somebody writes with the models of `datamodel-codegen`; prints the events to send."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import models
from pydantic import ValidationError

schemas = json.loads(Path("openapi.json").read_text("utf-8"))["components"]["schemas"]
events = []
for reference in schemas["Event"]["discriminator"]["mapping"].values():
    name = reference.rsplit("/", 1)[1]
    sample = schemas[name]["examples"][0]
    made = getattr(models, name).model_validate(sample)
    assert type(models.Event.model_validate(sample).root).__name__ == name
    events.append(json.loads(made.model_dump_json(exclude_none=True)))
    try:
        getattr(models, name).model_validate({**sample, "data": {}})
    except ValidationError:
        continue
    sys.exit(f"{name} takes an event without its data")
print(json.dumps(events))
