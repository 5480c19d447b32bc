"""Whether somebody is told of alarms when it is Heraldo that cannot tell."""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib import names
from cli.audience import subscriptions, topic_arns
from cli.doctor.finding import Patient, Told, check


@check("alarms", local=False)
def told(found: Patient) -> Iterator[Told]:
    """CloudWatch tells nobody of the stage's alarms, or an address has not confirmed that it wants to hear of them."""
    if not found.settings.alarms_to:
        what = "alarms go through Heraldo alone, which cannot tell of what keeps it from telling"
        remedy = (
            f'say alarms_to = ["ops@example.com"] under [{found.stage}] in stages.toml, and deploy'
        )
        yield Told("warning", what, remedy)
        return
    arn = topic_arns(found.target).get(names.ALARMS)
    if arn is None:
        what = "the topic of those who are told of alarms is not there"
        yield Told("error", what, "deploy the stage")
        return
    heard = {
        one.endpoint for one in subscriptions(found.target, {names.ALARMS: arn}) if not one.pending
    }
    for address in found.settings.alarms_to:
        if address not in heard:
            what = f"{address} does not hear of alarms yet"
            remedy = "they find a mail of AWS's, good for two days; else deploy the stage again"
            yield Told("warning", what, remedy)
