"""Reading filters, and lists by way of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jinja2 import nodes

from chalicelib.words.asks import ASKED, Asks
from chalicelib.words.contract.needs import ALWAYS, PERHAPS, When
from chalicelib.words.contract.using import Using
from chalicelib.words.contract.values import (
    Absent,
    Choice,
    Known,
    Lazy,
    Outcomes,
    Ref,
    Scope,
    Value,
    both,
    choice,
    given,
    words,
)

_LAZY: Final = words("batch items map reject rejectattr select selectattr slice unique")
_SAME_ITEMS: Final = words("list sort reverse")
_ONE_ITEM: Final = words("first last min max random")
_ATTRIBUTE_AT: Final[Mapping[str, int]] = {
    "groupby": 0,
    "join": 1,
    "rejectattr": 0,
    "selectattr": 0,
    "sort": 2,
    "sum": 0,
}


class Lists(Using):
    """Gives filters their value, noting what they ask, and of the items of lists."""

    def _arguments(self, node: nodes.Filter | nodes.Test | nodes.Call, scope: Scope) -> list[Value]:
        found = [self._value(argument, scope) for argument in node.args]
        found += [self._value(pair.value, scope) for pair in node.kwargs]
        for more in (node.dyn_args, node.dyn_kwargs):
            if more is not None:
                self._use(self._value(more, scope), "any")
        return found

    def _pass(self, node: nodes.Filter, asked: Asks, scope: Scope) -> None:
        """Read a filter's arguments; those that it asks something of must be there."""
        names = [*asked.arguments]
        for at, written in enumerate(node.args):
            value = self._value(written, scope)
            if at < len(names):
                self._use(value, asked.arguments[names[at]])
        for pair in node.kwargs:
            value = self._value(pair.value, scope)
            if str(pair.key) in asked.arguments:
                self._use(value, asked.arguments[str(pair.key)])
        for more in (node.dyn_args, node.dyn_kwargs):
            if more is not None:
                self._use(self._value(more, scope), "any")

    def _of_filter(self, node: nodes.Filter, scope: Scope) -> Value:
        asked = ASKED.get(node.name, Asks())
        if node.node is None:  # the value is the text of a block
            self._pass(node, asked, scope)
            return Known()
        value = self._value(node.node, scope)
        name = node.name
        if name in ("default", "d"):
            return self._default(node, value, scope)
        self._pass(node, asked, scope)
        if name in _LAZY:
            return Lazy(lambda: self._taken(node, value))
        if asked.value not in ("list", "texts", "sized"):
            self._use(value, asked.value)
            return Known()
        if asked.value == "sized" and name not in _SAME_ITEMS:
            self._use(value, "sized")
            return Known(truth_of=value.note if isinstance(value, Ref) else None)
        if name in _ONE_ITEM:
            self._use(value, "list")
            return self._one_item(value)
        when, item = self._items(value)
        if item is not None:
            with self._under(when):
                self._attributes_of_items(node, item)
        if name in _SAME_ITEMS:
            return self._same_items(value)
        if name == "groupby":
            pair = (Known(), self._same_items(value))
            group = Known(parts=pair, attributes={"grouper": pair[0], "list": pair[1]})
            return Known(items=group, truth_of=value.note if isinstance(value, Ref) else None)
        return Known()

    def _attributes_of_items(self, node: nodes.Filter, item: Value) -> None:
        """What a filter that goes over a list asks of each item, or of an attribute of it."""
        named = _option(node, "attribute")
        for path in str(named).split(",") if named is not None else ("",):
            found = self._part(item, path, node.lineno)
            if ASKED.get(node.name, Asks()).value == "texts":
                self._use(found, "text")
            elif node.name == "sum" and not _has(node, "start") and len(node.args) < 2:
                self._use(found, "number")

    def _part(self, item: Value, path: str, line: int) -> Value:
        """What stands in an item under a dotted path."""
        for part in path.split(".") if path else ():
            if part.isdigit():
                item = self._one_item(item)
            else:
                item = self._attribute(item, part, (self._name, line))
        return item

    # -- lists -------------------------------------------------------------------------------------

    def _same_items(self, value: Value) -> Value:
        """A list of the same items."""
        if isinstance(value, Ref):
            return Known(items=Ref(value.note.element()), truth_of=value.note)
        if isinstance(value, Choice):
            return self._each(value, self._same_items)
        if isinstance(value, Lazy):
            when, item = value.take()
            return Known(items=Choice([(when, item)]) if item is not None else None)
        return Known(items=value.items, parts=value.parts) if isinstance(value, Known) else Known()

    def _one_item(self, value: Value) -> Value:
        if isinstance(value, Ref):
            self._use(value, "sized", sure=False)
            return Ref(value.note.element())
        if isinstance(value, Lazy):
            when, item = value.take()
            return Choice([(when, item)]) if item is not None else Known()
        if isinstance(value, Choice):
            return self._each(value, self._one_item)
        return (value.items or Known()) if isinstance(value, Known) else value

    def _taken(self, node: nodes.Filter, value: Value) -> tuple[When, Value | None]:
        """The items that such a filter gives, and when it gives any."""
        name = node.name
        if name == "items":
            there, _ = self._among(value, self._definedness)  # else there are none
            with self._under(there):
                self._use(value, "object")
            return there, None if there.dead else Known(parts=(Known(), Known()))
        some = ALWAYS
        if name not in ("batch", "slice", "unique"):  # the others take nothing from null, 0, …
            self._use(value, "any")
            some, _ = self._among(value, self._truth)
        with self._under(some):
            when, item = self._items(value)
        when = both(some, when)
        if item is None:
            return when, None
        with self._under(when):
            if name == "map":
                return when, self._mapped(node, item)
            if name in ("batch", "slice"):
                return when, Known(items=item)
            if name == "unique":
                return when, item
            chosen, _ = self._selection(node, item)
        return both(when, chosen), None if chosen.dead else item

    def _mapped(self, node: nodes.Filter, item: Value) -> Value:
        attribute = _option(node, "attribute")
        if attribute is not None:
            found = self._part(item, str(attribute), node.lineno)
            return Known() if _has(node, "default") else found
        if node.args and isinstance(node.args[0], nodes.Const):
            name = node.args[0].value
            if name not in ("default", "d"):
                self._use(item, ASKED.get(name, Asks()).value)
        return Known()

    def _selection(self, node: nodes.Filter, item: Value) -> Outcomes:
        """What holds for the items that a filter lets through, and for the others."""
        attribute = _option(node, "attribute") if node.name.endswith("attr") else None
        found = self._part(item, str(attribute), node.lineno) if attribute is not None else item
        at = 1 if attribute is not None else 0
        argument = node.args[at] if at < len(node.args) else None
        test = argument.value if isinstance(argument, nodes.Const) else "" if argument else None
        outcomes: Outcomes = (PERHAPS, PERHAPS)
        if test is None:
            self._use(found, "any")
            outcomes = self._among(found, self._truth)
        elif test in ("defined", "undefined"):
            outcomes = self._among(found, self._definedness)
        elif test == "none":
            outcomes = self._among(found, self._not_null)
        if (test in ("undefined", "none")) != node.name.startswith("reject"):
            outcomes = outcomes[::-1]
        return outcomes

    # -- default -----------------------------------------------------------------------------------

    def _default(self, node: nodes.Filter, value: Value, scope: Scope) -> Value:
        arguments = self._arguments(node, scope)
        boolean = _option(node, "boolean", 1)
        if isinstance(value, Known) and not boolean:
            return value
        fallback: Value = Known(const="")
        if node.args or _has(node, "default_value"):
            fallback = arguments[0]
        if isinstance(value, Absent):
            return fallback
        yes, no = self._among(value, self._present if boolean else self._definedness)
        return choice((yes, no), (value, fallback))

    @staticmethod
    def _present(value: Value) -> Outcomes:
        if isinstance(value, Ref):
            return given(value.note, "defined", "truthy"), PERHAPS
        return Using._truth(value)


def _option(node: nodes.Filter, name: str, at: int | None = None) -> Any:
    """A filter's constant argument, by keyword or by position."""
    for pair in node.kwargs:
        if pair.key == name and isinstance(pair.value, nodes.Const):
            return pair.value.value
    at = _ATTRIBUTE_AT.get(node.name) if at is None else at
    if at is not None and at < len(node.args):
        argument = node.args[at]
        return argument.value if isinstance(argument, nodes.Const) else None
    return None


def _has(node: nodes.Filter, name: str) -> bool:
    return any(pair.key == name for pair in node.kwargs)
