"""The identity that a stage's e-mails come from: known to SES, once for all stages of an account.

It is no part of the stack: the domain of dev and prod may be the same, and what is verified once must not
go away with a stage.
"""

from __future__ import annotations

import email.utils
from collections.abc import Callable, Mapping
from typing import Any

from cli.stages import stages


def domain_of(sender: str) -> str:
    """The domain that SES must know, to send what comes from `Abedul <hola@abedul.example>`."""
    return email.utils.parseaddr(sender)[1].rpartition("@")[2].lower()


def ensure(stage: str, clients: Callable[[str], Any], say: Callable[[str], None]) -> None:
    """Make SES know the domain of a stage's sender, and say what has to be done before mails go out.

    Raises
    ------
    BotoCoreError, ClientError : SES does not answer, or may not be asked.
    """
    sender = stages()[stage].sender
    if not sender:
        say(f"Stage {stage} sends no e-mails: stages.toml names no sender for it")
        return
    ses, domain = clients("sesv2"), domain_of(sender)
    try:
        found = ses.get_email_identity(EmailIdentity=domain)
    except ses.exceptions.NotFoundException:
        found = ses.create_email_identity(EmailIdentity=domain)
    if found.get("VerifiedForSendingStatus"):
        return
    say(f"SES does not know yet that {domain} is yours. Add these records to its DNS:")
    for record in records(domain, found):
        say(f"  {record}")


def records(domain: str, identity: Mapping[str, Any]) -> list[str]:
    """The records that a domain's DNS needs: DKIM, by which SES sees whose it is, and DMARC."""
    tokens = (identity.get("DkimAttributes") or {}).get("Tokens", ())
    found = [f"{token}._domainkey.{domain}  CNAME  {token}.dkim.amazonses.com" for token in tokens]
    return [*found, f'_dmarc.{domain}  TXT  "v=DMARC1; p=none"']
