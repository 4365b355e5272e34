"""An application with OpenTelemetry's SDK as it comes: `otel_app.py ADDRESS TOKEN COMPRESSION`."""

import logging
import sys

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource

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


def main(address: str, token: str, compression: str) -> None:
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


if __name__ == "__main__":
    main(*sys.argv[1:])
