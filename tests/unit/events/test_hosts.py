"""chalicelib/events/hosts.py: what may be posted to."""

from __future__ import annotations

import pytest

from chalicelib.events.hosts import is_public, url_problem


@pytest.mark.parametrize(
    "url",
    [
        "https://erp.example",
        "https://erp.example/in?key=a%20b",
        "https://erp.example:8443/in",
        "https://xn--pedidos-8za.example/",
        "https://8.8.8.8/in",
        "https://[2606:4700:4700::1111]/in",
    ],
)
def test_what_is_on_the_internet_may_be_posted_to(url: str) -> None:
    assert url_problem(url, anywhere=False) == ""
    assert url_problem(url, anywhere=True) == ""


ONLY_LOCAL = "leads into a network of its own"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://erp.example/in", "must begin with https://"),
        ("https://localhost/in", ONLY_LOCAL),
        ("https://erp/in", ONLY_LOCAL),
        ("https://db.prod.internal/", ONLY_LOCAL),
        ("https://printer.local./", ONLY_LOCAL),
        ("https://2130706433/", ONLY_LOCAL),
        ("https://127.0.0.1/", ONLY_LOCAL),
        ("https://10.1.2.3/", ONLY_LOCAL),
        ("https://169.254.169.254/latest/meta-data/", ONLY_LOCAL),
        ("https://[::1]/", ONLY_LOCAL),
        ("https://[::ffff:10.0.0.1]/", ONLY_LOCAL),
    ],
)
def test_the_local_stage_alone_posts_into_its_own_network(url: str, problem: str) -> None:
    assert problem in url_problem(url, anywhere=False)
    assert url_problem(url, anywhere=True) == ""


@pytest.mark.parametrize(
    "url",
    [
        *("", "erp.example/in", "ftp://erp.example/", "https://", "https:///in", "https://?a"),
        *("https://erp.example/a b", "https://erp.example/\r\nX: 1", "https://erp.example/ñ"),
        *("https://erp.example:0/", "https://erp.example:70000/", "https://erp.example:x/"),
        *("https://[::1/", "https://erp..example/", "https://erp.example,other.example/"),
        *("https://ana:geheim@erp.example/", "https://ana@erp.example/", "https://@erp.example/"),
        "https://erp.example/#in",
        "https://erp.example/" + "a" * 2000,
    ],
)
def test_what_is_no_url_is_refused_and_not_shown(url: str) -> None:
    for anywhere in (False, True):
        problem = url_problem(url, anywhere=anywhere)
        assert problem.startswith("must ")
        assert "geheim" not in problem


@pytest.mark.parametrize(
    "address",
    [
        *("8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808", "2002:808:808::1"),
        "::ffff:8.8.8.8",
    ],
)
def test_an_address_is_on_the_internet(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        # https://www.iana.org/assignments/iana-ipv4-special-registry
        *("0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254"),
        *("169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.2.1", "192.168.1.1"),
        *("198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        # https://www.iana.org/assignments/iana-ipv6-special-registry
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1"),
        *("2001:db8::1", "2001::1"),
        # The same again, as IPv6 writes addresses of IPv4's.
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "64:ff9b::a9fe:a9fe"),
        *("2002:a00:1::1", "2002:7f00:1::1"),
    ],
)
def test_an_address_is_in_a_network_of_its_own(address: str) -> None:
    assert not is_public(address)
