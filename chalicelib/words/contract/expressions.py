"""Reading the expressions of a template: names, operators, filters and calls."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, Final

import jinja2
from jinja2 import nodes

from chalicelib.words.contract.needs import MAX_DEPTH, Demand, Path
from chalicelib.words.contract.using import Using
from chalicelib.words.contract.values import (
    PERHAPS,
    UNKNOWN,
    Absent,
    Choice,
    Known,
    Loop,
    Macro,
    Outcomes,
    Ref,
    Scope,
    Value,
    given,
    is_number,
    words,
)

# What each filter asks of its value, where that is more than being there.
_FILTERS: Final[Mapping[str, Demand]] = {
    **dict.fromkeys(("money", "plural"), "amount"),
    **dict.fromkeys(("abs", "round", "filesizeformat"), "number"),
    **dict.fromkeys(
        words(
            "batch first groupby join last list listed map max min random reject rejectattr select"
            " selectattr slice sort sum unique"
        ),
        "array",
    ),
    **dict.fromkeys(("length", "count", "reverse"), "sized"),
    **dict.fromkeys(
        words(
            "capitalize center e escape float forceescape format indent int lower replace safe"
            " string striptags title trim truncate upper urlencode urlize wordcount wordwrap"
        ),
        "string",
    ),
    **dict.fromkeys(("date", "relative"), "date"),
    "datetime": "datetime",
    "link": "link",
    **dict.fromkeys(("dictsort", "xmlattr", "attr"), "object"),
}
_WRITES_ITEMS: Final = words("join listed")
_ARGUMENTS: Final[Mapping[str, Demand]] = {
    **dict.fromkeys(words("plural replace join date datetime"), "string"),
    "money": "currency",
}
_SELECTS: Final = words("select reject selectattr rejectattr")
_SAME_ITEMS: Final = words("list sort unique reverse select reject selectattr rejectattr")
_ONE_ITEM: Final = words("first last min max random")
_ORDER: Final = words("gt gteq lt lteq")
_DICT_METHODS: Final = words("get items keys values")
_ARITHMETIC: Final = (nodes.Mul, nodes.Div, nodes.Sub, nodes.FloorDiv, nodes.Pow)
_BOOLEAN: Final = (nodes.Test, nodes.Compare, nodes.Not)


class Expressions(Using):
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

    def _same_items(self, value: Value) -> Value:
        if isinstance(value, Ref):
            return Known(items=Ref(value.note.element()), truth_of=value.note)
        if isinstance(value, Choice):
            return Choice([(path, self._same_items(option)) for path, option in value.options])
        return Known(items=value.items) if isinstance(value, Known) else Known()

    def _one_item(self, value: Value) -> Value:
        if isinstance(value, Ref):
            self._use(value, "sized")
            return Ref(value.note.element())
        if isinstance(value, Choice):
            options: list[tuple[Path, Value]] = []
            for path, option in value.options:
                with self._under(path):
                    options.append((path, self._one_item(option)))
            return Choice(options)
        return (value.items or Known()) if isinstance(value, Known) else value

    def _of_condexpr(self, node: nodes.CondExpr, scope: Scope) -> Value:
        options: list[tuple[Path, Value]] = []
        paths = self._decide(*self._test(node.test, scope))
        for path, branch in zip(paths, (node.expr1, node.expr2), strict=True):
            if path is None:
                continue
            with self._under(path):
                value = self._value(branch, scope) if branch is not None else Known(const="")
            options.append((path, value))
        return Choice(options)

    def _of_and(self, node: nodes.And | nodes.Or, scope: Scope) -> Value:
        left_yes, left_no = self._test(node.left, scope)
        stop, go_on = (left_no, left_yes) if isinstance(node, nodes.And) else (left_yes, left_no)
        stop_path, go_path = self._decide(stop, go_on)
        options: list[tuple[Path, Value]] = []
        if stop_path is not None:
            boolean = isinstance(node.left, _BOOLEAN)
            options.append((stop_path, Known() if boolean else self._value(node.left, scope)))
        if go_path is not None:
            with self._under(go_path):
                options.append((go_path, self._value(node.right, scope)))
        return Choice(options)

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
        numeric = any(is_number(value) for value in values)
        for value in values:
            self._use(value, "number" if orders and numeric else "any")
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
        demand: Demand = "any"
        texts = any(isinstance(v, Known) and isinstance(v.const, str) for v in values)
        if not texts:
            adds = isinstance(node, nodes.Add) and not any(
                is_number(v) or isinstance(n, _ARITHMETIC)
                for v, n in zip(values, (node.left, node.right), strict=True)
            )
            demand = "any" if adds else "number"
        elif isinstance(node, nodes.Add):
            demand = "string"
        for value in values:
            self._use(value, demand)
        return Known()

    _of_add = _of_sub = _of_mul = _of_div = _of_floordiv = _of_mod = _of_pow = _operands

    def _of_neg(self, node: nodes.Neg | nodes.Pos, scope: Scope) -> Value:
        self._use(self._value(node.node, scope), "number")
        constant = isinstance(node.node, nodes.Const)
        return Known(const=node.node.value) if constant else Known()  # type: ignore[attr-defined]

    _of_pos = _of_neg

    def _of_concat(self, node: nodes.Concat, scope: Scope) -> Value:
        for part in node.nodes:
            self._use(self._value(part, scope), "string")
        return Known()

    def _of_tuple(self, node: nodes.Tuple | nodes.List, scope: Scope) -> Value:
        parts = tuple(self._value(part, scope) for part in node.items)
        items = Choice([((), part) for part in parts])
        return Known(const=UNKNOWN if parts else (), items=items, parts=parts)

    _of_list = _of_tuple

    def _of_dict(self, node: nodes.Dict, scope: Scope) -> Value:
        attributes: dict[str, Value] = {}
        for pair in node.items:
            value = self._value(pair.value, scope)
            self._use(self._value(pair.key, scope), "any")
            if isinstance(pair.key, nodes.Const):
                attributes[pair.key.value] = value
            else:
                self._use(value, "any")
        if not node.items:
            return Known(const={})
        return Known(attributes=attributes, parts=tuple(attributes.values()))

    # -- filters -----------------------------------------------------------------------------------

    def _arguments(self, node: nodes.Filter | nodes.Test | nodes.Call, scope: Scope) -> list[Value]:
        found = [self._value(argument, scope) for argument in node.args]
        found += [self._value(pair.value, scope) for pair in node.kwargs]
        for more in (node.dyn_args, node.dyn_kwargs):
            if more is not None:
                self._use(self._value(more, scope), "any")
        return found

    def _filter_arguments(self, node: nodes.Filter, scope: Scope) -> None:
        """For a filter whose value is the text of a block."""
        if isinstance(node.node, nodes.Filter):
            self._filter_arguments(node.node, scope)
        for argument in self._arguments(node, scope):
            self._use(argument, "any")

    def _of_filter(self, node: nodes.Filter, scope: Scope) -> Value:
        if node.node is None:
            self._filter_arguments(node, scope)
            return Known()
        value = self._value(node.node, scope)
        arguments = self._arguments(node, scope)
        name = node.name
        if name in ("default", "d"):
            return self._default(node, value, arguments)
        for argument in arguments:
            self._use(argument, _ARGUMENTS.get(name, "any"))
        if name == "items":  # of something undefined there are none
            return Known()
        self._use(value, _FILTERS.get(name, "any"))
        if _FILTERS.get(name) not in ("array", "sized"):
            return Known()
        items = self._same_items(value)
        item = items.items if isinstance(items, Known) else None
        attribute = _option(node, "attribute", {"groupby": 0, "selectattr": 0, "rejectattr": 0})
        if attribute is not None and item is not None:
            element = item
            for path in str(attribute).split(","):
                item = element
                for part in path.split("."):
                    item = self._attribute(item, part, (self._name, node.lineno))
                self._attribute_use(node, item)
        elif name in _WRITES_ITEMS and item is not None:
            self._use(item, "string")
        if name in _SELECTS:
            return self._selected(node, items, item if attribute is not None else None)
        if name in _SAME_ITEMS:
            return items
        if name in _ONE_ITEM:
            return self._one_item(value)
        if name in ("length", "count"):
            return Known(truth_of=items.truth_of if isinstance(items, Known) else None)
        if name == "map" and _has(node, "default"):
            return Known()
        if name == "map":
            return self._mapped(node, item, attribute is not None)
        if name in ("batch", "slice"):
            return Known(items=items)
        if name == "groupby":
            pair = (Known(), items)
            return Known(items=Known(parts=pair, attributes={"grouper": pair[0], "list": pair[1]}))
        return Known()

    def _selected(self, node: nodes.Filter, items: Value, attribute: Value | None) -> Value:
        """Only some of the items go on: what is asked of those is asked under that condition."""
        if not isinstance(items, Known) or items.items is None:
            return items
        outcomes: Outcomes = (PERHAPS, PERHAPS)
        test = _selecting_test(node)
        if attribute is not None and test in (None, "defined", "undefined"):
            of = self._truth if test is None else self._definedness
            outcomes = self._among(attribute, of)
        if (test == "undefined") != node.name.startswith("reject"):
            outcomes = outcomes[::-1]
        chosen, _ = self._decide(*outcomes)
        return Known(items=Choice([(chosen, items.items)]) if chosen is not None else None)

    def _attribute_use(self, node: nodes.Filter, item: Value) -> None:
        if node.name == "map" or _option(node, "default", {}) is not None:
            return
        if node.name in _SELECTS and _selecting_test(node) in ("defined", "undefined"):
            return
        demand: Demand = "string" if node.name in _WRITES_ITEMS else "any"
        self._use(item, "number" if node.name == "sum" else demand)

    def _mapped(self, node: nodes.Filter, item: Value | None, by_attribute: bool) -> Value:
        if by_attribute:
            return Known(items=item)
        if item is not None and node.args and isinstance(node.args[0], nodes.Const):
            self._use(item, _FILTERS.get(node.args[0].value, "any"))
        return Known()

    def _default(self, node: nodes.Filter, value: Value, arguments: list[Value]) -> Value:
        boolean = _option(node, "boolean", {node.name: 1})
        if isinstance(value, Known) and not boolean:
            return value
        fallback: Value = (
            arguments[0] if node.args or _has(node, "default_value") else (Known(const=""))
        )
        if isinstance(value, Absent):
            return fallback
        yes, no = self._among(value, self._present if boolean else self._definedness)
        yes_path, no_path = self._decide(yes, no)
        options: list[tuple[Path, Value]] = []
        if yes_path is not None:
            options.append((yes_path, value))
        if no_path is not None:
            options.append((no_path, fallback))
        return Choice(options)

    @staticmethod
    def _present(value: Value) -> Outcomes:
        if isinstance(value, Ref):
            return given(value.note, "defined", "truthy"), PERHAPS
        return Using._truth(value)

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
        if isinstance(target, Choice):
            target = next((v for _, v in target.options if isinstance(v, Macro)), target)
        if isinstance(target, Macro):
            return self._invoke(target, node, scope, caller)
        arguments = self._arguments(node, scope)
        counts = isinstance(callee, nodes.Name) and callee.name == "range"
        demand: Demand = "number" if counts else "any"
        joins = isinstance(callee, nodes.Getattr) and callee.attr == "join"
        for argument in arguments:
            if joins:
                self._items(argument)
            self._use(argument, "array" if joins else demand)
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
            self._use(owner, "string" if hasattr(str, callee.attr) else "any")
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
            for extra in (*positional[len(parameters) :], *named.values()):
                self._use(extra, "any")
            frame.names.setdefault("caller", caller or Absent())
            self._statements(macro.node.body, frame)
        finally:
            self._calls.pop()
            self._name, self._silent = outer
        return Known()


def _option(node: nodes.Filter, name: str, positions: Mapping[str, int]) -> Any:
    """A filter's constant argument, by keyword or by position."""
    for pair in node.kwargs:
        if pair.key == name and isinstance(pair.value, nodes.Const):
            return pair.value.value
    at = positions.get(node.name)
    if at is not None and at < len(node.args):
        argument = node.args[at]
        return argument.value if isinstance(argument, nodes.Const) else None
    return None


def _selecting_test(node: nodes.Filter) -> str | None:
    """The test by which a filter selects, None where it goes by truth."""
    at = 1 if node.name.endswith("attr") else 0
    argument = node.args[at] if at < len(node.args) else None
    if argument is None:
        return None
    return str(argument.value) if isinstance(argument, nodes.Const) else ""


def _has(node: nodes.Filter, name: str) -> bool:
    return any(pair.key == name for pair in node.kwargs)
