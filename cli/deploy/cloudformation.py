"""A CloudFormation stack brought to what a template says, and told about while that takes its time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

_CAPABILITIES: Final = ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
# The remains of a create or an import that failed: AWS lets nobody update them.
_REMAINS: Final = ("ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS")

Say = Callable[[str], None]


class DeployError(Exception):
    """What failed, and why, for the person who typed the command."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource as a stack has it: its id in the template, its type, and what AWS knows it by."""

    logical_id: str
    kind: str
    physical_id: str


class Stack:
    """A stack by its name, there or not."""

    def __init__(self, cloudformation: Any, name: str, say: Say) -> None:
        self._cloudformation = cloudformation
        self.name = name
        self._say = say
        self._called = name  # what AWS knows it by; its id once it is being deleted

    def is_there(self) -> bool:
        """Whether there is such a stack, be it what a create that failed has left."""
        return self._status() is not None

    def exists(self) -> bool:
        """Whether there is such a stack that can be updated."""
        return self._status() not in (None, *_REMAINS)

    def apply(self, template: Mapping[str, str]) -> dict[str, str]:
        """Create or update it; gives its outputs. `template` is TemplateBody or TemplateURL.

        Raises
        ------
        DeployError : it was rolled back, with the reason of each resource that failed.
        """
        self._clear_remains()
        there = self.exists()
        change = self._cloudformation.update_stack if there else self._cloudformation.create_stack
        known = self._event_ids() if there else set()
        try:
            change(StackName=self.name, Capabilities=_CAPABILITIES, **template)
        except ClientError as error:
            if "No updates are to be performed" not in str(error):
                raise
            self._say(f"{self.name}: nothing has changed")
        else:
            self._settle(known, ("CREATE_COMPLETE", "UPDATE_COMPLETE"))
        stack = self._cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]
        return {out["OutputKey"]: out["OutputValue"] for out in stack.get("Outputs", [])}

    def adopt(self, template: Mapping[str, str], resources: Sequence[Mapping[str, Any]]) -> None:
        """Take resources in that are there already; `template` is the stack's own with these added.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-manually.html

        Raises
        ------
        DeployError : they cannot be taken in, with AWS's reason.
        """
        self._clear_remains()
        known = self._event_ids() if self.exists() else set()
        asked = {"StackName": self.name, "ChangeSetName": f"adopt-{time.time_ns()}"}
        self._cloudformation.create_change_set(
            **asked,
            ChangeSetType="IMPORT",
            ResourcesToImport=resources,
            Capabilities=_CAPABILITIES,
            **template,
        )
        found = self._change_set(asked)
        if found["Status"] != "CREATE_COMPLETE":
            self._cloudformation.delete_change_set(**asked)
            raise DeployError(
                f"{self.name} cannot take in what is there already: {found['StatusReason']}"
            )
        self._cloudformation.execute_change_set(**asked)
        self._settle(known, ("IMPORT_COMPLETE",))

    def resources(self) -> list[Resource]:
        """What the stack has; nothing where there is none."""
        if not self.exists():
            return []
        pages = self._cloudformation.get_paginator("list_stack_resources").paginate(
            StackName=self.name
        )
        return [
            Resource(found["LogicalResourceId"], found["ResourceType"], found["PhysicalResourceId"])
            for page in pages
            for found in page["StackResourceSummaries"]
            if found.get("PhysicalResourceId") and found["ResourceStatus"] != "DELETE_COMPLETE"
        ]

    def template(self) -> dict[str, Any]:
        """The template as it stands, macros spelled out."""
        found = self._cloudformation.get_template(StackName=self.name, TemplateStage="Processed")
        body: dict[str, Any] = found["TemplateBody"]
        return body

    def delete(self) -> None:
        """Delete it, if it is there; what its template retains stays.

        Raises
        ------
        DeployError : not all of it is deleted, with the reason of each resource that is not.
        """
        if not self.is_there():
            return
        found = self._cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]
        self._called = found["StackId"]  # its name alone is not known any more once it is gone
        known = self._event_ids()
        self._cloudformation.delete_stack(StackName=self._called)
        self._settle(known, (None,))
        self._say(f"{self.name} is deleted")

    def handed_in(self) -> dict[str, Any]:
        """The template as it was handed in the last time, macros and all; an empty one where there is no stack."""
        if not self.exists():
            return {}
        found = self._cloudformation.get_template(StackName=self.name, TemplateStage="Original")
        body = found["TemplateBody"]
        return body if isinstance(body, dict) else {}

    def _clear_remains(self) -> None:
        if self._status() in _REMAINS:
            self._cloudformation.delete_stack(StackName=self.name)
            while self._status() is not None:
                time.sleep(0.5)

    def _change_set(self, asked: Mapping[str, str]) -> dict[str, Any]:
        pause = 0.1
        while True:
            found: dict[str, Any] = self._cloudformation.describe_change_set(**asked)
            if not found["Status"].endswith(("_PENDING", "_IN_PROGRESS")):
                return found
            time.sleep(pause)
            pause = min(pause * 1.5, 2.0)

    def _status(self) -> str | None:
        try:
            stacks = self._cloudformation.describe_stacks(StackName=self._called)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        status = stacks[0]["StackStatus"]
        return None if status == "DELETE_COMPLETE" else str(status)

    def _settle(self, known: set[str], good: tuple[str | None, ...]) -> None:
        """Report each resource as it is done, until the stack's status is one that stays."""
        seen = set(known)
        pause = 0.1
        while True:
            status = self._status()
            for event in reversed(self._events() if status or None in good else []):
                if event["EventId"] not in seen:
                    seen.add(event["EventId"])
                    if event["ResourceStatus"].endswith(("_COMPLETE", "_FAILED", "_SKIPPED")):
                        kind = event["ResourceType"].removeprefix("AWS::")
                        line = f"{event['ResourceStatus']:<16} {kind}  {event['LogicalResourceId']}"
                        self._say(f"  {line}")
            if status is None or not status.endswith("_IN_PROGRESS"):
                break
            time.sleep(pause)
            pause = min(pause * 1.5, 2.0)
        if status not in good:
            reasons = "\n".join(self._reasons(known))
            what = "deleted" if None in good else "deployed"
            raise DeployError(f"{self.name} was not {what} ({status}):\n{reasons}")

    def _events(self) -> list[dict[str, Any]]:
        pages = self._cloudformation.get_paginator("describe_stack_events").paginate(
            StackName=self._called
        )
        return [event for page in pages for event in page["StackEvents"]]

    def _event_ids(self) -> set[str]:
        return {event["EventId"] for event in self._events()}

    def _reasons(self, known: set[str]) -> list[str]:
        found = [
            f"  {event['LogicalResourceId']}: {event['ResourceStatusReason']}"
            for event in reversed(self._events())
            if event["EventId"] not in known
            and event["ResourceStatus"].endswith("_FAILED")
            and "cancelled" not in event.get("ResourceStatusReason", "cancelled")
        ]
        return found or ["  CloudFormation gave no reason; see the stack's events"]
