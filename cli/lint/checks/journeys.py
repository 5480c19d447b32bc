"""Journeys: what AWS would refuse, or take and then fail with; and what their steps would send."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from chalicelib.errors import PermanentError
from chalicelib.events.event import timestamp
from chalicelib.journeys.states import State, code
from chalicelib.rules.journeys import journey_key
from chalicelib.spelling import nearest
from chalicelib.words.contract import Field
from chalicelib.words.render import RenderError
from cli.journeys import examples, expressions, shapes
from cli.journeys.definition import FOLDER, SUFFIX, Definition
from cli.lint.finding import Told, check
from cli.lint.tree import Tree
from cli.paths import ROUTING

# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
YEAR: Final = 365 * 86400


def _definitions(tree: Tree) -> Iterator[Definition]:
    for found in tree.journeys.values():
        if isinstance(found, Definition):
            yield found


def _told(
    journey: Definition, state: str, way: tuple[str | int, ...], what: str, remedy: str
) -> Told:
    return Told(journey.file, journey.line_in(state, *way), f"{state} {what}", remedy)


def _or_nearest(word: str, known: Any, otherwise: str) -> str:
    near = nearest(word, tuple(known))
    return f"did you mean {near}?" if near else otherwise


# -- the definition --------------------------------------------------------------------------------


@check("journey-json", "error")
def journey_json(tree: Tree) -> Iterator[Told]:
    """A journey's definition cannot be read: mend the line."""
    for found in tree.journeys.values():
        if not isinstance(found, Definition):
            yield Told(found.file, found.line, found.problem, "mend it there or just before")


@check("journey-state", "error")
def journey_state(tree: Tree) -> Iterator[Told]:
    """A state is of a type that journeys do not have, or has a field that its type does not, or lacks
    one: write Pass, Wait, Choice, Task, Succeed or Fail, with JSONata.
    """
    for journey in _definitions(tree):
        if journey.raw.get("QueryLanguage") != "JSONata":
            what = "is not written with JSONata"
            line = journey.line("QueryLanguage")
            yield Told(journey.file, line, what, 'write "QueryLanguage": "JSONata" at the top')
        for name in journey.raw:
            if name not in shapes.TOP:
                what = f"{name} has no place at the top of a journey"
                remedy = _or_nearest(name, shapes.TOP, "take it out")
                yield Told(journey.file, journey.line(name), what, remedy)
        for state in journey.states.values():
            yield from _fields(journey, state)


def _fields(journey: Definition, state: State) -> Iterator[Told]:
    known = shapes.FIELDS.get(state.kind)
    if known is None:
        there = f"journeys have {', '.join(shapes.FIELDS)}"
        what = f"is of the type {state.kind or 'none'}"
        yield _told(
            journey, state.name, ("Type",), what, _or_nearest(state.kind, shapes.FIELDS, there)
        )
        return
    for name in state.fields:
        if name not in (*known, "Type", "Comment"):
            remedy = _or_nearest(name, known, f"{state.kind} has {', '.join(known)}")
            yield _told(
                journey, state.name, (name,), f"has {name}, which has no place here", remedy
            )
    if state.kind == "Choice":
        choices = state.fields.get("Choices")
        if not isinstance(choices, list) or not choices:
            yield _told(journey, state.name, (), "has no Choices", "write a list of them")
        for at, choice in enumerate(choices if isinstance(choices, list) else ()):
            condition = choice.get("Condition") if isinstance(choice, dict) else None
            if code(condition) is None:
                remedy = 'write "Condition": "{% … %}", which comes to true or false'
                yield _told(
                    journey, state.name, ("Choices", at), "has a choice without Condition", remedy
                )
                continue
            for name in choice:
                if name not in shapes.CHOICE:
                    remedy = _or_nearest(name, shapes.CHOICE, "take it out")
                    what = f"has {name} in a choice, which has no place there"
                    yield _told(journey, state.name, ("Choices", at, name), what, remedy)
        if not isinstance(state.fields.get("Default"), str):
            what = "has no Default, so that a run fails where no Condition is met"
            yield _told(journey, state.name, (), what, "write the state that follows otherwise")


@check("journey-next", "error")
def journey_next(tree: Tree) -> Iterator[Told]:
    """A state leads to one that there is not, or nowhere: name the one that follows, or end there."""
    for journey in _definitions(tree):
        if journey.start_at not in journey.states:
            what = f"starts at {journey.start_at}, which there is not"
            remedy = _or_nearest(journey.start_at, journey.states, "name its first state")
            yield Told(journey.file, journey.line("StartAt"), what, remedy)
        for state in journey.states.values():
            nexts = list(state.nexts())
            for way, there in nexts:
                if there not in journey.states:
                    remedy = _or_nearest(there, journey.states, "name a state that there is")
                    what = f"leads to {there}, which there is not"
                    yield _told(journey, state.name, way, what, remedy)
            if state.kind in ("Pass", "Wait", "Task"):
                ends = state.fields.get("End") is True
                if ends and nexts:
                    yield _told(journey, state.name, ("End",), "ends and leads on", "choose one")
                elif not ends and not nexts:
                    remedy = 'write "Next", or "End": true'
                    yield _told(journey, state.name, (), "leads nowhere, and is no end", remedy)
            choices = state.fields.get("Choices")
            for at, choice in enumerate(choices if isinstance(choices, list) else ()):
                if isinstance(choice, dict) and not isinstance(choice.get("Next"), str):
                    remedy = "write the state that follows"
                    yield _told(
                        journey, state.name, ("Choices", at), "has a choice without Next", remedy
                    )


@check("journey-unreached", "warning")
def journey_unreached(tree: Tree) -> Iterator[Told]:
    """No way leads to a state: lead one there, or take the state out."""
    for journey in _definitions(tree):
        reached = journey.reached()
        for state in journey.states:
            if reached and state not in reached:
                remedy = "lead a Next there, or take it out"
                yield _told(journey, state, (), "is never reached", remedy)


@check("journey-circle", "error")
def journey_circle(tree: Tree) -> Iterator[Told]:
    """States lead round in a circle without a Wait, so that a run would send without end: put one in."""
    for journey in _definitions(tree):
        awake = {n: s for n, s in journey.states.items() if s.kind != "Wait"}
        told: set[str] = set()
        for name in awake:
            round_trip = _circle(awake, name)
            if round_trip and not told & {*round_trip}:
                told |= {*round_trip}
                what = f"comes round to itself without a Wait ({' → '.join([*round_trip, name])})"
                yield _told(journey, name, (), what, "put a Wait between")


def _circle(states: dict[str, State], start: str) -> list[str]:
    """A way from a state back to it, through none but `states`."""
    ways = [[start]]
    seen: set[str] = set()
    while ways:
        way = ways.pop()
        for _, there in states[way[-1]].nexts():
            if there == start:
                return way
            if there in states and there not in seen:
                seen.add(there)
                ways.append([*way, there])
    return []


@check("journey-wait", "error")
def journey_wait(tree: Tree) -> Iterator[Told]:
    """A Wait is for no time, or for longer than a year, after which AWS ends a run: write seconds of 1
    up to 31536000, or a time.
    """
    for journey in _definitions(tree):
        for state in journey.states.values():
            if state.kind == "Wait":
                yield from _wait(journey, state)


def _wait(journey: Definition, state: State) -> Iterator[Told]:
    given = [name for name in ("Seconds", "Timestamp") if name in state.fields]
    if len(given) != 1:
        remedy = 'write "Seconds": 3600, or "Timestamp": "2026-12-24T20:00:00Z"'
        what = "says twice how long it waits" if given else "does not say how long it waits"
        yield _told(journey, state.name, (), what, remedy)
        return
    value = state.fields[given[0]]
    if code(value) is not None:
        return
    if given[0] == "Seconds":
        if isinstance(value, bool) or not isinstance(value, int):
            what, remedy = f"waits {value!r} seconds", "write a whole number, without quotes"
        elif value < 1:
            what, remedy = f"waits {value} seconds", "write how long, in seconds, or take it out"
        elif value > YEAR:
            what = f"waits {value} seconds, which is over a year"
            remedy = "AWS ends what runs for a year: wait less"
        else:
            return
        yield _told(journey, state.name, ("Seconds",), what, remedy)
        return
    try:
        timestamp(value)
    except (TypeError, ValueError):
        what, remedy = f"waits until {value!r}", "write a time such as 2026-12-24T20:00:00Z"
        yield _told(journey, state.name, ("Timestamp",), what, remedy)


@check("journey-expression", "error")
def journey_expression(tree: Tree) -> Iterator[Told]:
    """What stands in `{% … %}` is no JSONata, or comes to something else each time: mend it there."""
    for journey in _definitions(tree):
        for state in journey.states.values():
            for way, text in expressions.every(
                {k: v for k, v in state.fields.items() if k != "Comment"}
            ):
                problem = expressions.problem(text)
                if problem:
                    what = f"has an expression that does not work: {problem}"
                    yield _told(journey, state.name, way, what, "mend it there")


# -- what it sends ---------------------------------------------------------------------------------


@check("journey-send", "error")
def journey_send(tree: Tree) -> Iterator[Told]:
    """A state that sends is not in the form that lanes read, or sends a type that there is not, or into
    a lane that does not take it: write it as other journeys have it.
    """
    routing = tree.rulebook.routing
    for journey in _definitions(tree):
        for state in journey.states.values():
            if state.kind != "Task":
                continue
            for way, what, remedy in shapes.misshapen(state.fields):
                yield _told(journey, state.name, way, what, remedy)
            if not shapes.NAME.match(state.name):
                what = "sends, and its name cannot stand in the id of what it sends"
                remedy = "name it with up to 40 letters, digits, - and _"
                yield _told(journey, state.name, (), what, remedy)
            lane = shapes.queue(state.fields.get("Arguments"))
            at: tuple[str | int, ...] = ("Arguments", "QueueUrl")
            if lane and routing.lanes and lane not in routing.lanes:
                remedy = _or_nearest(lane, routing.lanes, f"there are {', '.join(routing.lanes)}")
                what = f"sends into the lane {lane}, which there is not"
                yield _told(journey, state.name, at, what, remedy)
                lane = ""
            if state.sends and tree.types and state.sends not in tree.types:
                where = ("Arguments", "MessageBody", "send")
                remedy = _or_nearest(state.sends, tree.types, f"add templates/{state.sends}/")
                what = f"sends {state.sends}, which is no event type"
                yield _told(journey, state.name, where, what, remedy)
            elif state.sends and lane:
                try:
                    own = routing.lane(state.sends)
                except PermanentError:  # told by no-lane
                    continue
                if own != lane:
                    what = f"sends {state.sends} into the lane {lane}, and it belongs to {own}"
                    yield _told(journey, state.name, at, what, f'write "QueueUrl": "${{{own}}}"')


def _started_by(tree: Tree, journey: str) -> Iterator[str]:
    """The event types that rules start a journey with."""
    book = tree.rulebook
    found = (t for r in book.rules if journey in r.starts for t in book.routes[r.name])
    yield from dict.fromkeys(found)


@check("journey-words", "error")
def journey_words(tree: Tree) -> Iterator[Told]:
    """A type that a journey sends does not render with the data of the one that starts it, which is all
    that there is: have its templates do without, or the starting type bring it along.
    """
    for journey in _definitions(tree):
        for start in _started_by(tree, journey.name):
            sample = tree.samples[start].event
            for state in journey.states.values() if sample is not None else ():
                for words, error in _refused(tree, state.sends, sample):
                    what = f"sends {state.sends}, which in {words} does not render with the data of {start}: {error}"
                    remedy = f"have templates/{state.sends}/{words}.j2 do without it, or put it into templates/{start}/sample.json"
                    where = ("Arguments", "MessageBody", "send")
                    yield _told(journey, state.name, where, what, remedy)


def _refused(tree: Tree, sent: str, start: Any) -> Iterator[tuple[str, RenderError]]:
    for words, needs in tree.needs.get(sent, {}).items():
        if any(file in tree.broken or file in tree.unknown for file in needs.files):
            continue
        event = replace(start, type=sent, time=None, subject=None, extensions={})
        try:
            tree.templates.render(event, words)
        except RenderError as error:
            yield words, error


@check("journey-data", "warning")
def journey_data(tree: Tree) -> Iterator[Told]:
    """A type that a journey sends needs data that the one that starts it may come without, so that the
    step would be a dead letter: have its templates do without, or those of the starting type need it.
    """
    for journey in _definitions(tree):
        for start in _started_by(tree, journey.name):
            for state in journey.states.values():
                if state.sends in tree.contracts:
                    brought, needed = tree.contracts[start][0], tree.contracts[state.sends][0]
                    for path in _lacking(needed, brought):
                        what = (
                            f"sends {state.sends}, which needs {path}, and {start} may come without"
                        )
                        remedy = f'write {path}|default("") in templates/{state.sends}/, or use it in templates/{start}/'
                        where = ("Arguments", "MessageBody", "send")
                        yield _told(journey, state.name, where, what, remedy)


def _lacking(needed: Field, brought: Field | None, path: str = "data") -> Iterator[str]:
    for name, child in needed.children.items():
        other = brought.children.get(name) if brought is not None else None
        if not child.required:
            continue
        if other is None or not other.required:
            yield f"{path}.{name}"
        else:
            yield from _lacking(child, other, f"{path}.{name}")


# -- beside the rules ------------------------------------------------------------------------------


@check("journey-undeclared", "error")
def journey_undeclared(tree: Tree) -> Iterator[Told]:
    """A journey has a file and no `[journeys.…]` in `routing.toml`, or the reverse: write what is
    missing, or remove the other.
    """
    book = tree.rulebook
    if book.problems:
        return
    for name in tree.journeys:
        if name not in book.routing.journeys:
            remedy = f'write [journeys.{name}] with key = "recipient" there'
            yield Told(f"{FOLDER}/{name}{SUFFIX}", 0, f"is not declared in {ROUTING}", remedy)
    for journey in book.routing.journeys.values():
        if journey.name not in tree.journeys:
            what = f"journey {journey.name} has no {FOLDER}/{journey.name}{SUFFIX}"
            remedy = _or_nearest(journey.name, tree.journeys, "write it, or remove these lines")
            yield Told(ROUTING, journey.line, what, remedy)


@check("journey-unstarted", "warning")
def journey_unstarted(tree: Tree) -> Iterator[Told]:
    """No rule starts a journey: write one with `start`, or remove it."""
    book = tree.rulebook
    started = {name for rule in book.rules for name in rule.starts}
    for journey in book.routing.journeys.values():
        if journey.name not in started:
            remedy = f'write a rule with start = "{journey.name}", or remove the journey'
            yield Told(ROUTING, journey.line, f"no rule starts journey {journey.name}", remedy)


@check("journey-key", "error")
def journey_key_there(tree: Tree) -> Iterator[Told]:
    """A rule starts or stops a journey with a type whose sample has not the journey's key, so that
    nothing would be started or stopped: choose a key that the types have, or other types.
    """
    book = tree.rulebook
    for rule in book.rules if book.types else ():
        for does, names in (("start", rule.starts), ("stop", rule.stops)):
            for name in names:
                key = book.routing.journeys[name].key
                for event_type in book.routes[rule.name]:
                    sample = tree.samples[event_type].event
                    if sample is None or journey_key(key, sample):
                        continue
                    what = f"rule {rule.name} {does}s {name} by {key}, which {event_type} has not"
                    paths = [*sample.attributes(), *book.paths(event_type)]
                    remedy = _or_nearest(key, paths, "choose a key that it has, or other types")
                    line = book.lines.of_rule(rule.position, does)
                    yield Told(ROUTING, line, what, remedy)


@check("journey-examples", "error")
def journey_examples(tree: Tree) -> Iterator[Told]:
    """A journey has no examples, or some that cannot be tried: write what it is to send and when, beside
    its definition, or mend the line.
    """
    book = tree.rulebook
    if book.problems or not tree.types:
        return
    for name in tree.journeys:
        try:
            examples.read(tree.root, name, book.routing)
        except examples.ExamplesError as error:
            for problem in error.problems:
                what = f"{problem.rule}: {problem.problem}" if problem.rule else problem.problem
                yield Told(error.file, problem.line, what, "mend the line")
