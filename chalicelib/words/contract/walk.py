"""Reading a template as rendering would take it: files, layouts, blocks and statements."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

import jinja2
from jinja2 import nodes

from chalicelib.spelling import nearest
from chalicelib.words.contract.expressions import Expressions
from chalicelib.words.contract.needs import ALWAYS, MAX_DEPTH, PERHAPS, Needs, When
from chalicelib.words.contract.values import (
    Absent,
    Choice,
    Known,
    Loop,
    Macro,
    Module,
    Ref,
    Scope,
    Value,
    cases,
)
from chalicelib.words.render import CHANNELS

_CHANNELS: Final = frozenset(("subject", "body", "html", *CHANNELS))


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
            if (
                not name.isprintable() or name.startswith("/") or ".." in name.split("/")
            ):  # the loader refuses these too
                raise jinja2.TemplateNotFound(name)
            try:
                source = self._source_of(name)
            except (KeyError, OSError):
                raise jinja2.TemplateNotFound(name) from None
            tree = self.environment.parse(source, name, name)
            self._trees[name] = tree
        return tree

    def needs(self, name: str) -> Needs:
        """What the template file `name` needs."""
        walk = _Walk(self, PurePosixPath(name).stem)
        walk.file(name, Scope(None))
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


class _Walk(Expressions):
    """One pass over a template file, in the order in which rendering would take it."""

    def __init__(self, reader: Reader, locale: str) -> None:
        super().__init__(reader.environment, locale)
        self.reader = reader
        self.files: dict[str, None] = {}
        self.blocks: dict[str, list[tuple[nodes.Block, str]]] = {}
        self.placed: set[str] = set()
        self.unresolved: list[tuple[str, int, str]] = []
        self._context = Scope(None)
        self._settled: set[str] = set()

    # -- files and blocks --------------------------------------------------------------------------

    def file(self, name: str, scope: Scope) -> None:
        """Read a whole file: what is at its top, its layout, then the blocks on their own."""
        self._context = scope
        self._root(name, scope)
        for block, places in list(self.blocks.items()):
            within = (
                block == "body" and len(places) > 1
            )  # of a layout, which is the body as a whole
            if block in _CHANNELS and block not in self._settled and not within:
                self._in_block(block, 0, Scope(scope))

    def _root(self, name: str, scope: Scope) -> None:
        if len(self._calls) > MAX_DEPTH:
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

    def _in_block(self, name: str, depth: int, scope: Scope) -> None:
        stack = self.blocks.get(name, [])
        if depth >= len(stack) or len(self._block) > MAX_DEPTH:
            return
        block, file = stack[depth]
        outer = self._name, self._silent
        self._name, self._silent = file, False
        self._block.append((name, depth, scope))
        if self._when.certain:
            self._settled.add(name)
        try:
            self._statements(block.body, Scope(scope))
        finally:
            self._block.pop()
            self._name, self._silent = outer

    def _templates(
        self, node: nodes.Extends | nodes.Include | nodes.Import | nodes.FromImport, scope: Scope
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

    def _constant(self, node: nodes.Expr, scope: Scope) -> Any:
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

    # -- statements --------------------------------------------------------------------------------

    def _statements(self, body: Iterable[nodes.Node], scope: Scope) -> None:
        for node in body:
            visit = getattr(self, f"_do_{type(node).__name__.lower()}", None)
            if visit is not None:
                visit(node, scope)

    def _do_output(self, node: nodes.Output, scope: Scope) -> None:
        if self._silent:
            return
        for part in node.nodes:
            if not isinstance(part, nodes.TemplateData):
                self._use(self._value(part, scope), "text")

    def _do_exprstmt(self, node: nodes.ExprStmt, scope: Scope) -> None:
        self._value(node.node, scope)

    def _do_if(self, node: nodes.If, scope: Scope) -> None:
        rest: list[nodes.Node] = list(node.else_)
        if node.elif_:
            first, *others = node.elif_
            rest = [nodes.If(first.test, first.body, others, node.else_, lineno=first.lineno)]
        before = dict(scope.names)
        after: list[tuple[When, dict[str, Value]]] = []
        outcomes = self._test(node.test, scope)
        for when, body in zip(cases(outcomes), (node.body, rest), strict=True):
            if not when.dead:
                scope.names = dict(before)
                with self._under(when):
                    self._statements(body, scope)
                after.append((when, scope.names))
        scope.names = self._joined(before, after, scope)

    def _joined(
        self,
        before: dict[str, Value],
        after: Sequence[tuple[When, dict[str, Value]]],
        scope: Scope,
    ) -> dict[str, Value]:
        """The names after a decision: what either branch set, each in its case."""
        if len(after) == 1:
            return after[0][1]
        names = dict(before)
        for name in dict.fromkeys(name for _, branch in after for name in branch):
            values = [branch.get(name) for _, branch in after]
            if all(value is values[0] for value in values):
                if values[0] is not None:
                    names[name] = values[0]
                continue
            options: list[tuple[When, Value]] = []
            for (when, _), value in zip(after, values, strict=True):
                if value is None:
                    value = scope.parent.find(name) if scope.parent else None
                    if value is None:
                        field = self.data.children.get(name)
                        value = Ref(field) if field else Absent()
                options.append((when, value))
            names[name] = Choice(options)
        return names

    def _do_for(self, node: nodes.For, scope: Scope) -> None:
        self._loop_over(node, self._value(node.iter, scope), scope)

    def _loop_over(self, node: nodes.For, iterable: Value, scope: Scope) -> None:
        when, item = self._items(iterable)
        if item is not None:
            inner = Scope(scope)
            with self._under(when):
                self._bind(node.target, item, inner)
                chosen = self._test(node.test, inner)[0] if node.test is not None else ALWAYS
                inner.names["loop"] = Loop(node, scope) if node.recursive else Known()
                with self._under(chosen):
                    self._statements(node.body, inner)
        if node.else_:
            with self._under(PERHAPS):
                self._statements(node.else_, Scope(scope))

    def _do_assign(self, node: nodes.Assign, scope: Scope) -> None:
        self._bind(node.target, self._value(node.node, scope), scope)

    def _do_assignblock(self, node: nodes.AssignBlock, scope: Scope) -> None:
        silent, self._silent = self._silent, False
        self._statements(node.body, Scope(scope))
        self._silent = silent
        if node.filter is not None:
            self._value(node.filter, scope)
        self._bind(node.target, Known(), scope)

    def _do_with(self, node: nodes.With, scope: Scope) -> None:
        inner = Scope(scope)
        for target, value in zip(node.targets, node.values, strict=True):
            self._bind(target, self._value(value, scope), inner)
        self._statements(node.body, inner)

    def _do_scope(self, node: nodes.Scope | nodes.ScopedEvalContextModifier, scope: Scope) -> None:
        self._statements(node.body, Scope(scope))

    _do_scopedevalcontextmodifier = _do_scope  # {% autoescape %}

    def _do_filterblock(self, node: nodes.FilterBlock, scope: Scope) -> None:
        if not self._silent:
            self._value(node.filter, scope)
            self._statements(node.body, Scope(scope))

    def _do_block(self, node: nodes.Block, scope: Scope) -> None:
        if not self._silent:
            self.placed.add(node.name)
            self._in_block(node.name, 0, scope if node.scoped else Scope(self._context))

    def _do_macro(self, node: nodes.Macro, scope: Scope) -> None:
        scope.names[node.name] = Macro(node, scope, self._name)

    def _do_callblock(self, node: nodes.CallBlock, scope: Scope) -> None:
        self._call(node.call, scope, caller=Macro(node, scope, self._name))

    def _do_include(self, node: nodes.Include, scope: Scope) -> None:
        for name in self._templates(node, scope):
            self._apart(name, Scope(scope))

    def _do_import(self, node: nodes.Import, scope: Scope) -> None:
        for name in self._templates(node, scope):
            scope.names[node.target] = Module(self._apart(name, Scope(scope)))

    def _do_fromimport(self, node: nodes.FromImport, scope: Scope) -> None:
        for file in self._templates(node, scope):
            module = self._apart(file, Scope(scope))
            for name in node.names:
                name, alias = name if isinstance(name, tuple) else (name, name)
                if name not in module.names:
                    close = nearest(name, module.names)
                    hint = f"; did you mean {close!r}?" if close else ""
                    self._unresolved(node, f"templates/{file} has no macro {name!r}{hint}")
                scope.names[alias] = module.names.get(name, Absent())

    def _apart(self, name: str, scope: Scope) -> Scope:
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

    def _bind(self, target: nodes.Node, value: Value, scope: Scope) -> None:
        if isinstance(target, nodes.Name):
            scope.names[target.name] = value
        elif isinstance(target, nodes.Tuple):
            parts = value.parts if isinstance(value, Known) else None
            if parts is None or len(parts) != len(target.items):
                _, item = self._items(value)
                parts = (item or Known(),) * len(target.items)
            for inner, part in zip(target.items, parts, strict=True):
                self._bind(inner, part, scope)
        else:  # an attribute of a namespace, which outlives its frame
            self._use(value, "any")
