"""Whether e-mails to people go out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from chalicelib import names
from cli.deploy import identity
from cli.doctor.finding import Patient, Told, check
from cli.stages import LOCAL

_SANDBOX: Final = "https://docs.aws.amazon.com/ses/latest/dg/request-production-access.html"
# Below this share of the day's quota it will soon be over.
_LEFT: Final = 0.1


@check("mail-sender")
def sender(found: Patient) -> Iterator[Told]:
    """Rules send people e-mails, and `stages.toml` names no `sender`: they wait in their lanes."""
    if "email" in found.reached_by and not found.settings.sender:
        what = (
            "rules send people e-mails, and stages.toml names no sender: they wait in their lanes"
        )
        remedy = f'write sender = "Shop <hello@shop.example>" under [{found.stage}], and deploy'
        yield Told("error", what, remedy)


@check("mail-public-address", local=False)
def public_address(found: Patient) -> Iterator[Told]:
    """E-mails have no address to link to (`api_url`): advertising waits in its lane, and no mail has a link to
    the page of preferences.
    """
    if "email" not in found.reached_by or found.settings.api_url:
        return
    remedy = (
        f'write api_url = "{found.target.api_url or "https://…"}" under [{found.stage}], and deploy'
    )
    if found.commercial_mail:
        what = (
            "advertising goes out by e-mail, and stages.toml names no api_url where it is stopped"
        )
        yield Told("error", f"{what}: it waits in its lane", remedy)
    else:
        what = "stages.toml names no api_url: e-mails have no link to what their readers want"
        yield Told("warning", what, remedy)


@check("mail-identity")
def known_identity(found: Patient) -> Iterator[Told]:
    """SES does not know the sender's domain, or has not seen that it is yours: no mail goes out."""
    if not found.settings.sender:
        return
    ses, domain = found.client("sesv2"), identity.domain_of(found.settings.sender)
    try:
        told = ses.get_email_identity(EmailIdentity=domain)
    except ses.exceptions.NotFoundException:
        yield Told(
            "error",
            f"SES does not know {domain}",
            "deploy: it tells SES, and prints the DNS records",
        )
        return
    if not told.get("VerifiedForSendingStatus"):
        records = "; ".join(identity.records(domain, told))
        yield Told(
            "error", f"SES has not seen yet that {domain} is yours", f"add to its DNS: {records}"
        )
    elif found.stage != LOCAL and _is_unsigned(told):
        records = "; ".join(identity.records(domain, told))
        what = f"mails from {domain} are not signed (DKIM), and many will be taken for spam"
        yield Told("warning", what, f"add to its DNS: {records}")


def _is_unsigned(told: Any) -> bool:
    return bool((told.get("DkimAttributes") or {}).get("Status", "SUCCESS") != "SUCCESS")


@check("mail-account", local=False)
def account(found: Patient) -> Iterator[Told]:
    """SES is in its sandbox, is paused or under review, or its quota for today is nearly used up."""
    if "email" not in found.reached_by:
        return
    told = found.client("sesv2").get_account()
    if not told.get("ProductionAccessEnabled"):
        what = "SES is in its sandbox: 200 e-mails a day, one a second, to verified addresses alone"
        yield Told("error", what, f"ask AWS for production access: {_SANDBOX}")
    if not told.get("SendingEnabled", True):
        remedy = "read what AWS wrote to the account, and mend it: Support, Your account details"
        yield Told("error", "SES sends nothing for this account: it was paused", remedy)
    elif (status := told.get("EnforcementStatus", "HEALTHY")) != "HEALTHY":
        remedy = "look at bounces and complaints before SES pauses the account"
        yield Told("warning", f"SES has the account under review ({status})", remedy)
    quota = told.get("SendQuota") or {}
    most, sent = quota.get("Max24HourSend", -1), quota.get("SentLast24Hours", 0)
    if most > 0 and most - sent < _LEFT * most:
        what = f"{sent:,.0f} of the {most:,.0f} e-mails of 24 hours are sent; beyond, they wait"
        yield Told("warning", what, "ask AWS for more: Service Quotas, Amazon SES")


@check("mail-configuration")
def configuration(found: Patient) -> Iterator[Told]:
    """The stage's configuration set is missing, is switched off, or tells nobody of bounces and complaints."""
    if "email" not in found.reached_by:
        return
    ses, name = found.client("sesv2"), names.configuration_set(found.stage)
    try:
        told = ses.get_configuration_set(ConfigurationSetName=name)
    except ses.exceptions.NotFoundException:
        yield Told(
            "error", f"SES has no configuration set {name}: no mail goes out", "deploy the stage"
        )
        return
    if not (told.get("SendingOptions") or {}).get("SendingEnabled", True):
        remedy = f"aws sesv2 put-configuration-set-sending-options --configuration-set-name {name} --sending-enabled"
        yield Told("error", f"sending is switched off for {name}", remedy)
    asked = ses.get_configuration_set_event_destinations(ConfigurationSetName=name)
    if not any(_tells(one, found.stage) for one in asked.get("EventDestinations", ())):
        what = f"{name} tells nobody of bounces and complaints, so no address is ever stopped"
        yield Told("warning", what, "deploy the stage")


def _tells(destination: Any, stage: str) -> bool:
    arn = (destination.get("SnsDestination") or {}).get("TopicArn", "")
    return bool(destination.get("Enabled")) and arn.endswith(
        f":{names.topic(stage, names.RECEIPTS)}"
    )
