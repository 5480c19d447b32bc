"""What may be posted to: URLs, and the addresses that their hosts turn out to have."""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from chalicelib.regex import regex

SHAPE: Final = "a URL, such as 'https://erp.example/in'"
# Printable and ASCII, so that none can end a line of a request: what else there may be in one is
# percent-encoded, or punycode in its host.
_URL: Final = regex(r"(https?)://[!-~]{1,2000}\Z")
_NAME: Final = regex(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_-]{1,63})*\.?\Z")
# How IPv6 writes an address of IPv4's, to which a router may lead it:
# https://www.rfc-editor.org/rfc/rfc6052, https://www.rfc-editor.org/rfc/rfc3056
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


def url_problem(url: str, *, anywhere: bool) -> str:
    """Why nothing can be posted to a URL; nothing where it can. `anywhere`: also unencrypted, and to this machine
    and its network. Does not show the URL."""
    if not _URL.match(url):
        return f"must be {SHAPE}, in ASCII"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return f"must be {SHAPE}"
    literal = _literal(host or "")
    if not host or port == 0 or (literal is None and not _NAME.match(host)):
        return f"must be {SHAPE}"
    if parts.username is not None or parts.password is not None:
        return "must name no user and no password: what is posted is signed"
    if parts.fragment:
        return "must have no #: no server gets to see what stands behind it"
    if anywhere:
        return ""
    if parts.scheme != "https":
        return "must begin with https://, or others could read what is posted"
    if not is_public(literal) if literal is not None else _is_local_name(host):
        return "leads into a network of its own: give a host on the Internet"
    return ""


def is_public(address: str) -> bool:
    """Whether an IP address is on the Internet, and not of a private network, this machine, or AWS's own there
    (169.254.169.254 and the like)."""
    # A scope (fe80::1%eth0) is no part of it.
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        within = found.ipv4_mapped or found.sixtofour
        if found in _NAT64:
            within = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if within is not None:
            found = within
    return found.is_global and not found.is_multicast and not found.is_reserved


def _literal(host: str) -> str | None:
    """A host that is an address itself."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


def _is_local_name(host: str) -> bool:
    name = host.lower().rstrip(".")
    return "." not in name or name.endswith((".localhost", ".local", ".internal"))
