"""The entry points and nothing else: each is a few lines that call chalicelib."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from chalice.app import Chalice, CloudWatchEvent, IAMAuthorizer, Rate, Response, SQSEvent

from chalicelib import aws, checkout, log, names
from chalicelib.door import api, http, optout, recipients
from chalicelib.door import bus as eventbridge
from chalicelib.door import receipts as mails
from chalicelib.door.http import SECURITY_HEADERS, Answer, Problem, Request
from chalicelib.lanes import dispatch, sweeping
from chalicelib.relay import outcomes as tellings
from chalicelib.rules import reading

checkout.require(Path(__file__).parent)
app = Chalice("heraldo", configure_logs=False)
app.api.binary_types = []
STAGE = names.stage()
SWEEP_MINUTES = 10
READ = ["GET", "HEAD"]
# Any content type gets as far as our own refusal of it, which says what to send instead.
OPEN: Any = {"content_types": ["*/*"]}
# Who may call is checked by API Gateway where callers sign, by chalicelib.door.keys where they have keys.
KEYED: Any = {**OPEN, "authorizer": IAMAuthorizer()} if names.iam_callers() else OPEN


@app.route("/events", methods=["POST"], **KEYED)
def post_event() -> Response:
    return answer(api.post_event)


@app.route("/events/batch", methods=["POST"], **KEYED)
def post_batch() -> Response:
    return answer(api.post_batch)


@app.route("/events/{event_id}", methods=READ, **KEYED)
def get_event(event_id: str) -> Response:
    return answer(lambda request: api.get_event(request, event_id))


@app.route("/events/{event_id}", methods=["DELETE"], **KEYED)
def delete_event(event_id: str) -> Response:
    return answer(lambda request: api.delete_event(request, event_id))


@app.route("/event-types", methods=READ, **KEYED)
def get_event_types() -> Response:
    return answer(api.get_event_types)


@app.route("/recipients/{recipient_id}", methods=READ, **KEYED)
def get_recipient(recipient_id: str) -> Response:
    return answer(lambda request: recipients.get(request, recipient_id))


@app.route("/recipients/{recipient_id}", methods=["PUT"], **KEYED)
def put_recipient(recipient_id: str) -> Response:
    return answer(lambda request: recipients.put(request, recipient_id))


@app.route("/recipients/{recipient_id}", methods=["PATCH"], **KEYED)
def patch_recipient(recipient_id: str) -> Response:
    return answer(lambda request: recipients.patch(request, recipient_id))


@app.route("/recipients/{recipient_id}", methods=["DELETE"], **KEYED)
def delete_recipient(recipient_id: str) -> Response:
    return answer(lambda request: recipients.delete(request, recipient_id))


# The pages at the foot of a mail are for people: no key, no signature.
@app.route("/u/{token}", methods=READ, **OPEN)
def get_unsubscribe(token: str) -> Response:
    return answer(lambda request: optout.unsubscribe(request, token))


@app.route("/u/{token}", methods=["POST"], **OPEN)
def post_unsubscribe(token: str) -> Response:
    return answer(lambda request: optout.post_unsubscribe(request, token))


@app.route("/p/{token}", methods=READ, **OPEN)
def get_preferences(token: str) -> Response:
    return answer(lambda request: optout.preferences(request, token))


@app.route("/p/{token}", methods=["POST"], **OPEN)
def post_preferences(token: str) -> Response:
    return answer(lambda request: optout.post_preferences(request, token))


@app.route("/health", methods=READ, **OPEN)
def get_health() -> Response:
    return answer(api.get_health)


@app.route("/openapi.json", methods=READ, **OPEN)
def get_openapi() -> Response:
    return answer(api.get_openapi)


@app.route("/", methods=READ, **OPEN)
def get_welcome() -> Response:
    return answer(lambda _: api.get_welcome())


def other_method(**_: str) -> Response:
    request: Any = app.current_request
    allowed = taken[request.context["resourcePath"]]
    return answer(lambda _: api.refuse_method(request.method, allowed))


# Without a route, API Gateway would say of any other method that an authentication token is missing.
taken = {path: tuple(sorted(methods)) for path, methods in app.routes.items()}
for path, methods in taken.items():
    app.route(path, methods=sorted(http.METHODS.difference(methods)), **OPEN)(other_method)


def drain(event: SQSEvent, lane: str) -> None:
    context: Any = event.context
    records = event.to_dict()["Records"]
    dispatch.dispatch(aws.stage(), records, lane, context.get_remaining_time_in_millis)


def lane_handler(lane: str) -> Callable[[SQSEvent], None]:
    def handler(event: SQSEvent) -> None:
        drain(event, lane)

    handler.__name__ = lane  # which Chalice makes the function's name and its handler of
    return handler


def drain_inlet(event: SQSEvent, drain: Callable[..., None]) -> None:
    context: Any = event.context
    records = event.to_dict()["Records"]
    drain(aws.hurried_stage(), records, context.get_remaining_time_in_millis)


# At most so many at a time, for a burst must not take the account's concurrency from the lanes.
@app.on_sqs_message(names.queue(STAGE, names.BUS), batch_size=10, maximum_concurrency=10)
def bus(event: SQSEvent) -> None:
    drain_inlet(event, eventbridge.drain)


@app.on_sqs_message(names.queue(STAGE, names.RECEIPTS), batch_size=10, maximum_concurrency=10)
def receipts(event: SQSEvent) -> None:
    drain_inlet(event, mails.drain)


@app.schedule(Rate(SWEEP_MINUTES, unit=Rate.MINUTES))
def sweep(_: CloudWatchEvent) -> None:
    sweeping.sweep(aws.stage())


# What feeds it is no part of the app, for a stream's name is not known beforehand: cli/deploy/resources.py.
@app.lambda_function(name=names.OUTCOMES)
def outcomes(event: Any, context: Any) -> None:
    tellings.drain(aws.stage(), event["Records"], context.get_remaining_time_in_millis)


def answer(call: Callable[[Request], Answer]) -> Response:
    """Run one call of the API and turn what it gives, or refuses, into a response."""
    found: Any = app.current_request
    try:
        query, context = found.query_params, found.context
        domain = context.get("domainName")
        result = call(
            Request(
                headers={name.lower(): value for name, value in found.headers.items()},
                body=found.raw_body,
                stage=aws.hurried_stage(),
                query={name: query.getlist(name) for name in query} if query else {},
                caller_arn=(context.get("identity") or {}).get("userArn") or "",
                url=f"https://{domain}{context.get('path', '')}" if domain else "",
            )
        )
    except Problem as problem:
        result = problem.answer()
    except Exception as error:  # Chalice would log it whole, with what the request says in it
        result = unexpected(error)
    return respond(result, head=found.method == "HEAD")


def unexpected(error: Exception) -> Answer:
    log.error("unexpected", **log.origin(error))
    return Problem(500, "unexpected", "Nothing is wrong with the request. Try again.").answer()


def respond(result: Answer, head: bool = False) -> Response:
    headers: Any = {**SECURITY_HEADERS, "Content-Type": result.content_type, **result.headers}
    return Response("" if head else result.body, status_code=result.status, headers=headers)


@app.middleware("http")
def one_shape(event: Any, get_response: Callable[[Any], Response]) -> Response:
    """Chalice's own refusals, and whatever went wrong in it, in the shape of all our answers."""
    try:
        response = get_response(event)
    except Exception as error:
        return respond(unexpected(error))
    body = response.body
    if isinstance(body, dict) and "Code" in body and response.status_code >= 400:
        slug = "unexpected" if response.status_code >= 500 else "refused"
        allowed = {k: str(v) for k, v in response.headers.items() if k.lower() == "allow"}
        detail = "See GET /openapi.json."
        return respond(Problem(response.status_code, slug, detail, headers=allowed).answer())
    return response


# At the end, when every name is known that a lane must not have.
for lane in reading.routing(STAGE).lanes.values():
    if lane.name in globals():
        clash = f"lane {lane.name} has a name that app.py uses for itself: call it otherwise"
        raise reading.RoutingError([reading.Problem(lane.line, "", clash)])
    globals()[lane.name] = app.on_sqs_message(names.queue(STAGE, lane.name), batch_size=10)(
        lane_handler(lane.name)
    )
