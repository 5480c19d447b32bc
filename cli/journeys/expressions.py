"""What stands in `{% … %}`: JSONata, as Step Functions evaluates it.

https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from chalicelib.errors import HeraldoError
from chalicelib.journeys.states import code

# AWS has no $eval, and what comes of chance cannot be tried beforehand.
_REFUSED: Final = re.compile(r"\$(eval|random|uuid|hash|partition)\b")


class ExpressionError(HeraldoError):
    """An expression that cannot be read, or comes to nothing."""


def every(
    value: Any, way: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every text in a value, with the way that leads there."""
    if isinstance(value, str):
        yield way, value
    elif isinstance(value, Mapping):
        for key, inside in value.items():
            yield from every(inside, (*way, key))
    elif isinstance(value, list):
        for position, inside in enumerate(value):
            yield from every(inside, (*way, position))


def problem(text: str) -> str:
    """What is wrong with a text as an expression, or nothing."""
    expression = code(text)
    if expression is None:
        if "{%" in text or "%}" in text:
            return "an expression is the whole text, from {% to %}: join texts with & within it"
        return ""
    refused = _REFUSED.search(expression)
    if refused:
        return (
            f"{refused[0]} has no place in a journey: what it comes to cannot be tried beforehand"
        )
    try:
        _parsed(expression)
    except ExpressionError as error:
        return str(error)
    return ""


def evaluate(value: Any, states: Mapping[str, Any], now: datetime) -> Any:
    """A value with each `{% … %}` in it replaced by what that comes to.

    Raises
    ------
    ExpressionError : one cannot be read, fails, or comes to nothing, which ends an execution on AWS.
    """
    if isinstance(value, Mapping):
        return {key: evaluate(inside, states, now) for key, inside in value.items()}
    if isinstance(value, list):
        return [evaluate(inside, states, now) for inside in value]
    expression = code(value)
    if expression is None:
        return value
    parsed = _parsed(expression)
    frame = parsed.create_frame()
    frame.bind("states", states)
    parsed.register_lambda("now", lambda: stamp(now))
    parsed.register_lambda("millis", lambda: int(now.timestamp() * 1000))
    try:
        found = parsed.evaluate(None, frame)
    except Exception as error:  # of JSONata, or of Python beneath it
        raise ExpressionError(f"{expression}: {error}") from None
    if found is None:
        raise ExpressionError(f"{expression}: comes to nothing")
    return found


def stamp(moment: datetime) -> str:
    """A time as Step Functions writes it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@functools.cache
def _parsed(expression: str) -> Any:
    from jsonata import Jsonata
    from jsonata.jexception import JException

    try:
        return Jsonata(expression)
    except JException as error:
        raise ExpressionError(f"is no JSONata: {error}") from None
