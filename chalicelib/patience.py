"""How long, and how often, AWS is asked on behalf of somebody who waits for an answer.

API Gateway gives up on a request after 29 seconds, whatever its function still does:
https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import aws
from chalicelib.errors import TransientError

# A service that did not answer so often in one request is not asked again in it.
FAILURES: Final = 4
_PAUSE: Final = 0.2  # seconds after the first failure; each pause is three times the one before

T = TypeVar("T")


class Patience:
    """What is left for one service in one request. Its clients ask once (`aws.hurried_stage`)."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._failures = 0
        self.why = "NoTime"

    def for_another(self) -> Patience:
        """The same time, for another service: its failures are its own."""
        return Patience(self.left())

    def left(self) -> float:
        """Seconds in which a call may still begin."""
        return max(0.0, self._until - time.monotonic())

    @property
    def is_over(self) -> bool:
        return self._failures >= FAILURES or not self.left()

    def ask(self, call: Callable[[], T]) -> T:
        """What a call answers; asked again where that can help and there is time.

        Raises
        ------
        TransientError : there is no answer in time; says why in a word.
        ClientError : it was refused, and would be again.
        """
        while not self.is_over:
            try:
                return call()
            except ClientError as error:
                if not aws.passes(error):
                    raise
                self.failed(aws.code_of(error))
            except BotoCoreError as error:
                self.failed(aws.code_of(error))
            except TransientError as error:
                self.failed(str(error))
            except aws.FAILURES:  # something on the way answered in the service's place
                self.failed("BadAnswer")
        raise TransientError(self.why)

    def failed(self, why: str) -> None:
        """Count a failure, and wait a while before the next try if there is to be one."""
        self.count(why)
        if not self.is_over:
            self.wait(_PAUSE * 3 ** (self._failures - 1))

    def count(self, why: str) -> None:
        """Count a failure."""
        self.why = why
        self._failures += 1

    def wait(self, seconds: float) -> None:
        """Pause for about so long; not all rivals at once, and not beyond the time there is."""
        time.sleep(min(seconds * random.uniform(0.5, 1), self.left()))  # noqa: S311 - no secret
