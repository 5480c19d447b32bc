"""The commands of `./heraldo`. Each is `command` in the module of its name, imported when it is used."""

from __future__ import annotations

import importlib
import os
from typing import Final

import click

from cli.group import Group

# name: the module in cli/commands/, and the line that `./heraldo --help` shows
COMMANDS: Final = {
    "send": ("send", "Send an event; without --data, its type's sample."),
    "status": ("status", "Show what became of an event, and why."),
    "cancel": ("cancel", "Have an event that is held never go out."),
    "ack": ("ack", "Say that somebody is on an event: its journey ends."),
    "events": ("events", "Count events by status, or list those of one."),
    "plan": ("plan", "Show what would happen to an event, and why; nothing is sent."),
    "preview": ("preview", "Show what a template says, in every channel and locale."),
    "lint": ("lint", "Find mistakes in templates, samples and rules."),
    "rules": ("rules", "List the routing rules, and try them on examples."),
    "journeys": (
        "journeys",
        "Try journeys, a week in a second; draw them; see and stop their runs.",
    ),
    "event-types": ("event_types", "List what can be sent, and the data that it needs."),
    "cost": ("cost", "Compute what an event type costs on AWS, service by service."),
    "top": ("top", "Show the lanes live: what waits, how long, what fails."),
    "doctor": ("doctor", "Say what would not be delivered today, and why."),
    "verify": ("verify", "Try a deployed stage from end to end, and measure it."),
    "dead-letters": ("dead_letters", "See what the lanes gave up on, why, and put it back."),
    "keys": ("keys", "Create, list and revoke the keys that open the API."),
    "webhooks": ("webhooks", "List webhooks, show and change their secrets, and try one."),
    "recipients": ("recipients", "Keep whom events are for: contacts, wishes, consent."),
    "subscribe": ("subscribe", "Let somebody hear a topic, or what a filter lets through."),
    "subscriptions": ("subscriptions", "List who hears what, pending confirmations included."),
    "unsubscribe": ("unsubscribe", "End a subscription."),
    "inbox": ("inbox", "Show what subscribers received on the local stack."),
    "completion": ("completion", "Print the completion script for your shell."),
}


class _Lazy(Group):
    """Imports a command only when it is run, so that --help does not wait for boto3."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"cli.commands.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def main(context: click.Context) -> None:
    """Heraldo tells people what happened: an event goes in, the right ones get the words."""
    if os.environ.get("NO_COLOR"):  # https://no-color.org
        context.color = False


if __name__ == "__main__":
    main(prog_name="./heraldo", complete_var="_HERALDO_COMPLETE")
