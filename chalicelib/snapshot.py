"""What a function does before the snapshot that others of it begin from is taken, and what each does anew.

https://docs.aws.amazon.com/lambda/latest/dg/snapstart-best-practices.html
"""

from __future__ import annotations

import random

from chalicelib import aws
from chalicelib.events.event import parse
from chalicelib.plan import catalog
from chalicelib.rules.reading import routing
from chalicelib.words.render import templates


def prepare() -> None:
    """Read the rules, render every sample, and read what botocore knows of the services: it is the same for all.

    Nothing of a place or a moment is taken along. Clients, with their credentials and connections, are made by whoever
    needs them, and so are keys and secrets read; what is random without being secret begins anew.
    """
    routing()
    words = templates()
    for event_type in words.types:
        sample = catalog.sample(event_type)
        if sample is not None:
            event = parse(sample, default_id="sample")
            for locale in words.locales(event_type):
                words.mail(words.render(event, locale))
    aws.know("dynamodb", "sqs", "sns", "lambda")
    try:
        # There in Lambda's own Python from 3.12 on:
        # https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html
        from snapshot_restore_py import (  # type: ignore[import-not-found, unused-ignore]
            register_after_restore,
        )
    except ImportError:
        return
    register_after_restore(random.seed)
