"""Templates: what a channel's messages say, in Jinja's language within its sandbox.

Templates stand in topology.yaml, so whoever writes them may configure everything; what is put into
them comes from anywhere, and is only ever text. A template that fails at run time is left out, and
the plain text goes out instead: no message is lost to one. This is the only file that knows Jinja.
"""

from typing import Any, Final

import msgspec
from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from faultstream import wire
from faultstream.core.policy import TemplatePolicy
from faultstream.core.records import Notification
from faultstream.ops import log

MAX_TITLE_CHARS: Final = 500
MAX_BODY_CHARS: Final = 20_000

SAMPLE: Final = Notification(
    notification_id="0190b0c4-5d1e-8f2a-9c3b-0000000000e1",
    group="production/orders",
    level="error",
    title="orders: recovery failed",
    body="1. circuit_break: recurring",
    environment="production",
    incident_id="0190b0c4-5d1e-8f2a-9c3b-0000000000b1",
    pattern_ids=["0190b0c4-5d1e-8f2a-9c3b-0000000000a1"],
    reason="first",
    created_at_ms=1_790_000_000_000,
    labels={"service": "orders", "layer": "service", "category": "database"},
)
"""What a template is tried on before it is used."""

_log = log.get(__name__)
_jinja: Final = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)


class BadTemplateError(ValueError):
    """A template cannot be used; says which part and why."""


class MessageTemplate:
    """Title and body of one channel. Both see the fields of a notification as on its topic
    (`title`, `body`, `level`, `status`, `environment`, `incident_id`, `group`, `reason`, `step`,
    `created_at`, `pattern_ids`, `labels`, `notification_id`)."""

    def __init__(self, policy: TemplatePolicy) -> None:
        """Raises BadTemplateError: it is no template, or does not work on `SAMPLE`."""
        self._title = _compiled("title", policy.title)
        self._body = _compiled("body", policy.body)
        for status in ("firing", "resolved"):
            sample = msgspec.structs.replace(SAMPLE, status=status)
            for name, template in (("title", self._title), ("body", self._body)):
                try:
                    _rendered(template, _fields(sample))
                except Exception as exc:
                    raise BadTemplateError(f"{name}: {exc}") from exc

    def apply(self, message: Notification) -> Notification:
        """The message with its texts by the template, on one line and cut where needed."""
        fields = _fields(message)
        try:
            title = _rendered(self._title, fields)
            body = _rendered(self._body, fields)
        except Exception as exc:  # noqa: BLE001 - whatever it is, people are told in plain text
            _log.error("template_failed", error=f"{type(exc).__name__}: {exc}"[:500])
            return message
        return msgspec.structs.replace(
            message,
            title=message.title if title is None else " ".join(title.split())[:MAX_TITLE_CHARS],
            body=message.body if body is None else body.strip()[:MAX_BODY_CHARS],
        )


def _compiled(part: str, text: str) -> Template | None:
    if not text:
        return None
    try:
        return _jinja.from_string(text)
    except (TemplateError, SecurityError) as exc:
        line = getattr(exc, "lineno", 0)
        raise BadTemplateError(f"{part}{f', line {line}' if line else ''}: {exc}") from exc


def _rendered(template: Template | None, fields: dict[str, Any]) -> str | None:
    return None if template is None else template.render(fields)


def _fields(message: Notification) -> dict[str, Any]:
    """The message as on its topic, with what is left out there."""
    plain = msgspec.structs.asdict(message)
    plain["created_at"] = wire.rfc3339(plain.pop("created_at_ms"))
    return plain
