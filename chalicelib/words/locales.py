"""Which of the locales that a type is written in is nearest to the one that is asked for.

As CLDR has it: a locale's parent is not always what is left when its end is cut off. Mexico's Spanish
is Latin America's (es-419) before it is Spain's, and a phone in Taiwan reads traditional characters
(zh-Hant) whether it says so or not.
https://www.unicode.org/reports/tr35/#Parent_Locales
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def nearest(wanted: str, there: Sequence[str]) -> str | None:
    """The one of `there` that is nearest to a language tag, in its own spelling; None for no kin."""
    tag = "-".join(_subtags(wanted))
    known = {"-".join(_subtags(locale)): locale for locale in there}
    if tag in known:
        return known[tag]
    language = tag.partition("-")[0]
    kin = [locale for locale in known if locale.partition("-")[0] == language]
    if kin == [language]:
        return known[language]
    if kin or language in ("nb", "nn"):  # both are no, which is CLDR's Norwegian
        return next((known[parent] for parent in _parents(tag) if parent in known), None)
    return None


def _subtags(tag: str) -> list[str]:
    """Language, script, region and variants in lower case; without extensions (``-u-mu-celsius``)."""
    found = []
    for subtag in tag.replace("_", "-").lower().split("-"):
        if len(subtag) == 1:  # https://www.rfc-editor.org/rfc/rfc5646#section-2.2.6
            break
        found.append(subtag)
    return found


def _parents(tag: str) -> Iterator[str]:
    """The parents of a tag, the nearest first."""
    from babel.core import get_global

    exceptions, likely = get_global("parent_exceptions"), get_global("likely_subtags")
    todo = [_as_cldr(tag)]
    with_script = likely.get(todo[0])
    if with_script and "-" in tag:
        todo.insert(0, str(with_script))
    for found in todo:
        while found:
            yield found.replace("_", "-").lower()
            found = str(exceptions.get(found) or found.rpartition("_")[0])


def _as_cldr(tag: str) -> str:
    language, *rest = tag.split("-")
    return "_".join([language, *(s.title() if len(s) == 4 else s.upper() for s in rest)])
