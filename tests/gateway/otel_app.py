"""An application with OpenTelemetry's SDK as it comes: `otel_app.py ADDRESS TOKEN COMPRESSION`.

It logs an error, and raises another one in a span.
"""

import logging
import sys
from contextlib import suppress

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

RESOURCE = {
    "service.name": "till",
    "service.version": "2.4.1",
    "service.instance.id": "till-9",
    "deployment.environment.name": "staging",
}


def connect() -> None:
    raise ConnectionResetError("reset by 10.0.0.7, password=hunter2hunter2")


def fail() -> None:
    try:
        connect()
    except ConnectionResetError as exc:
        raise ValueError("card 4111 1111 1111 1111 was not charged") from exc


def log(address: str, token: str, compression: str) -> None:
    provider = LoggerProvider(resource=Resource.create(RESOURCE))
    exporter = OTLPLogExporter(
        f"{address}/v1/logs",
        headers={"Authorization": f"Bearer {token}"},
        compression=Compression(compression),
    )
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    logger = logging.getLogger("till.charging")
    logger.addHandler(LoggingHandler(logger_provider=provider))
    logger.warning("slow")
    try:
        fail()
    except ValueError:
        logger.exception("charging %s failed", "A-17")
    provider.shutdown()


def trace(address: str, token: str, compression: str) -> None:
    provider = TracerProvider(resource=Resource.create(RESOURCE))
    exporter = OTLPSpanExporter(
        f"{address}/v1/traces",
        headers={"Authorization": f"Bearer {token}"},
        compression=Compression(compression),
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("till.refunds")
    with suppress(ConnectionResetError), tracer.start_as_current_span("request"):
        with tracer.start_as_current_span("look"):
            pass
        with tracer.start_as_current_span("refund", attributes={"http.route": "/refund"}):
            connect()
    provider.shutdown()


def main(*arguments: str) -> None:
    log(*arguments)
    trace(*arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
