"""The contracts as the tests see them: schemas, examples, and the reader of each topic."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator

from faultstream import wire
from faultstream.core import records
from faultstream.core.errors import DataError
from faultstream.core.notify.decision import NotificationDecision
from faultstream.formats import native

SCHEMAS: Final = Path(__file__).parents[2] / "schemas"
SUFFIX: Final = ".schema.json"
TOPICS: Final = sorted(path.name.removesuffix(SUFFIX) for path in SCHEMAS.glob(f"*{SUFFIX}"))

RECORDS: Final[dict[str, type[records.Record]]] = {
    "patterns.v1": records.Pattern,
    "incidents.v1": records.Incident,
    "recovery.commands.v1": records.RecoveryCommand,
    "recovery.results.v1": records.RecoveryResult,
    "notifications.v1": records.Notification,
    "notification-decisions.v1": NotificationDecision,
    "control.v1": records.Control,
}
READ: Final = [*RECORDS, "errors.v1"]


def schema(topic: str) -> dict[str, Any]:
    """The schema of `topic`, as in its file."""
    found: dict[str, Any] = json.loads((SCHEMAS / f"{topic}{SUFFIX}").read_text("utf-8"))
    return found


def examples(topic: str, kind: str) -> list[Path]:
    """The files of the good or the bad examples of `topic`."""
    return sorted((SCHEMAS / "examples" / topic / kind).glob("*.json"))


def accepted_by_schema(schema: dict[str, Any], value: object) -> bool:
    """Whether `value` is valid."""
    return bool(Draft202012Validator(schema).is_valid(value))


def reader(topic: str) -> Callable[[bytes], object]:
    """What reads a value of `topic` in the pipeline."""
    if topic == "errors.v1":
        return lambda value: native.admit(value, timestamp_ms=0)
    kind = RECORDS[topic]
    return lambda value: wire.decode(kind, value)


def accepted_by_reader(topic: str, value: object) -> bool:
    """Whether the pipeline takes `value` from `topic`."""
    try:
        reader(topic)(json.dumps(value).encode())
    except DataError:
        return False
    return True
