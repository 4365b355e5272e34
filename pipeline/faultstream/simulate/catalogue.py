"""Errors that scenarios can use by name; a scenario's own `errors` come on top."""

# ruff: noqa: E501  (a table; one error a line reads best)

from typing import Final

from faultstream.core.severity import Severity
from faultstream.simulate.scenario import ErrorSpec


def _e(
    kind: str,
    *messages: str,
    function: str = "handle",
    status: int | None = None,
    severity: Severity | None = None,
) -> ErrorSpec:
    return ErrorSpec(
        type=kind, messages=messages, function=function, status=status, severity=severity
    )


ERRORS: Final[dict[str, ErrorSpec]] = {
    # Ordinary noise.
    "validation": _e("pydantic_core.ValidationError", "{n} validation errors for Order: field required", function="parse", status=422),
    "bad_value": _e("ValueError", "invalid literal for int() with base 10: '{id}'", function="to_int"),
    "not_found": _e("myapp.errors.NotFoundError", "order {id} does not exist", function="find", status=404),
    "key": _e("KeyError", "'{id}'", function="lookup"),
    "attribute": _e("AttributeError", "'NoneType' object has no attribute 'total'", function="total"),
    "token": _e("jwt.exceptions.ExpiredSignatureError", "Signature has expired", function="authenticate", status=401),
    "forbidden": _e("PermissionError", "user {id} may not read cart {n}", function="authorize", status=403),
    "read_timeout": _e("requests.exceptions.ReadTimeout", "HTTPSConnectionPool(host='{other}', port=443): Read timed out. (read timeout={n})", function="call"),
    "reset": _e("ConnectionResetError", "[Errno 104] Connection reset by peer", function="send"),
    "json": _e("json.decoder.JSONDecodeError", "Expecting value: line {n} column 1 (char 0)", function="decode"),
    "declined": _e("myapp.payments.CardDeclined", "card of customer {id} was declined", function="charge", status=402),
    "stale": _e("sqlalchemy.orm.exc.StaleDataError", "UPDATE statement on table 'carts' expected to update 1 row(s); {n} were matched.", function="save"),
    # What incidents show.
    "refused": _e("ConnectionRefusedError", "[Errno 111] Connection refused: {host}", function="connect"),
    "unavailable": _e("requests.exceptions.HTTPError", "503 Server Error: Service Unavailable for url: http://{other}/v1/{id}", function="call", status=503),
    "upstream_timeout": _e("httpx.ReadTimeout", "{other} did not answer within {ms} ms", function="call"),
    "pool": _e("sqlalchemy.exc.TimeoutError", "QueuePool limit of size 10 overflow 10 reached, connection timed out, timeout {n}.00", function="checkout"),
    "db_down": _e("psycopg.OperationalError", 'connection to server at "{host}", port 5432 failed: server closed the connection unexpectedly', function="execute"),
    "deadlock": _e("psycopg.errors.DeadlockDetected", "deadlock detected: process {n} waits for ShareLock", function="execute"),
    "memory": _e("MemoryError", "cannot allocate {n} bytes", function="load"),
    "gc": _e("myapp.errors.SlowRequest", "request {id} took {ms} ms, of which gc {n} ms", function="serve"),
    "disk": _e("OSError", "[Errno 28] No space left on device: '/var/lib/app/{id}'", function="write"),
    "certificate": _e("ssl.SSLCertVerificationError", "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1007)", function="handshake"),
    "too_many": _e("requests.exceptions.HTTPError", "429 Client Error: Too Many Requests for url: https://api.partner.example/v2/{id}", function="quote", status=429),
    "config": _e("myapp.config.MissingSetting", "setting PAYMENT_URL is not set", function="settings"),
    "poison": _e("UnicodeDecodeError", "'utf-8' codec can't decode byte 0xff in position {n}: invalid start byte", function="consume"),
    "batch": _e("myapp.jobs.ExportFailed", "nightly export failed: file {id} is locked", function="export"),
    "novel": _e("TypeError", "unsupported operand type(s) for +: 'Decimal' and 'float'", function="discount"),
    "returning": _e("IndexError", "list index out of range", function="shipping_cost"),
    "cache_miss": _e("redis.exceptions.TimeoutError", "Timeout reading from {host}", function="get"),
    "stock": _e("myapp.stock.ReservationLost", "reservation {id} was lost", function="reserve"),
    "refund": _e("myapp.payments.RefundFailed", "refund of order {id} failed", function="refund"),
    "broker": _e("kafka.errors.KafkaTimeoutError", "Failed to update metadata after {n}.0 secs.", function="publish"),
    "flaky": _e("grpc.RpcError", "StatusCode.UNAVAILABLE: upstream connect error or disconnect/reset before headers", function="stub"),
    "corrupt": _e("SystemError", "page {n} of table ledger is corrupt", function="verify", severity="critical"),
    "restart": _e("ConnectionAbortedError", "[Errno 103] Software caused connection abort", function="drain"),
}  # fmt: skip
"""By name. Their categories and severities are left to classification."""
