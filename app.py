"""The entry points and nothing else: each is a few lines that call chalicelib."""

from __future__ import annotations

import gc

# What is imported stays: to look for what could go takes a sixth of a cold start, and finds nothing.
gc.disable()

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chalice.app import Chalice, CloudWatchEvent, IAMAuthorizer, Rate, Response, SQSEvent

from chalicelib import aws, checkout, log, names
from chalicelib.events.trace import TRACEPARENT, trace_of
from chalicelib.rules import reading

# Each function is this whole file, and loads, before it is asked anything, what it needs of the house itself.
if TYPE_CHECKING or names.serves(names.API):
    from chalicelib.door import acknowledging, api, http, optout, recipients
    from chalicelib.door import console as to_console
    from chalicelib.door.http import SECURITY_HEADERS, Answer, Problem, Request
if TYPE_CHECKING or names.serves(names.BUS):
    from chalicelib.door import bus as eventbridge
if TYPE_CHECKING or names.serves(names.RECEIPTS):
    from chalicelib.door import receipts as mails
if TYPE_CHECKING or names.serves(names.SWEEP):
    from chalicelib.lanes import sweeping
if TYPE_CHECKING or names.serves(names.OUTCOMES):
    from chalicelib.relay import outcomes as tellings
if TYPE_CHECKING or names.serves(names.CONSOLE):
    from chalicelib.console import web

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


@app.route("/events/{event_id}/ack", methods=["POST"], **KEYED)
def post_ack(event_id: str) -> Response:
    return answer(lambda request: api.acknowledge_event(request, event_id))


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


# The pages that messages link to are for people: no key, no signature.
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


@app.route("/a/{token}", methods=READ, **OPEN)
def get_ack(token: str) -> Response:
    return answer(lambda request: acknowledging.show(request, token))


@app.route("/a/{token}", methods=["POST"], **OPEN)
def post_ack_page(token: str) -> Response:
    return answer(lambda request: acknowledging.post(request, token))


# So are the console's: what they show depends on who signed in, and that is its own function's business.
@app.route("/console", methods=[*READ, "POST"], **OPEN)
def any_console() -> Response:
    return pass_on()


@app.route("/console/{proxy+}", methods=[*READ, "POST"], **OPEN)
def any_page() -> Response:
    return pass_on()


def pass_on() -> Response:
    found: Any = app.current_request
    path = (found.uri_params or {}).get("proxy") or ""
    return answer(lambda request: to_console.pass_on(request, found.method, path))


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
for path, methods in taken.items() if names.serves(names.API) else ():
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


@app.lambda_function(name=names.CONSOLE)
def console(event: Any, _: Any) -> Any:
    return web.handle(event, aws.hurried_stage())


def answer(call: Callable[[Request], Answer]) -> Response:
    """Run one call of the API and turn what it gives, or refuses, into a response."""
    found: Any = app.current_request
    began, seen = time.monotonic(), dict[str, object]()
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
                seen=seen,
            )
        )
    except Problem as problem:
        result = problem.answer()
    except Exception as error:  # Chalice would log it whole, with what the request says in it
        result = unexpected(error)
    # The access log. Its route is the pattern, for an address may have a customer's id or a token in it.
    route, milliseconds = (
        found.context.get("resourcePath"),
        round(1000 * (time.monotonic() - began)),
    )
    line = {"method": found.method, "route": route, "status": result.status, "ms": milliseconds}
    trace = trace_of(found.headers.get(TRACEPARENT))
    log.info("request", **line, **seen, **({"trace": trace} if trace else {}))
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


routing = reading.routing(STAGE)
if TYPE_CHECKING or names.serves(*routing.lanes):
    from chalicelib.lanes import dispatch
if TYPE_CHECKING or (routing.posts and names.serves(names.WEBHOOKS)):
    from chalicelib.relay import webhooks as posts
# Only where something is posted: a stage without webhooks has neither their queue nor this function.
if routing.posts:

    @app.on_sqs_message(names.queue(STAGE, names.WEBHOOKS), batch_size=10, maximum_concurrency=10)
    def webhooks(event: SQSEvent) -> None:
        context: Any = event.context
        records = event.to_dict()["Records"]
        posts.drain(aws.stage(), records, context.get_remaining_time_in_millis)


# At the end, when every name is known that a lane must not have.
for lane in routing.lanes.values():
    if lane.name in globals():
        clash = f"lane {lane.name} has a name that app.py uses for itself: call it otherwise"
        raise reading.RoutingError([reading.Problem(lane.line, "", clash)])
    globals()[lane.name] = app.on_sqs_message(names.queue(STAGE, lane.name), batch_size=10)(
        lane_handler(lane.name)
    )

if names.is_version():
    from chalicelib import snapshot

    snapshot.prepare()
gc.freeze()
gc.enable()
