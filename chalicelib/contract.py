"""The contract of an event type: which data its templates need, read from the templates themselves.

`fields_of` walks the syntax tree of a template as rendering would, through layouts, includes,
imports and macro calls, and notes every field that it meets together with the conditions under which
it meets it. From those notes follows what is required:

- what is used whatever the data, is required;
- what is only used where a condition holds (``if order.express``), or where it is known to be there
  (``is defined``, ``default``), is optional;
- what is used in every branch of a condition is required again.

"Required" is relative to the parent: in ``{% if gift is defined %}{{ gift.from }}{% endif %}``,
``gift`` is optional, and ``gift.from`` required wherever there is a gift. A field that is used in the
body of a loop counts as used, though the list may be empty: an empty order is the exception.

Being undefined is an error in ``{% if note %}``, so a plain ``if`` makes nothing optional. It does
make null, false and empty acceptable for what is only used inside it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final, Literal

import jinja2
from jinja2 import nodes

Kind = Literal["object", "array", "number", "string", "any"]

_NUMERIC_TEXT: Final = r"-?[0-9]{1,15}(\.[0-9]{1,15})?"
_MAX_DEPTH: Final = 12


@dataclass(slots=True)
class Field:
    """One piece of data that a template uses, with what it uses inside of it.

    `required` is meant within its parent. `kind` "string" is whatever prints as text: a text or a
    number. `nullable`: null, false and empty pass too, because the template asks first.
    `numeric_text`: a number may come as its text, "19.90". `where` is the first file and line that
    use it.
    """

    name: str
    required: bool = False
    kind: Kind = "any"
    children: dict[str, Field] = field(default_factory=dict)
    item: Field | None = None
    nullable: bool = False
    numeric_text: bool = False
    where: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Needs:
    """What one template file needs: fields of `data`, and event attributes (``event.recipient``).

    `files` are all the files that take part, `blocks` the blocks by name with the files that define
    them, `unresolved` the places (file, line, problem) where the reading cannot follow.
    """

    data: Field
    attributes: tuple[str, ...]
    files: tuple[str, ...]
    blocks: Mapping[str, tuple[str, ...]]
    placed: frozenset[str]
    unresolved: tuple[tuple[str, int, str], ...]


def fields_of(environment: jinja2.Environment, source_of: Callable[[str], str], name: str) -> Field:
    """The fields of `data` that the template file `name` uses, as a tree under a nameless root.

    Raises
    ------
    jinja2.TemplateSyntaxError, jinja2.TemplateNotFound : for it or a file that it draws in.
    """
    return Reader(environment, source_of).needs(name).data


def attributes_of(
    environment: jinja2.Environment, source_of: Callable[[str], str], name: str
) -> tuple[str, ...]:
    """The event attributes that the template file `name` cannot do without, sorted."""
    return Reader(environment, source_of).needs(name).attributes


class Reader:
    """Reads the needs of template files, parsing each file once however many share it."""

    def __init__(self, environment: jinja2.Environment, source_of: Callable[[str], str]) -> None:
        self.environment = environment
        self._source_of = source_of
        self._trees: dict[str, nodes.Template] = {}

    def tree(self, name: str) -> nodes.Template:
        """The syntax tree of a file; raises `TemplateNotFound` and `TemplateSyntaxError`."""
        tree = self._trees.get(name)
        if tree is None:
            if name.startswith("/") or ".." in name.split("/"):  # the loader refuses these too
                raise jinja2.TemplateNotFound(name)
            try:
                source = self._source_of(name)
            except (KeyError, OSError):
                raise jinja2.TemplateNotFound(name) from None
            tree = self.environment.parse(source, name, name)
            self._trees[name] = tree
        return tree

    def hand_over(self, name: str) -> nodes.Template | None:
        """The tree of a file if there is one, given up: compiling changes it."""
        return self._trees.pop(name, None)

    def needs(self, name: str) -> Needs:
        """What the template file `name` needs."""
        walk = _Walk(self, PurePosixPath(name).stem)
        walk.file(name, _Scope(None), ())
        while walk.event.settle():
            pass
        attributes = sorted(
            child.name
            for child in walk.event.children.values()
            if child is not walk.data and child.required
        )
        data = walk.data.field()
        data.required = True
        return Needs(
            data=data,
            attributes=tuple(attributes),
            files=tuple(walk.files),
            blocks={block: tuple(f for _, f in stack) for block, stack in walk.blocks.items()},
            placed=frozenset(walk.placed),
            unresolved=tuple(dict.fromkeys(walk.unresolved)),
        )


# -- notes on a field ------------------------------------------------------------------------------

# What is asked of a value; "sized" and "amount" end as array or string, and as number.
_Demand = Literal["any", "sized", "string", "amount", "number", "array", "object"]


@dataclass(frozen=True, slots=True, eq=False)
class _Guard:
    """One branch of one decision. `facts` are the fields known to be there when it is taken.

    `opaque` guards depend on more than facts, so nothing is certain inside them.
    """

    decision: int
    branch: int
    facts: frozenset[tuple[_Note, str]]
    opaque: bool

    @property
    def key(self) -> tuple[int, int]:
        return self.decision, self.branch


_Path = tuple[_Guard, ...]


class _Note:
    """A field while the templates are read: where it was used, under which guards, as what."""

    __slots__ = ("children", "demands", "item", "name", "parent", "required", "where")

    def __init__(self, name: str, parent: _Note | None, where: tuple[str, int] | None) -> None:
        self.name = name
        self.parent = parent
        self.where = where
        self.children: dict[str, _Note] = {}
        self.item: _Note | None = None
        self.demands: list[tuple[_Demand, _Path]] = []
        self.required = False

    def child(self, name: str, where: tuple[str, int]) -> _Note:
        found = self.children.get(name)
        if found is None:
            found = self.children[name] = _Note(name, self, where)
        return found

    def element(self) -> _Note:
        if self.item is None:
            self.item = _Note("", self, self.where)
        return self.item

    def within(self, ancestor: _Note) -> bool:
        note: _Note | None = self
        while note is not None:
            if note is ancestor:
                return True
            note = note.parent
        return False

    def _settled(self, fact: tuple[_Note, str], own: bool) -> bool:
        """Whether a fact holds wherever the parent (or, for `own`, this field itself) is there."""
        known, what = fact
        if self.parent is None or self.parent.within(known):
            return True
        if what != "defined":
            return False
        note = known
        while not self.parent.within(note):
            if not (note.required or (own and note is self)) or note.parent is None:
                return False
            note = note.parent
        return True

    def _open(self, path: _Path, own: bool) -> frozenset[tuple[int, int]]:
        """The guards of a use that are open, though the parent (or this field itself) is there."""
        return frozenset(
            guard.key
            for guard in path
            if guard.opaque or not all(self._settled(fact, own) for fact in guard.facts)
        )

    def settle(self) -> bool:
        """Find out about `required`, here and below; True if that brought anything new.

        One required field can settle the condition of another, so this goes on until it does not.
        """
        new = False
        if not self.required:
            self.required = _certain({self._open(path, own=False) for _, path in self.demands})
            new = self.required
        for note in (*self.children.values(), *([self.item] if self.item else ())):
            new = note.settle() or new
        return new

    def field(self) -> Field:
        asked = [
            (demand, path)
            for demand, path in self.demands
            if not any(
                known is self and fact == "shape" for guard in path for known, fact in guard.facts
            )
        ]
        kind, numeric_text = _kind({demand for demand, _ in asked})
        strict = _certain({self._open(path, own=True) for demand, path in asked if demand != "any"})
        return Field(
            name=self.name,
            required=self.required,
            kind="object" if self.parent is None else kind,
            children={name: child.field() for name, child in self.children.items()},
            item=self.item.field() if self.item is not None else None,
            nullable=self.parent is not None and not strict,
            numeric_text=numeric_text,
            where=self.where,
        )


def _kind(demands: set[_Demand]) -> tuple[Kind, bool]:
    if "object" in demands and "array" in demands:
        return "any", False
    if "object" in demands:
        return "object", False
    if "array" in demands:
        return "array", False
    if "number" in demands:
        return "number", False
    if "amount" in demands:
        return "number", True
    if "string" in demands:
        return "string", False
    return ("array" if "sized" in demands else "any"), False


def _certain(uses: set[frozenset[tuple[int, int]]]) -> bool:
    """Whether some use happens whatever the decisions: two uses in both branches are one in none."""
    for _ in range(_MAX_DEPTH):
        if frozenset() in uses:
            return True
        found = set()
        for use in uses:
            for decision, branch in use:
                rest = use - {(decision, branch)}
                other = rest | {(decision, 1 - branch)}
                if any(candidate <= other for candidate in uses):
                    found.add(rest)
        if found <= uses or len(uses) > 500:
            return False
        uses = uses | found
    return False


# -- values ----------------------------------------------------------------------------------------


class _Value:
    """What an expression is, as far as the tree tells."""


@dataclass(slots=True, eq=False)
class _Ref(_Value):
    """A field."""

    note: _Note


_UNKNOWN: Final = object()


@dataclass(slots=True, eq=False)
class _Known(_Value):
    """Something that is there: a constant, or the result of a filter, an operator, a call.

    `items` is what a loop over it yields, `truth_of` the field that is non-empty if this is true.
    """

    const: Any = _UNKNOWN
    items: _Value | None = None
    truth_of: _Note | None = None
    parts: tuple[_Value, ...] | None = None
    attributes: Mapping[str, _Value] | None = None


class _Absent(_Value):
    """Undefined for certain: a macro's parameter that nobody passed."""


@dataclass(slots=True, eq=False)
class _Choice(_Value):
    """One of several values, each under its guards; with no guards, all of them in turn."""

    options: list[tuple[_Path, _Value]]


@dataclass(slots=True, eq=False)
class _Macro(_Value):
    node: nodes.Macro | nodes.CallBlock
    scope: _Scope
    file: str


@dataclass(slots=True, eq=False)
class _Module(_Value):
    scope: _Scope


@dataclass(slots=True, eq=False)
class _Loop(_Value):
    """The ``loop`` of a recursive loop, which can be called with another list."""

    node: nodes.For
    scope: _Scope


class _Scope:
    """Names that templates set, one frame of them; a name that no frame has is a field."""

    __slots__ = ("names", "parent")

    def __init__(self, parent: _Scope | None) -> None:
        self.parent = parent
        self.names: dict[str, _Value] = {}

    def find(self, name: str) -> _Value | None:
        scope: _Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return None


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What holds when a test comes out one way. `dead`: it never does."""

    facts: frozenset[tuple[_Note, str]] = frozenset()
    opaque: bool = False
    dead: bool = False

    @property
    def certain(self) -> bool:
        return not (self.facts or self.opaque or self.dead)


_ALWAYS: Final = _Outcome()
_NEVER: Final = _Outcome(dead=True)
_PERHAPS: Final = _Outcome(opaque=True)
_Outcomes = tuple[_Outcome, _Outcome]


def _given(note: _Note, *facts: str) -> _Outcome:
    return _Outcome(frozenset((note, fact) for fact in facts))


def _both(one: _Outcome, other: _Outcome) -> _Outcome:
    return _Outcome(one.facts | other.facts, one.opaque or other.opaque, one.dead or other.dead)


def _either(one: _Outcome, other: _Outcome) -> _Outcome:
    if one.dead or other.dead:
        return one if other.dead else other
    if one.certain or other.certain:
        return _ALWAYS
    return _Outcome(one.facts & other.facts, opaque=True)


# -- what filters and tests ask of a value ---------------------------------------------------------

_FILTERS: Final[Mapping[str, _Demand]] = {
    **dict.fromkeys(("money", "plural"), "amount"),
    **dict.fromkeys(("abs", "round", "filesizeformat"), "number"),
    **dict.fromkeys(
        [
            "batch",
            "first",
            "groupby",
            "join",
            "last",
            "list",
            "listed",
            "map",
            "max",
            "min",
            "random",
            "reject",
            "rejectattr",
            "select",
            "selectattr",
            "slice",
            "sort",
            "sum",
            "unique",
        ],
        "array",
    ),
    **dict.fromkeys(("length", "count", "reverse"), "sized"),
    **dict.fromkeys(
        [
            "capitalize",
            "center",
            "date",
            "datetime",
            "e",
            "escape",
            "float",
            "forceescape",
            "format",
            "indent",
            "int",
            "link",
            "lower",
            "relative",
            "replace",
            "safe",
            "string",
            "striptags",
            "title",
            "trim",
            "truncate",
            "upper",
            "urlencode",
            "urlize",
            "wordcount",
            "wordwrap",
        ],
        "string",
    ),
    **dict.fromkeys(("dictsort", "xmlattr", "attr"), "object"),
}
_WRITES_ITEMS: Final = frozenset(("join", "listed"))
_TEXT_ARGUMENTS: Final = frozenset(("money", "plural", "replace", "join", "date", "datetime"))
_SELECTS: Final = frozenset(("select", "reject", "selectattr", "rejectattr"))
_SAME_ITEMS: Final = frozenset(
    ["list", "sort", "unique", "reverse", "select", "reject", "selectattr", "rejectattr"]
)
_ONE_ITEM: Final = frozenset(["first", "last", "min", "max", "random"])
_SHAPES: Final = frozenset(
    ["string", "mapping", "number", "boolean", "integer", "float", "sequence"]
)
_NUMBER_TESTS: Final = frozenset(["odd", "even", "divisibleby"])
_ORDER: Final = frozenset(["gt", "gteq", "lt", "lteq"])
_DICT_METHODS: Final = frozenset(["get", "items", "keys", "values"])
_ARITHMETIC: Final = (nodes.Mul, nodes.Div, nodes.Sub, nodes.FloorDiv, nodes.Pow)
_BOOLEAN: Final = (nodes.Test, nodes.Compare, nodes.Not)


class _Walk:
    """One pass over a template file, in the order in which rendering would take it."""

    def __init__(self, reader: Reader, locale: str) -> None:
        self.reader = reader
        self.data = _Note("", None, None)
        self.event = _Note("event", None, None)
        self.event.children["data"] = self.data
        self.files: dict[str, None] = {}
        self.blocks: dict[str, list[tuple[nodes.Block, str]]] = {}
        self.placed: set[str] = set()
        self.unresolved: list[tuple[str, int, str]] = []
        self._locale = locale
        self._name = ""
        self._path: _Path = ()
        self._decisions = 0
        self._calls: list[object] = []
        self._silent = False
        self._block: list[tuple[str, int, _Scope]] = []
        self._context = _Scope(None)
        self._settled: set[str] = set()

    # -- files and blocks --------------------------------------------------------------------------

    def file(self, name: str, scope: _Scope, path: _Path) -> None:
        """Read a whole file: what is at its top, its layout, then the blocks on their own."""
        self._path = path
        self._context = scope
        self._root(name, scope)
        for block in list(self.blocks):
            if block not in self._settled:
                self._in_block(block, 0, _Scope(scope))

    def _root(self, name: str, scope: _Scope) -> None:
        if len(self._calls) > _MAX_DEPTH:
            return
        tree = self.reader.tree(name)
        self.files[name] = None
        for block in tree.find_all(nodes.Block):
            self.blocks.setdefault(block.name, []).append((block, name))
        extends = next((n for n in tree.body if isinstance(n, nodes.Extends)), None)
        outer = self._name, self._silent
        self._name, self._silent = name, extends is not None
        self._calls.append(name)
        try:
            self._statements(tree.body, scope)
            if extends is not None:
                layouts = self._templates(extends, scope)
                self._silent = False
                for layout in layouts[:1]:
                    self._root(layout, scope)
        finally:
            self._calls.pop()
            self._name, self._silent = outer

    def _in_block(self, name: str, depth: int, scope: _Scope) -> None:
        stack = self.blocks.get(name, [])
        if depth >= len(stack) or len(self._block) > _MAX_DEPTH:
            return
        block, file = stack[depth]
        outer = self._name, self._silent
        self._name, self._silent = file, False
        self._block.append((name, depth, scope))
        if not self._path:
            self._settled.add(name)
        try:
            self._statements(block.body, _Scope(scope))
        finally:
            self._block.pop()
            self._name, self._silent = outer

    def _templates(
        self, node: nodes.Extends | nodes.Include | nodes.Import | nodes.FromImport, scope: _Scope
    ) -> list[str]:
        """The names of the files that a tag draws in."""
        names = self._constant(node.template, scope)
        if isinstance(names, str):
            names = [names]
        if not isinstance(names, (list, tuple)) or not all(isinstance(n, str) for n in names):
            self._use(self._value(node.template, scope), "any")
            self._unresolved(node, "the name of a file is worked out while rendering")
            return []
        for candidate in names:
            try:
                self.reader.tree(candidate)
            except jinja2.TemplateNotFound:
                continue
            return [candidate]
        if not (isinstance(node, nodes.Include) and node.ignore_missing):
            self._unresolved(node, f"there is no file templates/{' or '.join(names)}")
        return []

    def _constant(self, node: nodes.Expr, scope: _Scope) -> Any:
        if isinstance(node, nodes.Const):
            return node.value
        if isinstance(node, nodes.Name) and scope.find(node.name) is None:
            return self._locale if node.name == "locale" else None
        if isinstance(node, (nodes.Concat, nodes.Add)):
            both = [node.left, node.right] if isinstance(node, nodes.Add) else node.nodes
            parts = [self._constant(part, scope) for part in both]
            return "".join(parts) if all(isinstance(p, str) for p in parts) else None
        if isinstance(node, (nodes.List, nodes.Tuple)):
            return [self._constant(part, scope) for part in node.items]
        return None

    def _unresolved(self, node: nodes.Node, problem: str) -> None:
        self.unresolved.append((self._name, node.lineno, problem))

    # -- guards ------------------------------------------------------------------------------------

    def _decide(self, yes: _Outcome, no: _Outcome) -> tuple[_Path | None, _Path | None]:
        """The guards of the two branches of a decision; None for a branch that is never taken."""
        self._decisions += 1
        paths: list[_Path | None] = []
        for branch, outcome in enumerate((yes, no)):
            other = (no, yes)[branch]
            if outcome.dead:
                paths.append(None)
            elif other.dead or outcome.certain:
                paths.append(())
            else:
                guard = _Guard(self._decisions, branch, outcome.facts, outcome.opaque)
                paths.append((guard,))
        return paths[0], paths[1]

    @contextmanager
    def _under(self, path: _Path) -> Iterator[None]:
        outer = self._path
        self._path = (*outer, *path)
        try:
            yield
        finally:
            self._path = outer

    # -- statements --------------------------------------------------------------------------------

    def _statements(self, body: Iterable[nodes.Node], scope: _Scope) -> None:
        for node in body:
            visit = getattr(self, f"_do_{type(node).__name__.lower()}", None)
            if visit is not None:
                visit(node, scope)

    def _do_output(self, node: nodes.Output, scope: _Scope) -> None:
        if self._silent:
            return
        for part in node.nodes:
            if not isinstance(part, nodes.TemplateData):
                self._use(self._value(part, scope), "string")

    def _do_exprstmt(self, node: nodes.ExprStmt, scope: _Scope) -> None:
        self._value(node.node, scope)

    def _do_if(self, node: nodes.If, scope: _Scope) -> None:
        rest: list[nodes.Node] = list(node.else_)
        if node.elif_:
            first, *others = node.elif_
            rest = [nodes.If(first.test, first.body, others, node.else_, lineno=first.lineno)]
        yes, no = self._decide(*self._test(node.test, scope))
        before = dict(scope.names)
        after: list[tuple[_Path, dict[str, _Value]]] = []
        for path, body in ((yes, node.body), (no, rest)):
            if path is None:
                continue
            scope.names = dict(before)
            with self._under(path):
                self._statements(body, scope)
            after.append((path, scope.names))
        scope.names = self._joined(before, after, scope)

    def _joined(
        self,
        before: dict[str, _Value],
        after: Sequence[tuple[_Path, dict[str, _Value]]],
        scope: _Scope,
    ) -> dict[str, _Value]:
        """The names after a decision: what either branch set, each under its guards."""
        if len(after) == 1:
            return after[0][1]
        names = dict(before)
        for name in dict.fromkeys(name for _, branch in after for name in branch):
            values = [branch.get(name) for _, branch in after]
            if all(value is values[0] for value in values):
                if values[0] is not None:
                    names[name] = values[0]
                continue
            options: list[tuple[_Path, _Value]] = []
            for (path, _), value in zip(after, values, strict=True):
                if value is None:
                    value = scope.parent.find(name) if scope.parent else None
                    if value is None:
                        field = self.data.children.get(name)
                        value = _Ref(field) if field else _Absent()
                options.append((path, value))
            names[name] = _Choice(options)
        return names

    def _do_for(self, node: nodes.For, scope: _Scope) -> None:
        self._loop_over(node, self._value(node.iter, scope), scope)

    def _loop_over(self, node: nodes.For, iterable: _Value, scope: _Scope) -> None:
        path, item = self._items(iterable)
        if item is not None:
            inner = _Scope(scope)
            with self._under(path):
                self._bind(node.target, item, inner)
                guards: _Path | None = ()
                if node.test is not None:
                    guards, _ = self._decide(*self._test(node.test, inner))
                inner.names["loop"] = _Loop(node, scope) if node.recursive else _Known()
                if guards is not None:
                    with self._under(guards):
                        self._statements(node.body, inner)
        if node.else_:
            _, empty = self._decide(_PERHAPS, _PERHAPS)
            with self._under(empty or ()):
                self._statements(node.else_, _Scope(scope))

    def _do_assign(self, node: nodes.Assign, scope: _Scope) -> None:
        self._bind(node.target, self._value(node.node, scope), scope)

    def _do_assignblock(self, node: nodes.AssignBlock, scope: _Scope) -> None:
        silent, self._silent = self._silent, False
        self._statements(node.body, _Scope(scope))
        self._silent = silent
        if node.filter is not None:
            self._filter_arguments(node.filter, scope)
        self._bind(node.target, _Known(), scope)

    def _do_with(self, node: nodes.With, scope: _Scope) -> None:
        inner = _Scope(scope)
        for target, value in zip(node.targets, node.values, strict=True):
            self._bind(target, self._value(value, scope), inner)
        self._statements(node.body, inner)

    def _do_scope(self, node: nodes.Scope, scope: _Scope) -> None:
        self._statements(node.body, _Scope(scope))

    def _do_filterblock(self, node: nodes.FilterBlock, scope: _Scope) -> None:
        if not self._silent:
            self._filter_arguments(node.filter, scope)
            self._statements(node.body, _Scope(scope))

    def _do_block(self, node: nodes.Block, scope: _Scope) -> None:
        if not self._silent:
            self.placed.add(node.name)
            self._in_block(node.name, 0, scope if node.scoped else _Scope(self._context))

    def _do_macro(self, node: nodes.Macro, scope: _Scope) -> None:
        scope.names[node.name] = _Macro(node, scope, self._name)

    def _do_callblock(self, node: nodes.CallBlock, scope: _Scope) -> None:
        self._call(node.call, scope, caller=_Macro(node, scope, self._name))

    def _do_include(self, node: nodes.Include, scope: _Scope) -> None:
        for name in self._templates(node, scope):
            self._apart(name, _Scope(scope))

    def _do_import(self, node: nodes.Import, scope: _Scope) -> None:
        for name in self._templates(node, scope):
            scope.names[node.target] = _Module(self._apart(name, _Scope(scope)))

    def _do_fromimport(self, node: nodes.FromImport, scope: _Scope) -> None:
        for file in self._templates(node, scope):
            module = self._apart(file, _Scope(scope))
            for name in node.names:
                name, alias = name if isinstance(name, tuple) else (name, name)
                if name not in module.names:
                    close = nearest(name, module.names)
                    hint = f"; did you mean {close!r}?" if close else ""
                    self._unresolved(node, f"templates/{file} has no macro {name!r}{hint}")
                scope.names[alias] = module.names.get(name, _Absent())

    def _apart(self, name: str, scope: _Scope) -> _Scope:
        """Read a file that is drawn in with its own blocks, and give the names that it sets."""
        if self._calls.count(name) > 1:
            return scope
        outer = self.blocks, self.placed, self._context, self._block, self._silent, self._settled
        self.blocks, self.placed, self._context = {}, set(), scope
        self._block, self._silent, self._settled = [], False, set()
        try:
            self._root(name, scope)
        finally:
            self.blocks, self.placed, self._context = outer[:3]
            self._block, self._silent, self._settled = outer[3:]
        return scope

    def _bind(self, target: nodes.Node, value: _Value, scope: _Scope) -> None:
        if isinstance(target, nodes.Name):
            scope.names[target.name] = value
        elif isinstance(target, nodes.Tuple):
            parts = value.parts if isinstance(value, _Known) else None
            if parts is None or len(parts) != len(target.items):
                path, item = self._items(value)
                del path
                parts = (item or _Known(),) * len(target.items)
            for inner, part in zip(target.items, parts, strict=True):
                self._bind(inner, part, scope)
        else:  # an attribute of a namespace, which outlives its frame
            self._use(value, "any")

    # -- using a value -----------------------------------------------------------------------------

    def _use(self, value: _Value, demand: _Demand) -> None:
        """Note that a value is read here, in a way that fails where it is undefined."""
        if isinstance(value, _Ref):
            value.note.demands.append((demand, self._path))
        elif isinstance(value, _Choice):
            for path, option in value.options:
                with self._under(path):
                    self._use(option, demand)
        elif isinstance(value, _Known) and value.parts is not None:
            for part in value.parts:
                self._use(part, "any")

    def _items(self, value: _Value) -> tuple[_Path, _Value | None]:
        """What a loop over a value yields, and the guards under which it yields anything."""
        if isinstance(value, _Ref):
            self._use(value, "array")
            return (), _Ref(value.note.element())
        if isinstance(value, _Known):
            if value.const is not _UNKNOWN and not value.const:
                return (), None
            return (), value.items or _Known()
        if isinstance(value, _Choice):
            found: list[tuple[_Path, _Value]] = []
            for path, option in value.options:
                with self._under(path):
                    inner, item = self._items(option)
                if item is not None:
                    found.append(((*path, *inner), item))
            if len(found) == 1:
                return found[0]
            return (), _Choice(found) if found else None
        return (), None if isinstance(value, _Absent) else _Known()

    def _attribute(self, value: _Value, name: str, where: tuple[str, int]) -> _Value:
        if isinstance(value, _Ref):
            self._use(value, "object")
            return _Ref(value.note.child(name, where))
        if isinstance(value, _Choice):
            options: list[tuple[_Path, _Value]] = []
            for path, option in value.options:
                with self._under(path):
                    options.append((path, self._attribute(option, name, where)))
            return _Choice(options)
        if isinstance(value, _Module):
            return value.scope.names.get(name, _Absent())
        if isinstance(value, _Known) and value.attributes is not None:
            return value.attributes.get(name, _Known())
        return value if isinstance(value, _Absent) else _Known()

    # -- tests -------------------------------------------------------------------------------------

    def _test(self, node: nodes.Node, scope: _Scope) -> _Outcomes:
        """What holds where an expression is true, and where it is false."""
        if isinstance(node, nodes.Not):
            yes, no = self._test(node.node, scope)
            return no, yes
        if isinstance(node, (nodes.And, nodes.Or)):
            first_yes, first_no = self._test(node.left, scope)
            go_on = first_yes if isinstance(node, nodes.And) else first_no
            path, _ = self._decide(go_on, _PERHAPS)
            if path is None:
                return first_yes, first_no
            with self._under(path):
                then_yes, then_no = self._test(node.right, scope)
            if isinstance(node, nodes.And):
                return _both(first_yes, then_yes), _either(first_no, then_no)
            return _either(first_yes, then_yes), _both(first_no, then_no)
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

    def _named_test(self, node: nodes.Test, scope: _Scope) -> _Outcomes:
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
            return (self._among(value, self._shape)[0], _PERHAPS)
        for argument in arguments:
            self._use(argument, "any")
        numeric = node.name in _NUMBER_TESTS or (
            node.name in (">", "gt", "greaterthan", "ge", ">=", "<", "lt", "lessthan", "<=", "le")
            and any(_is_number(a) for a in arguments)
        )
        self._use(value, "number" if numeric else "any")
        return _PERHAPS, _PERHAPS

    def _among(self, value: _Value, of: Callable[[_Value], _Outcomes]) -> _Outcomes:
        """The outcomes for a value; where only one of several can bring one about, exactly its own."""
        if not isinstance(value, _Choice):
            return of(value)
        yes, no = _NEVER, _NEVER
        for path, option in value.options:
            guards = _Outcome(
                frozenset(fact for guard in path for fact in guard.facts),
                any(guard.opaque for guard in path),
            )
            option_yes, option_no = self._among(option, of)
            yes = _either(yes, _both(guards, option_yes))
            no = _either(no, _both(guards, option_no))
        return yes, no

    @staticmethod
    def _definedness(value: _Value) -> _Outcomes:
        if isinstance(value, _Ref):
            return _given(value.note, "defined"), _PERHAPS
        return (_NEVER, _ALWAYS) if isinstance(value, _Absent) else (_ALWAYS, _NEVER)

    @staticmethod
    def _truth(value: _Value) -> _Outcomes:
        if isinstance(value, _Ref):
            return _given(value.note, "truthy"), _PERHAPS
        if isinstance(value, _Known):
            if value.const is not _UNKNOWN:
                return (_ALWAYS, _NEVER) if value.const else (_NEVER, _ALWAYS)
            if value.truth_of is not None:
                return _given(value.truth_of, "truthy"), _PERHAPS
        return _PERHAPS, _PERHAPS

    @staticmethod
    def _not_null(value: _Value) -> _Outcomes:
        if isinstance(value, _Ref):
            return _given(value.note, "truthy"), _PERHAPS
        if isinstance(value, _Known) and value.const is not _UNKNOWN:
            return (_ALWAYS, _NEVER) if value.const is not None else (_NEVER, _ALWAYS)
        return _PERHAPS, _PERHAPS

    @staticmethod
    def _shape(value: _Value) -> _Outcomes:
        if isinstance(value, _Ref):
            facts = frozenset({(value.note, "shape")})
            return _Outcome(facts), _Outcome(facts, opaque=True)
        return _PERHAPS, _PERHAPS

    # -- expressions -------------------------------------------------------------------------------

    def _value(self, node: nodes.Node, scope: _Scope) -> _Value:
        visit = getattr(self, f"_of_{type(node).__name__.lower()}", None)
        if visit is not None:
            found: _Value = visit(node, scope)
            return found
        for child in node.iter_child_nodes():
            if isinstance(child, nodes.Expr):
                self._use(self._value(child, scope), "any")
        return _Known()

    def _free(self, name: str, line: int) -> _Value:
        """A name that no frame has: the event, the locale, a global, or else a field."""
        if name == "event":
            return _Ref(self.event)
        if name == "locale":
            return _Known(const=self._locale)
        if name in ("self", "super", "caller", "varargs", "kwargs"):
            return _Known()
        if name in self.reader.environment.globals:
            return _Known()
        return _Ref(self.data.child(name, (self._name, line)))

    def _of_name(self, node: nodes.Name, scope: _Scope) -> _Value:
        return scope.find(node.name) or self._free(node.name, node.lineno)

    def _of_const(self, node: nodes.Const, _: _Scope) -> _Value:
        return _Known(const=node.value)

    def _of_getattr(self, node: nodes.Getattr, scope: _Scope) -> _Value:
        return self._attribute(self._value(node.node, scope), node.attr, (self._name, node.lineno))

    def _of_getitem(self, node: nodes.Getitem, scope: _Scope) -> _Value:
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
        return _Known()

    def _same_items(self, value: _Value) -> _Value:
        if isinstance(value, _Ref):
            return _Known(items=_Ref(value.note.element()), truth_of=value.note)
        if isinstance(value, _Choice):
            return _Choice([(path, self._same_items(option)) for path, option in value.options])
        return _Known(items=value.items) if isinstance(value, _Known) else _Known()

    def _one_item(self, value: _Value) -> _Value:
        if isinstance(value, _Ref):
            self._use(value, "sized")
            return _Ref(value.note.element())
        if isinstance(value, _Choice):
            options: list[tuple[_Path, _Value]] = []
            for path, option in value.options:
                with self._under(path):
                    options.append((path, self._one_item(option)))
            return _Choice(options)
        return (value.items or _Known()) if isinstance(value, _Known) else value

    def _of_condexpr(self, node: nodes.CondExpr, scope: _Scope) -> _Value:
        options: list[tuple[_Path, _Value]] = []
        paths = self._decide(*self._test(node.test, scope))
        for path, branch in zip(paths, (node.expr1, node.expr2), strict=True):
            if path is None:
                continue
            with self._under(path):
                value = self._value(branch, scope) if branch is not None else _Known(const="")
            options.append((path, value))
        return _Choice(options)

    def _of_and(self, node: nodes.And | nodes.Or, scope: _Scope) -> _Value:
        left_yes, left_no = self._test(node.left, scope)
        stop, go_on = (left_no, left_yes) if isinstance(node, nodes.And) else (left_yes, left_no)
        stop_path, go_path = self._decide(stop, go_on)
        options: list[tuple[_Path, _Value]] = []
        if stop_path is not None:
            boolean = isinstance(node.left, _BOOLEAN)
            options.append((stop_path, _Known() if boolean else self._value(node.left, scope)))
        if go_path is not None:
            with self._under(go_path):
                options.append((go_path, self._value(node.right, scope)))
        return _Choice(options)

    _of_or = _of_and

    def _of_not(self, node: nodes.Not, scope: _Scope) -> _Value:
        self._test(node.node, scope)
        return _Known()

    def _of_test(self, node: nodes.Test, scope: _Scope) -> _Value:
        self._test(node, scope)
        return _Known()

    def _of_compare(self, node: nodes.Compare, scope: _Scope) -> _Value:
        values = [self._value(node.expr, scope)]
        values += [self._value(operand.expr, scope) for operand in node.ops]
        orders = any(operand.op in _ORDER for operand in node.ops)
        numeric = any(_is_number(value) for value in values)
        for value in values:
            self._use(value, "number" if orders and numeric else "any")
        if len(values) == 2 and node.ops[0].op in ("eq", "ne"):
            left, right = values
            if (
                isinstance(left, _Known)
                and isinstance(right, _Known)
                and left.const is not _UNKNOWN
                and right.const is not _UNKNOWN
            ):
                return _Known(const=(left.const == right.const) == (node.ops[0].op == "eq"))
        return _Known()

    def _operands(self, node: nodes.BinExpr, scope: _Scope) -> _Value:
        values = [self._value(node.left, scope), self._value(node.right, scope)]
        demand: _Demand = "any"
        texts = any(isinstance(v, _Known) and isinstance(v.const, str) for v in values)
        if not texts:
            adds = isinstance(node, nodes.Add) and not any(
                _is_number(v) or isinstance(n, _ARITHMETIC)
                for v, n in zip(values, (node.left, node.right), strict=True)
            )
            demand = "any" if adds else "number"
        elif isinstance(node, nodes.Add):
            demand = "string"
        for value in values:
            self._use(value, demand)
        return _Known()

    _of_add = _of_sub = _of_mul = _of_div = _of_floordiv = _of_mod = _of_pow = _operands

    def _of_neg(self, node: nodes.Neg | nodes.Pos, scope: _Scope) -> _Value:
        self._use(self._value(node.node, scope), "number")
        constant = isinstance(node.node, nodes.Const)
        return _Known(const=node.node.value) if constant else _Known()  # type: ignore[attr-defined]

    _of_pos = _of_neg

    def _of_concat(self, node: nodes.Concat, scope: _Scope) -> _Value:
        for part in node.nodes:
            self._use(self._value(part, scope), "string")
        return _Known()

    def _of_tuple(self, node: nodes.Tuple | nodes.List, scope: _Scope) -> _Value:
        parts = tuple(self._value(part, scope) for part in node.items)
        items = _Choice([((), part) for part in parts])
        return _Known(const=_UNKNOWN if parts else (), items=items, parts=parts)

    _of_list = _of_tuple

    def _of_dict(self, node: nodes.Dict, scope: _Scope) -> _Value:
        attributes: dict[str, _Value] = {}
        for pair in node.items:
            value = self._value(pair.value, scope)
            self._use(self._value(pair.key, scope), "any")
            if isinstance(pair.key, nodes.Const):
                attributes[pair.key.value] = value
            else:
                self._use(value, "any")
        if not node.items:
            return _Known(const={})
        return _Known(attributes=attributes, parts=tuple(attributes.values()))

    # -- filters -----------------------------------------------------------------------------------

    def _arguments(
        self, node: nodes.Filter | nodes.Test | nodes.Call, scope: _Scope
    ) -> list[_Value]:
        found = [self._value(argument, scope) for argument in node.args]
        found += [self._value(pair.value, scope) for pair in node.kwargs]
        for more in (node.dyn_args, node.dyn_kwargs):
            if more is not None:
                self._use(self._value(more, scope), "any")
        return found

    def _filter_arguments(self, node: nodes.Filter, scope: _Scope) -> None:
        """For a filter whose value is the text of a block."""
        if isinstance(node.node, nodes.Filter):
            self._filter_arguments(node.node, scope)
        for argument in self._arguments(node, scope):
            self._use(argument, "any")

    def _of_filter(self, node: nodes.Filter, scope: _Scope) -> _Value:
        if node.node is None:
            self._filter_arguments(node, scope)
            return _Known()
        value = self._value(node.node, scope)
        arguments = self._arguments(node, scope)
        name = node.name
        if name in ("default", "d"):
            return self._default(node, value, arguments)
        for argument in arguments:
            self._use(argument, "string" if name in _TEXT_ARGUMENTS else "any")
        if name == "items":  # of something undefined there are none
            return _Known()
        self._use(value, _FILTERS.get(name, "any"))
        if _FILTERS.get(name) not in ("array", "sized"):
            return _Known()
        items = self._same_items(value)
        item = items.items if isinstance(items, _Known) else None
        attribute = _option(node, "attribute", {"groupby": 0, "selectattr": 0, "rejectattr": 0})
        if attribute is not None and item is not None:
            for part in str(attribute).split("."):
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
            return _Known(truth_of=items.truth_of if isinstance(items, _Known) else None)
        if name == "map":
            return self._mapped(node, item, attribute is not None)
        if name in ("batch", "slice"):
            return _Known(items=items)
        if name == "groupby":
            pair = (_Known(), items)
            return _Known(
                items=_Known(parts=pair, attributes={"grouper": pair[0], "list": pair[1]})
            )
        return _Known()

    def _selected(self, node: nodes.Filter, items: _Value, attribute: _Value | None) -> _Value:
        """Only some of the items go on: what is asked of those is asked under that condition."""
        if not isinstance(items, _Known) or items.items is None:
            return items
        outcomes: _Outcomes = (_PERHAPS, _PERHAPS)
        test = _selecting_test(node)
        if attribute is not None and test in (None, "defined", "undefined"):
            of = self._truth if test is None else self._definedness
            outcomes = self._among(attribute, of)
        if (test == "undefined") != node.name.startswith("reject"):
            outcomes = outcomes[::-1]
        chosen, _ = self._decide(*outcomes)
        return _Known(items=_Choice([(chosen, items.items)]) if chosen is not None else None)

    def _attribute_use(self, node: nodes.Filter, item: _Value) -> None:
        if node.name == "map" or _option(node, "default", {}) is not None:
            return
        if node.name in _SELECTS and _selecting_test(node) in ("defined", "undefined"):
            return
        demand: _Demand = "string" if node.name in _WRITES_ITEMS else "any"
        self._use(item, "number" if node.name == "sum" else demand)

    def _mapped(self, node: nodes.Filter, item: _Value | None, by_attribute: bool) -> _Value:
        if by_attribute:
            return _Known(items=item)
        if item is not None and node.args and isinstance(node.args[0], nodes.Const):
            self._use(item, _FILTERS.get(node.args[0].value, "any"))
        return _Known()

    def _default(self, node: nodes.Filter, value: _Value, arguments: list[_Value]) -> _Value:
        boolean = _option(node, "boolean", {node.name: 1})
        if isinstance(value, _Known) and not boolean:
            return value
        fallback: _Value = (
            arguments[0] if node.args or _has(node, "default_value") else (_Known(const=""))
        )
        if isinstance(value, _Absent):
            return fallback
        yes, no = self._among(value, self._present if boolean else self._definedness)
        yes_path, no_path = self._decide(yes, no)
        options: list[tuple[_Path, _Value]] = []
        if yes_path is not None:
            options.append((yes_path, value))
        if no_path is not None:
            options.append((no_path, fallback))
        return _Choice(options)

    @staticmethod
    def _present(value: _Value) -> _Outcomes:
        if isinstance(value, _Ref):
            return _given(value.note, "defined", "truthy"), _PERHAPS
        return _Walk._truth(value)

    # -- calls -------------------------------------------------------------------------------------

    def _of_call(self, node: nodes.Call, scope: _Scope) -> _Value:
        return self._call(node, scope, None)

    def _call(self, node: nodes.Call, scope: _Scope, caller: _Macro | None) -> _Value:
        callee = node.node
        target: _Value | None
        if isinstance(callee, nodes.Name):
            if callee.name == "super" and self._block:
                block, depth, outer = self._block[-1]
                self._in_block(block, depth + 1, outer)
                return _Known()
            target = scope.find(callee.name)
        elif isinstance(callee, nodes.Getattr):
            owner = self._value(callee.node, scope)
            if isinstance(owner, (_Ref, _Choice)):
                return self._method(node, callee, owner, scope)
            target = self._attribute(owner, callee.attr, (self._name, node.lineno))
        else:
            target = self._value(callee, scope)
        if isinstance(target, _Choice):
            target = next((v for _, v in target.options if isinstance(v, _Macro)), target)
        if isinstance(target, _Macro):
            return self._invoke(target, node, scope, caller)
        arguments = self._arguments(node, scope)
        counts = isinstance(callee, nodes.Name) and callee.name == "range"
        demand: _Demand = "number" if counts else "any"
        joins = isinstance(callee, nodes.Getattr) and callee.attr == "join"
        for argument in arguments:
            if joins:
                self._items(argument)
            self._use(argument, "array" if joins else demand)
        if caller is not None:
            self._invoke(caller, None, scope, None)
        if isinstance(target, _Loop) and len(self._calls) < _MAX_DEPTH and arguments:
            if self._calls.count(target.node) == 0:
                self._calls.append(target.node)
                self._loop_over(target.node, arguments[0], target.scope)
                self._calls.pop()
            return _Known()
        return _Known(items=_Known())

    def _method(
        self, node: nodes.Call, callee: nodes.Getattr, owner: _Value, scope: _Scope
    ) -> _Value:
        """A method of a field: of an object (``order.get("note")``), or else of a text."""
        arguments = self._arguments(node, scope)
        for argument in arguments:
            self._use(argument, "any")
        if callee.attr not in _DICT_METHODS:
            self._use(owner, "string" if hasattr(str, callee.attr) else "any")
            return _Known()
        self._use(owner, "object")
        if callee.attr == "get" and isinstance(owner, _Ref) and arguments:
            key = arguments[0].const if isinstance(arguments[0], _Known) else None
            if isinstance(key, str):
                owner.note.child(key, (self._name, node.lineno))
        return _Known(items=_Known())

    def _invoke(
        self, macro: _Macro, node: nodes.Call | None, scope: _Scope, caller: _Macro | None
    ) -> _Value:
        """Read a macro's body with its parameters bound to what is passed."""
        positional = [self._value(a, scope) for a in node.args] if node else []
        named = {k.key: self._value(k.value, scope) for k in node.kwargs} if node else {}
        if node:
            for more in (node.dyn_args, node.dyn_kwargs):
                if more is not None:
                    self._use(self._value(more, scope), "any")
        if self._calls.count(macro.node) > 1 or len(self._calls) > _MAX_DEPTH:
            return _Known()
        frame = _Scope(macro.scope)
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
                    value = _Absent()
                frame.names[parameter.name] = value
            for extra in (*positional[len(parameters) :], *named.values()):
                self._use(extra, "any")
            frame.names.setdefault("caller", caller or _Absent())
            self._statements(macro.node.body, frame)
        finally:
            self._calls.pop()
            self._name, self._silent = outer
        return _Known()


def _is_number(value: _Value) -> bool:
    return (
        isinstance(value, _Known)
        and isinstance(value.const, (int, float))
        and not isinstance(value.const, bool)
    )


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


# -- several locales -------------------------------------------------------------------------------


def merge(fields: Mapping[str, Field]) -> tuple[Field, list[str]]:
    """The contract of all locales of an event type, and where the locales disagree.

    A field that one locale requires is required, since an event may have to be told in any of them.
    """
    disagreements: list[str] = []
    merged = _merge(dict(fields), "", disagreements)
    merged.required = True
    return merged, disagreements


def _merge(fields: Mapping[str, Field], path: str, disagreements: list[str]) -> Field:
    given = list(fields.values())
    kinds: dict[Kind, list[str]] = {}
    for locale, one in fields.items():
        if one.kind != "any":
            kinds.setdefault(one.kind, []).append(locale)
    demands: set[_Demand] = set(kinds)
    if "number" in kinds and all(f.numeric_text for f in given if f.kind == "number"):
        demands = (demands - {"number"}) | {"amount"}
    kind, numeric_text = _kind(demands)
    if len(kinds) > 1 and kinds.keys() != {"string", "number"}:
        uses = (f"{_files(locales)} as {_KIND_WORDS[k]}" for k, locales in kinds.items())
        disagreements.append(f"{path} is used by {', by '.join(uses)}")
    names = dict.fromkeys(name for one in given for name in one.children)
    children = {}
    for name in names:
        inside = {loc: one.children[name] for loc, one in fields.items() if name in one.children}
        below = f"{path}.{name}" if path else name
        lacking = [locale for locale in fields if locale not in inside]
        always = [locale for locale, one in inside.items() if one.required]
        if lacking:
            word = "needs" if always else "can show"
            disagreements.append(
                f"{_files(list(inside), always=word)} {below}, {_files(lacking)}"
                f" {'does' if len(lacking) == 1 else 'do'} not"
            )
        elif always and len(always) < len(inside):
            others = [locale for locale in inside if locale not in always]
            disagreements.append(
                f"{_files(always, always='needs')} {below}, {_files(others)}"
                f" {'does' if len(others) == 1 else 'do'} without it where it is not given"
            )
        children[name] = _merge(inside, below, disagreements if not lacking else [])
    items = {locale: one.item for locale, one in fields.items() if one.item is not None}
    return Field(
        name=given[0].name,
        required=any(one.required for one in given),
        kind=kind,
        children=children,
        item=_merge(items, f"{path}[]", disagreements) if items else None,
        nullable=all(one.nullable for one in given),
        numeric_text=numeric_text,
        where=given[0].where,
    )


def _files(locales: Sequence[str], always: str = "") -> str:
    names = " and ".join(f"{locale}.j2" for locale in locales)
    if not always:
        return names
    if len(locales) > 1:
        always = {"needs": "need", "can show": "can show"}[always]
    return f"{names} {always}"


# -- checking data ---------------------------------------------------------------------------------

_KIND_WORDS: Final[Mapping[str, str]] = {
    "object": "an object",
    "array": "a list",
    "number": "a number",
    "string": "a text",
    "any": "anything",
}
_numeric_text = re.compile(_NUMERIC_TEXT + r"\Z").match


def missing(contract: Field, data: object) -> list[tuple[str, str]]:
    """Every field of `data` that the contract finds at fault, as (dotted path, problem).

    Empty when the data satisfies the contract. A problem names what is expected, never the value.
    """
    found: list[tuple[str, str]] = []
    if not isinstance(data, Mapping):
        return [("data", f"must be an object, not {_described(data)}")]
    _check_children(contract, data, "", found)
    return found


def _check_children(
    contract: Field, data: Mapping[str, Any], path: str, found: list[tuple[str, str]]
) -> None:
    for name, child in contract.children.items():
        below = f"{path}.{name}" if path else name
        if name not in data:
            if child.required:
                found.append((below, "is missing"))
        else:
            _check(child, data[name], below, found)


def _check(contract: Field, value: Any, path: str, found: list[tuple[str, str]]) -> None:
    kind = contract.kind
    if contract.nullable and not value:
        return
    if kind == "object" or kind == "any":
        if isinstance(value, Mapping):
            if contract.children:
                _check_children(contract, value, path, found)
            return
        if kind == "any":
            if contract.item is not None and isinstance(value, list):
                _check_items(contract.item, value, path, found)
            return
    elif kind == "array":
        if isinstance(value, (list, tuple)):
            if contract.item is not None:
                _check_items(contract.item, value, path, found)
            return
    elif isinstance(value, str):
        if kind == "string" or (contract.numeric_text and _numeric_text(value)):
            return
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        return
    if value is None:
        found.append((path, "is null"))
    else:
        found.append((path, f"must be {_KIND_WORDS[kind]}, not {_described(value)}"))


def _check_items(
    item: Field, values: Sequence[Any], path: str, found: list[tuple[str, str]]
) -> None:
    if item.kind == "any" and not item.children and item.item is None:
        return
    for index, value in enumerate(values):
        _check(item, value, f"{path}[{index}]", found)


def _described(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "an object" if isinstance(value, Mapping) else "a list"


def to_json_schema(contract: Field) -> dict[str, Any]:
    """The contract as JSON Schema 2020-12, accepting what `missing` finds nothing wrong with."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_schema_of(contract),
    }


def _schema_of(contract: Field) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    if contract.kind == "string":
        schema["type"] = ["string", "number"]
    elif contract.kind == "number" and contract.numeric_text:
        schema["type"] = ["number", "string"]
        schema["pattern"] = f"^{_NUMERIC_TEXT}$"
    elif contract.kind != "any":
        schema["type"] = contract.kind
    if contract.children:
        schema["properties"] = {n: _schema_of(child) for n, child in contract.children.items()}
        required = [name for name, child in contract.children.items() if child.required]
        if required:
            schema["required"] = required
    if contract.item is not None:
        schema["items"] = _schema_of(contract.item)
    if contract.nullable and schema:
        return {"anyOf": [schema, {"enum": [None, False, 0, "", [], {}]}]}
    return schema


# -- unknown names ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unknown:
    """A filter, test or function that does not exist, and the nearest that does."""

    what: Literal["filter", "test", "function"]
    name: str
    file: str
    line: int
    nearest: str | None


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was most likely meant to be, if any is near."""
    names = list(known)
    lower = {known.lower(): known for known in names}
    found = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.6)
    return lower[found[0]] if found else None


_BUILT_IN: Final = frozenset(["super", "caller", "loop", "self", "varargs", "kwargs"])
_NAMED_FILTER: Final = frozenset(("map",))
_NAMED_TEST: Final[Mapping[str, int]] = {
    "select": 0,
    "reject": 0,
    "selectattr": 1,
    "rejectattr": 1,
}


def every_node(tree: nodes.Node) -> list[nodes.Node]:
    """All nodes of a tree, in no order that matters; one walk for many questions."""
    found = [tree]
    for node in found:
        found.extend(node.iter_child_nodes())
    return found


def defined_names(every: Iterable[nodes.Node]) -> set[str]:
    """Every name that a file gives to something: macros, imports, variables, parameters."""
    names = set()
    for node in every:
        if (isinstance(node, nodes.Name) and node.ctx in ("store", "param")) or isinstance(
            node, nodes.Macro
        ):
            names.add(node.name)
        elif isinstance(node, nodes.Import):
            names.add(node.target)
        elif isinstance(node, nodes.FromImport):
            names.update(n[1] if isinstance(n, tuple) else n for n in node.names)
    return names


def unknown_names(
    environment: jinja2.Environment,
    every: Sequence[nodes.Node],
    file: str,
    known: Iterable[str] = (),
) -> list[Unknown]:
    """Filters, tests and functions among `every_node` of one file that do not exist.

    `known` are names that other files bring in (macros that a layout imports, say).
    """
    functions = {*environment.globals, *defined_names(every), *_BUILT_IN, *known}
    found: list[Unknown] = []

    def check(what: Literal["filter", "test", "function"], name: str, line: int) -> None:
        there: Iterable[str] = {
            "filter": environment.filters,
            "test": environment.tests,
            "function": functions,
        }[what]
        if name not in there:
            found.append(Unknown(what, name, file, line, nearest(name, there)))

    for node in every:
        if isinstance(node, nodes.Filter):
            check("filter", node.name, node.lineno)
            at = _NAMED_TEST.get(node.name)
            arguments = node.args
            if node.name in _NAMED_FILTER and arguments:
                first = arguments[0]
                if isinstance(first, nodes.Const) and isinstance(first.value, str):
                    check("filter", first.value, node.lineno)
            elif at is not None and at < len(arguments):
                named = arguments[at]
                if isinstance(named, nodes.Const) and isinstance(named.value, str):
                    check("test", named.value, node.lineno)
        elif isinstance(node, nodes.Test):
            check("test", node.name, node.lineno)
        elif isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name):
            check("function", node.node.name, node.lineno)
    return list(dict.fromkeys(found))
