"""`dataclass` as the standard library has it, made in a tenth of the time.

There, each class has up to eight methods written and compiled for it, which for the classes of a lane took a twelfth
of its cold start. Here one is compiled, `__init__`, for it runs at each instance; the others are the same function for
all. `tests/unit/test_values.py` holds what they do to the standard library. docs/decisions/0031-cold-starts.md
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, FrozenInstanceError
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(
        cls: type | None = None, /, *, frozen: bool = False, slots: bool = False, eq: bool = True
    ) -> Any:
        """See `dataclasses.dataclass`, of whose options there are those that Heraldo uses."""

        def make(cls: type) -> Any:
            return _make(cls, frozen, slots, eq)

        return make if cls is None else make(cls)


def _make(cls: type, frozen: bool, slots: bool, eq: bool) -> Any:
    # Else it is told its signature, which takes as long as all the rest.
    cls.__doc__ = cls.__doc__ or cls.__name__
    made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(cls)
    fields = dataclasses.fields(made)
    own = vars(made)
    if "__init__" not in own:
        made.__init__ = _init(made, fields, frozen)
    made._shown = tuple(field.name for field in fields if field.repr)
    if "__repr__" not in own:
        made.__repr__ = _repr
    if eq:
        made._compared = staticmethod(_getter([field.name for field in fields if field.compare]))
        if "__eq__" not in own:
            made.__eq__ = _eq
        if own.get("__hash__") is None:  # as a class has it that says __eq__ alone
            made.__hash__ = _hash if frozen else None
    if frozen:
        made.__dataclass_params__.frozen = True  # so that others' may inherit
        made.__setattr__ = _refuse_to_set
        made.__delattr__ = _refuse_to_delete
        if slots:
            made.__getstate__, made.__setstate__ = _state, _set_state
    return made


def _init(cls: Any, fields: Sequence[Field[Any]], frozen: bool) -> Callable[..., None]:
    """What sets the fields from its arguments, as a person would write it."""
    known: dict[str, Any] = {"_unset": MISSING, "_set": object.__setattr__}
    arguments, lines = ["self"], []
    for field in fields:
        name = value = field.name
        if field.default_factory is not MISSING:
            known[f"_make_{name}"] = field.default_factory
            arguments.append(f"{name}=_unset")
            value = f"_make_{name}() if {name} is _unset else {name}"
        elif field.default is not MISSING:
            known[f"_default_{name}"] = field.default
            arguments.append(f"{name}=_default_{name}")
        elif field.init:
            arguments.append(name)
        else:  # __post_init__ sets it
            continue
        lines.append(f"_set(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    body = "\n    ".join(lines or ["pass"])
    # Of the names and defaults of fields alone, as the standard library does it.
    exec(f"def __init__({', '.join(arguments)}):\n    {body}", known)  # noqa: S102
    made: Callable[..., None] = known["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made


def _getter(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """What reads the fields that are compared, all at once."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda one: tuple([getattr(one, name) for name in names])


def _repr(self: Any) -> str:
    told = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._shown)
    return f"{type(self).__qualname__}({told})"


def _eq(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return self._compared(self) == self._compared(other)


def _hash(self: Any) -> int:
    return hash(self._compared(self))


def _refuse_to_set(_: object, name: str, __: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_: object, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _set_state(self: Any, state: Sequence[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)
