"""The Jinja environment that every template is parsed, checked and rendered in.

It differs from Jinja's immutable sandbox in what a message to a customer needs:

- only texts and numbers are printed: a null, an object, a list, true or false, a function is an error
  that names the dotted path as the template writes it, also under filters, ``~`` and patterns;
- a missing value is such an error, too;
- for data, keys win over methods: ``order.items`` is the order's items, never ``dict.items``;
- imported macros see the event and its locale, so that ``money`` works inside a shared macro;
- a render has a budget.

Render inside ``with environment.bounded():`` and join with ``environment.concat``; `Template.render`
does both by itself. A context made without `bounded` has its own budget, but what Python says of an
endless recursion is then not put into words.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, MutableMapping
from datetime import tzinfo
from functools import partial
from typing import Any, Final, TypeVar

from jinja2 import BaseLoader, StrictUndefined, Template, TemplateNotFound, UndefinedError, nodes
from jinja2.environment import TemplateModule
from jinja2.exceptions import TemplateRuntimeError
from jinja2.runtime import Context, Undefined, markup_join
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedFormatter
from jinja2.utils import Namespace, missing

from chalicelib.words import budget, jinja_filters
from chalicelib.words import filters as _own_filters  # noqa: F401 - they register themselves
from chalicelib.words.asks import ASKED, FILTERS, Asks
from chalicelib.words.budget import MAX_TEXT, RenderTooLarge, charge, spend
from chalicelib.words.calling import budgeted
from chalicelib.words.compiler import Generator
from chalicelib.words.text import MissingField, WordsError, as_text, kind, not_text
from chalicelib.words.wording import WRONG, in_words, operation, wrong_call

__all__ = ["HeraldoEnvironment", "MissingField", "RenderTooLarge", "WordsError", "make_environment"]


SHOP: Final = "_layouts/shop.j2"
"""Where a shop says what it is called, and what time it is there."""


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


class _Namespace(Namespace):
    def __repr__(self) -> str:  # the inherited one prints shared parts exponentially
        return "<namespace>"


class _Formatter(SandboxedFormatter):
    """``"{}".format(x)`` of texts and numbers."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if not format_spec or not isinstance(value, (int, float)):
            value = _printable(value)
        formatted: str = super().format_field(value, format_spec)
        return formatted

    def convert_field(self, value: Any, conversion: Any) -> Any:
        return super().convert_field(_printable(value) if conversion else value, conversion)


def _printable(value: Any) -> str:
    text = as_text(value)
    if text is None:
        raise WordsError(f"format() expects texts and numbers, and one is {kind(value)}", value)
    return text


# -- templates -------------------------------------------------------------------------------------

_PADS: Final = frozenset({"center", "expandtabs", "ljust", "rjust", "zfill"})
# Of no use for text, and each a way around the limits.
_REFUSED: Final = frozenset({"encode", "maketrans", "to_bytes", "translate"})


class BoundedTemplate(Template):
    """A template whose renders keep to a budget."""

    environment: HeraldoEnvironment

    def new_context(
        self,
        vars: dict[str, Any] | None = None,
        shared: bool = False,
        locals: Mapping[str, Any] | None = None,
    ) -> Context:
        # A shared context belongs to an include or import of a render that already has a budget.
        if not shared:
            budget.renew()
        return super().new_context(vars, shared, locals)

    def render(self, *args: Any, **kwargs: Any) -> str:
        with self.environment.bounded():
            return super().render(*args, **kwargs)


class HeraldoEnvironment(ImmutableSandboxedEnvironment):
    """Jinja's immutable sandbox, which prints nothing but text, within a budget."""

    code_generator_class = Generator
    template_class = BoundedTemplate
    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "**", "%"})
    intercepted_unops = frozenset({"-", "+"})
    concat = staticmethod(budget.concat)
    step = staticmethod(spend)
    bounded = staticmethod(budget.bounded)

    @functools.cached_property
    def shop(self) -> Mapping[str, Any]:
        """What SHOP sets: `name`, `url`, …"""
        return self.sets(SHOP)

    def sets(self, name: str) -> Mapping[str, Any]:
        """What a file sets at its top; nothing where there is no such file."""
        try:
            module = self.get_template(name).make_module()
        except TemplateNotFound:
            return {}
        return {name: value for name, value in vars(module).items() if name[0] != "_"}

    @functools.cached_property
    def time_zone(self) -> tzinfo | None:
        """The shop's own time zone, which SHOP sets as `time_zone`; None where it sets none.

        Raises
        ------
        WordsError : there is no such zone.
        """
        name = self.shop.get("time_zone")
        if name is None:
            return None
        from zoneinfo import ZoneInfo

        try:
            return ZoneInfo(name)
        except (LookupError, ValueError, TypeError, OSError):
            what = "is no time zone, such as Europe/Madrid or America/Mexico_City"
            raise WordsError(f"time_zone in templates/{SHOP} {what}") from None

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
        """What ``{{ value }}`` prints; raises `MissingField` or `WordsError` for what is no text."""
        if type(value) is str and len(value) < 256:  # nearly always
            spend(1)
            return value
        charge(value)
        text = as_text(value)
        if text is None:
            raise not_text(path, value)
        if len(text) > MAX_TEXT:
            raise budget.too_long(len(text))
        return text

    def field(self, value: Any, path: str | None) -> str:
        """What ``{{ value }}`` prints where it is a field as it is: where that is empty, it is noted."""
        if type(value) is str and len(value) < 256:
            spend(1)
            if not value or value.isspace():
                budget.gap()
            return value
        return self.text(value, path)

    def joined(self, values: tuple[Any, ...], escaping: bool) -> str:
        """The ``~`` operator."""
        size = sum(map(charge, values))
        if size > MAX_TEXT:
            raise budget.too_long(size)
        texts = []
        for value in values:
            text = as_text(value)
            if text is None:
                raise WordsError(f"~ joins texts and numbers, and one is {kind(value)}", value)
            texts.append(text)
        return markup_join(texts) if escaping else "".join(texts)

    def weighed(self, value: Any) -> Any:
        """A list, tuple or dict that a template writes, known to be of a bearable size."""
        charge(value)
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
        weights = charge(left), charge(right)
        size = sum(weights)
        if operator == "*":
            size = 1
            if isinstance(left, int) and isinstance(right, int):
                budget.check_digits(sum(weights))
            elif isinstance(right, int):
                size = weights[0] * max(0, right)
            elif isinstance(left, int):
                size = weights[1] * max(0, left)
        elif operator == "**":
            size = 1
            if isinstance(left, int) and isinstance(right, int) and abs(left) > 1:
                budget.check_digits(weights[0] * abs(right))
        elif operator == "%" and isinstance(left, str):
            budget.check_widths(left, right if isinstance(right, tuple) else (right,))
            jinja_filters.check_percent(left, right)
        if size > MAX_TEXT:
            raise budget.too_long(size)
        try:
            return super().call_binop(context, operator, left, right)
        except ZeroDivisionError:
            raise WordsError("divides by zero", right) from None
        except (TypeError, ValueError) as error:
            if operator == "%" and isinstance(left, str):
                raise WordsError(in_words(error), right) from None
            raise operation(operator, left, right) from None

    def call_unop(self, context: Context, operator: str, arg: Any) -> Any:
        try:
            return super().call_unop(context, operator, arg)
        except TypeError:
            raise WordsError(f"{operator} expects a number, not {kind(arg)}", arg) from None

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        if super().wrap_str_format(value) is None:
            return None
        pattern = value.__self__
        if re.search(r"\{[^{}]*\{", pattern.replace("{{", "")):
            raise RenderTooLarge("str.format() with a width taken from a value")
        budget.check_widths(pattern)
        if hasattr(pattern, "__html__"):
            return super().wrap_str_format(value)
        by_map = value.__name__ == "format_map"

        def format(*args: Any, **kwargs: Any) -> str:
            named = args[0] if by_map and args else kwargs
            return _Formatter(self).vformat(pattern, () if by_map else args, named)

        return format

    def call(
        __self,  # noqa: N805 - positional-only by name, as Jinja has it
        __context: Context,
        __obj: Any,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        spend(1)
        for value in args:
            charge(value)
        owner = getattr(__obj, "__self__", None)
        if type(owner) is str:
            _check_method(owner, __obj.__name__, args, kwargs)
        try:
            result = super().call(__context, __obj, *args, **kwargs)
        except WRONG as error:
            name = str(getattr(__obj, "name", None) or getattr(__obj, "__name__", ""))
            written = {n: v for n, v in kwargs.items() if not n.startswith("_") and n != "caller"}
            told = wrong_call(name, __obj, args, written, error)
            if told is error:  # a macro was called rightly, and fails at a line of its own
                raise
            raise told from None
        if type(result) in (str, list, int):
            charge(result)
        return result


def _check_method(owner: str, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Refuse a method of a text that would make too long a text."""
    if name in _PADS:
        for value in (*args, *kwargs.values()):
            budget.check_growth(owner.count("\t") if name == "expandtabs" else 1, value)
    elif name == "replace" and len(args) > 1 and all(type(a) is str for a in args[:2]):
        budget.check_growth(owner.count(args[0]), len(args[1]))
    elif name == "join" and args and isinstance(args[0], (list, tuple, str)):
        budget.check_growth(len(args[0]), len(owner))


_Environment = TypeVar("_Environment", bound="HeraldoEnvironment")


def make_environment(loader: BaseLoader | None, escaping: bool = False) -> HeraldoEnvironment:
    """The environment of a process for texts, or, `escaping`, for HTML; every template is compiled in it
    at most once.
    """
    return equipped(HeraldoEnvironment, loader, escaping)


def equipped(
    kind: type[_Environment], loader: BaseLoader | None, escaping: bool = False
) -> _Environment:
    """An environment of that kind with all that templates can use."""
    environment = kind(
        loader=loader,
        undefined=_Missing,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=escaping,
        auto_reload=False,
        cache_size=-1,
        optimized=False,  # what is constant is checked like everything else: while rendering
    )
    environment.filters.update({**jinja_filters.REPLACED, **FILTERS})
    environment.filters = {
        name: budgeted(name, function, ASKED.get(name, Asks()))
        for name, function in environment.filters.items()
        if name not in jinja_filters.REMOVED
    }
    environment.globals["range"] = budget.range_
    environment.globals["namespace"] = _Namespace
    environment.globals.pop("lipsum")  # filler text has no place in a message
    return environment
