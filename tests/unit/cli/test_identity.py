"""cli/deploy/identity.py: the domain that mails come from, and what is said of it."""

from __future__ import annotations

from typing import Any

import pytest

from cli.deploy import identity
from cli.stages import Settings
from tests.unit.cli.account import STAGE, Account

TOKENS = {"DkimAttributes": {"Tokens": ["t1", "t2", "t3"]}}
RECORDS = [
    "  t1._domainkey.abedul.example  CNAME  t1.dkim.amazonses.com",
    "  t2._domainkey.abedul.example  CNAME  t2.dkim.amazonses.com",
    "  t3._domainkey.abedul.example  CNAME  t3.dkim.amazonses.com",
    '  _dmarc.abedul.example  TXT  "v=DMARC1; p=none"',
]


def said(monkeypatch: pytest.MonkeyPatch, sender: str | None, **answers: Any) -> list[str]:
    monkeypatch.setattr(identity, "stages", lambda: {STAGE: Settings(STAGE, sender=sender)})
    told: list[str] = []
    identity.ensure(STAGE, Account(answers).client, told.append)
    return told


def test_a_domain_that_ses_does_not_know_is_made_known_and_its_records_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = said(
        monkeypatch,
        "Abedul <hola@Abedul.example>",
        GetEmailIdentity="NotFoundException",
        CreateEmailIdentity=TOKENS,
    )
    assert told[0].startswith("SES does not know yet that abedul.example is yours")
    assert told[1:] == RECORDS


def test_the_records_are_told_until_ses_has_seen_them(monkeypatch: pytest.MonkeyPatch) -> None:
    told = said(monkeypatch, "hola@abedul.example", GetEmailIdentity=TOKENS)
    assert told[1:] == RECORDS


def test_of_a_verified_domain_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    verified = TOKENS | {"VerifiedForSendingStatus": True}
    assert said(monkeypatch, "hola@abedul.example", GetEmailIdentity=verified) == []


def test_without_a_sender_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(monkeypatch, None) == [
        "Stage dev sends no e-mails: stages.toml names no sender for it"
    ]
