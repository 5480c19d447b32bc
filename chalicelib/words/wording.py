"""Python's errors in the words of whoever writes templates, with no value in them.

Python says "unsupported operand type(s) for +: 'int' and 'str'", and its messages may show data. What is
not known here is "a value of the wrong kind": vague, and safe.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from jinja2.exceptions import SecurityError, TemplateRuntimeError
from jinja2.runtime import BlockReference, LoopContext, Macro

from chalicelib.regex import regex
from chalicelib.spelling import did_you_mean
from chalicelib.words.text import WordsError, kind

WRONG: Final = (TypeError, ValueError, ZeroDivisionError, LookupError, AttributeError)
"""What Python raises for values that something cannot work on."""

_VAGUE: Final = "has a value of the wrong kind here"
_KINDS: Final[Mapping[str, str]] = {
    "NoneType": "null",
    "str": "a text",
    "int": "a number",
    "float": "a number",
    "bool": "true or false",
    "dict": "an object",
    "list": "a list",
    "tuple": "a list",
    "generator": "a list",
}
_DONE: Final[Mapping[str, str]] = {
    "+": "added",
    "-": "subtracted",
    "*": "multiplied",
    "/": "divided",
    "//": "divided",
    "%": "divided",
    "**": "raised to a power",
}
_SORTED: Final = "cannot be sorted or compared"
# Patterns of Python's messages; ⟨1⟩ and ⟨2⟩ are the kinds that they name.
_SAID: Final[tuple[tuple[str, str], ...]] = (
    (
        r"'(?:<|>|<=|>=)' not supported between instances of '(\w+)' and '(\w+)'",
        "⟨1⟩ and ⟨2⟩ " + _SORTED + " with each other",
    ),
    (
        r"unsupported operand type\(s\) for (?:[^:]+): '(\w+)' and '(\w+)'",
        "⟨1⟩ and ⟨2⟩ cannot be computed with",
    ),
    (r'can only concatenate (\w+) \(not "(\w+)"\)', "⟨1⟩ and ⟨2⟩ cannot be added"),
    (r"argument of type '(\w+)' is not", "in looks into a list or a text, not into ⟨1⟩"),
    (r"'(\w+)' object is not (?:iterable|reversible)", "a list is needed, and here is ⟨1⟩"),
    (r"cannot unpack non-iterable (\w+) object", "several names need lists in the list, not ⟨1⟩"),
    (r"values to unpack", "there are not as many names as values in each item of the list"),
    (r"'(\w+)' object is not subscriptable", "⟨1⟩ has no parts"),
    (r"'(\w+)' object is not callable", "⟨1⟩ is neither a macro nor a function"),
    (r"object of type '(\w+)' has no len", "⟨1⟩ has no length"),
    (r"'(\w+)' object cannot be interpreted as an integer", "a whole number is needed, not ⟨1⟩"),
    (r"indices must be integers", "parts of lists and texts go by number"),
    (r"unhashable type: '(\w+)'", "⟨1⟩ cannot be looked up"),
    (r"'(\w+)' object has no attribute", "⟨1⟩ cannot be used here"),
    (r"type (\w+) doesn't define __round__", "a number is needed, and here is ⟨1⟩"),
    (r"bad operand type for (?:unary .|abs\(\)): '(\w+)'", "a number is needed, and here is ⟨1⟩"),
    (
        r"(?:float|int)\(\) argument must be .* not '(\w+)'",
        "a number is needed, and here is ⟨1⟩",
    ),
    (r"could not convert string to float", "a number is needed, and here is a text"),
    (
        r"sequence item \d+: expected str instance, (\w+) found",
        'join() takes texts alone, and one is ⟨1⟩: write |join(", ")',
    ),
    (r"not JSON serializable", "JSON cannot hold what is given to tojson"),
    (r"(?:a|real) (?:real )?number is required, not (\w+)", "the pattern writes a number, not ⟨1⟩"),
    (r"an integer is required, not (\w+)", "the pattern writes a whole number, not ⟨1⟩"),
    (r"Unknown format code '.' for object of type '(\w+)'", "the pattern is not one for ⟨1⟩"),
    (r"nvalid format specifier|unsupported format character", "the pattern is not one of Python's"),
    (
        r"not enough arguments for format|index .*out of range",
        "the pattern has more places than values",
    ),
    (r"not all arguments converted", "the pattern has fewer places than values"),
    (r"format requires a mapping", "the pattern names its values: give them by name"),
    (r"must be str, not (\w+)|must be str or None, not (\w+)", "a text is needed, and here is ⟨1⟩"),
    (r"(range expected at (?:least|most) \d arguments?, got \d)", "⟨0⟩"),
    (r"substring not found", "the text has no such part"),
    (r"is not in list", "the list has no such item"),
    (r"empty separator", "an empty text separates nothing"),
    (r"Invalid character in attribute name", "the name of an attribute has a character too many"),
)
_PATTERNS: Final = tuple((regex(pattern), said) for pattern, said in _SAID)


def in_words(error: BaseException) -> str:
    """What went wrong, for an author; never shows a value."""
    if isinstance(error, SecurityError):
        return "does what the sandbox forbids"
    if isinstance(error, (WordsError, TemplateRuntimeError)):  # Jinja's messages hold no value
        return str(error)
    if isinstance(error, ZeroDivisionError):
        return "divides by zero"
    message = str(error)
    for pattern, said in _PATTERNS:
        found = pattern.search(message)
        if found is not None:
            groups = [group for group in found.groups() if group]
            for number, group in enumerate(groups, 1):
                said = said.replace(f"⟨{number}⟩", _KINDS.get(group, "something else"))
            return said.replace("⟨0⟩", groups[0] if groups else "")
    if isinstance(error, KeyError):
        return "the pattern names a value that it is not given"
    return _VAGUE


def operation(operator: str, left: object, right: object) -> WordsError:
    """The error for two values that an operator cannot take."""
    remedy = ""
    if operator == "+" and (isinstance(left, str) or isinstance(right, str)):
        remedy = ": join texts with ~"
    at_fault = right if isinstance(left, (int, float)) and not isinstance(left, bool) else left
    what = f"{kind(left)} and {kind(right)} cannot be {_DONE[operator]}{remedy}"
    return WordsError(what, at_fault)


def wrong_call(
    name: str,
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    error: Exception,
    given: int = 0,
) -> Exception:
    """What to raise for a call that failed: how it is called wrongly, or what came of it in words.

    `given` is how many of the first `args` the template does not write: a filter's value and context.
    What went wrong within a macro or block is `error` itself, which knows its line.
    """
    if isinstance(error, WordsError):
        return error
    usage = _misused(name, function, args, kwargs, given)
    if usage is None and isinstance(function, (Macro, BlockReference, LoopContext)):
        return error
    if usage is not None:
        return WordsError(usage)
    words = in_words(error)
    told = words if words.startswith(name) or not name else f"{name}: {words}"
    return WordsError(told, args[given - 1]) if given else WordsError(told)


def _misused(
    name: str,
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    given: int,
) -> str | None:
    """How a call does not fit what it calls, or None where it does."""
    if isinstance(function, Macro):
        options, most, needed = [*function.arguments], len(function.arguments), []
        some = function.catch_varargs
        any_name = function.catch_kwargs
    else:
        try:
            parameters = [*inspect.signature(function).parameters.values()][given:]
        except (TypeError, ValueError):  # some of what is written in C does not say
            return None
        named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        options = [p.name for p in named]
        placed = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        most = len(placed)
        needed = [p.name for p in parameters if p.default is p.empty and p in placed]
        some = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        any_name = any(p.kind is p.VAR_KEYWORD for p in parameters)
    usage = f"write {name}({', '.join(options)})" if options else "it takes nothing in brackets"
    if len(args) - given > most and not some:
        return f"{name} is given too much: {usage}"
    for option in kwargs:
        if option not in options and not any_name:
            near = did_you_mean(option, options)
            return f"{name} has no option {option!r}{near or f': {usage}'}"
    twice = set(options[: len(args) - given]) & kwargs.keys()
    if twice:
        return f"{name} is given {min(twice)} twice: {usage}"
    lacking = [n for n in needed[len(args) - given :] if n not in kwargs]
    return f"{name} needs {' and '.join(lacking)}: {usage}" if lacking else None
