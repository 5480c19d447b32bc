"""The identity that a stage's e-mails come from: known to SES, once for all stages of an account.

It is no part of the stack: the domain of dev and prod may be the same, and what is verified once must not
go away with a stage.
"""

from __future__ import annotations

import email.utils
from collections.abc import Callable
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
    for token in found.get("DkimAttributes", {}).get("Tokens", ()):
        say(f"  {token}._domainkey.{domain}  CNAME  {token}.dkim.amazonses.com")
    say(f'  _dmarc.{domain}  TXT  "v=DMARC1; p=none"')
