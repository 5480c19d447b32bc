"""Reading the expressions of a template: names, operators and calls."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Final

import jinja2
from jinja2 import nodes

from chalicelib.words.asks import Demand
from chalicelib.words.contract.lists import Lists
from chalicelib.words.contract.needs import ALWAYS, MAX_DEPTH
from chalicelib.words.contract.values import (
    UNKNOWN,
    Absent,
    Choice,
    Known,
    Loop,
    Macro,
    Ref,
    Scope,
    Value,
    cases,
    choice,
    is_number,
    words,
)

_ORDER: Final = words("gt gteq lt lteq")
_DICT_METHODS: Final = words("get items keys values")
_HOLDERS: Final = words("cycler dict joiner namespace")
_BOOLEAN: Final = (nodes.Test, nodes.Compare, nodes.Not)
# Whether an operator takes numbers alone; "a" * 2 and [1] + [2] are something, too.
_NUMBERS_ALONE: Final[Mapping[type[nodes.BinExpr], bool]] = {
    nodes.Sub: True,
    nodes.Div: True,
    nodes.FloorDiv: True,
    nodes.Pow: True,
    nodes.Mul: False,
    nodes.Add: False,
    nodes.Mod: False,
}


class Expressions(Lists):
    """Gives every expression its value, noting on the way what it asks of fields."""

    def __init__(self, environment: jinja2.Environment, locale: str) -> None:
        super().__init__(environment)
        self._locale = locale
        self._calls: list[object] = []
        self._silent = False
        self._block: list[tuple[str, int, Scope]] = []

    @abstractmethod
    def _statements(self, body: Iterable[nodes.Node], scope: Scope) -> None:
        """Read the body of something."""

    @abstractmethod
    def _in_block(self, name: str, depth: int, scope: Scope) -> None:
        """Read a block, as the file at that depth of the inheritance has it."""

    @abstractmethod
    def _loop_over(self, node: nodes.For, iterable: Value, scope: Scope) -> None:
        """Read a loop's body for the items of a value."""

    # -- expressions -------------------------------------------------------------------------------

    def _value(self, node: nodes.Node, scope: Scope) -> Value:
        visit = getattr(self, f"_of_{type(node).__name__.lower()}", None)
        if visit is not None:
            found: Value = visit(node, scope)
            return found
        for child in node.iter_child_nodes():
            if isinstance(child, nodes.Expr):
                self._use(self._value(child, scope), "any")
        return Known()

    def _free(self, name: str, line: int) -> Value:
        """A name that no frame has: the event, the locale, a global, or else a field."""
        if name == "event":
            return Ref(self.event)
        if name == "locale":
            return Known(const=self._locale)
        if name == "digest":  # of events of its own type
            one = {"data": Ref(self.data), **{part: Known() for part in ("id", "type", "time")}}
            return Known(items=Known(attributes=one))
        if name == "digest_count":
            return Known()
        if name in ("self", "super", "caller", "varargs", "kwargs"):
            return Known()
        if name in self.environment.globals:
            return Known()
        return Ref(self.data.child(name, (self._name, line)))

    def _of_name(self, node: nodes.Name, scope: Scope) -> Value:
        return scope.find(node.name) or self._free(node.name, node.lineno)

    def _of_const(self, node: nodes.Const, _: Scope) -> Value:
        return Known(const=node.value)

    def _of_getattr(self, node: nodes.Getattr, scope: Scope) -> Value:
        return self._attribute(self._value(node.node, scope), node.attr, (self._name, node.lineno))

    def _of_getitem(self, node: nodes.Getitem, scope: Scope) -> Value:
        value = self._value(node.node, scope)
        key = node.arg
        if isinstance(key, nodes.Const) and isinstance(key.value, str):
            return self._attribute(value, key.value, (self._name, node.lineno))
        if isinstance(key, nodes.Slice):
            for bound in key.iter_child_nodes():
                self._use(self._value(bound, scope), "number")
            self._use(value, "sized")
            return self._same_items(value)
        if isinstance(key, nodes.Const) and isinstance(key.value, int):
            return self._one_item(value)
        self._use(self._value(key, scope), "any")
        self._use(value, "any")
        return Known()

    def _of_condexpr(self, node: nodes.CondExpr, scope: Scope) -> Value:
        outcomes = self._test(node.test, scope)
        values: list[Value] = []
        for when, branch in zip(cases(outcomes), (node.expr1, node.expr2), strict=True):
            with self._under(when):
                values.append(self._value(branch, scope) if branch is not None else Known(const=""))
        return choice(outcomes, (values[0], values[1]))

    def _of_and(self, node: nodes.And | nodes.Or, scope: Scope) -> Value:
        yes, no = self._test(node.left, scope)
        outcomes = (no, yes) if isinstance(node, nodes.And) else (yes, no)
        boolean = isinstance(node.left, _BOOLEAN)
        left = Known() if boolean else self._value(node.left, scope)
        with self._under(cases(outcomes)[1]):
            right = self._value(node.right, scope)
        return choice(outcomes, (left, right))

    _of_or = _of_and

    def _of_not(self, node: nodes.Not, scope: Scope) -> Value:
        self._test(node.node, scope)
        return Known()

    def _of_test(self, node: nodes.Test, scope: Scope) -> Value:
        self._test(node, scope)
        return Known()

    def _of_compare(self, node: nodes.Compare, scope: Scope) -> Value:
        values = [self._value(node.expr, scope)]
        values += [self._value(operand.expr, scope) for operand in node.ops]
        orders = any(operand.op in _ORDER for operand in node.ops)
        numeric = orders and len(values) == 2 and any(is_number(value) for value in values)
        for value in values:
            self._use(value, "number" if numeric else "any")
        if len(values) == 2 and node.ops[0].op in ("eq", "ne"):
            left, right = values
            if (
                isinstance(left, Known)
                and isinstance(right, Known)
                and left.const is not UNKNOWN
                and right.const is not UNKNOWN
            ):
                return Known(const=(left.const == right.const) == (node.ops[0].op == "eq"))
        return Known()

    def _operands(self, node: nodes.BinExpr, scope: Scope) -> Value:
        values = [self._value(node.left, scope), self._value(node.right, scope)]
        left = values[0].const if isinstance(values[0], Known) else UNKNOWN
        if isinstance(node, nodes.Mod) and isinstance(left, str):
            self._use(values[1], "any" if "%(" in left else "text", sure=left.count("%") == 1)
            return Known()
        texts = any(isinstance(v, Known) and isinstance(v.const, str) for v in values)
        for value in values:
            self._use(value, "text" if texts else "number", sure=_NUMBERS_ALONE[type(node)])
        return Known()

    _of_add = _of_sub = _of_mul = _of_div = _of_floordiv = _of_mod = _of_pow = _operands

    def _of_neg(self, node: nodes.Neg | nodes.Pos, scope: Scope) -> Value:
        self._use(self._value(node.node, scope), "number")
        constant = isinstance(node.node, nodes.Const)
        return Known(const=node.node.value) if constant else Known()  # type: ignore[attr-defined]

    _of_pos = _of_neg

    def _of_concat(self, node: nodes.Concat, scope: Scope) -> Value:
        for part in node.nodes:
            self._use(self._value(part, scope), "text")
        return Known()

    def _of_tuple(self, node: nodes.Tuple | nodes.List, scope: Scope) -> Value:
        parts = tuple(self._value(part, scope) for part in node.items)
        items = Choice([(ALWAYS, part) for part in parts])
        return Known(const=UNKNOWN if parts else (), items=items, parts=parts)

    _of_list = _of_tuple

    def _of_dict(self, node: nodes.Dict, scope: Scope) -> Value:
        attributes: dict[str, Value] = {}
        for pair in node.items:
            value = self._value(pair.value, scope)
            self._use(self._value(pair.key, scope), "any")
            if isinstance(pair.key, nodes.Const):
                attributes[pair.key.value] = value
        return Known(attributes=attributes) if node.items else Known(const={})

    # -- calls -------------------------------------------------------------------------------------

    def _of_call(self, node: nodes.Call, scope: Scope) -> Value:
        return self._call(node, scope, None)

    def _call(self, node: nodes.Call, scope: Scope, caller: Macro | None) -> Value:
        callee = node.node
        target: Value | None
        if isinstance(callee, nodes.Name):
            if callee.name == "super" and self._block:
                block, depth, outer = self._block[-1]
                self._in_block(block, depth + 1, outer)
                return Known()
            target = scope.find(callee.name)
        elif isinstance(callee, nodes.Getattr):
            owner = self._value(callee.node, scope)
            if isinstance(owner, (Ref, Choice)):
                return self._method(node, callee, owner, scope)
            target = self._attribute(owner, callee.attr, (self._name, node.lineno))
        else:
            target = self._value(callee, scope)
        if isinstance(target, Macro):
            return self._invoke(target, node, scope, caller)
        arguments = self._arguments(node, scope)
        function = callee.name if isinstance(callee, nodes.Name) else ""
        joins = isinstance(callee, nodes.Getattr) and callee.attr == "join"
        for argument in arguments:
            if joins:
                self._items(argument)
            elif function not in _HOLDERS:  # these may hold what is missing
                self._use(argument, "number" if function == "range" else "any")
        if caller is not None:
            self._invoke(caller, None, scope, None)
        if isinstance(target, Loop) and len(self._calls) < MAX_DEPTH and arguments:
            if self._calls.count(target.node) == 0:
                self._calls.append(target.node)
                self._loop_over(target.node, arguments[0], target.scope)
                self._calls.pop()
            return Known()
        return Known(items=Known())

    def _method(self, node: nodes.Call, callee: nodes.Getattr, owner: Value, scope: Scope) -> Value:
        """A method of a field: of an object (``order.get("note")``), or else of a text."""
        arguments = self._arguments(node, scope)
        for argument in arguments:
            self._use(argument, "any")
        if callee.attr not in _DICT_METHODS:
            demand: Demand = "any"
            if hasattr(str, callee.attr):
                demand = "sized" if hasattr(list, callee.attr) else "text"
            self._use(owner, demand, sure=demand == "text")
            return Known()
        self._use(owner, "object")
        if callee.attr == "get" and isinstance(owner, Ref) and arguments:
            key = arguments[0].const if isinstance(arguments[0], Known) else None
            if isinstance(key, str):
                owner.note.child(key, (self._name, node.lineno))
        return Known(items=Known())

    def _invoke(
        self, macro: Macro, node: nodes.Call | None, scope: Scope, caller: Macro | None
    ) -> Value:
        """Read a macro's body with its parameters bound to what is passed."""
        positional = [self._value(a, scope) for a in node.args] if node else []
        named = {k.key: self._value(k.value, scope) for k in node.kwargs} if node else {}
        if node:
            for more in (node.dyn_args, node.dyn_kwargs):
                if more is not None:
                    self._use(self._value(more, scope), "any")
        if self._calls.count(macro.node) > 1 or len(self._calls) > MAX_DEPTH:
            return Known()
        frame = Scope(macro.scope)
        outer = self._name, self._silent
        self._name, self._silent = macro.file, False
        self._calls.append(macro.node)
        try:
            parameters = macro.node.args
            spare = len(parameters) - len(macro.node.defaults)
            for index, parameter in enumerate(parameters):
                if index < len(positional):
                    value = positional[index]
                elif parameter.name in named:
                    value = named.pop(parameter.name)
                elif index >= spare:
                    value = self._value(macro.node.defaults[index - spare], frame)
                else:
                    value = Absent()
                frame.names[parameter.name] = value
            frame.names.setdefault("caller", caller or Absent())
            self._statements(macro.node.body, frame)
        finally:
            self._calls.pop()
            self._name, self._silent = outer
        return Known()
