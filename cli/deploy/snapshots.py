"""Functions that begin from a snapshot (`snap_start = true` in stages.toml): the two that somebody waits for.

Lambda takes it as a version is published, and calls come to versions by an alias:
https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html
"""

from __future__ import annotations

import json
from typing import Any, Final

from chalicelib import names
from cli.deploy import policies

FUNCTIONS: Final = (policies.API, names.CONSOLE)
PYTHON: Final = (3, 12)
"""The first that there are snapshots for: https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html#snapstart-runtimes"""


def properties() -> dict[str, Any]:
    """What makes SAM publish a version at each change, with a snapshot, and take the one before away, for each
    is paid for as long as it is kept."""
    return {
        "SnapStart": {"ApplyOn": "PublishedVersions"},
        "AutoPublishAlias": names.LIVE,
        "AutoPublishAliasAllProperties": True,
        "VersionDeletionPolicy": "Delete",
    }


def lead_to_alias(template: dict[str, Any]) -> dict[str, Any]:
    """Have API Gateway call the alias of the API's function, where chalice has it call the function."""
    permission = template["Resources"]["APIHandlerInvokePermission"]["Properties"]
    permission["FunctionName"] = {"Ref": "APIHandler.Alias"}
    api = json.dumps(template["Resources"]["RestAPI"])
    led = api.replace("${APIHandler.Arn}", "${APIHandler.Alias}")
    template["Resources"]["RestAPI"] = json.loads(led)
    return template
