"""Brings a stage to AWS (or to the local one): the packaged stack, or only what is around it.

python -m cli.deploy.deploy --stage dev          everything, as one stack: heraldo-dev
python -m cli.deploy.deploy --stage dev --infra  queues, topics, tables: heraldo-dev-infra,
                                          for a plain `chalice deploy --stage dev` after it
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import click
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from chalicelib.names import Place
from chalicelib.rules import reading
from chalicelib.rules.reading import RoutingError
from chalicelib.stage import Stage
from chalicelib.store import secrets, webhooks
from cli import region
from cli.deploy import (
    chalice_state,
    encryption,
    generated,
    identity,
    journeys,
    kept,
    package,
    remains,
    resources,
)
from cli.deploy import review as reviews
from cli.deploy.cloudformation import DeployError, Resource, Say, Stack
from cli.deploy.review import Review
from cli.paths import HOME, ROOT, ROUTING
from cli.stages import LOCAL, STAGE, stages

# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html:
# 51,200 bytes in the request, 1 MB from S3.
_BODY_BYTES: Final = 51_200

Clients = Callable[[str], Any]


def unseen(_stack: Stack, _template: Mapping[str, Any]) -> bool:
    """Nobody looks at what is about to change."""
    return True


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployed stack: its name and its outputs."""

    name: str
    outputs: dict[str, str]


def deploy(
    built: package.Package,
    clients: Clients,
    say: Say = print,
    quiet: float = kept.QUIET_SECONDS,
    review: Review = unseen,
) -> Deployed:
    """Create or update the one stack that holds everything of the package's stage, once `review` has seen it.

    Raises
    ------
    DeployError : nothing was changed, or what was is as it was before.
    """
    stack = Stack(clients("cloudformation"), f"heraldo-{built.stage}", say)
    _refuse_two_ways(clients, built.stage, f"{stack.name}-infra", "make infra and chalice deploy")
    store = _Store(clients, built.stage)
    content = built.zip_file.read_bytes()
    code = store.key(content, "zip")
    template = json.loads(json.dumps(built.template))
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = {"Bucket": store.bucket, "Key": code}
    template = _spoken_to(clients, template)
    gone = kept.taken_out(stack, template)

    def ready() -> None:
        if review(stack, template):
            say(f"Uploading the package, {len(content) / 1e6:.1f} MB")
            store.put(content, "zip")

    return _bring(stack, clients, built.stage, template, gone, store, say, quiet, ready)


def deploy_infra(
    stage: str,
    clients: Clients,
    say: Say = print,
    quiet: float = kept.QUIET_SECONDS,
    review: Review = unseen,
) -> Deployed:
    """Create or update the stack that holds what a plain `chalice deploy` needs around it.

    What the deployed functions still use stays until functions are deployed that do not.

    Raises
    ------
    DeployError : as `deploy`.
    """
    package.refuse_a_broken_tree()
    stack = Stack(clients("cloudformation"), f"heraldo-{stage}-infra", say)
    _refuse_two_ways(clients, stage, f"heraldo-{stage}", "make deploy")
    running = chalice_state.tells_outcomes(stage, clients)
    declared = template = resources.infrastructure(stage, running=running)
    gone = kept.taken_out(stack, declared)
    if gone:
        kept.refuse_what_holds(_account(clients), gone, stage)
        used = chalice_state.deployed_routing(stage, clients)
        template = resources.infrastructure(stage, also=used, running=running)
        gone = kept.taken_out(stack, template)
    template = _spoken_to(clients, template)
    file = HOME / "infra" / f"{stage}.yaml"
    resources.write(template, file)
    say(f"The template: {file.relative_to(ROOT)}")

    def ready() -> None:
        review(stack, template)

    store = _Store(clients, stage)
    done = _bring(stack, clients, stage, template, gone, store, say, quiet, ready)
    if waits := sorted(template["Resources"].keys() - declared["Resources"].keys()):
        say(
            f"{', '.join(waits)}: taken out of routing.toml, but the deployed functions use it. Run"
            f" `chalice deploy --stage {stage}`, and `make infra STAGE={stage}` once more."
        )
    if "OutcomesDeadQueue" in declared["Resources"] and not running:
        say(
            f"Nobody is told of outcomes yet, for their function is not there. Run `chalice deploy --stage {stage}`,"
            f" and `make infra STAGE={stage}` once more."
        )
    say(chalice_state.restore(stage, clients))
    return done


def _bring(
    stack: Stack,
    clients: Clients,
    stage: str,
    template: Mapping[str, Any],
    gone: list[Resource],
    store: _Store,
    say: Say,
    quiet: float,
    ready: Callable[[], None],
) -> Deployed:
    """Bring a stack to a template without losing what is in the account, or stumbling over it; `ready` is called
    before anything is changed."""
    account = _account(clients)
    kept.refuse_what_holds(account, gone, stage)
    journeys.tell_taken_out(stack.resources(), template, clients("stepfunctions"), say)
    ready()
    kept.adopt(stack, account, template, store.hand_in)
    outputs = stack.apply(store.hand_in(template))
    kept.delete_what_stayed_empty(account, gone, say, quiet)
    secrets.made(Stage(stage, clients))
    for webhook in reading.read(ROOT / ROUTING, stage).webhooks.values():
        if webhook.url:
            webhooks.made(Stage(stage, clients), webhook.name)
    identity.ensure(stage, clients, say)
    return Deployed(stack.name, outputs)


def _spoken_to(clients: Clients, template: dict[str, Any]) -> dict[str, Any]:
    """A template for the AWS that these clients speak to: that of this machine knows plain HTTP alone."""
    plain = clients("sqs").meta.endpoint_url.startswith("http:")
    return encryption.allow_plain_http(template) if plain else template


def _refuse_partition(stage: str, where: Place) -> None:
    """What is packaged for one partition does not work in another."""
    if region.partition(stages()[stage].region) != where.partition:
        raise DeployError(
            f"{where.region} is in the partition {where.partition}, and what is packaged for stage {stage}"
            f' is not. Say region = "{where.region}" under [{stage}] in stages.toml.'
        )


def _refuse_two_ways(clients: Clients, stage: str, other: str, way: str) -> None:
    """Both ways make functions of the same names."""
    if Stack(clients("cloudformation"), other, print).exists():
        raise DeployError(
            f"Stage {stage} was deployed with {way} (there is a stack {other}). Go on like that, or take"
            " that stage away first: see docs/deploy.md."
        )


class _Store:
    """The account's bucket for packages, made when something is first put into it."""

    def __init__(self, clients: Clients, stage: str) -> None:
        self._s3 = clients("s3")
        self._stage = stage
        self.bucket = remains.bucket(clients, place(clients).account)
        self._ready = False

    def key(self, content: bytes, ending: str) -> str:
        """The name under which `content` is kept."""
        return f"{self._stage}/{hashlib.sha256(content).hexdigest()}.{ending}"

    def put(self, content: bytes, ending: str) -> str:
        """Keep `content` under a name that says what it is; gives its key."""
        if not self._ready:
            self._make()
        key = self.key(content, ending)
        self._s3.put_object(Bucket=self.bucket, Key=key, Body=content)
        return key

    def hand_in(self, template: Mapping[str, Any]) -> dict[str, str]:
        """A template as CloudFormation takes it: as it is, or from S3 where it is large."""
        body = json.dumps(template, separators=(",", ":"), default=str)
        if len(body.encode()) <= _BODY_BYTES:
            return {"TemplateBody": body}
        key = self.put(body.encode(), "json")
        return {"TemplateURL": f"{self._s3.meta.endpoint_url}/{self.bucket}/{key}"}

    def _make(self) -> None:
        region_name = self._s3.meta.region_name
        try:
            self._s3.head_bucket(Bucket=self.bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
                raise
            place = {} if region_name == "us-east-1" else {"LocationConstraint": region_name}
            asked = {"CreateBucketConfiguration": place} if place else {}
            self._s3.create_bucket(Bucket=self.bucket, **asked)
            self._s3.put_public_access_block(
                Bucket=self.bucket,
                PublicAccessBlockConfiguration={
                    "BlockPublicAcls": True,
                    "IgnorePublicAcls": True,
                    "BlockPublicPolicy": True,
                    "RestrictPublicBuckets": True,
                },
            )
            if self._s3.meta.endpoint_url.startswith("https:"):
                policy = json.dumps(encryption.bucket_policy(self.bucket, self._s3.meta.partition))
                self._s3.put_bucket_policy(Bucket=self.bucket, Policy=policy)
        self._ready = True


def place(clients: Clients) -> Place:
    """The account and region that these clients talk to."""
    sts = clients("sts")
    account = sts.get_caller_identity()["Account"]
    return Place(sts.meta.partition, sts.meta.region_name, account)


def _account(clients: Clients) -> kept.Account:
    return kept.Account(clients, place(clients))


@click.command()
@click.option("--stage", type=STAGE, required=True)
@click.option("--infra", is_flag=True, help="Only what a plain `chalice deploy` needs around it.")
@click.option("--yes", is_flag=True, help="Do not ask, on a terminal either.")
def main(stage: str, infra: bool, yes: bool) -> None:
    """Show what changes, and deploy a stage with the AWS configuration of this shell (profile, region, endpoint)."""
    clients = region.clients(stage)
    try:
        where = place(clients)
        if stage == LOCAL and "amazonaws.com" in clients("sts").meta.endpoint_url:
            raise DeployError("Stage local is what `make run` brings up; AWS gets another.")
        _refuse_partition(stage, where)
        what = f"heraldo-{stage}{'-infra' if infra else ''}"
        print(f"{what}: account {where.account}, region {where.region}")
        for path in generated.renew():
            print(f"{path.relative_to(ROOT)} was out of date, and is written anew: commit it")
        if infra:
            review = reviews.of_infrastructure(stage, clients, yes)
            done = deploy_infra(stage, clients, review=review)
        else:
            print(f"Packaging stage {stage}")
            review = reviews.of_package(stage, clients, yes)
            done = deploy(package.build(stage), clients, review=review)
    except (NoCredentialsError, NoRegionError) as error:
        raise click.ClickException(f"{error} {region.REMEDY}") from None
    except (DeployError, package.PackageError, RoutingError, BotoCoreError, ClientError) as error:
        raise click.ClickException(str(error)) from None
    print(f"{done.name} is deployed")
    if url := done.outputs.get("EndpointURL"):
        print(f"API: {url.rstrip('/')}")


if __name__ == "__main__":
    main()
