"""Whether topics are heard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from chalicelib import names
from cli.audience import subscriptions, topic_arns
from cli.doctor.finding import Patient, Told, check
from cli.terminal import count

# Of so many subscriptions it is asked how they were confirmed.
_ASKED: Final = 50


@check("topics")
def heard(found: Patient) -> Iterator[Told]:
    """A topic that rules send to is not deployed, or nobody hears it, or some have not confirmed yet."""
    arns = topic_arns(found.target)
    sent_to = {to.removeprefix("topic:") for rule in found.routing.rules for to in rule.to}
    for name in found.routing.topics:
        if name not in sent_to:
            continue
        if name not in arns:
            yield Told("error", f"the topic {name} is not there", "deploy the stage")
            continue
        if name == names.VERIFY:  # heard while ./heraldo verify runs
            continue
        theirs = subscriptions(found.target, {name: arns[name]})
        pending = [one for one in theirs if one.pending]
        if len(pending) == len(theirs):
            who = f"; {count(len(pending), 'subscription')} wait to be confirmed" if pending else ""
            remedy = f"./heraldo subscribe {name} email ops@example.com --stage {found.stage}"
            yield Told("warning", f"nobody hears the topic {name}{who}", remedy)
        elif pending:
            what = f"{count(len(pending), 'subscription')} of the topic {name} wait to be confirmed"
            remedy = "they find a mail of AWS's, good for two days; else subscribe them again"
            yield Told("warning", what, remedy)


@check("topics-anybody-can-leave", local=False)
def unprotected(found: Patient) -> Iterator[Told]:
    """An e-mail subscription ends with one click on the link that SNS puts under every mail, by whoever has
    that mail, scanners included.
    """
    arns = topic_arns(found.target)
    declared = {name: arns[name] for name in found.routing.topics if name in arns}
    sns = found.client("sns")
    open_ones: dict[str, int] = {}
    mails = [
        s for s in subscriptions(found.target, declared) if s.protocol.startswith("email") and s.arn
    ]
    for one in mails[:_ASKED]:
        told = sns.get_subscription_attributes(SubscriptionArn=one.arn)["Attributes"]
        if told.get("ConfirmationWasAuthenticated", "false") != "true":
            open_ones[one.topic] = open_ones.get(one.topic, 0) + 1
    for topic, number in open_ones.items():
        what = f"{count(number, 'e-mail subscription')} of {topic} can be ended by anybody who has a mail"
        at = f" --stage {found.stage}"
        remedy = (
            f"./heraldo unsubscribe and subscribe each anew{at}, and confirm with the link in AWS's mail instead of"
            f" following it: ./heraldo subscribe {topic} email ADDRESS --confirm LINK{at}"
        )
        yield Told("warning", what, remedy)
