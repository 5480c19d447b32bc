"""Turn an event into words: `templates/<event type>/<locale>.j2` rendered to a message.

The blocks of a template are the channels. `body` is what the whole file (layout included) says;
every other channel is its own block, and a channel that a file leaves out falls back to the body.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import jinja2
from jinja2.exceptions import SecurityError

from chalicelib.errors import PermanentError
from chalicelib.events.event import Event
from chalicelib.words import limits
from chalicelib.words.environment import RenderTooLarge, make_environment

DEFAULT_LOCALE: Final = "es"
# A channel's block and the SNS protocols it speaks to; `body` is SNS's `default`, which every
# protocol without a text of its own gets, e-mail included.
# https://docs.aws.amazon.com/sns/latest/dg/sns-send-custom-platform-specific-payloads-mobile-devices.html
CHANNELS: Final[Mapping[str, tuple[str, ...]]] = {
    "email": ("email",),
    "sms": ("sms",),
    "push": ("GCM", "APNS", "APNS_SANDBOX"),
    "http": ("http", "https"),
    "sqs": ("sqs",),
    "lambda": ("lambda",),
}
_ONE_LINE: Final = frozenset(("subject", "sms", "push"))
_SPACE: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_BODY_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_BLANK_LINES: Final = re.compile(r"\n(?:[ \t]*\n){2,}")
# One for all: `json.dumps` with options makes a new encoder for every message.
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class RenderError(PermanentError):
    """The event does not render.

    `template` is the file and `field` the dotted name of what is missing (None where the trouble is
    not a field).
    """

    def __init__(self, reason: str, template: str, problem: str, field: str | None = None) -> None:
        super().__init__(reason, f"templates/{template}: {problem}")
        self.template = template
        self.problem = problem
        self.field = field


@dataclass(frozen=True, slots=True)
class Message:
    """What an event says in one locale. `bodies` has one text per SNS protocol, `default` first."""

    subject: str
    bodies: Mapping[str, str]
    locale: str
    version: str

    def to_sns(self) -> str:
        """The `Message` of a publication with `MessageStructure=json`."""
        return _ENCODER.encode(self.bodies)


class Templates:
    """The templates below `root`, each compiled when it is first used and then kept."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = make_environment(jinja2.FileSystemLoader(root))
        self._locales: dict[str, tuple[str, ...]] = {}
        self._versions: dict[str, str] = {}

    @functools.cached_property
    def types(self) -> tuple[str, ...]:
        """Every event type, sorted. Folders that start with `_` hold what the others share."""
        return tuple(
            sorted(
                folder.name
                for folder in self.root.iterdir()
                if folder.is_dir() and folder.name[0] not in "_."
            )
        )

    def locales(self, event_type: str) -> tuple[str, ...]:
        """The locales that an event type is written in; empty for an unknown type."""
        found = self._locales.get(event_type)
        if found is None:
            found = tuple(sorted(f.stem for f in (self.root / event_type).glob("*.j2")))
            if event_type in self.types:
                self._locales[event_type] = found
            else:
                return ()
        return found

    def locale_for(self, event_type: str, wanted: str | None) -> str:
        """The locale to write in: `es-AR` falls back to `es`, and what is not there to the default.

        Raises
        ------
        PermanentError : the event type is unknown or has no template at all.
        """
        there = self.locales(event_type)
        if not there:
            raise PermanentError("unknown-type", f"no event type {_shown(event_type)}")
        if wanted:
            tag = wanted.replace("_", "-")
            for candidate in there:
                if candidate.replace("_", "-").lower() == tag.lower():
                    return candidate
            language = tag.split("-")[0].lower()
            if language in there:
                return language
        return DEFAULT_LOCALE if DEFAULT_LOCALE in there else there[0]

    def render(self, event: Event, locale: str | None = None) -> Message:
        """Render `event` in `locale` (its own by default), falling back as `locale_for` says.

        Raises
        ------
        RenderError : a variable is missing, the template is broken, or SNS would refuse the result.
        PermanentError : the event type is unknown.
        """
        found = self.locale_for(event.type, locale or event.locale)
        name = f"{event.type}/{found}.j2"
        texts = self._texts(name, event, found)
        body = texts.pop("body")
        bodies = {"default": body}
        for channel, text in texts.items():
            if channel != "subject":
                _add_protocols(bodies, channel, texts["subject"], text)
        problem = limits.subject_problem(texts["subject"])
        if problem:
            raise RenderError("subject", name, f"the subject {problem}")
        if len(texts.get("sms", "")) > limits.SMS_CHARACTERS:
            too_long = f"the SMS has more than {limits.SMS_CHARACTERS} characters"
            raise RenderError("sms-too-long", name, too_long)
        return Message(texts["subject"], bodies, found, self.version(name))

    def version(self, name: str) -> str:
        """A short content hash of a template and of all that templates share."""
        known = self._versions.get(name)
        if known is None:
            digest = hashlib.sha256(self._shared)
            digest.update((self.root / name).read_bytes())
            known = self._versions[name] = digest.hexdigest()[:12]
        return known

    @functools.cached_property
    def _shared(self) -> bytes:
        return b"".join(file.read_bytes() for file in sorted(self.root.glob("_*/**/*.j2")))

    def _texts(self, name: str, event: Event, locale: str) -> dict[str, str]:
        """The text of every channel, or a RenderError that says what is wrong."""
        try:
            with self.environment.bounded():
                return self._channels(name, event, locale)
        except jinja2.UndefinedError as error:
            field = getattr(error, "field", None)
            what = f"{field} is missing from data" if field else str(error)
            raise RenderError("missing-data", name, what, field) from None
        except jinja2.TemplateSyntaxError as error:
            where = f"line {error.lineno}: {error.message}"
            raise RenderError("template", error.name or name, where) from None
        except jinja2.TemplateNotFound as error:
            raise RenderError("template", name, f"there is no template {error.name}") from None
        except RenderTooLarge as error:
            raise RenderError("too-large", name, str(error)) from None
        except SecurityError:
            raise RenderError("template", name, "does what the sandbox forbids") from None
        except jinja2.TemplateRuntimeError as error:  # Jinja's own words; they hold no value
            raise RenderError("template", name, str(error)) from None
        except (ValueError, TypeError, ArithmeticError, LookupError, AttributeError) as error:
            # A filter or an operator met a value that it cannot work on. Our own filters say what
            # they expect and show no value; Python's own messages might show one.
            own = isinstance(error, ValueError) and getattr(error, "heraldo", False)
            what = str(error) if own else "data has a value of the wrong kind for this template"
            raise RenderError("wrong-data", name, what) from None

    def _channels(self, name: str, event: Event, locale: str) -> dict[str, str]:
        """Run a template once, layout and all, then its other blocks in the same context.

        One context, so that the blocks can use what a layout sets or imports.
        """
        template = self.environment.get_template(name)
        context = template.new_context(
            {**event.data, "event": event.attributes(), "locale": locale}
        )
        join = self.environment.concat
        whole = join(template.root_render_func(context))
        blocks = context.blocks
        for required in ("subject", "body"):
            if required not in blocks:
                raise RenderError("template", name, f"has no block {required}")
        # A layout has a `body` block of its own, so two of them mean: the whole is the body.
        body = whole if len(blocks["body"]) > 1 else join(blocks["body"][0](context))
        texts = {"body": _tidy(body), "subject": _one_line(join(blocks["subject"][0](context)))}
        for channel in CHANNELS:
            if channel in blocks:
                text = join(blocks[channel][0](context))
                texts[channel] = _one_line(text) if channel in _ONE_LINE else _tidy(text)
        return texts


def _add_protocols(bodies: dict[str, str], channel: str, subject: str, text: str) -> None:
    if channel == "push":
        alert = {"title": subject, "body": text}
        bodies["GCM"] = json.dumps({"notification": alert}, ensure_ascii=False)
        apns = json.dumps({"aps": {"alert": alert}}, ensure_ascii=False)
        bodies["APNS"] = bodies["APNS_SANDBOX"] = apns
    else:
        for protocol in CHANNELS[channel]:
            bodies[protocol] = text


def _one_line(text: str) -> str:
    if text.isprintable():  # no control characters, and no space but the plain one
        return " ".join(text.split())
    return _SPACE.sub(" ", text).strip()


def _tidy(text: str) -> str:
    return _BLANK_LINES.sub("\n\n", _BODY_CONTROL.sub("", text)).strip()


def _shown(event_type: str) -> str:
    """An event type as an error may show it: only if it looks like one."""
    return event_type if re.fullmatch(r"[A-Za-z0-9._-]{1,64}", event_type) else "of that name"


@functools.cache
def templates() -> Templates:
    """The templates of this package, loaded once for the life of the worker."""
    return Templates(Path(__file__).resolve().parents[2] / "templates")
