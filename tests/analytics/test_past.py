"""Errors of the past are found as recorded, also those that no pattern was told of."""

from collections.abc import Callable

from faultstream.analytics.client import Address, Connection
from faultstream.analytics.past import Past, latest
from faultstream.analytics.recorder import Recorder
from faultstream.core.records import Pattern
from faultstream.ops import clock
from tests.analytics.kit import TOPIC, error, record

T = clock.now_ms() - 3_600_000


def told(connection: Connection, **asked: str) -> list[Past]:
    """What is known in production."""
    return latest(connection, **({"environment": "production"} | asked))


def test_the_latest_error_of_each_service(
    place: Address, recorder_at: Callable[..., Recorder]
) -> None:
    """By service, or by the beginning of a fingerprint; elsewhere and unknown ones are not found,
    and a later pattern is what is known best."""
    recorder = recorder_at(place)
    recorder.add("errors", TOPIC, 0, [
        error(0, time=T, service="till", layer="api", error_type="ConnectionError"),
        error(1, time=T + 5_000, service="till", layer="core", error_type="TimeoutError"),
        error(2, time=T, service="till", environment="staging", error_type="ValueError"),
    ])  # fmt: skip
    pattern = Pattern(
        pattern_id="P", revision=1, kind="recurring", state="closed", environment="production",
        service="ledger", layer="core", fingerprint="f00d", error_type="db.Gone",
        category="database", transient=True, first_at_ms=T, last_at_ms=T + 1, detected_at_ms=T,
    )  # fmt: skip
    recorder.add("patterns", "patterns", 0, [record(0, pattern)])
    recorder.flush()
    connection = Connection(place)
    (till,) = told(connection, service="till")
    assert (till.service, till.layer, till.error_type) == ("till", "core", "TimeoutError")
    assert (till.category, till.last_at_ms) == ("timeout", T + 5_000)
    assert told(connection, fingerprint=till.fingerprint[:8]) == [till]
    known = Past("ledger", "f00d", "db.Gone", "database", T + 1, "core", transient=True)
    assert told(connection, fingerprint="f00") == [known]
    assert [one.service for one in told(connection)] == ["till", "ledger"]
    assert told(connection, service="nobody") == []
    assert told(connection, service="till", environment="test") == []
    connection.close()
