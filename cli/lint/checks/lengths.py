"""What each channel takes at the most: as the sample has it, and with the longest values of all."""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.words import limits
from cli.lint.finding import Told, check
from cli.lint.tree import Tree


def _over(tree: Tree, reason: str, block: str, remedy: str) -> Iterator[Told]:
    """The samples that SNS would refuse for this reason."""
    for rendering in tree.renderings:
        if rendering.error is not None and rendering.error.reason == reason:
            line = tree.line_of_block(rendering.name, block)
            yield Told(rendering.file, line, rendering.error.first.problem, remedy)


def may_be_over(tree: Tree, reason: str, block: str) -> Iterator[Told]:
    """The fields that could make a message longer than its channel takes."""
    for found in tree.too_long:
        if found.error.reason == reason:
            yield Told(
                found.rendering.file,
                tree.line_of_block(found.rendering.name, block),
                f"with {found.field} of {found.characters:,} characters, which the door takes,"
                f" {found.error.first.problem}",
                "cut it with |truncate(40), or leave it out",
            )


@check("subject", "error")
def subject(tree: Tree) -> Iterator[Told]:
    """A subject is empty, or longer than SNS takes: write it, or shorten it."""
    remedy = f"SNS takes 1 to {limits.SUBJECT_CHARACTERS} characters"
    yield from _over(tree, "subject", "subject", remedy)


@check("sms-too-long", "error")
def sms_too_long(tree: Tree) -> Iterator[Told]:
    """An SMS is longer than SNS takes: shorten it."""
    remedy = f"SNS takes {limits.SMS_CHARACTERS:,} characters"
    yield from _over(tree, "sms-too-long", "sms", remedy)


@check("push-too-large", "error")
def push_too_large(tree: Tree) -> Iterator[Told]:
    """A push message is larger than Apple and Google take: shorten it."""
    remedy = f"Apple and Google take {limits.PUSH_BYTES:,} bytes, the title and their JSON included"
    yield from _over(tree, "push-too-large", "push", remedy)


@check("push-falls-back", "warning")
def push_falls_back(tree: Tree) -> Iterator[Told]:
    """There is no block push, and the body that goes out instead is too large for a push message: add
    the block.
    """
    for rendering in tree.renderings:
        bodies = rendering.message.bodies if rendering.message else {"GCM": ""}
        if "GCM" not in bodies and limits.push_problem(bodies["default"]):
            what = "has no block push, and the body that goes out instead is too large for one"
            yield Told(rendering.file, 0, what, "add {% block push %}…{% endblock %}")


@check("subject-may-be-too-long", "warning")
def subject_may_be_too_long(tree: Tree) -> Iterator[Told]:
    """A value that the door takes makes a subject longer than SNS takes: cut it with `|truncate(40)`."""
    yield from may_be_over(tree, "subject", "subject")


@check("sms-may-be-too-long", "warning")
def sms_may_be_too_long(tree: Tree) -> Iterator[Told]:
    """A value that the door takes makes an SMS longer than SNS takes: cut it with `|truncate(40)`."""
    yield from may_be_over(tree, "sms-too-long", "sms")


@check("push-may-be-too-large", "warning")
def push_may_be_too_large(tree: Tree) -> Iterator[Told]:
    """A value that the door takes makes a push message larger than Apple and Google take: cut it with
    `|truncate(40)`.
    """
    yield from may_be_over(tree, "push-too-large", "push")
