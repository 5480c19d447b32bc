"""Whether a person wants a category by a channel: the most specific word wins. Pure.

The stage's default comes first, then the category's, then the person's own. What is critical cannot be
switched off.
"""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.rules.routing import Category


def wants(
    channel: str,
    category: Category,
    defaults: Mapping[str, bool],
    own: Mapping[str, Mapping[str, bool]],
) -> bool:
    """Whether what is in `category` goes to somebody by `channel`.

    `defaults` are the stage's, by channel; `own` are the person's, by category and channel.
    """
    if category.critical:
        return True
    wanted = own.get(category.name, {}).get(channel)
    if wanted is None:
        wanted = category.channels.get(channel)
    return defaults.get(channel, True) if wanted is None else wanted
