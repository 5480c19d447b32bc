"""Compiles templates with the environment's checks and the fields' paths written in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame


class Generator(CodeGenerator):
    """Jinja's compiler, asking the environment wherever a template prints, reads or computes."""

    def blockvisit(self, nodes: Iterable[nodes.Node], frame: Frame) -> None:
        # Every body counts when it is entered: of a loop, a macro, a block, a branch.
        nodes = list(nodes)
        fixed = sum(len(text.data) for node in nodes for text in _fixed_texts(node))
        self.writeline(f"environment.step({1 + (fixed >> 8)})")
        super().blockvisit(nodes, frame)

    def visit_Call(  # noqa: N802 - the name that Jinja calls
        self, node: nodes.Call, frame: Frame, forward_caller: bool = False
    ) -> None:
        if isinstance(node.node, nodes.Getattr):
            node.node.ctx = "call"
        super().visit_Call(node, frame, forward_caller=forward_caller)

    def visit_Getattr(self, node: nodes.Getattr, frame: Frame) -> None:  # noqa: N802
        if node.ctx == "call":
            self.write("environment.method(")
        else:
            self.write("environment.getattr(")
        self.visit(node.node, frame)
        self.write(f", {node.attr!r}, {dotted(node)!r})")

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:  # noqa: N802
        if isinstance(node.arg, nodes.Slice):
            super().visit_Getitem(node, frame)
            return
        self.write("environment.getitem(")
        self.visit(node.node, frame)
        self.write(", ")
        self.visit(node.arg, frame)
        self.write(f", {dotted(node)!r})")

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802
        self.write("environment.joined((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        escaping = frame.eval_ctx.autoescape
        self.write(f"), {'context.eval_ctx.autoescape' if frame.eval_ctx.volatile else escaping})")

    def visit_Const(self, node: nodes.Const, frame: Frame) -> None:  # noqa: N802
        if isinstance(node.value, float):
            self.write(f"float({str(node.value)!r})")  # 1e999 is inf, which is a name in Python
        else:
            super().visit_Const(node, frame)

    def visit_Assign(self, node: nodes.Assign, frame: Frame) -> None:  # noqa: N802
        self.newline(node)  # what is checked before the assignment stands on its line
        super().visit_Assign(node, frame)

    def visit_List(self, node: nodes.List, frame: Frame) -> None:  # noqa: N802
        self._weighed(super().visit_List, node, frame)

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:  # noqa: N802
        self._weighed(super().visit_Dict, node, frame)

    def visit_Tuple(self, node: nodes.Tuple, frame: Frame) -> None:  # noqa: N802
        if node.ctx == "load":
            self._weighed(super().visit_Tuple, node, frame)
        else:
            super().visit_Tuple(node, frame)

    def _weighed(self, visit: Callable[[Any, Frame], None], node: nodes.Expr, frame: Frame) -> None:
        self.write("environment.weighed(")
        visit(node, frame)
        self.write(")")

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: Any) -> str:
        # What is worked out while compiling would be printed unseen: {{ none }}, {{ "a" ~ none }}.
        if isinstance(node, nodes.TemplateData) or (
            isinstance(node, nodes.Const) and isinstance(node.value, str)
        ):
            return super()._output_child_to_const(node, frame, finalize)
        raise nodes.Impossible

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, *_: Any) -> None:
        if frame.eval_ctx.volatile:
            self.write("(escape if context.eval_ctx.autoescape else identity)(")
        elif frame.eval_ctx.autoescape:
            self.write("escape(")
        else:
            self.write("(")
        self.write("environment.field(" if is_field(node) else "environment.text(")

    def _output_child_post(self, node: nodes.Expr, *_: Any) -> None:
        self.write(f", {source_of(node)!r}))")


def _fixed_texts(node: nodes.Node) -> Iterator[nodes.TemplateData]:
    if isinstance(node, nodes.Output):
        yield from (part for part in node.nodes if isinstance(part, nodes.TemplateData))


def dotted(node: nodes.Node) -> str | None:
    """The path that an expression names, as the template writes it; None if it is no plain path."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        parent = dotted(node.node)
        return None if parent is None else f"{parent}.{node.attr}"
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        parent = dotted(node.node)
        if parent is None:
            return None
        key = node.arg.value
        return f"{parent}.{key}" if isinstance(key, str) else f"{parent}[{key}]"
    return None


# Filters that make something of a text, and nothing of none.
_OF_TEXT: Final = frozenset(
    [
        "capitalize",
        "e",
        "escape",
        "forceescape",
        "indent",
        "lower",
        "replace",
        "safe",
        "string",
        "striptags",
        "title",
        "trim",
        "truncate",
        "upper",
        "wordwrap",
    ]
)


def is_field(node: nodes.Node | None) -> bool:
    """Whether an expression is a field as it is, so that nobody thought of its being empty."""
    if isinstance(node, nodes.Filter):
        return node.name in _OF_TEXT and is_field(node.node)
    return node is not None and dotted(node) is not None


def source_of(node: nodes.Node | None) -> str | None:
    """The path of the field that an expression is made of: `order.note` of ``order.note|trim``."""
    if isinstance(node, nodes.Filter):
        return source_of(node.node)
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr):
        method, owner = node.node.attr, source_of(node.node.node)
        key = node.args[0] if node.args else None
        if owner and method == "get" and isinstance(key, nodes.Const):
            return f"{owner}.{key.value}"
        return owner
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Slice):
        return source_of(node.node)
    return dotted(node) if node is not None else None
