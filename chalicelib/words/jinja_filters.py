"""Jinja's own filters: what each asks of its value, and those whose text must be text throughout.

https://jinja.palletsprojects.com/en/stable/templates/#list-of-builtin-filters
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import jinja2
from jinja2 import filters as jinja_filters
from jinja2.nodes import EvalContext

from chalicelib.words.asks import ASKED, Asks, Demand
from chalicelib.words.text import WordsError, as_text, kind, texts

_VALUES: Final[Mapping[Demand, str]] = {
    "text": "capitalize center e escape forceescape format indent lower replace safe string striptags"
    " title trim upper urlize wordcount wordwrap",
    "texts": "join",
    "list": "batch first groupby last list map max min random reject rejectattr select selectattr"
    " slice sort sum unique",
    "sized": "length count reverse",
    "object": "dictsort items xmlattr",
    "number": "abs filesizeformat round",
}
_ARGUMENTS: Final[Mapping[str, Mapping[str, Demand]]] = {
    "replace": {"old": "text", "new": "text"},
    "join": {"d": "text"},
}
ASKED.update(
    (name, Asks(demand, _ARGUMENTS.get(name, {})))
    for demand, names in _VALUES.items()
    for name in names.split()
)


@jinja2.pass_eval_context
def join(
    eval_ctx: EvalContext, value: Iterable[Any], d: str = "", attribute: str | int | None = None
) -> str:
    """Jinja's join, of texts and numbers."""
    items = iter(value)
    if attribute is not None:
        items = map(jinja_filters.make_attrgetter(eval_ctx.environment, attribute), items)
    return jinja_filters.sync_do_join(eval_ctx, list(texts("join", items)), d)


def items(value: object) -> Iterable[tuple[Any, Any]]:
    """Jinja's items: the pairs of an object, none of what is missing."""
    if isinstance(value, jinja2.Undefined):
        return ()
    if not isinstance(value, Mapping):
        raise WordsError(f"items expects an object, not {kind(value)}", value)
    return value.items()


def string(value: str) -> str:
    """Any value as text: rendering has seen to that."""
    return value


def urlencode(value: object) -> str:
    """Jinja's urlencode: of a text, or of an object or pairs as a query."""
    if not isinstance(value, (Mapping, list, tuple)):
        text = as_text(value)
        if text is None:
            raise WordsError(f"urlencode expects a text or an object, not {kind(value)}", value)
        return jinja_filters.do_urlencode(text)
    pairs = value.items() if isinstance(value, Mapping) else value
    return jinja_filters.do_urlencode(
        [(k, v) for k, v in (texts("urlencode", pair) for pair in pairs)]
    )


@jinja2.pass_eval_context
def xmlattr(eval_ctx: EvalContext, d: Mapping[str, Any], autospace: bool = True) -> str:
    """Jinja's xmlattr: what is null or missing is left out."""
    there = {k: v for k, v in d.items() if v is not None and not isinstance(v, jinja2.Undefined)}
    written = dict(zip(there, texts("xmlattr", there.values()), strict=True))
    return jinja_filters.do_xmlattr(eval_ctx, written, autospace)


def format(value: str, *args: Any, **kwargs: Any) -> str:
    """Jinja's format: a pattern such as "%s of %d", filled in."""
    check_percent(value, kwargs or args)
    return jinja_filters.do_format(value, *args, **kwargs)


def check_percent(pattern: str, values: Any) -> None:
    """Refuse what ``pattern % values`` would write in Python's notation."""
    if isinstance(values, Mapping):
        values = [v for name, v in values.items() if f"%({name})" in pattern] or [values]
    elif not isinstance(values, tuple):
        values = (values,)
    for value in values:
        if as_text(value) is None:
            raise WordsError(f"format expects texts and numbers, and one is {kind(value)}", value)


REPLACED: Final[Mapping[str, Callable[..., Any]]] = {
    "items": items,
    "join": join,
    "string": string,
    "urlencode": urlencode,
    "xmlattr": xmlattr,
    "format": format,
}
REMOVED: Final = ("pprint",)
"""What writes Python's notation."""
