"""What is an e-mail address, and what a telephone number: enough to know that a provider takes it.

Whether somebody reads there, only sending to it shows. No library is loaded for it in Lambda: the command
line has `phonenumbers`, for it also reads numbers as people write them down.
"""

from __future__ import annotations

from typing import Final

from chalicelib.regex import regex

# https://www.rfc-editor.org/errata/eid1690
EMAIL_CHARACTERS: Final = 254
_LOCAL_CHARACTERS: Final = 64
# SES takes a local part in ASCII alone:
# https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_Destination.html
_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL: Final = regex(rf"{_ATOM}(\.{_ATOM})*\Z")
_LABEL: Final = regex(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)\Z")
# The same as clients' generators read it, for whom `format: email` is a library more. Domains with letters
# beyond ASCII are taken as well.
_END: Final = "([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
EMAIL: Final = rf"^{_ATOM}(\.{_ATOM})*@([A-Za-z0-9]{_END}\.)+[A-Za-z]{_END}$"
# ITU-T E.164: a country's code, which begins with no 0, and 15 digits in all at the most.
PHONE: Final = r"^\+[1-9][0-9]{7,14}$"
_PHONE: Final = regex(PHONE.removesuffix("$") + r"\Z")


def email_problem(text: str) -> str | None:
    """Why this is no e-mail address, with the remedy; None where it is one."""
    local, at, domain = text.rpartition("@")
    if not at or not local or not domain:
        return "is no e-mail address: write it as ana@example.com, without a name around it"
    if not text.isascii() and not local.isascii():
        return "has letters before the @ that mail is not sent to: they must be ASCII"
    domain = _punycode(domain)
    if len(local) + 1 + len(domain) > EMAIL_CHARACTERS or len(local) > _LOCAL_CHARACTERS:
        return f"is longer than an e-mail address may be ({EMAIL_CHARACTERS} characters)"
    if not _LOCAL.match(local):
        return "is no e-mail address: what stands before the @ has characters that it may not have"
    labels = domain.split(".")
    if (
        len(labels) < 2
        or not all(_LABEL.match(label) for label in labels)
        or labels[-1].isdecimal()
    ):
        return "is no e-mail address: what stands after the @ is no domain, such as example.com"
    return None


def normal_email(text: str) -> str:
    """An e-mail address as it is sent to and compared: its domain in lower case and punycode."""
    local, _, domain = text.rpartition("@")
    return f"{local}@{_punycode(domain).lower()}"


def phone_problem(text: str) -> str | None:
    """Why this is no telephone number, with the remedy; None where it is one."""
    if _PHONE.match(text):
        return None
    return (
        "is no number in international form: + and the country's code first, such as +34600111222"
    )


def _punycode(domain: str) -> str:
    if domain.isascii():
        return domain
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return domain
