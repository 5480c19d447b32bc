"""The pictures of the console in docs/images, made from what the local stack really sent.

python -m tests.screenshots    beside `make run`, which it sends a few events to
"""

from __future__ import annotations

import json
import sys
import urllib.request
import uuid
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page, expect, sync_playwright

from cli.paths import ROOT
from cli.stack import where
from tests import chromium

IMAGES: Final = ROOT / "docs" / "images"
SENT: Final = (
    "order.placed",
    "payment.confirmed",
    "order.shipped",
    "cart.abandoned",
    "offer.published",
)


def main() -> int:
    if not where.LOCAL.exists():
        print("Nothing runs here: `make run` first, in another terminal.", file=sys.stderr)
        return 1
    local = json.loads(where.LOCAL.read_text("utf-8"))
    first, *_ = [_send(local, event_type) for event_type in SENT]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium.find(), args=list(chromium.QUIET)
        )
        page = browser.new_page(locale="en", viewport={"width": 1280, "height": 900})
        console = f"{local['api_url']}/console"
        page.goto(console)
        page.get_by_label("API key").fill(local["api_key"])
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Activity")
        page.goto(f"{console}/event?id={first}&source=local")
        expect(page.get_by_role("heading", level=1)).to_have_text("Delivered", timeout=60_000)
        _take(page, "event")
        page.goto(f"{console}/activity")
        _take(page, "activity")
        page.goto(f"{console}/figures?span=hour")
        _take(page, "figures")
        page.goto(f"{console}/send?type=order.placed")
        expect(page.frame_locator("iframe").first.get_by_text("Hola, Lucía:")).to_be_visible()
        _take(page, "send")
        browser.close()
    return 0


def _send(local: dict[str, Any], event_type: str) -> str:
    """Send the sample of a type under an id of its own."""
    sample = json.loads((ROOT / "templates" / event_type / "sample.json").read_text("utf-8"))
    event = {**sample, "id": f"{event_type}-{uuid.uuid4().hex[:8]}", "source": "local"}
    headers = {"Authorization": f"Bearer {local['api_key']}", "Content-Type": "application/json"}
    request = urllib.request.Request(
        f"{local['api_url']}/events", json.dumps(event).encode(), headers
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        accepted: dict[str, str] = json.load(answer)
    return accepted["id"]


def _take(page: Page, name: str) -> None:
    file = Path(IMAGES / f"{name}.png")
    page.screenshot(path=file)
    print(f"{file.relative_to(ROOT)}: {file.stat().st_size // 1024} KB")


if __name__ == "__main__":
    sys.exit(main())
