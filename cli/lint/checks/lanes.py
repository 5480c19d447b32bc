"""Lanes, settings of types and topics: whether there is what they name, and somebody uses them."""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.errors import PermanentError
from chalicelib.spelling import nearest
from chalicelib.words.environment import SHOP
from cli.lint.finding import Told, check
from cli.lint.rulebook import Rulebook
from cli.lint.tree import Tree
from cli.paths import ROUTING


@check("routing", "error")
def routing(tree: Tree) -> Iterator[Told]:
    """`routing.toml` is gone, or cannot be used: mend the line."""
    for problem in tree.rulebook.problems:
        what = f"{problem.rule}: {problem.problem}" if problem.rule else problem.problem
        yield Told(ROUTING, problem.line, what, "mend the line" if problem.line else "mend it")


@check("no-lane", "error")
def no_lane(tree: Tree) -> Iterator[Told]:
    """No lane takes an event type, so the door would refuse it: add it to one in `[lanes]`."""
    book = tree.rulebook
    for event_type in book.types:
        try:
            book.routing.lane(event_type)
        except PermanentError:
            what = f"no lane takes {event_type}"
            yield Told(ROUTING, book.lines.of("lanes"), what, "add it to one in [lanes]")


@check("unused-lane-entry", "warning")
def unused_lane_entry(tree: Tree) -> Iterator[Told]:
    """A lane names an event type that there is not: mend the name, or remove it."""
    book = tree.rulebook
    for lane in book.routing.lanes.values():
        for name in lane.types:
            star = name.endswith("*")
            if book.types and not any(
                t.startswith(name[:-1]) if star else t == name for t in book.types
            ):
                what = f"lane {lane.name}: {name!r} fits no event type"
                yield Told(ROUTING, lane.line, what, _nearest_type(book, name))


@check("unknown-type", "error")
def unknown_type(tree: Tree) -> Iterator[Told]:
    """`[types]` has settings for an event type that there is not: mend the name, or remove them."""
    book = tree.rulebook
    for event_type in book.routing.types:
        if book.types and event_type not in book.types:
            line = book.lines.of("types", event_type)
            what = f"types: there is no event type {event_type}"
            yield Told(ROUTING, line, what, _nearest_type(book, event_type))


def _nearest_type(book: Rulebook, name: str) -> str:
    plain = name.rstrip("*")
    near = nearest(plain, [t[: len(plain)] for t in book.types] if plain != name else book.types)
    if near is None:
        return "mend the name, or remove it"
    return f"did you mean {near}{'*' if plain != name else ''}?"


@check("hours-on-utc", "warning")
def hours_on_utc(tree: Tree) -> Iterator[Told]:
    """A category has quiet hours or a window, and the shop has no clock, so that they are UTC's for whoever
    says no zone: set `time_zone` in `_layouts/shop.j2`.
    """
    routing = tree.rulebook.routing
    if routing.keeps_hours and SHOP not in tree.broken and tree.environment.time_zone is None:
        for category in routing.categories.values():
            if category.hours is not None:
                what = f"the hours of {category.name} are UTC's for whoever says no time zone"
                remedy = (
                    f'set the shop\'s in templates/{SHOP}: {{% set time_zone = "Europe/Madrid" %}}'
                )
                yield Told(ROUTING, category.line, what, remedy)


@check("unused-topic", "error")
def unused_topic(tree: Tree) -> Iterator[Told]:
    """No rule sends to a topic, or to a webhook: name it in a rule, or remove it."""
    book = tree.rulebook
    used = {destination for rule in book.rules for destination in rule.to}
    for kind, declared in (("topic", book.routing.topics), ("webhook", book.routing.webhooks)):
        for name in declared:
            if f"{kind}:{name}" not in used:
                remedy = f'name "{kind}:{name}" in a rule, or remove the {kind}'
                line = book.lines.of(f"{kind}s", name)
                yield Told(ROUTING, line, f"no rule sends to {kind} {name}", remedy)


@check("topic-locale", "warning")
def topic_locale(tree: Tree) -> Iterator[Told]:
    """A topic is addressed in a locale in which one of its types is not written: write it, or leave
    the locale out.
    """
    book = tree.rulebook
    for topic in book.routing.topics.values():
        sending = [rule.name for rule in book.rules if f"topic:{topic.name}" in rule.to]
        types = [t for t in book.types if any(t in book.routes[name] for name in sending)]
        for locale in topic.locales:
            wanted = {locale.lower(), locale.split("-")[0]}
            missing = [
                t
                for t in types
                if not wanted & {x.replace("_", "-").lower() for x in tree.templates.locales(t)}
            ]
            if missing:
                shown = ", ".join(missing[:3])
                more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
                verb = "is" if len(missing) == 1 else "are"
                yield Told(
                    ROUTING,
                    book.lines.of("topics", topic.name, "locales"),
                    f"topic {topic.name} is addressed in {locale}, in which {shown}{more} {verb}"
                    " not written",
                    f"write templates/{missing[0]}/{locale}.j2, or leave {locale} out",
                )
