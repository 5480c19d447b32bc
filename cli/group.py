"""A group of commands that says which one was most likely meant."""

from __future__ import annotations

import click

from chalicelib.spelling import did_you_mean


class Group(click.Group):
    """As click's own, but a name that is none gets the nearest."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-"):
            near = did_you_mean(args[0], known) or f"; there are {', '.join(known)}"
            ctx.fail(f"There is no command {args[0]!r}{near}")
        return super().resolve_command(ctx, args)
