"""What a call that failed means for what was to be sent with it, whichever service was asked."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProxyConnectionError,
)

from chalicelib import aws, log
from chalicelib.channels.publication import LATER, PERSON, REFUSED, Result

# What SNS and the services behind it say, the ending `Exception` left off: some protocols of AWS's
# write it and some do not.
# https://docs.aws.amazon.com/sns/latest/api/CommonErrors.html, API_PublishBatch.html#API_PublishBatch_Errors
LATER_CODES: Final = frozenset(
    (
        "Throttled",
        "Throttling",
        "TooManyRequests",
        "RequestLimitExceeded",
        "RequestThrottled",
        "KMSThrottling",
        "ExpiredToken",
        "RequestExpired",
        "RequestTimeout",
    )
)
REFUSED_CODES: Final = frozenset(
    (
        "InvalidParameter",
        "InvalidParameterValue",
        "ParameterValueInvalid",
        "Validation",
        "ValidationError",
        "MalformedQueryString",
        "BatchRequestTooLong",
        "BatchEntryIdsNotDistinct",
        "EmptyBatchRequest",
        "InvalidBatchEntryId",
        "TooManyEntriesInBatchRequest",
    )
)
# These are raised before a service hears of anything; any other break in the line may come after its yes.
_NO_CREDENTIALS: Final = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError)
_UNSENT: Final = (
    EndpointConnectionError,
    ConnectTimeoutError,
    ProxyConnectionError,
    *_NO_CREDENTIALS,
)


def of_failure(error: Exception, refused: Collection[str] = REFUSED_CODES) -> Result:
    """What a failed call means for every entry in it.

    `refused` are the service's words, without `Exception`, for an entry that it would refuse for ever; what
    is neither among them nor passes by itself is for a person to mend.
    """
    code = aws.code_of(error)
    if isinstance(error, ClientError):
        name = code.removesuffix("Exception")
        status = aws.status_of(error)
        if status >= 500:
            return Result(error=code, fault=LATER, unknown=True)
        if name in LATER_CODES or status == 429:
            return Result(error=code, fault=LATER)
        return Result(error=code, fault=REFUSED if name in refused else PERSON)
    if isinstance(error, _NO_CREDENTIALS):
        return Result(error=code, fault=PERSON)
    if not isinstance(
        error, aws.BREAKS
    ):  # an answer, and not the service's: somebody on the way gave it
        log.warning("an answer that is not the service's", **log.origin(error))
        code = "BadAnswer"
    return Result(error=code, fault=LATER, unknown=not isinstance(error, _UNSENT))
