"""An e-mail: a message's text, and the same words as HTML in the shop's layout.

`templates/_mail/` has the layout (`layout.j2`, compiled from `layout.mjml`) and, a file per language, what
stands at the foot of every mail. Without a layout, mails are text alone.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import jinja2
from markupsafe import Markup

from chalicelib.values import dataclass
from chalicelib.words import locales
from chalicelib.words.compiled import Compiled
from chalicelib.words.environment import make_environment
from chalicelib.words.markup import from_text, styled

if TYPE_CHECKING:
    from chalicelib.words.render import Message

LAYOUT: Final = "_mail/layout.j2"
FOOT: Final = ("preferences", "unsubscribe")
"""The words at the foot, each for the link of that name."""
CLIPPED_BYTES: Final = 102 * 1024
"""From here on Gmail cuts a mail's HTML off, and the foot with it."""
PREVIEW_CHARACTERS: Final = 120
"""What an inbox shows behind the subject at the most."""
_GREETING_CHARACTERS: Final = 60


@dataclass(frozen=True, slots=True)
class Links:
    """Where the reader of a mail says what they want to hear; empty: there is no such page."""

    unsubscribe: str = ""
    preferences: str = ""


@dataclass(frozen=True, slots=True)
class Mail:
    """The two parts of an e-mail; `html` is empty where there is no layout."""

    text: str
    html: str


class Stationery:
    """What all mails of a tree are written on.

    `locales` are those that the foot is written in, first the one for readers of none of them.
    """

    def __init__(self, root: Path, locales: Sequence[str]) -> None:
        self.environment = make_environment(jinja2.FileSystemLoader(root), escaping=True)
        self.environment.bytecode_cache = Compiled(root, "mails")
        self.environment.filters["styled"] = styled
        self._locales = locales
        self._feet: dict[str, Mapping[str, Any]] = {}

    def mail(self, message: Message, links: Links) -> Mail:
        """A message as an e-mail."""
        text = _text(message)
        foot = self.foot(message.locale)
        given = [(name, getattr(links, name)) for name in FOOT]
        shown = [(str(foot.get(name, url)), url) for name, url in given if url]
        lines = "".join(f"\n{words}: {url}" if words != url else f"\n{url}" for words, url in shown)
        return Mail(f"{text}\n{lines}" if lines else text, self._html(message, text, shown))

    def _html(self, message: Message, text: str, links: Sequence[tuple[str, str]]) -> str:
        if self._layout is None:
            return ""
        variables = {
            "content": Markup(self.letter(message)),  # noqa: S704 - it is HTML
            "links": links,
            "locale": message.locale,
            "preview": preview(text),
            "shop": self.environment.shop,
            "subject": message.subject,
        }
        with self.environment.bounded():
            context = self._layout.new_context(variables)
            return self.environment.concat(self._layout.root_render_func(context))

    def letter(self, message: Message) -> str:
        """What a mail says in HTML, without looks and layout."""
        return message.html or self.from_text(_text(message))

    def from_text(self, text: str) -> str:
        """A text as HTML. Its signature, which ends in the shop's address, leaves that to the foot."""
        shop = self.environment.shop
        before, _, last = text.rpartition("\n\n")
        *signature, address = last.split("\n")
        if address == shop.get("url") and not "".join(signature).endswith(":"):
            own = "" if signature == [shop.get("name")] else "\n".join(signature)
            text = f"{before}\n\n{own}".strip()
        return from_text(text) if text else ""

    @functools.cached_property
    def _layout(self) -> jinja2.Template | None:
        try:
            return self.environment.get_template(LAYOUT)
        except jinja2.TemplateNotFound:
            return None

    def foot(self, locale: str) -> Mapping[str, Any]:
        """The words at the foot, in the nearest locale that has them."""
        known = self._feet.get(locale)
        if known is None:
            nearest = locales.nearest(locale, self._locales) or next(iter(self._locales), None)
            found = self.environment.sets(f"_mail/{nearest}.j2") if nearest else {}
            known = self._feet[locale] = found
        return known


def _text(message: Message) -> str:
    return message.bodies.get("email") or message.bodies["default"]


def preview(text: str) -> str:
    """The start of what a text says, after its greeting: an inbox shows it behind the subject."""
    first, _, rest = text.partition("\n\n")
    if rest and first[-1:] in ":," and len(first) <= _GREETING_CHARACTERS and "\n" not in first:
        text = rest
    words = " ".join(text[: 2 * PREVIEW_CHARACTERS].split())
    return words if len(words) <= PREVIEW_CHARACTERS else words[: PREVIEW_CHARACTERS - 1] + "…"
