"""How values are used, and under which guards: the ground that the reading of expressions stands on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import jinja2
from jinja2 import nodes

from chalicelib.words.contract.needs import Demand, Guard, Note, Path
from chalicelib.words.contract.values import (
    ALWAYS,
    NEVER,
    PERHAPS,
    UNKNOWN,
    Absent,
    Choice,
    Known,
    Module,
    Outcome,
    Outcomes,
    Ref,
    Scope,
    Value,
    both,
    either,
    given,
    is_number,
    words,
)

_SHAPES: Final = words("string mapping number boolean integer float sequence")
_NUMBER_TESTS: Final = words("odd even divisibleby")


class Using(ABC):
    """Keeps the guards of the place that is being read, and notes what is asked of fields there."""

    def __init__(self, environment: jinja2.Environment) -> None:
        self.environment = environment
        self.data = Note("", None, None)
        self.event = Note("event", None, None)
        self.event.children["data"] = self.data
        self._name = ""
        self._path: Path = ()
        self._decisions = 0

    @abstractmethod
    def _value(self, node: nodes.Node, scope: Scope) -> Value:
        """What an expression is."""

    @abstractmethod
    def _arguments(self, node: nodes.Filter | nodes.Test | nodes.Call, scope: Scope) -> list[Value]:
        """What is passed to a filter, a test or a function."""

    # -- guards ------------------------------------------------------------------------------------

    def _decide(self, yes: Outcome, no: Outcome) -> tuple[Path | None, Path | None]:
        """The guards of the two branches of a decision; None for a branch that is never taken."""
        self._decisions += 1
        paths: list[Path | None] = []
        for branch, outcome in enumerate((yes, no)):
            other = (no, yes)[branch]
            if outcome.dead:
                paths.append(None)
            elif other.dead or outcome.certain:
                paths.append(())
            else:
                guard = Guard(self._decisions, branch, outcome.facts, outcome.opaque)
                paths.append((guard,))
        return paths[0], paths[1]

    @contextmanager
    def _under(self, path: Path) -> Iterator[None]:
        outer = self._path
        self._path = (*outer, *path)
        try:
            yield
        finally:
            self._path = outer

    # -- using a value -----------------------------------------------------------------------------

    def _use(self, value: Value, demand: Demand) -> None:
        """Note that a value is read here, in a way that fails where it is undefined."""
        if isinstance(value, Ref):
            value.note.demands.append((demand, self._path))
        elif isinstance(value, Choice):
            for path, option in value.options:
                with self._under(path):
                    self._use(option, demand)
        elif isinstance(value, Known) and value.parts is not None:
            for part in value.parts:
                self._use(part, "any")

    def _items(self, value: Value) -> tuple[Path, Value | None]:
        """What a loop over a value yields, and the guards under which it yields anything."""
        if isinstance(value, Ref):
            self._use(value, "array")
            return (), Ref(value.note.element())
        if isinstance(value, Known):
            if value.const is not UNKNOWN and not value.const:
                return (), None
            return (), value.items or Known()
        if isinstance(value, Choice):
            found: list[tuple[Path, Value]] = []
            for path, option in value.options:
                with self._under(path):
                    inner, item = self._items(option)
                if item is not None:
                    found.append(((*path, *inner), item))
            if len(found) == 1:
                return found[0]
            return (), Choice(found) if found else None
        return (), None if isinstance(value, Absent) else Known()

    def _attribute(self, value: Value, name: str, where: tuple[str, int]) -> Value:
        if isinstance(value, Ref):
            self._use(value, "object")
            return Ref(value.note.child(name, where))
        if isinstance(value, Choice):
            options: list[tuple[Path, Value]] = []
            for path, option in value.options:
                with self._under(path):
                    options.append((path, self._attribute(option, name, where)))
            return Choice(options)
        if isinstance(value, Module):
            return value.scope.names.get(name, Absent())
        if isinstance(value, Known) and value.attributes is not None:
            return value.attributes.get(name, Known())
        return value if isinstance(value, Absent) else Known()

    # -- tests -------------------------------------------------------------------------------------

    def _test(self, node: nodes.Node, scope: Scope) -> Outcomes:
        """What holds where an expression is true, and where it is false."""
        if isinstance(node, nodes.Not):
            yes, no = self._test(node.node, scope)
            return no, yes
        if isinstance(node, (nodes.And, nodes.Or)):
            first_yes, first_no = self._test(node.left, scope)
            go_on = first_yes if isinstance(node, nodes.And) else first_no
            path, _ = self._decide(go_on, PERHAPS)
            if path is None:
                return first_yes, first_no
            with self._under(path):
                then_yes, then_no = self._test(node.right, scope)
            if isinstance(node, nodes.And):
                return both(first_yes, then_yes), either(first_no, then_no)
            return either(first_yes, then_yes), both(first_no, then_no)
        if isinstance(node, nodes.Test):
            return self._named_test(node, scope)
        if isinstance(node, nodes.Compare) and len(node.ops) == 1:
            right = node.ops[0].expr
            if isinstance(right, nodes.Const) and right.value is None:
                value = self._value(node.expr, scope)
                self._use(value, "any")
                outcomes = self._among(value, self._not_null)
                return outcomes if node.ops[0].op == "ne" else outcomes[::-1]
        value = self._value(node, scope)
        self._use(value, "any")
        return self._among(value, self._truth)

    def _named_test(self, node: nodes.Test, scope: Scope) -> Outcomes:
        value = self._value(node.node, scope)
        arguments = self._arguments(node, scope)
        if node.name in ("defined", "undefined"):
            yes, no = self._among(value, self._definedness)
            return (yes, no) if node.name == "defined" else (no, yes)
        if node.name == "none":
            self._use(value, "any")
            yes, no = self._among(value, self._not_null)
            return no, yes
        if node.name in _SHAPES:
            return self._among(value, self._shape)
        if node.name in ("true", "false"):
            return (self._among(value, self._shape)[0], PERHAPS)
        for argument in arguments:
            self._use(argument, "any")
        numeric = node.name in _NUMBER_TESTS or (
            node.name in (">", "gt", "greaterthan", "ge", ">=", "<", "lt", "lessthan", "<=", "le")
            and any(is_number(a) for a in arguments)
        )
        self._use(value, "number" if numeric else "any")
        return PERHAPS, PERHAPS

    def _among(self, value: Value, of: Callable[[Value], Outcomes]) -> Outcomes:
        """The outcomes for a value; where only one of several can bring one about, exactly its own."""
        if not isinstance(value, Choice):
            return of(value)
        yes, no = NEVER, NEVER
        for path, option in value.options:
            guards = Outcome(
                frozenset(fact for guard in path for fact in guard.facts),
                any(guard.opaque for guard in path),
            )
            option_yes, option_no = self._among(option, of)
            yes = either(yes, both(guards, option_yes))
            no = either(no, both(guards, option_no))
        return yes, no

    @staticmethod
    def _definedness(value: Value) -> Outcomes:
        if isinstance(value, Ref):
            return given(value.note, "defined"), PERHAPS
        return (NEVER, ALWAYS) if isinstance(value, Absent) else (ALWAYS, NEVER)

    @staticmethod
    def _truth(value: Value) -> Outcomes:
        if isinstance(value, Ref):
            return given(value.note, "truthy"), PERHAPS
        if isinstance(value, Known):
            if value.const is not UNKNOWN:
                return (ALWAYS, NEVER) if value.const else (NEVER, ALWAYS)
            if value.truth_of is not None:
                return given(value.truth_of, "truthy"), PERHAPS
        return PERHAPS, PERHAPS

    @staticmethod
    def _not_null(value: Value) -> Outcomes:
        if isinstance(value, Ref):
            return given(value.note, "truthy"), PERHAPS
        if isinstance(value, Known) and value.const is not UNKNOWN:
            return (ALWAYS, NEVER) if value.const is not None else (NEVER, ALWAYS)
        return PERHAPS, PERHAPS

    @staticmethod
    def _shape(value: Value) -> Outcomes:
        if isinstance(value, Ref):
            facts = frozenset({(value.note, "shape")})
            return Outcome(facts), Outcome(facts, opaque=True)
        return PERHAPS, PERHAPS
