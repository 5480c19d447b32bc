"""What a package is made of, for whoever has to know: https://cyclonedx.org/docs/1.6/json/."""

from __future__ import annotations

import email.parser
import json
from collections.abc import Iterator, Mapping
from email.message import Message
from typing import Any, Final

FILE: Final = "sbom.cdx.json"
_METADATA: Final = ".dist-info/METADATA"
# What METADATA says where its author left the licence to be found elsewhere.
_NONE: Final = ("", "UNKNOWN")


def sbom(entries: Mapping[str, bytes]) -> bytes:
    """The bill of materials of a zip with these entries: the same entries always give the same bytes.

    boto3 is none of them: it is Lambda's.
    """
    found = sorted(_libraries(entries), key=lambda library: str(library["purl"]))
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "bom-ref": "heraldo", "name": "heraldo"}},
        "components": found,
        "dependencies": [
            {"ref": "heraldo", "dependsOn": [library["bom-ref"] for library in found]}
        ],
    }
    return json.dumps(bill, indent=1, ensure_ascii=False).encode()


def _libraries(entries: Mapping[str, bytes]) -> Iterator[dict[str, Any]]:
    for name, content in entries.items():
        if not name.endswith(_METADATA):
            continue
        about = email.parser.HeaderParser().parsestr(content.decode())
        package, version = str(about["Name"]), str(about["Version"])
        purl = f"pkg:pypi/{package.lower().replace('_', '-')}@{version}"
        library: dict[str, Any] = {
            "type": "library",
            "bom-ref": purl,
            "name": package,
            "version": version,
            "purl": purl,
        }
        if licence := _licence(about):
            library["licenses"] = [licence]
        yield library


def _licence(about: Message) -> dict[str, Any] | None:
    """What a distribution says of its licence: an SPDX expression, or its own words."""
    if expression := about.get("License-Expression"):
        return {"expression": expression}
    words = str(about.get("License") or "").strip()
    if words in _NONE:
        kinds = [c for c in about.get_all("Classifier") or () if c.startswith("License :: ")]
        words = kinds[-1].rpartition(" :: ")[2] if kinds else ""
    return {"license": {"name": words.splitlines()[0]}} if words else None
