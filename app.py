"""The entry points and nothing else: each is a few lines that call chalicelib."""

from collections.abc import Callable
from typing import Any

from chalice.app import Chalice, CloudWatchEvent, Response, SQSEvent

from chalicelib import api, bus, dispatch, log, names
from chalicelib.http import SECURITY_HEADERS, Answer, Problem, Request

app = Chalice("heraldo", configure_logs=False)
app.api.binary_types = []
STAGE = names.stage()


@app.route("/events", methods=["POST"], content_types=["*/*"])
def post_event() -> Response:
    return answer(api.post_event)


@app.route("/events/batch", methods=["POST"], content_types=["*/*"])
def post_batch() -> Response:
    return answer(api.post_batch)


@app.route("/events/{event_id}")
def get_event(event_id: str) -> Response:
    return answer(lambda request: api.get_event(request, event_id))


@app.route("/event-types")
def get_event_types() -> Response:
    return answer(api.get_event_types)


@app.route("/health")
def get_health() -> Response:
    return answer(lambda _: api.get_health())


@app.route("/openapi.json")
def get_openapi() -> Response:
    return answer(lambda _: api.get_openapi())


@app.route("/")
def get_welcome() -> Response:
    return answer(lambda _: api.get_welcome())


@app.on_sqs_message(queue=names.queue(STAGE, "orders"), batch_size=10)
def orders(event: SQSEvent) -> None:
    drain(event, "orders")


@app.on_sqs_message(queue=names.queue(STAGE, "promotions"), batch_size=10)
def promotions(event: SQSEvent) -> None:
    drain(event, "promotions")


@app.on_sqs_message(queue=names.queue(STAGE, "reminders"), batch_size=10)
def reminders(event: SQSEvent) -> None:
    drain(event, "reminders")


@app.on_sqs_message(queue=names.queue(STAGE, "alerts"), batch_size=10)
def alerts(event: SQSEvent) -> None:
    drain(event, "alerts")


@app.on_cw_event({"detail-type": [bus.DETAIL_TYPE]})
def events(event: CloudWatchEvent) -> None:
    bus.take_event(event.to_dict())


@app.on_cw_event({"source": ["aws.cloudwatch"], "detail-type": ["CloudWatch Alarm State Change"]})
def alarms(event: CloudWatchEvent) -> None:
    bus.take_alarm(event.to_dict())


def drain(event: SQSEvent, lane: str) -> None:
    context: Any = event.context
    dispatch.dispatch(event.to_dict()["Records"], lane, context.get_remaining_time_in_millis)


def answer(call: Callable[[Request], Answer]) -> Response:
    """Run one call of the API and turn what it gives, or refuses, into a response."""
    found: Any = app.current_request
    caller = (found.context.get("identity") or {}).get("userArn") or ""
    request = Request(
        headers={name.lower(): value for name, value in found.headers.items()},
        body=found.raw_body,
        query=found.query_params or {},
        caller_arn=caller if names.iam_callers() else "",
    )
    try:
        result = call(request)
    except Problem as problem:
        result = problem.answer()
    return respond(result)


def respond(result: Answer) -> Response:
    headers: Any = {**SECURITY_HEADERS, "Content-Type": result.content_type, **result.headers}
    return Response(result.body, status_code=result.status, headers=headers)


@app.middleware("http")
def one_shape(event: Any, get_response: Callable[[Any], Response]) -> Response:
    """Chalice's own refusals, and whatever went wrong, in the shape of all our answers."""
    try:
        response = get_response(event)
    except Exception as error:
        log.error("unexpected", error=type(error).__name__)
        response = Response({"Code": "InternalServerError"}, status_code=500)
    body = response.body
    if isinstance(body, dict) and "Code" in body and response.status_code >= 400:
        slug = "unexpected" if response.status_code >= 500 else "refused"
        allowed = {k: str(v) for k, v in response.headers.items() if k.lower() == "allow"}
        detail = "Nothing was queued." if slug == "unexpected" else "See GET /openapi.json."
        return respond(Problem(response.status_code, slug, detail, headers=allowed).answer())
    return response
