"""An account for commands to look at, that answers as AWS could."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import boto3
from botocore import xform_name
from botocore.stub import Stubber

from chalicelib.names import Place
from chalicelib.stage import Stage
from tests.factories import ACCOUNT

STAGE = "dev"


class Account:
    """An AWS account that answers what it is told to, each operation with one answer or refusal, or with what a
    function makes of the request."""

    stage = STAGE
    api_url = "https://api.example"

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self._answers = answers
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        if service not in self._clients:
            client = boto3.client(
                service,
                region_name="eu-west-1",
                aws_access_key_id="test",
                aws_secret_access_key="test",
            )
            client.meta.events.register("before-call", self._answer)
            self._clients[service] = client
        return self._clients[service]

    def handle(self) -> Stage:
        return Stage(STAGE, self.client, Place("aws", "eu-west-1", ACCOUNT))

    def _answer(self, model: Any, params: Mapping[str, Any], **_: Any) -> Any:
        answer = self._answers[model.name]
        if callable(answer):
            answer = answer(params)
        answer = copy.deepcopy(answer)  # botocore decodes some of it in place
        code = answer if isinstance(answer, str) else ""
        body = {"Error": {"Code": code, "Message": "no"}} if code else answer
        if not code:
            _check_shape(model, answer)
        return _Http(400 if code else 200), body


class _Http:
    def __init__(self, status: int) -> None:
        self.status_code = status


def _check_shape(model: Any, answer: Any) -> None:
    """Whether AWS could answer that: the stubber knows the model of every answer."""
    client = boto3.client(
        model.service_model.service_name,
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    Stubber(client).add_response(xform_name(model.name), answer)
