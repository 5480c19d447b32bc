"""Rendering once more, to find everything that is wrong and not only the first.

After a rendering failed, the template is rendered in an environment that notes what is wrong, puts a
blank in its place and goes on. It notes as well where a field is printed that is empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, Final

import jinja2
from jinja2 import nodes
from jinja2.compiler import Frame
from jinja2.exceptions import TemplateSyntaxError
from jinja2.runtime import BlockReference, Context, LoopContext, Macro, Undefined

from chalicelib.words import budget
from chalicelib.words.absent import READING, Absent, blank, used
from chalicelib.words.budget import RenderTooLarge
from chalicelib.words.compiler import Generator
from chalicelib.words.environment import HeraldoEnvironment, equipped
from chalicelib.words.faults import Reading
from chalicelib.words.text import WordsError, kind
from chalicelib.words.wording import WRONG, in_words

_FATAL: Final = (RenderTooLarge, TemplateSyntaxError, RecursionError, MemoryError, OverflowError)
# What becomes of these filters' values when they are missing is theirs to say.
_FOR_MISSING: Final = frozenset(("default", "d", "items"))
# These give their items one by one, while something else goes over them.
_LAZY: Final = frozenset(("map", "select", "reject", "selectattr", "rejectattr"))
_LOOPED: Final = " looped"  # no name that a template can write


def trace(
    environment: HeraldoEnvironment,
    name: str,
    variables: Mapping[str, Any],
    attributes: Mapping[str, Any],
) -> Reading:
    """What comes of an event in a template: all that is wrong, and what is empty.

    `environment` is a `tracer`; `variables` is what the template can use, `attributes` the event's.
    """
    reading = Reading(attributes)
    token = READING.set(reading)
    try:
        with budget.bounded():
            template = environment.get_template(name)
            context = template.new_context(dict(variables))
            _exhaust(template.root_render_func, context)
            for block in list(context.blocks.values()):
                _exhaust(block[0], context)
    except (jinja2.TemplateError, *WRONG):
        pass  # the rendering itself tells of it
    finally:
        READING.reset(token)
    return reading


def _exhaust(function: Callable[[Context], Iterable[str]], context: Context) -> None:
    try:
        for _ in function(context):
            pass
    except _FATAL:
        raise
    except Exception as error:
        READING.get().note(error)


def tracer(loader: jinja2.BaseLoader) -> HeraldoEnvironment:
    """An environment for `trace`, beside the one that renders."""
    environment = equipped(_Tracer, loader)
    environment.undefined = Absent
    environment.filters = {n: _noting(n, f) for n, f in environment.filters.items()}
    environment.filters[_LOOPED] = _looped
    return environment


# -- the environment -------------------------------------------------------------------------------


class _Tracing(Generator):
    """Compiles templates so that the environment sees every name that is read and every failure."""

    def visit_Name(self, node: nodes.Name, frame: Frame) -> None:  # noqa: N802
        if node.ctx != "load":
            super().visit_Name(node, frame)
            return
        self.write("environment.named(")
        super().visit_Name(node, frame)
        self.write(f", {node.name!r})")

    def visit_Call(  # noqa: N802
        self, node: nodes.Call, frame: Frame, forward_caller: bool = False
    ) -> None:
        self.write("environment.attempt(lambda: ")
        super().visit_Call(node, frame, forward_caller)
        self.write(")")

    def visit_Compare(self, node: nodes.Compare, frame: Frame) -> None:  # noqa: N802
        self._attempted(super().visit_Compare, node, frame)

    def visit_Test(self, node: nodes.Test, frame: Frame) -> None:  # noqa: N802
        self._attempted(super().visit_Test, node, frame)

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:  # noqa: N802
        self._attempted(super().visit_Getitem, node, frame)

    def _attempted(
        self, visit: Callable[[Any, Frame], None], node: nodes.Expr, frame: Frame
    ) -> None:
        self.write("environment.attempt(lambda: ")
        visit(node, frame)
        self.write(")")


class _Tracer(HeraldoEnvironment):
    """The environment that notes what is wrong and goes on."""

    code_generator_class = _Tracing

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for loop in tree.find_all(nodes.For):
            loop.iter = nodes.Filter(loop.iter, _LOOPED, [], [], None, None, lineno=loop.lineno)
        return tree

    def named(self, value: Any, name: str) -> Any:
        if not isinstance(value, Undefined):
            reading = READING.get()
            data = reading.attributes["data"]
            own = name in data and data[name] is value
            reading.remember(value, f"data.{name}" if own else reading.where(value)[0], name)
        return value

    def attempt(self, thunk: Callable[[], Any]) -> Any:
        reading = READING.get()
        before = reading.taken
        try:
            return thunk()
        except _FATAL:
            raise
        except Exception as error:
            reading.note(error, before)
            return blank()

    def text(self, value: Any, path: str | None) -> str:
        try:
            return super().text(value, path)
        except (WordsError, jinja2.UndefinedError) as error:
            READING.get().note(error, path=path)
            return "?"

    def field(self, value: Any, path: str | None) -> str:
        if isinstance(value, str) and not value.strip():
            READING.get().gap(value, path)
        return self.text(value, path)

    def joined(self, values: tuple[Any, ...], escaping: bool) -> str:
        try:
            return super().joined(values, escaping)
        except WordsError as error:
            READING.get().note(error)
            return "?"

    def getattr(self, obj: Any, attribute: str, path: str | None = None) -> Any:
        if isinstance(obj, Absent):
            return obj.part(attribute)
        return self._read(super().getattr(obj, attribute, path), obj, attribute, path)

    def getitem(self, obj: Any, argument: Any, path: str | None = None) -> Any:
        if isinstance(obj, Absent):
            return obj.part(str(argument))
        if used([argument]):
            return blank()
        return self._read(super().getitem(obj, argument, path), obj, argument, path)

    def _read(self, found: Any, obj: Any, part: Any, path: str | None) -> Any:
        reading = READING.get()
        place = reading.part_of(obj, part)
        if not isinstance(found, Absent):
            reading.remember(found, place, path)
        elif found._undefined_hint:
            pass  # "access to … is unsafe", "no first item": not a field
        elif isinstance(obj, Mapping) or (isinstance(obj, list) and isinstance(part, int)):
            found.where = (place, path)
        else:
            found.where = reading.where(obj)
            found.problem = f"{kind(obj)} has no {part!r}"
            if any(found.where):
                found.problem = (
                    f"must be an object, not {kind(obj)}" if obj is not None else "is null"
                )
        return found

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        call = super().call_binop
        if used((left, right)):
            return blank()
        return self.attempt(lambda: call(context, operator, left, right))

    def call_unop(self, context: Context, operator: str, arg: Any) -> Any:
        call = super().call_unop
        return blank() if used([arg]) else self.attempt(lambda: call(context, operator, arg))

    def call(
        __self,  # noqa: N805 - positional-only by name, as Jinja has it
        __context: Context,
        __obj: Any,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        needed: Iterable[Any] = (__obj, *args, *kwargs.values())
        if isinstance(__obj, (Macro, BlockReference, LoopContext)):
            needed = ()  # their parameters may be missing
        if used(needed):
            return blank()
        result = super().call(__context, __obj, *args, **kwargs)
        owner = getattr(__obj, "__self__", None)
        if isinstance(owner, dict):
            reading = READING.get()
            if __obj.__name__ == "get":
                reading.remember(result, reading.part_of(owner, args[0] if args else ""))
            elif __obj.__name__ in ("items", "values"):
                reading.view(result, owner)
        return result


def _noting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that notes what is wrong with its value or arguments, and gives a blank."""
    value_at = 1 if hasattr(function, "jinja_pass_arg") else 0

    @wraps(function)
    def noting(*args: Any, **kwargs: Any) -> Any:
        if name not in _FOR_MISSING and used((*args, *kwargs.values())):
            return blank()
        reading = READING.get()
        before = reading.taken
        value = args[value_at] if len(args) > value_at else None
        if name in _LAZY:
            args = (*args[:value_at], _looped(value), *args[value_at + 1 :])
        try:
            result = function(*args, **kwargs)
        except _FATAL:
            raise
        except Exception as error:
            reading.note(error, before, value)
            return blank()
        if name in ("dictsort", "items") and isinstance(value, Mapping):
            result = [*result]
            reading.view(result, value)
        return result

    return noting


def _looped(value: Any) -> Iterable[Any]:
    """What a loop goes over; each item is remembered with its place."""
    if used([value]):
        return ()
    try:
        iter(value)
    except TypeError as error:
        READING.get().note(WordsError(in_words(error), value))
        return ()
    return READING.get().items_of(value)
