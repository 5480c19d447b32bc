"""Mails, as a browser shows them."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click


def show(html: str, file: Path) -> None:
    """Keep a mail's HTML in a file, and show that; where there is no browser, somebody else may."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(html, "utf-8")
    if not webbrowser.open(file.as_uri()):
        click.echo("No browser could be started here; open that file in one.", err=True)
