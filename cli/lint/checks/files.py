"""The files of a tree: whether they are there, have the names that are looked for, and can be read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from chalicelib.rules.routing import COMPANY
from chalicelib.spelling import nearest
from cli.lint.finding import Told, check
from cli.lint.locales import LOCALES, canonical, is_locale, is_words
from cli.lint.tree import Conflict, Tree, is_type

_LIKE_TEMPLATES: Final = frozenset((".j2", ".jinja", ".jinja2", ".json", ".html", ".txt"))
_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")


@check("no-templates", "error")
def no_templates(tree: Tree) -> Iterator[Told]:
    """There is no folder `templates/`: make it."""
    if not tree.folder.is_dir():
        yield Told("templates", 0, "there is no folder templates/", "make it")


@check("encoding", "error")
def encoding(tree: Tree) -> Iterator[Told]:
    """A template or a sample is not UTF-8: save it as UTF-8."""
    broken: dict[str, Exception | None] = {
        f"templates/{name}": error for name, error in tree.broken.items()
    }
    broken |= {sample.file: sample.no_json for sample in tree.samples.values()}
    for file, error in broken.items():
        if isinstance(error, UnicodeDecodeError):
            line = error.object[: error.start].count(b"\n") + 1
            yield Told(file, line, "is not UTF-8", "save it as UTF-8")


@check("merge-conflict", "error")
def merge_conflict(tree: Tree) -> Iterator[Told]:
    """A template or a sample holds what git leaves where it could not merge: keep one side, and take
    the marks out.
    """
    broken: dict[str, Exception | None] = {
        f"templates/{name}": error for name, error in tree.broken.items()
    }
    broken |= {sample.file: sample.no_json for sample in tree.samples.values()}
    for file, error in broken.items():
        if isinstance(error, Conflict):
            what = f"{error.mark} is left of a merge"
            yield Told(file, error.line, what, "keep one side, and take the marks out")


@check("stray-file", "error")
def stray_file(tree: Tree) -> Iterator[Told]:
    """A template stands in no event type's folder and no other draws it in, or a folder is no event
    type's, so it is never used: move it to templates/<event type>/, or remove it.
    """
    if not tree.folder.is_dir():
        return
    for path in sorted(tree.folder.iterdir()):
        file = f"templates/{path.name}"
        if path.name[0] in "_.":
            continue
        if path.is_dir() and not is_type(path):
            inside = sorted(below for below in path.rglob("*") if is_type(below))
            if not any(path.iterdir()):
                yield Told(file, 0, "is empty", "write a type in it, or remove it")
            elif inside:
                parts = inside[0].relative_to(tree.folder).parts
                what = f"has no template of its own, and templates/{'/'.join(parts)} is never used"
                yield Told(file, 0, what, f"move that to templates/{'.'.join(parts)}")
            else:
                what = (
                    "is no event type's folder: there is neither a template nor sample.json in it"
                )
                yield Told(file, 0, what, "move what is in it, or remove it")
        elif path.is_file() and path.suffix in _LIKE_TEMPLATES and path.name not in tree.used:
            what = "stands in no event type's folder, so it is never used"
            yield Told(file, 0, what, "move it to templates/<event type>/, or remove it")


@check("byte-order-mark", "error")
def byte_order_mark(tree: Tree) -> Iterator[Told]:
    """A template starts with an invisible mark that would be sent along: save it as UTF-8, not as
    "UTF-8 with BOM".
    """
    for name, source in tree.sources().items():
        if source.startswith("\ufeff"):
            what = "starts with an invisible byte order mark, which would be sent along"
            yield Told(f"templates/{name}", 1, what, 'save it as "UTF-8", not as "UTF-8 with BOM"')


@check("event-type", "error")
def event_type_name(tree: Tree) -> Iterator[Told]:
    """A folder's name is no name for an event type: use lower case letters, digits, dots and
    hyphens, such as order.shipped.
    """
    for event_type in tree.types:
        if not _TYPE.match(event_type):
            what = f"{event_type!r} is no name for an event type"
            remedy = "use lower case letters, digits, dots and hyphens, such as order.shipped"
            yield Told(f"templates/{event_type}", 0, what, remedy)


@check("unknown-file", "error")
def unknown_file(tree: Tree) -> Iterator[Told]:
    """A file in a type's folder is neither a locale's template, nor one of an audience that a topic
    has, nor sample.json, and so is never used: rename or remove it.
    """
    known = _audiences(tree)
    for event_type in tree.types:
        locales = tree.locales(event_type)
        for path in sorted((tree.folder / event_type).iterdir()):
            file = f"templates/{event_type}/{path.name}"
            if path.name == "sample.json" or path.name.startswith("."):
                continue
            template = path.suffix == ".j2" and path.is_file()
            if template and is_locale(path.stem):
                continue
            if template and is_words(path.stem):
                audience, _, _ = path.stem.partition(".")
                if audience in known:
                    continue
                what = f"is for the audience {audience!r}, which no topic has, so it is never used"
                near = nearest(audience, known)
                remedy = (
                    f"rename it to {near}{path.stem[len(audience) :]}.j2" if near else "rename it"
                )
                yield Told(file, 0, what, f"{remedy}, or say audience = {audience!r} of a topic")
                continue
            tag = canonical(path.stem)  # what events and subscribers' filters say
            if template and tag is not None:
                what = f"is named in a way that no subscriber's filter on {tag} lets through"
                yield Told(file, 0, what, f"rename it to {tag}.j2")
                continue
            near = nearest(path.stem, [*LOCALES, "sample"])
            free = near in LOCALES and near not in locales and path.is_file()
            what = "is neither a locale's template (es.j2) nor sample.json, so it is never used"
            yield Told(file, 0, what, f"rename it to {near}.j2" if free else "rename or remove it")


def _audiences(tree: Tree) -> set[str]:
    """Who can have words of their own: the topics' audiences, and the persons whom rules name."""
    return {COMPANY, *(topic.audience for topic in tree.rulebook.routing.topics.values())} - {""}


@check("missing-locale", "error")
def missing_locale(tree: Tree) -> Iterator[Told]:
    """A type is not written in one of the locales that every type has: copy another's file and
    translate it.
    """
    for event_type in tree.types:
        locales = tree.locales(event_type)
        for locale in LOCALES:
            if locale not in locales:
                what = f"{event_type} is not written in {locale!r}"
                remedy = f"copy {locales[0]}.j2 and translate it" if locales else "write it"
                yield Told(f"templates/{event_type}/{locale}.j2", 0, what, remedy)


@check("missing-sample", "error")
def missing_sample(tree: Tree) -> Iterator[Told]:
    """A type has no sample event: add one, for preview, tests and forms use it."""
    for event_type, sample in tree.samples.items():
        if not sample.there:
            what = f"{event_type} has no sample event"
            yield Told(sample.file, 0, what, "add one: preview, tests and forms use it")
