"""What is set in a loop, and forgotten: Jinja's loops are scopes, and its ifs are none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from jinja2 import nodes

from cli.lint.finding import Told, check
from cli.lint.tree import Tree


@check("lost-in-loop", "warning")
def lost_in_loop(tree: Tree) -> Iterator[Told]:
    """A `set` in a loop is forgotten at each turn and after the loop, so that a total that is added
    up there, or a flag that is set, stays what it was: use a namespace.
    """
    data = {n for s in tree.samples.values() if s.event is not None for n in s.event.data}
    for name in tree.used:
        walk = _Walk(data)
        top = _Scope()
        found = tree.syntax(name)
        walk.body(found.body if found is not None else (), top)
        for part in tree.nodes(name):
            if isinstance(part, (nodes.Block, nodes.Macro, nodes.CallBlock)):
                walk.body(part.body, _Scope(_Scope(given=top.given)))
        for (line, word), when in walk.lost.items():
            what = f"what is set to {word!r} in a loop is forgotten {when}"
            remedy = (
                f"use a namespace: {{% set ns = namespace({word}=…) %}} before the loop, and"
                f" {{% set ns.{word} = … %}} in it"
            )
            yield Told(f"templates/{name}", line, what, remedy, word)


@dataclass(slots=True)
class _Scope:
    """What is known at one place: names that are set, names that were read before, names that a loop
    has set and forgotten.
    """

    outer: _Scope | None = None
    own: frozenset[str] = frozenset()  # the loop's own names, new at each turn
    given: dict[str, int] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    gone: dict[str, int] = field(default_factory=dict)

    def branch(self) -> _Scope:
        return _Scope(self.outer, self.own, dict(self.given), set(self.read), dict(self.gone))

    def knows(self, name: str) -> bool:
        return name in self.given or (self.outer is not None and self.outer.knows(name))

    def lost(self, name: str) -> int | None:
        """Where a loop that is over set a name that is read here."""
        if name in self.own:
            return None
        if name in self.gone:  # also where it was set before the loop: that is what is read then
            return self.gone[name]
        if name in self.given or self.outer is None:
            return None
        return self.outer.lost(name)


class _Walk:
    """Goes through a template in the order in which it is rendered."""

    def __init__(self, data: set[str]) -> None:
        self._data = data
        self.lost: dict[tuple[int, str], str] = {}

    def body(self, body: Iterable[nodes.Node], scope: _Scope) -> None:
        for node in body:
            self._statement(node, scope)

    def _statement(self, node: nodes.Node, scope: _Scope) -> None:
        if isinstance(node, nodes.If):
            self._reads(node.test, scope)
            self._branches([node.body, list(node.elif_), node.else_], scope)
        elif isinstance(node, nodes.For):
            self._reads(node.iter, scope)
            turn = _Scope(scope, frozenset(n.name for n in _names(node.target)) | {"loop"})
            if node.test is not None:
                self._reads(node.test, turn)
            self.body(node.body, turn)
            self._leave(turn, scope)
            rest = _Scope(scope)
            self.body(node.else_, rest)
            self._leave(rest, scope)
        elif isinstance(node, nodes.Assign):
            self._reads(node.node, scope)
            self._sets(node.target, scope)
        elif isinstance(node, nodes.AssignBlock):
            self.body(node.body, inner := _Scope(scope))
            self._leave(inner, scope)
            self._sets(node.target, scope)
        elif isinstance(node, (nodes.With, nodes.FilterBlock)):
            inner = _Scope(scope)
            for child in node.iter_child_nodes(exclude=("body",)):
                self._reads(child, scope)
            if isinstance(node, nodes.With):
                inner.own = frozenset(n.name for t in node.targets for n in _names(t))
            self.body(node.body, inner)
            self._leave(inner, scope)
        elif isinstance(node, (nodes.Import, nodes.FromImport)):
            for word in (
                [node.target]
                if isinstance(node, nodes.Import)
                else [n[1] if isinstance(n, tuple) else n for n in node.names]
            ):
                scope.given[word] = node.lineno
        elif not isinstance(node, (nodes.Block, nodes.Macro, nodes.CallBlock)):
            self._reads(node, scope)

    def _branches(self, bodies: list[list[nodes.Node]], scope: _Scope) -> None:
        ends = []
        for body in bodies:
            self.body(body, branch := scope.branch())
            ends.append(branch)
        for end in ends:
            scope.given |= end.given
            scope.read |= end.read
            scope.gone |= end.gone
        for name in [
            n for n in scope.gone if any(n not in end.gone for end in ends if n in end.given)
        ]:
            del scope.gone[name]

    def _leave(self, inner: _Scope, outer: _Scope) -> None:
        """Whatever a scope set is forgotten when it ends; what it read, its outer one has read."""
        for name, line in inner.given.items():
            if outer.knows(name) or name not in self._data:
                outer.gone.setdefault(name, line)
        outer.read |= {n for n in inner.read if n not in outer.given and n not in outer.own}

    def _reads(self, node: nodes.Node, scope: _Scope) -> None:
        for found in _names(node):
            name = found.name
            if found.ctx != "load" or name in scope.own:
                continue
            line = scope.lost(name)
            if line is not None:
                self.lost.setdefault((line, name), "when the loop ends")
            if name not in scope.given:
                scope.read.add(name)

    def _sets(self, target: nodes.Node, scope: _Scope) -> None:
        for found in _names(target):
            name, outer = found.name, scope.outer
            if name in scope.read and name not in scope.given and outer and outer.knows(name):
                self.lost.setdefault((found.lineno, name), "at each turn")
            scope.given[name] = found.lineno
            scope.gone.pop(name, None)


def _names(node: nodes.Node) -> Iterator[nodes.Name]:
    if isinstance(node, nodes.Name):
        yield node
    yield from node.find_all(nodes.Name)
