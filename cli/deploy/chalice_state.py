"""What plain `chalice deploy` must know of the deploys before it, asked of the account.

Chalice keeps it in `.chalice/deployed/<stage>.json`, which git ignores: whoever has no such file, or an
old one, would make a second API and second event source mappings. So it is written anew from what there
is: on every machine the same, and none where nothing is deployed yet.
"""

from __future__ import annotations

import io
import json
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from chalicelib import names
from chalicelib.rules import reading
from chalicelib.rules.reading import RoutingError
from chalicelib.rules.routing import Routing
from cli.deploy import policies
from cli.deploy.cloudformation import DeployError
from cli.paths import ROOT, ROUTING

Clients = Callable[[str], Any]
_MISSING = ("404", "NotFoundException", "ResourceNotFoundException")


def restore(stage: str, clients: Clients) -> str:
    """Write down what chalice has deployed of a stage; says what that is.

    Raises
    ------
    DeployError : a deploy with a lost state has made two APIs.
    """
    found = [
        resource
        for name in functions(stage, clients)
        for resource in _function(stage, name, clients)
    ]
    found += _api(stage, clients)
    file = ROOT / ".chalice" / "deployed" / f"{stage}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    state = {"resources": found, "schema_version": "2.0", "backend": "api"}
    file.write_text(json.dumps(state, indent=2) + "\n", "utf-8")
    shown = file.relative_to(ROOT)
    if not found:
        return f"{shown}: chalice has deployed nothing of {stage} here yet"
    return f"{shown}: as chalice last deployed {stage}"


def deployed_routing(stage: str, clients: Clients) -> Routing | None:
    """The lanes and topics that the functions use which are running now; None where there are none.

    Raises
    ------
    DeployError : there are functions, and what they use cannot be read.
    """
    try:
        package = deployed_package(stage, clients)
        if package is None:
            return None
        return reading.load(package.read(ROUTING).decode("utf-8"), stage)
    except (OSError, KeyError, zipfile.BadZipFile, UnicodeDecodeError, RoutingError) as error:
        raise DeployError(
            f"What the functions of {stage} use cannot be read ({type(error).__name__}), and something is"
            f" to be taken out. Run `chalice deploy --stage {stage}` first."
        ) from None


def deployed_package(stage: str, clients: Clients) -> zipfile.ZipFile | None:
    """What the functions that are running now were made of; None where there are none.

    Raises
    ------
    OSError, BadZipFile : there are functions, and their code cannot be fetched.
    """
    try:
        code = clients("lambda").get_function(
            FunctionName=policies.function_name(stage, policies.API)
        )
    except ClientError as error:
        if error.response["Error"]["Code"] not in _MISSING:
            raise
        return None
    with urllib.request.urlopen(code["Code"]["Location"], timeout=60) as answer:  # noqa: S310
        return zipfile.ZipFile(io.BytesIO(answer.read()))


def tells_outcomes(stage: str, clients: Clients) -> bool:
    """Whether the function that tells of outcomes is there."""
    name = policies.function_name(stage, names.OUTCOMES)
    try:
        clients("lambda").get_function_configuration(FunctionName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _MISSING:
            raise
        return False
    return True


def functions(stage: str, clients: Clients) -> Iterator[str]:
    """The names of a stage's functions that chalice has made, and not CloudFormation."""
    functions = clients("lambda")
    own = policies.function_name(stage, "")  # heraldo-dev-
    for page in functions.get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            name = function["FunctionName"]
            if name != own.removesuffix("-") and not name.startswith(own):
                continue
            tags = functions.list_tags(Resource=function["FunctionArn"]).get("Tags", {})
            by_chalice = f":stage={stage}:app=heraldo" in tags.get("aws-chalice", "")
            if by_chalice and "aws:cloudformation:stack-name" not in tags:
                yield name


def _function(stage: str, name: str, clients: Clients) -> Iterator[dict[str, Any]]:
    """A function as chalice writes it down: its role, itself, and what it is fed by."""
    own = policies.function_name(stage, "")
    short = name.removeprefix(own) if name.startswith(own) else policies.API
    found = clients("lambda").get_function(FunctionName=name)["Configuration"]
    role, arn = found["Role"], found["FunctionArn"]
    role_name = role.rsplit("/", 1)[1]
    yield {
        "name": f"{short}_role",
        "resource_type": "iam_role",
        "role_arn": role,
        "role_name": role_name,
    }
    yield {"name": short, "resource_type": "lambda_function", "lambda_arn": arn}
    pages = (
        clients("lambda").get_paginator("list_event_source_mappings").paginate(FunctionName=name)
    )
    for mapping in (mapping for page in pages for mapping in page["EventSourceMappings"]):
        if ":sqs:" not in mapping["EventSourceArn"]:
            continue  # a stream, which `make infra` connects: chalice would take it away
        yield {
            "name": f"{short}-sqs-event-source",
            "resource_type": "sqs_event",
            "queue_arn": mapping["EventSourceArn"],
            "event_uuid": mapping["UUID"],
            "queue": mapping["EventSourceArn"].rsplit(":", 1)[1],
            "lambda_arn": arn,
        }
    rules = clients("events").list_rule_names_by_target(TargetArn=arn)["RuleNames"]
    for rule in rules:
        yield {
            "name": rule.removeprefix(own),
            "resource_type": "cloudwatch_event",
            "rule_name": rule,
        }


def _api(stage: str, clients: Clients) -> list[dict[str, Any]]:
    """The API that may invoke the stage's function. All of an account's have one name: heraldo."""
    gateway = clients("apigateway")
    region = gateway.meta.region_name
    suffix = "amazonaws.com.cn" if gateway.meta.partition == "aws-cn" else "amazonaws.com"
    there = [api for api in _invokers(stage, clients) if _exists(gateway, api)]
    if len(there) > 1:
        raise DeployError(
            f"Stage {stage} has {len(there)} APIs ({', '.join(there)}), since it was deployed by somebody"
            " who did not know of the first. Delete those that nobody calls (aws apigateway"
            " delete-rest-api --rest-api-id …), and run this again."
        )
    return [
        {
            "name": "rest_api",
            "resource_type": "rest_api",
            "rest_api_id": api,
            "rest_api_url": f"https://{api}.execute-api.{region}.{suffix}/api/",
        }
        for api in there
    ]


def _invokers(stage: str, clients: Clients) -> list[str]:
    try:
        policy = clients("lambda").get_policy(
            FunctionName=policies.function_name(stage, policies.API)
        )
    except ClientError as error:
        if error.response["Error"]["Code"] not in _MISSING:
            raise
        return []
    conditions = [s.get("Condition", {}) for s in json.loads(policy["Policy"])["Statement"]]
    arns = [arn for found in conditions for pairs in found.values() for arn in pairs.values()]
    ids = [arn.split(":", 5)[5].partition("/")[0] for arn in arns if ":execute-api:" in arn]
    return list(dict.fromkeys(ids))


def _exists(gateway: Any, api: str) -> bool:
    try:
        gateway.get_rest_api(restApiId=api)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _MISSING:
            raise
        return False
    return True
