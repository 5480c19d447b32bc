"""`./heraldo completion`: what a shell needs to complete Heraldo's commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script for a SHELL; load it from your shell's start-up file.

    \b
    echo 'eval "$(./heraldo completion bash)"' >> ~/.bashrc
    """
    from cli.main import main

    found = get_completion_class(shell)
    if found is None:
        raise click.ClickException(f"click has no completion for {shell}")
    click.echo(found(main, {}, "heraldo", "_HERALDO_COMPLETE").source())
