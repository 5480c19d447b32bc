"""`./heraldo webhooks`: the servers outside of AWS that hear of events, and what they know our posts by."""

from __future__ import annotations

import json
import time
import uuid
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import click

from chalicelib import names
from chalicelib.channels import webhooks as channel
from chalicelib.channels.publication import POST_EVENT, POST_GROUP, POST_ID, Publication
from chalicelib.plan.compose import event_tag
from chalicelib.rules.routing import Webhook
from chalicelib.spelling import did_you_mean
from chalicelib.store import receipts, statuses, webhooks
from cli import target as targets
from cli.account import account, aws_errors, rules
from cli.group import Group
from cli.target import Target
from cli.terminal import Progress, confirm, table

TEST_TYPE: Final = "heraldo.test"
_LOOK_SECONDS: Final = 0.5


@click.group(cls=Group)
def command() -> None:
    """List webhooks, show and change their secrets, and try one.

    \b
    ./heraldo webhooks list
    ./heraldo webhooks secret erp
    ./heraldo webhooks test erp --stage prod
    """


@command.command("list")
@targets.stage_option
@targets.json_option
def list_(stage: str | None, as_json: bool) -> None:
    """List the webhooks of routing.toml, the rules that lead there, and whether they have a secret.

    Of a URL only the host is shown: what stands behind it may let somebody in.

    \b
    ./heraldo webhooks list --stage prod
    """
    target = account(stage)
    declared = rules(target.stage)
    rows: list[dict[str, Any]] = []
    with aws_errors(target):
        for name, webhook in declared.webhooks.items():
            leading = [rule.name for rule in declared.rules if f"webhook:{name}" in rule.to]
            has = bool(webhook.url) and webhooks.has(target.handle(), name)
            rows.append({"name": name, "host": _host(webhook), "rules": leading, "secret": has})
    if as_json:
        print(json.dumps({"webhooks": rows}, ensure_ascii=False))
    elif not rows:
        click.echo("No webhooks. Declare one under [webhooks] in chalicelib/routing.toml")
    else:
        shown = [
            (r["name"], r["host"] or "none here", " ".join(r["rules"]) or "none", _of(r))
            for r in rows
        ]
        table(("NAME", "HOST", "RULES", "SECRET"), shown)


@command.command
@click.argument("name", shell_complete=targets.complete_webhook)
@targets.stage_option
@targets.json_option
def secret(name: str, stage: str | None, as_json: bool) -> None:
    """Show the secret that a webhook's receiver verifies posts with; it is made if there is none.

    While one is being changed, there are two: the new one first.

    \b
    ./heraldo webhooks secret erp --stage prod
    """
    target = account(stage, changes=True)
    _named(target, name)
    with aws_errors(target):
        found = webhooks.made(target.handle(), name)
    if as_json:
        print(json.dumps({"name": name, "secrets": list(found)}))
        return
    for one in found:
        click.echo(one)


@command.command
@click.argument("name", shell_complete=targets.complete_webhook)
@click.option("--yes", is_flag=True, help="Do not ask.")
@targets.stage_option
@targets.json_option
def rotate(name: str, yes: bool, stage: str | None, as_json: bool) -> None:
    """Change the secret of a webhook, and show the new one.

    For a day posts are signed with both, so that its receiver can change over without losing any.

    \b
    ./heraldo webhooks rotate erp --stage prod
    """
    target = account(stage, changes=True)
    _named(target, name)
    confirm(f"Change the secret of webhook {name} in stage {target.stage}?", yes)
    with aws_errors(target):
        new = webhooks.rotate(target.handle(), name)
    if as_json:
        print(json.dumps({"name": name, "secret": new}))
        return
    click.echo(new)
    hours = webhooks.FADING_SECONDS // 3600
    told = f"Posts are signed with it within {webhooks.CACHE_SECONDS} seconds, and for {hours} hours with the one before as well."
    click.secho(told, fg="yellow", err=True)


@command.command
@click.argument("name", shell_complete=targets.complete_webhook)
@click.option("--wait", type=click.IntRange(1, 300), default=30, help="Seconds to wait for it.")
@targets.stage_option
@targets.json_option
def test(name: str, wait: int, stage: str | None, as_json: bool) -> None:
    """Post a test to a webhook the way that events go, and say what its receiver answers.

    What is posted has the type heraldo.test and no data.

    \b
    ./heraldo webhooks test erp --stage prod
    """
    target = account(stage, changes=True)
    _named(target, name)
    handle, event_id = target.handle(), f"test-{uuid.uuid4().hex}"
    tag = event_tag(event_id, "heraldo")
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body = {"type": TEST_TYPE, "timestamp": now, "data": {}, "id": event_id, "source": "heraldo"}
    about = {POST_ID: f"msg_{tag}", POST_GROUP: tag, POST_EVENT: tag}
    post = Publication("webhook", name, None, json.dumps(body), about, structured=False)
    with aws_errors(target):
        entry = channel.entry(0, post)
        del entry["Id"]
        handle.sqs.send_message(QueueUrl=handle.queue_url(names.WEBHOOKS), **entry)
        told, detail = _answer(handle, tag, wait)
    ok = told == statuses.DELIVERED
    if as_json:
        print(json.dumps({"name": name, "id": f"msg_{tag}", "status": told, "detail": detail}))
    elif told == statuses.AWAITED:
        problem = f"Nothing was posted within {wait} seconds: ./heraldo doctor looks why"
        click.secho(problem, fg="yellow")
    elif ok:
        click.secho(f"{name} took it ({detail})", fg="green")
    else:
        what = "it is a dead letter" if told == statuses.REJECTED else "it is posted again"
        click.secho(f"{name} did not take it ({detail}): {what}", fg="red")
    if not ok:
        raise SystemExit(1)


def _answer(handle: Any, tag: str, seconds: int) -> tuple[str, str]:
    """What became of the post of this tag, as soon as it is known."""
    until = time.monotonic() + seconds
    progress = Progress()
    try:
        while True:
            if found := receipts.of_event(handle, tag):
                return found[-1].kind, found[-1].detail
            if time.monotonic() > until:
                return statuses.AWAITED, ""
            progress.show("posted to the queue; waiting for what its receiver answers")
            time.sleep(_LOOK_SECONDS)
    finally:
        progress.end()


def _named(target: Target, name: str) -> Webhook:
    """The webhook of this name, which has a URL in the stage."""
    declared = rules(target.stage).webhooks
    if name not in declared:
        near = did_you_mean(name, list(declared)) or (
            f"; there are {', '.join(declared)}" if declared else ": routing.toml declares none"
        )
        raise click.BadParameter(f"there is no webhook {name!r}{near}", param_hint="NAME")
    if not declared[name].url:
        problem = f"routing.toml has no URL for webhook {name} in stage {target.stage}"
        raise click.ClickException(problem)
    return declared[name]


def _host(webhook: Webhook) -> str:
    return urlsplit(webhook.url).hostname or ""


def _of(row: dict[str, Any]) -> str:
    if not row["host"]:
        return ""
    return "yes" if row["secret"] else f"none yet: ./heraldo webhooks secret {row['name']}"
