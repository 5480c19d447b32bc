"""Turn an event into words: `templates/<event type>/<locale>.j2` rendered to a message.

The blocks of a template are the channels. `body` is what the whole file (layout included) says;
every other channel is its own block, and a channel that a file leaves out falls back to the body.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import jinja2
from jinja2.runtime import Context

from chalicelib.errors import PermanentError
from chalicelib.events.event import Event
from chalicelib.values import dataclass
from chalicelib.words import limits, locales, tidy
from chalicelib.words.budget import RenderTooLarge, has_gaps
from chalicelib.words.compiled import Compiled
from chalicelib.words.environment import HeraldoEnvironment, make_environment
from chalicelib.words.faults import Fault, place_of_error
from chalicelib.words.mail import LAYOUT, Links, Mail, Stationery
from chalicelib.words.text import MissingField
from chalicelib.words.tracing import trace, tracer
from chalicelib.words.wording import WRONG, in_words

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
_TIDY: Final = {"push": tidy.one_line, "sms": tidy.sms}
# One for all: `json.dumps` with options makes a new encoder for every message.
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class RenderError(PermanentError):
    """The event does not become words: `faults` has everything that is wrong, the first is told."""

    def __init__(self, reason: str, *faults: Fault) -> None:
        first = faults[0]
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        super().__init__(reason, f"templates/{first.place}: {first}{more}")
        self.faults = faults

    @property
    def first(self) -> Fault:
        return self.faults[0]

    @classmethod
    def of(cls, errors: Sequence[RenderError]) -> RenderError:
        """One error for what several renderings of an event stumbled over; each field is told once."""
        found: dict[Any, Fault] = {}
        for error in errors:
            for fault in error.faults:
                found.setdefault(fault.field or (fault.template, fault.line, fault.problem), fault)
        return cls(errors[0].reason, *found.values())


@dataclass(frozen=True, slots=True)
class Message:
    """What an event says in one locale. `bodies` has one text per SNS protocol, `default` first.

    `words` is the file that it was rendered from: `es`, or `company.es`. `gaps`: some field that is
    printed in it is empty (`Templates.gaps` tells which). `html`: what an e-mail says in HTML where the
    type has a block for it; others have it made from their text.
    """

    subject: str
    bodies: Mapping[str, str]
    words: str
    version: str
    gaps: bool = False
    html: str = ""

    @property
    def locale(self) -> str:
        return locale_of(self.words)

    @property
    def sms(self) -> str:
        """What a text message says: block sms, or else the body."""
        text = self.bodies.get("sms")
        return tidy.whole_sms(self.bodies["default"]) if text is None else text

    def to_sns(self) -> str:
        """The `Message` of a publication with `MessageStructure=json`."""
        return _ENCODER.encode(self.bodies)

    def for_push(self) -> str:
        """The same for a person's device: without a push block, the subject and how the body begins."""
        bodies = {name: self.bodies[name] for name in _PUSH if name in self.bodies}
        if not bodies:
            _add_protocols(bodies, "push", self.subject, _beginning(self.bodies["default"]))
        return _ENCODER.encode({"default": self.subject, **bodies})


_NO_LINKS: Final = Links()


class Templates:
    """The templates below `root`, each compiled when it is first used and then kept."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = make_environment(jinja2.FileSystemLoader(root))
        self.environment.bytecode_cache = Compiled(root, "texts")
        self._words: dict[str, tuple[str, ...]] = {}
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

    def words(self, event_type: str) -> tuple[str, ...]:
        """What an event type is written in, as its files are called: `es`, and `company.es` where an
        audience has words of its own. Empty for an unknown type."""
        found = self._words.get(event_type)
        if found is None:
            if event_type not in self.types:  # nor is it a name that a file could have
                return ()
            found = tuple(sorted(f.stem for f in (self.root / event_type).glob("*.j2")))
            self._words[event_type] = found
        return found

    def locales(self, event_type: str) -> tuple[str, ...]:
        """The locales that an event type is written in for everybody; empty for an unknown type."""
        return tuple(words for words in self.words(event_type) if "." not in words)

    def words_for(self, event_type: str, wanted: str | None, audience: str = "") -> str:
        """The words to write with: an audience's own, if it has any of this type, else everybody's; in
        the locale nearest to the one that is wanted, or else the default.

        Raises
        ------
        PermanentError : the event type is unknown or has no template at all.
        """
        if audience:
            own = f"{audience}."
            there = [w.removeprefix(own) for w in self.words(event_type) if w.startswith(own)]
            if there:
                return own + _nearest(wanted, there)
        found = self.locales(event_type)
        if not found:
            raise PermanentError("unknown-type", f"no event type {_shown(event_type)}")
        return _nearest(wanted, found)

    def render(self, event: Event, words: str | None = None, ack_url: str = "") -> Message:
        """Render `event` with these words of its type, as `words_for` gives them; by default those
        that everybody gets in the event's own locale. `ack_url` is where it is acknowledged, if it can be.

        Raises
        ------
        RenderError : a variable is missing, the template is broken, or SNS would refuse the result.
        PermanentError : the event type is unknown.
        """
        if words is None or words not in self.words(event.type):
            words = self.words_for(event.type, words or event.locale)
        name = f"{event.type}/{words}.j2"
        texts, gaps = self._texts(name, event, words, ack_url)
        body, html = texts.pop("body"), texts.pop("html", "")
        bodies = {"default": body}
        for channel, text in texts.items():
            if channel != "subject":
                _add_protocols(bodies, channel, texts["subject"], text)
        problem = limits.subject_problem(texts["subject"])
        if problem:
            raise RenderError("subject", Fault(f"the subject {problem}", name))
        if len(texts.get("sms", "")) > limits.SMS_CHARACTERS:
            too_long = f"the SMS has more than {limits.SMS_CHARACTERS} characters"
            raise RenderError("sms-too-long", Fault(too_long, name))
        problem = limits.push_problem(bodies.get("GCM", ""))
        if problem:
            raise RenderError("push-too-large", Fault(f"the push message {problem}", name))
        return Message(texts["subject"], bodies, words, self.version(name), gaps, html)

    def mail(self, message: Message, links: Links = _NO_LINKS) -> Mail:
        """A message as an e-mail, with these links at its foot.

        Raises
        ------
        RenderError : the layout or the foot of mails is broken, whatever the message.
        """
        try:
            return self.stationery.mail(message, links)
        except (jinja2.TemplateError, *WRONG) as error:
            raise _broken(error, LAYOUT) from None

    def foot(self, locale: str) -> Mapping[str, Any]:
        """What stands at the foot of mails in this locale, or the nearest that there is."""
        return self.stationery.foot(locale)

    def letter(self, message: Message) -> str:
        """What a message says as an e-mail's HTML, without looks and layout."""
        return self.stationery.letter(message)

    def gaps(self, event: Event, words: str) -> list[Fault]:
        """The fields of an event that these words of its type print, and that are empty."""
        name, attributes, variables = _used(event, words)
        return list(trace(self._tracer, name, variables, attributes).gaps.values())

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

    def _texts(
        self, name: str, event: Event, words: str, ack_url: str
    ) -> tuple[dict[str, str], bool]:
        """The text of every channel and whether it has gaps, or a RenderError with what is wrong."""
        _, attributes, variables = _used(event, words, ack_url)
        try:
            with self.environment.bounded():
                return self._channels(name, variables), has_gaps()
        except (
            *(jinja2.TemplateSyntaxError, jinja2.TemplateNotFound),
            *(RenderTooLarge, UnicodeDecodeError),
        ) as error:
            raise _broken(error, name) from None
        except (jinja2.TemplateRuntimeError, *WRONG) as error:
            # A value that is not there or is of the wrong kind: all of them are told.
            found = trace(self._tracer, name, variables, attributes).told()
            if not found:
                found = [Fault(in_words(error), *(place_of_error(error) or (name, 0)))]
            first = found[0]
            reason = (
                "missing-data" if first.missing else "wrong-data" if first.field else "template"
            )
            raise RenderError(reason, *found) from None

    @functools.cached_property
    def stationery(self) -> Stationery:
        """What mails are written on."""
        feet = [f.stem for f in (self.root / "_mail").glob("*.j2") if f.stem != "layout"]
        feet.sort(key=lambda locale: (locale != DEFAULT_LOCALE, locale))
        return Stationery(self.root, feet)

    @functools.cached_property
    def _tracer(self) -> HeraldoEnvironment:
        return tracer(jinja2.FileSystemLoader(self.root))

    def _channels(self, name: str, variables: dict[str, Any]) -> dict[str, str]:
        """Run a template once, layout and all, then its other blocks in the same context.

        One context, so that the blocks can use what a layout sets or imports.
        """
        template = self.environment.get_template(name)
        context = template.new_context(variables)
        join = self.environment.concat
        whole = join(template.root_render_func(context))
        blocks = context.blocks
        for required in ("subject", "body"):
            if required not in blocks:
                raise RenderError("template", Fault(f"there is no block {required}", name))
        # A layout has a `body` block of its own, so two of them mean: the whole is the body.
        body = whole if len(blocks["body"]) > 1 else join(blocks["body"][0](context))
        subject = join(blocks["subject"][0](context))
        texts = {"body": tidy.body(body), "subject": tidy.one_line(subject)}
        for channel in CHANNELS:
            if channel in blocks:
                text = join(blocks[channel][0](context))
                texts[channel] = _TIDY.get(channel, tidy.body)(text)
        if "html" in blocks:
            texts["html"] = self._html(name, variables)
        return texts

    def _html(self, name: str, variables: dict[str, Any]) -> str:
        """Block html in the place of the body, and what a layout says around it as HTML."""
        around, context = _around(self.environment, name, variables)
        if len(context.blocks["body"]) == 1:  # no layout: what stands around is other channels
            around = ""
        _, context = _around(self.stationery.environment, name, variables)
        inside = tidy.body(self.environment.concat(context.blocks["html"][0](context)))
        before, _, after = around.partition(_BODY)
        as_html = self.stationery.from_text
        parts = (as_html(tidy.body(before)), inside, as_html(tidy.body(after)))
        return "\n".join(part for part in parts if part)


def _broken(error: Exception, name: str) -> RenderError:
    """What is wrong with a template, or a file that it draws in, whatever the event."""
    if isinstance(error, jinja2.TemplateSyntaxError):
        return RenderError("template", Fault(error.message or "", error.name or name, error.lineno))
    where = place_of_error(error) or (name, 0)
    if isinstance(error, UnicodeDecodeError):
        return RenderError("template", Fault("is not UTF-8", name))
    if isinstance(error, jinja2.TemplateNotFound):
        return RenderError("template", Fault(f"there is no template {error.name}", *where))
    if isinstance(error, MissingField):
        return RenderError("template", Fault("is missing", *where, path=error.field, missing=True))
    reason = "too-large" if isinstance(error, RenderTooLarge) else "template"
    return RenderError(reason, Fault(in_words(error), *where))


_BODY: Final = "\0"


def _around(
    environment: HeraldoEnvironment, name: str, variables: dict[str, Any]
) -> tuple[str, Context]:
    """What a template's layout says, with `_BODY` in the body's place, and the context for its blocks."""
    template = environment.get_template(name)
    context = template.new_context(variables)
    body = context.blocks["body"][0]
    context.blocks["body"][0] = lambda _: iter((_BODY,))
    said = environment.concat(template.root_render_func(context))
    context.blocks["body"][0] = body
    return said, context


# What templates find under `event` beside its own attributes, whose names have no underscore.
GIVEN: Final = ("ack_url",)


def _used(
    event: Event, words: str, ack_url: str = ""
) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """An event's template, its attributes, and all that a template can use."""
    attributes = {**event.attributes(), "ack_url": ack_url}
    variables = {**event.data, "event": attributes, "locale": locale_of(words), **_ALONE}
    if event.digest is not None:
        variables["digest"] = list(event.digest.events)
        variables["digest_count"] = event.digest.count
    return f"{event.type}/{words}.j2", attributes, variables


# What a template sees of an event that is no digest.
_ALONE: Final[Mapping[str, Any]] = {"digest": (), "digest_count": 1}


def locale_of(words: str) -> str:
    """The locale of `es` and of `company.es`."""
    return words.rpartition(".")[2]


def _nearest(wanted: str | None, there: Sequence[str]) -> str:
    if wanted in there:
        return str(wanted)
    found = locales.nearest(wanted, there) if wanted else None
    return found or (DEFAULT_LOCALE if DEFAULT_LOCALE in there else there[0])


def _add_protocols(bodies: dict[str, str], channel: str, subject: str, text: str) -> None:
    if channel == "push":
        alert = {"title": subject, "body": text}
        # https://docs.aws.amazon.com/sns/latest/dg/sns-fcm-v1-payloads.html
        fcm = {"fcmV1Message": {"message": {"notification": alert}}}
        bodies["GCM"] = json.dumps(fcm, ensure_ascii=False)
        apns = json.dumps({"aps": {"alert": alert}}, ensure_ascii=False)
        bodies["APNS"] = bodies["APNS_SANDBOX"] = apns
    else:
        for protocol in CHANNELS[channel]:
            bodies[protocol] = text


_PUSH: Final = CHANNELS["push"]
# About as much as a locked screen shows.
_PUSH_CHARACTERS: Final = 178


def _beginning(text: str) -> str:
    line = tidy.one_line(text)
    return line if len(line) <= _PUSH_CHARACTERS else line[: _PUSH_CHARACTERS - 1] + "…"


def _shown(event_type: str) -> str:
    """An event type as an error may show it: only if it looks like one."""
    return event_type if re.fullmatch(r"[A-Za-z0-9._-]{1,64}", event_type) else "of that name"


@functools.cache
def templates() -> Templates:
    """The templates of this package, loaded once for the life of the worker."""
    return Templates(Path(__file__).resolve().parents[2] / "templates")
