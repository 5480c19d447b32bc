"""A dataclass of ours is one of the standard library's in all that is done with it."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from dataclasses import field
from typing import Any, ClassVar

import pytest

from chalicelib import values


def _cases(dataclass: Any) -> dict[str, Callable[[], Any]]:
    @dataclass(frozen=True, slots=True)
    class Frozen:
        name: str
        many: dict[str, int] = field(default_factory=dict)
        number: int = 3
        hidden: int = field(default=1, repr=False, compare=False)
        kind: ClassVar[str] = "frozen"

    @dataclass(frozen=True, slots=True)
    class Computed:
        name: str
        size: int = field(init=False, repr=False, compare=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "size", len(self.name))

    @dataclass(slots=True)
    class Open:
        name: str
        many: list[int] = field(default_factory=list)

        @property
        def first(self) -> int:
            return self.many[0]

    @dataclass
    class Plain:
        name: str
        other: str = "b"

    @dataclass(slots=True, eq=False)
    class Same:
        name: str = ""

    @dataclass(slots=True, eq=False)
    class Below(Same):
        number: int = 0

    @dataclass(frozen=True, slots=True)
    class Empty:
        pass

    @dataclass(frozen=True, slots=True)
    class Told:
        name: str

        def __repr__(self) -> str:
            return "not told"

    @dataclass(slots=True)
    class Made:
        name: str
        number: int

        def __init__(self, name: str) -> None:
            self.name, self.number = name, len(name)

    @dataclass(frozen=True, slots=True)
    class Loose:
        name: str

        def __eq__(self, other: object) -> bool:
            return other == "another"

    @dataclass(frozen=True, slots=True)
    class Hashed:
        name: str

        def __hash__(self) -> int:
            return 7

    return {
        "frozen": lambda: Frozen("a", {"x": 1}),
        "frozen with defaults": lambda: Frozen(name="a"),
        "computed": lambda: Computed("abc"),
        "open": lambda: Open("a", [1]),
        "open with defaults": lambda: Open("a"),
        "plain": lambda: Plain("a"),
        "same": lambda: Same("a"),
        "below": lambda: Below("a", 2),
        "empty": lambda: Empty(),
        "with an init of its own": lambda: Made("a"),
        "with an idea of its own of what is like it": lambda: Loose("a"),
        "with a hash of its own": lambda: Hashed("a"),
        "with a repr of its own": lambda: Told("a"),
    }


OURS, THEIRS = _cases(values.dataclass), _cases(dataclasses.dataclass)


def _tried(act: Callable[[Any], Any], one: Any) -> Any:
    try:
        return act(one)
    except dataclasses.FrozenInstanceError:
        return "frozen"
    except (TypeError, AttributeError, ValueError) as error:
        # The standard library's own stumbles over a name that is no field: python/cpython#90562.
        return "frozen" if str(error).startswith("super(") else (type(error), str(error))


def _set(name: str) -> Callable[[Any], Any]:
    def act(one: Any) -> Any:
        setattr(one, name, "b")
        return getattr(one, name)

    return act


def _delete(one: Any) -> Any:
    del one.name
    return hasattr(one, "name")


ACTS: dict[str, Callable[[Any], Any]] = {
    "told": repr,
    "hashed": lambda one: hash(one) if type(one).__hash__ is not object.__hash__ else "its own",
    "like a copy": lambda one: copy.copy(one) == one,
    "like a deep copy": lambda one: copy.deepcopy(one) == one,
    "like another": lambda one: one == "another",
    "replaced": lambda one: repr(dataclasses.replace(one)),
    "replaced with a name": lambda one: repr(dataclasses.replace(one, name="z")),
    "as a dict": dataclasses.asdict,
    "as a tuple": dataclasses.astuple,
    "its fields": lambda one: [
        (f.name, f.init, f.repr, f.compare) for f in dataclasses.fields(one)
    ],
    "a name set": _set("name"),
    "what is no field set": _set("nothing"),
    "a name deleted": _delete,
    "matched": lambda one: type(one).__match_args__,
    "with too many arguments": lambda one: type(one)(1, 2, 3, 4, 5, 6),
    "with an unknown argument": lambda one: type(one)("a", nothing=1),
    "with a dict of its own": lambda one: hasattr(one, "__dict__"),
    "its computed size": lambda one: one.size,
    "its class's own": lambda one: one.kind,
}


@pytest.mark.parametrize("case", OURS)
@pytest.mark.parametrize("act", ACTS)
def test_it_does_as_the_standard_library_does(act: str, case: str) -> None:
    assert _tried(ACTS[act], OURS[case]()) == _tried(ACTS[act], THEIRS[case]())


def test_an_argument_that_is_lacking_is_named() -> None:
    with pytest.raises(TypeError, match=r"missing 1 required positional argument: 'name'"):
        type(OURS["frozen"]())()


def test_a_factory_is_called_for_each() -> None:
    first, second = OURS["open with defaults"](), OURS["open with defaults"]()
    assert first.many is not second.many


def test_of_two_classes_none_is_like_the_other() -> None:
    assert OURS["plain"]() != THEIRS["plain"]()
    assert OURS["same"]() != OURS["same"]()


@values.dataclass(frozen=True, slots=True)
class Kept:
    name: str
    size: int = 2


def test_one_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(Kept("a", 3))) == Kept("a", 3)


def test_its_doc_is_what_was_written_or_its_name() -> None:
    assert Kept.__doc__ == "Kept"
