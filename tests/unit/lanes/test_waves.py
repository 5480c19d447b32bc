"""chalicelib/lanes/waves.py: no two of a key in a call, nothing lost, few calls."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.lanes.waves import MESSAGE_BYTES, waves

# A number, its group and its size.
Item = tuple[int, str, int]
ITEMS = st.lists(
    st.tuples(st.sampled_from("abcdefghijklmnop"), st.integers(1, 600_000)), max_size=60
)


def cut(items: list[Item], most: int = 10) -> list[list[Item]]:
    return list(waves(items, lambda item: item[1], lambda item: item[2], most))


def numbered(pairs: list[tuple[str, int]]) -> list[Item]:
    return [(number, group, size) for number, (group, size) in enumerate(pairs)]


@given(ITEMS, st.integers(1, 10))
def test_every_item_goes_once_and_those_of_a_group_in_order_in_calls_of_their_own(
    pairs: list[tuple[str, int]], most: int
) -> None:
    items = numbered(pairs)
    found = cut(items, most)
    for wave in found:
        assert 1 <= len(wave) <= most
        assert len({group for _, group, _ in wave}) == len(wave)
        assert len(wave) == 1 or sum(size for *_, size in wave) <= MESSAGE_BYTES
    sent = [item for wave in found for item in wave]
    assert sorted(sent) == items
    for group in {group for _, group, _ in items}:
        numbers = [number for number, of, _ in sent if of == group]
        assert numbers == sorted(numbers)


@given(st.lists(st.sampled_from("abcdefghijklmnop"), max_size=120))
def test_no_more_calls_are_made_than_the_longest_key_or_the_number_of_all_needs(
    groups: list[str],
) -> None:
    found = cut(numbered([(group, 100) for group in groups]))
    longest = max(Counter(groups).values(), default=0)
    assert len(found) == max(longest, -(-len(groups) // 10))


def test_what_is_too_large_for_any_company_travels_alone_and_last_of_its_size() -> None:
    large, small = MESSAGE_BYTES, 10
    found = cut(numbered([("a", large), ("b", small), ("c", small), ("d", large + 1)]))
    assert [[group for _, group, _ in wave] for wave in found] == [["a"], ["b", "c"], ["d"]]
