"""How values are used, and in which cases: the ground that the reading of expressions stands on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import jinja2
from jinja2 import nodes

from chalicelib.words.asks import Demand
from chalicelib.words.contract.needs import ALWAYS, NEVER, PERHAPS, Note, When
from chalicelib.words.contract.values import (
    UNKNOWN,
    Absent,
    Choice,
    Known,
    Lazy,
    Module,
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
_ORDERS: Final = words("> gt greaterthan >= ge < lt lessthan <= le")
# The tests that a missing value fails; of the others, none is true of it.
_FAILS: Final = _ORDERS | _NUMBER_TESTS | words("eq equalto == ne != iterable lower upper")


class Using(ABC):
    """Keeps the case of the place that is being read, and notes what is asked of fields there."""

    def __init__(self, environment: jinja2.Environment) -> None:
        self.environment = environment
        self.data = Note("", None, None)
        self.event = Note("event", None, None)
        self.event.children["data"] = self.data
        self._name = ""
        self._when = ALWAYS

    @abstractmethod
    def _value(self, node: nodes.Node, scope: Scope) -> Value:
        """What an expression is."""

    @abstractmethod
    def _arguments(self, node: nodes.Filter | nodes.Test | nodes.Call, scope: Scope) -> list[Value]:
        """What is passed to a filter, a test or a function."""

    @contextmanager
    def _under(self, when: When) -> Iterator[None]:
        """Read something that happens in this case alone."""
        outer = self._when
        self._when = both(outer, when)
        try:
            yield
        finally:
            self._when = outer

    # -- using a value -----------------------------------------------------------------------------

    def _use(self, value: Value, demand: Demand, sure: bool = True) -> None:
        """Note that a value is read here, in a way that fails where it is undefined.

        Not `sure`: other values than the demanded would do as well.
        """
        if isinstance(value, Ref):
            value.note.use(demand, self._when, sure)
        elif isinstance(value, Choice):
            for when, option in value.options:
                with self._under(when):
                    self._use(option, demand, sure)
        elif isinstance(value, Lazy) and demand != "any":
            value.take()

    def _each(self, value: Choice, of: Callable[[Value], Value]) -> Choice:
        """What becomes of each option of a choice."""
        options: list[tuple[When, Value]] = []
        for when, option in value.options:
            with self._under(when):
                options.append((when, of(option)))
        return Choice(options)

    def _items(self, value: Value) -> tuple[When, Value | None]:
        """What a loop over a value yields, and when it yields anything."""
        if isinstance(value, Ref):
            self._use(value, "list")
            return given(value.note, "truthy"), Ref(value.note.element())
        if isinstance(value, Lazy):
            return value.take()
        if isinstance(value, Known):
            if value.const is not UNKNOWN and not value.const:
                return ALWAYS, None
            if value.parts:
                return ALWAYS, value.items
            some = given(value.truth_of, "truthy") if value.truth_of else PERHAPS
            return some, value.items or Known()
        if isinstance(value, Choice):
            found: list[tuple[When, Value]] = []
            for when, option in value.options:
                with self._under(when):
                    inner, item = self._items(option)
                if item is not None:
                    found.append((both(when, inner), item))
            if len(found) == 1:
                return found[0]
            return PERHAPS, Choice(found) if found else None
        return PERHAPS, None if isinstance(value, Absent) else Known()

    def _attribute(self, value: Value, name: str, where: tuple[str, int]) -> Value:
        if isinstance(value, Ref):
            self._use(value, "any")
            return Ref(value.note.child(name, where))
        if isinstance(value, Choice):
            return self._each(value, lambda option: self._attribute(option, name, where))
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
            if go_on.dead:
                return first_yes, first_no
            with self._under(go_on):
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
            yes, no = self._among(value, self._not_null)
            return no, yes
        if node.name in _SHAPES:
            return self._among(value, self._shape)
        if node.name in ("true", "false"):
            return (self._among(value, self._shape)[0], PERHAPS)
        if node.name not in _FAILS:
            return PERHAPS, PERHAPS
        for argument in arguments:
            self._use(argument, "any")
        orders = node.name in _ORDERS and any(is_number(a) for a in arguments)
        self._use(value, "number" if orders or node.name in _NUMBER_TESTS else "any", sure=orders)
        return PERHAPS, PERHAPS

    def _among(self, value: Value, of: Callable[[Value], Outcomes]) -> Outcomes:
        """The outcomes for a value; where only one of several can bring one about, exactly its own."""
        if not isinstance(value, Choice):
            return of(value)
        yes, no = NEVER, NEVER
        for when, option in value.options:
            option_yes, option_no = self._among(option, of)
            yes = either(yes, both(when, option_yes))
            no = either(no, both(when, option_no))
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
        if isinstance(value, Lazy) or (isinstance(value, Known) and value.parts):
            return ALWAYS, NEVER  # whatever it would give
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
            return When(facts), When(facts, opaque=True)
        return PERHAPS, PERHAPS
