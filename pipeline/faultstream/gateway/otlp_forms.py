"""OTLP over HTTP: which signals are taken, in which of its two forms, and how it is answered."""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from aiohttp import web
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from faultstream.formats import otlp, otlp_spans
from faultstream.formats.found import Found, Refused
from faultstream.gateway.errors import ProblemError

PROTOBUF: Final = "application/x-protobuf"
_MOST_SAID: Final = 5


class Signal(NamedTuple):
    """One kind of request: its two readings, and how its answer counts what was refused."""

    from_json: Callable[[bytes, str], Found]
    from_protobuf: Callable[[bytes, str], Found]
    response: Callable[[], Any]
    rejected: str
    rejected_json: str


LOGS: Final = Signal(
    otlp.from_json,
    otlp.from_protobuf,
    ExportLogsServiceResponse,
    "rejected_log_records",
    "rejectedLogRecords",
)
TRACES: Final = Signal(
    otlp_spans.from_json,
    otlp_spans.from_protobuf,
    ExportTraceServiceResponse,
    "rejected_spans",
    "rejectedSpans",
)


def is_json(request: web.Request) -> bool:
    """Whether a request is JSON; else it is protobuf.

    Raises:
        ProblemError: 415; it is neither.
    """
    if request.content_type == "application/json":
        return True
    if request.content_type in {PROTOBUF, "application/protobuf"}:
        return False
    mend = f"send application/json or {PROTOBUF}"
    raise ProblemError(415, "unknown Content-Type", request.content_type[:80], mend=mend)


def answer(signal: Signal, refused: Sequence[Refused], *, as_json: bool) -> web.Response:
    """In the form of the request; what was refused is told as its partial success."""
    said = "; ".join(f"{one.where}: {one.problem}" for one in refused[:_MOST_SAID])
    if as_json:
        partial = {signal.rejected_json: str(len(refused)), "errorMessage": said}
        return web.json_response({"partialSuccess": partial} if said else {})
    made = signal.response()
    if said:
        setattr(made.partial_success, signal.rejected, len(refused))
        made.partial_success.error_message = said
    return web.Response(body=made.SerializeToString(), content_type=PROTOBUF)
