"""The shipped mails, and what holds of a mail at every width."""

from __future__ import annotations

from playwright.sync_api import Page

from chalicelib.words.render import templates

WIDTHS = (320, 600, 700)
MAILS = [(t, locale) for t in templates().types for locale in templates().locales(t)]

# Where texts stand that nobody gets to read whole: beyond the edge of the page, or of what hides the rest.
CUT = """() => {
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; node = walk.nextNode();) {
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of node.data.trim() ? range.getClientRects() : []) {
      let [left, right] = [0, document.documentElement.clientWidth];
      for (let around = node.parentElement; around; around = around.parentElement)
        if (getComputedStyle(around).overflowX !== "visible") {
          const edge = around.getBoundingClientRect();
          [left, right] = [Math.max(left, edge.left), Math.min(right, edge.right)];
        }
      if (box.left < left - 0.5 || box.right > right + 0.5) found.push(node.data.trim());
    }
  }
  return found;
}"""


def look(page: Page, width: int) -> None:
    """Nothing of a mail is beyond the edge, or cut off, at a width in pixels."""
    page.set_viewport_size({"width": width, "height": 800})
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide == width, f"{width} px: one would have to scroll to {wide}"
    assert page.evaluate(CUT) == [], f"{width} px: cut off"
