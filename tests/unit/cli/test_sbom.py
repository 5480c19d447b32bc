"""cli/deploy/sbom.py: what a package is made of, as CycloneDX has it."""

from __future__ import annotations

import json

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from cli.deploy.sbom import sbom

ENTRIES = {
    "app.py": b"",
    "jinja2-3.1.6.dist-info/METADATA": b"Metadata-Version: 2.4\nName: Jinja2\nVersion: 3.1.6\n"
    b"License-Expression: BSD-3-Clause\n\nText with Name: inside",
    "old_one-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: Old_One\nVersion: 1.0\n"
    b"License: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License\n\n",
    "older-0.1.dist-info/METADATA": b"Metadata-Version: 1.0\nName: older\nVersion: 0.1\n\n",
    "babel-2.18.0.dist-info/METADATA": "Name: babel\nVersion: 2.18.0\nLicense: BSD-3-Clause, ñ\n".encode(),
}


def test_it_is_what_cyclonedx_takes() -> None:
    text = sbom(ENTRIES).decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_every_library_stands_in_it_with_its_version_and_licence() -> None:
    found = {one["purl"]: one.get("licenses") for one in json.loads(sbom(ENTRIES))["components"]}
    assert found == {
        "pkg:pypi/babel@2.18.0": [{"license": {"name": "BSD-3-Clause, ñ"}}],
        "pkg:pypi/jinja2@3.1.6": [{"expression": "BSD-3-Clause"}],
        "pkg:pypi/old-one@1.0": [{"license": {"name": "MIT License"}}],
        "pkg:pypi/older@0.1": None,
    }


def test_the_same_entries_in_any_order_make_the_same_bytes() -> None:
    assert sbom(ENTRIES) == sbom(dict(reversed(ENTRIES.items())))
