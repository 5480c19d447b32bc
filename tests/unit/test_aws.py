from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest

from chalicelib import aws

TEXTS = ["", "plain", "a b+c&d=e%20", 'ñ €"{}\\n', "📦 línea\nnueva", "".join(map(chr, range(256)))]


@pytest.mark.parametrize("text", TEXTS)
def test_a_form_says_what_botocore_would_have_said(text: str) -> None:
    params: dict[str, Any] = {"body": {"Action": "Publish", "Message.member.1": text}}
    expected = parse_qs(urlencode(params["body"]), keep_blank_values=True)

    aws._encode_form(params)

    assert parse_qs(params["body"].decode("ascii"), keep_blank_values=True) == expected
