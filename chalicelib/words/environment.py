"""The Jinja environment that every template is parsed, checked and rendered in.

It differs from Jinja's immutable sandbox in what a message to a customer needs:

- a missing value is an error that names the dotted path as the template writes it, and so is a null
  that would be printed as "None";
- for data, keys win over methods: ``order.items`` is the order's items, never ``dict.items``;
- imported macros see the event and its locale, so that ``money`` works inside a shared macro;
- a render has a budget. Loops, macro calls, filters and text all draw on it, so that an endless loop
  or a gigantic result ends in `RenderTooLarge` within a fraction of a second.

Render inside ``with environment.bounded():`` and join with ``environment.concat``; `Template.render`
does both by itself. A context made without `bounded` has its own budget, but what Python says of an
endless recursion is then not put into words.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial, wraps
from itertools import islice
from typing import Any

from jinja2 import BaseLoader, StrictUndefined, Template, UndefinedError, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.environment import TemplateModule
from jinja2.exceptions import TemplateRuntimeError
from jinja2.runtime import Context, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace, missing

from chalicelib.words.filters import FILTERS

MAX_TEXT = 1_000_000
"""Characters that any one text may have while rendering: four times what SNS takes."""
MAX_STEPS = 100_000
"""Units of work a render may do; a message about an order of 100 items needs about 1,000."""
MAX_ELEMENTS = 200_000
"""Elements, nested ones included, of a list or object that a template handles as a whole."""
MAX_DIGITS = 4_000
"""Digits of a number; Python itself refuses to print more than 4,300."""
MAX_RANGE = 10_000
"""Numbers that one ``range()`` may produce."""


class RenderTooLarge(TemplateRuntimeError):
    """A template would loop too long or make too large a text; the message says which."""


class MissingField(UndefinedError):
    """A template needs a value that is not there; `field` is its path as the template writes it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class _Missing(StrictUndefined):
    __slots__ = ()

    def __init__(
        self,
        hint: str | None = None,
        obj: Any = missing,
        name: str | None = None,
        exc: type[TemplateRuntimeError] = UndefinedError,
    ) -> None:
        super().__init__(hint, obj, name, exc)
        if hint is None and exc is UndefinedError and isinstance(name, str):
            self._undefined_exception = partial(MissingField, name)  # type: ignore[assignment]


class _Budget:
    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_STEPS


_budget: ContextVar[_Budget | None] = ContextVar("heraldo_render_budget", default=None)
_bounded: ContextVar[bool] = ContextVar("heraldo_render_bounded", default=False)


def _spend(units: int) -> None:
    budget = _budget.get()
    if budget is None:  # a filter called by itself, or by the compiler on a constant
        return
    budget.left -= units
    if budget.left < 0:
        raise RenderTooLarge(
            f"the template does too much work: over {MAX_STEPS:,} loop turns, macro calls and filters"
        )


def _too_long(size: int) -> RenderTooLarge:
    return RenderTooLarge(
        f"the template makes a text of {size:,} characters; {MAX_TEXT:,} is the most"
    )


def _weigh(value: Any) -> int:
    """Characters and elements of a value as it would be printed, counted no further than the limit.

    Lists that share their parts (``[a, a]`` of ``[b, b]`` of …) print exponentially; walking with a
    limit finds that out before Python's own ``str`` fills the memory.
    """
    kind = type(value)
    if kind is str:
        return len(value)
    if kind is int:
        return value.bit_length() // 3 + 1  # type: ignore[no-any-return]
    if kind not in (list, tuple, dict, set, frozenset):
        return 1
    weight = elements = 0
    todo = [value]
    while todo:
        value = todo.pop()
        kind = type(value)
        if kind is str:
            weight += len(value)
        elif kind is dict:
            todo.extend(value.keys())
            todo.extend(value.values())
        elif kind in (list, tuple, set, frozenset):
            todo.extend(value)
        weight += 1
        elements += 1
        if weight > MAX_TEXT or elements + len(todo) > MAX_ELEMENTS:
            raise RenderTooLarge(
                f"the template handles a value of over {MAX_ELEMENTS:,} elements"
                f" or {MAX_TEXT:,} characters"
            )
    return weight


def _charge(value: Any) -> int:
    """Pay for handling `value`, and give its weight."""
    weight = len(value) if type(value) is str else _weigh(value)
    if weight > MAX_TEXT:
        raise _too_long(weight)
    _spend(1 + (weight >> 8))
    return weight


def _concat(parts: Iterable[str]) -> str:
    """Join what a template yields, giving up as soon as it is too long rather than at the end."""
    kept: list[str] = []
    size = 0
    more = iter(parts)
    while some := list(islice(more, 64)):
        size += sum(map(len, some))
        if size > MAX_TEXT:
            raise _too_long(size)
        kept += some
    return "".join(kept)


_NUMBERS = re.compile(r"\d+")


def _check_widths(pattern: str, arguments: Iterable[Any] = ()) -> None:
    """Refuse a format string whose paddings and precisions add up to too long a text."""
    size = sum(int(number[:12]) for number in _NUMBERS.findall(pattern))
    if "*" in pattern:
        size += sum(abs(value) for value in arguments if isinstance(value, int))
    if size > MAX_TEXT:
        raise _too_long(size)


def _check_growth(size: int, factor: Any) -> None:
    if isinstance(factor, int) and abs(factor) * max(1, size) > MAX_TEXT:
        raise _too_long(abs(factor) * max(1, size))


def _check_digits(digits: int) -> None:
    if digits > MAX_DIGITS:
        raise RenderTooLarge(f"the template computes a number of over {MAX_DIGITS:,} digits")


# What these filters return grows with a number that they are given, not only with their value.
_GROWS_BY_NUMBER = frozenset({"batch", "center", "indent", "round", "slice", "tojson"})
_PADS = frozenset({"center", "expandtabs", "ljust", "rjust", "zfill"})
# Of no use for text, and each a way around the limits.
_REFUSED = frozenset({"encode", "maketrans", "to_bytes", "translate"})


def _is_small(value: Any) -> bool:
    """Whether `value` needs no weighing: nearly everything that a message is made of."""
    kind = type(value)
    return len(value) < 256 if kind is str else kind is int and value.bit_length() < 64


def _bounded_filter(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    grows = name in _GROWS_BY_NUMBER
    formats = name == "format"
    plain = not grows and not formats
    # Filters marked with `pass_context` and the like get that first, then the value.
    value_at = 1 if hasattr(function, "jinja_pass_arg") else 0

    @wraps(function)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        if plain and not kwargs and all(map(_is_small, args[value_at:])):
            _spend(len(args))
            result = function(*args)
            if not _is_small(result) and type(result) in (str, list, int):
                _charge(result)
            return result
        value = args[value_at] if len(args) > value_at else None
        weight = _charge(value)
        options = (*args[value_at + 1 :], *kwargs.values())
        if options:
            longest = 0
            for option in options:
                longest = max(longest, _charge(option))
                if grows:
                    lines = value.count("\n") + 1 if isinstance(value, str) else weight
                    _check_growth(lines, option)
            if longest > 1 and (weight + 1) * longest > 64 * MAX_TEXT:
                raise _too_long((weight + 1) * longest)
            if formats and isinstance(value, str):
                _check_widths(value, options)
        result = function(*args, **kwargs)
        if type(result) in (str, list, int):
            _charge(result)
        return result

    return bounded


def _range(*args: int) -> range:
    numbers = range(*args)
    if len(numbers) > MAX_RANGE:
        raise RenderTooLarge(
            f"range() of {len(numbers):,} numbers; {MAX_RANGE:,} is the most"
            if len(numbers) < 10**12
            else f"range() of too many numbers; {MAX_RANGE:,} is the most"
        )
    return numbers


class _Namespace(Namespace):
    def __repr__(self) -> str:  # the inherited one prints shared parts exponentially
        return "<namespace>"


class _Generator(CodeGenerator):
    """Compiles templates with the budget's checks and the dotted paths written in."""

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
        self.write("))")

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

    def _output_child_pre(self, *_: Any) -> None:
        self.write("environment.text(")

    def _output_child_post(self, node: nodes.Expr, *_: Any) -> None:
        self.write(f", {dotted(node)!r})")


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


class BoundedTemplate(Template):
    """A template whose renders keep to a budget."""

    environment: "HeraldoEnvironment"

    def new_context(
        self,
        vars: dict[str, Any] | None = None,
        shared: bool = False,
        locals: Mapping[str, Any] | None = None,
    ) -> Context:
        # A shared context belongs to an include or import of a render that already has a budget.
        if not shared and not _bounded.get():
            _budget.set(_Budget())
        return super().new_context(vars, shared, locals)

    def render(self, *args: Any, **kwargs: Any) -> str:
        with self.environment.bounded():
            return super().render(*args, **kwargs)


class HeraldoEnvironment(ImmutableSandboxedEnvironment):
    """Jinja's immutable sandbox with named missing fields and a bounded render."""

    code_generator_class = _Generator
    template_class = BoundedTemplate
    intercepted_binops = frozenset({"+", "*", "**", "%"})
    concat = staticmethod(_concat)
    step = staticmethod(_spend)

    @contextmanager
    def bounded(self) -> Iterator[None]:
        """Give what is rendered inside a fresh budget.

        Raises `RenderTooLarge` when it is spent, and also for macros that call each other without
        end and for numbers too large to compute.
        """
        token = _budget.set(_Budget())
        outer = _bounded.set(True)
        try:
            yield
        except RecursionError:
            raise RenderTooLarge("macros, includes or loops call themselves without end") from None
        except (MemoryError, OverflowError):
            raise RenderTooLarge("a value is too large to compute") from None
        finally:
            _bounded.reset(outer)
            _budget.reset(token)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        if "import" in source:
            for node in tree.find_all((nodes.Import, nodes.FromImport)):
                node.with_context = True  # type: ignore[attr-defined]
        return tree

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        # Every render copies them, and copying Jinja's ChainMap takes ten times as long as a dict.
        return {**self.globals, **(d or {})}

    # -- what compiled templates call ------------------------------------------------------------

    def text(self, value: Any, path: str | None) -> str:
        """What ``{{ value }}`` prints. A null is refused: nobody is to read "None"."""
        if type(value) is str and len(value) < 256:  # nearly always
            _spend(1)
            return value
        if value is None:
            what = f"{path!r} is null" if path else "a value is null"
            raise MissingField(path or "", f"{what}, and would be printed as 'None'")
        _charge(value)
        text = str(value)
        if len(text) > MAX_TEXT:
            raise _too_long(len(text))
        return text

    def joined(self, values: tuple[Any, ...]) -> str:
        """The ``~`` operator."""
        size = sum(map(_charge, values))
        if size > MAX_TEXT:
            raise _too_long(size)
        return "".join(map(str, values))

    def weighed(self, value: Any) -> Any:
        """A list, tuple or dict that a template writes, known to be of a bearable size."""
        _charge(value)
        return value

    def getattr(self, obj: Any, attribute: str, path: str | None = None) -> Any:
        if isinstance(obj, (dict, Mapping)):  # dict first: an ABC takes its time to say yes
            try:
                return obj[attribute]
            except KeyError:
                return self.undefined(name=path or attribute)
        if type(obj) is TemplateModule and attribute in vars(obj) and not attribute.startswith("_"):
            return vars(obj)[attribute]
        found = super().getattr(obj, attribute)
        if isinstance(found, Undefined) and found._undefined_obj is not missing:
            return self._named(found, path)
        return found

    def getitem(self, obj: Any, argument: Any, path: str | None = None) -> Any:
        if isinstance(obj, Mapping):
            try:
                return obj[argument]
            except (KeyError, TypeError):
                return self.undefined(name=path or str(argument))
        found = super().getitem(obj, argument)
        if isinstance(found, Undefined) and found._undefined_obj is not missing:
            return self._named(found, path)
        return found

    def method(self, obj: Any, attribute: str, path: str | None = None) -> Any:
        """An attribute that is about to be called: here a method wins over a key of the data."""
        if isinstance(obj, Mapping):
            found = super().getattr(obj, attribute)
            return found if callable(found) else self.getattr(obj, attribute, path)
        return self.getattr(obj, attribute, path)

    def _named(self, found: Undefined, path: str | None) -> Undefined:
        if path is None or found._undefined_hint:
            return found
        return self.undefined(name=path)

    # -- what the sandbox asks -------------------------------------------------------------------

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return attr not in _REFUSED and super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        weights = _charge(left), _charge(right)
        if operator == "*":
            if isinstance(left, int) and isinstance(right, int):
                size = 1
                _check_digits(sum(weights))
            elif isinstance(right, int):
                size = weights[0] * max(0, right)
            elif isinstance(left, int):
                size = weights[1] * max(0, left)
            else:
                size = 1
        elif operator == "**":
            size = 1
            if isinstance(left, int) and isinstance(right, int) and abs(left) > 1:
                _check_digits(weights[0] * abs(right))
        elif operator == "%" and isinstance(left, str):
            _check_widths(left, right if isinstance(right, tuple) else (right,))
            size = sum(weights)
        else:
            size = sum(weights)
        if size > MAX_TEXT:
            raise _too_long(size)
        return super().call_binop(context, operator, left, right)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        formatting = super().wrap_str_format(value)
        if formatting is not None:
            pattern = value.__self__
            if re.search(r"\{[^{}]*\{", pattern.replace("{{", "")):
                raise RenderTooLarge("str.format() with a width taken from a value")
            _check_widths(pattern)
        return formatting

    def call(
        __self,  # noqa: N805 - positional-only by name, as Jinja has it
        __context: Context,
        __obj: Any,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        _spend(1)
        for value in args:
            _charge(value)
        owner = getattr(__obj, "__self__", None)
        if type(owner) is str:
            name = __obj.__name__
            if name in _PADS:
                for value in (*args, *kwargs.values()):
                    _check_growth(owner.count("\t") if name == "expandtabs" else 1, value)
            elif name == "replace" and len(args) > 1 and all(type(a) is str for a in args[:2]):
                _check_growth(owner.count(args[0]), len(args[1]))
            elif name == "join" and args and isinstance(args[0], (list, tuple, str)):
                _check_growth(len(args[0]), len(owner))
        result = super().call(__context, __obj, *args, **kwargs)
        if type(result) in (str, list, int):
            _charge(result)
        return result


def make_environment(loader: BaseLoader | None) -> HeraldoEnvironment:
    """The one environment of a process; every template is compiled in it at most once."""
    environment = HeraldoEnvironment(
        loader=loader,
        undefined=_Missing,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
        auto_reload=False,
        cache_size=-1,
    )
    environment.filters.update(FILTERS)
    environment.filters = {
        name: _bounded_filter(name, function) for name, function in environment.filters.items()
    }
    environment.globals["range"] = _range
    environment.globals["namespace"] = _Namespace
    environment.globals.pop("lipsum")  # filler text has no place in a message
    return environment
