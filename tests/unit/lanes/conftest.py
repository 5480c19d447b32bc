"""A lane in front of an AWS in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import botocore.endpoint
import pytest

from chalicelib import aws
from chalicelib.lanes import invocation, queues
from chalicelib.rules.reading import load
from chalicelib.store import ledger, record, table
from chalicelib.words.render import Templates
from tests.factories import REGION
from tests.unit.aws_model import Cloud
from tests.unit.lanes.story import KINDS, ROUTING


@pytest.fixture(scope="module")
def lane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Cloud], None]]:
    """Puts a lane with the rules and templates of this file in front of a `Cloud`."""
    root = tmp_path_factory.mktemp("templates")
    for event_type in KINDS:
        if event_type.startswith("order.") and event_type != "order.unheard-of":
            (root / event_type).mkdir()
            for locale in ("es", "en"):
                text = (
                    "{% block subject %}s{% endblock %}{% block body %}{{ event.id }}{% endblock %}"
                )
                (root / event_type / f"{locale}.j2").write_text(text)
    known, rules = Templates(root), load(ROUTING, "local")
    current: list[Cloud] = []

    def connect(cloud: Cloud) -> None:
        current[:] = [cloud]
        aws.client.cache_clear()  # botocore's retries have a quota that outlives an example
        for module in (ledger, record, table, queues, invocation, botocore.endpoint):
            patch.setattr(module, "time", cloud.clock)

    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "HERALDO_STAGE": "local",
            "HERALDO_SENDER": "Abedul <hola@abedul.example>",
        }.items():
            patch.setenv(name, value)
        for name in ("AWS_ENDPOINT_URL", "HERALDO_API_URL", "HERALDO_CHANNELS"):
            patch.delenv(name, raising=False)
        patch.setattr(invocation, "templates", lambda: known)
        patch.setattr(invocation, "routing", lambda stage: rules)
        aws._session.cache_clear()
        aws._session().register(
            "before-send",
            lambda request, event_name, **_: current[0].answer(request, event_name),
        )
        yield connect
    aws.client.cache_clear()
    aws._session.cache_clear()
