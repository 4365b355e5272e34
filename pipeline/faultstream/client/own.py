"""What an application says of all its errors: which to leave out, what to add, what to change."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from faultstream.client import checks
from faultstream.client.checks import Exceptions, Matcher, matches
from faultstream.client.detail import tags_of, text_of, warn
from faultstream.core.event import MAX_TAGS, ErrorEvent

BeforeSend = Callable[[ErrorEvent], ErrorEvent | None]

FILTERED: Final = "filtered"
"""Why an error was dropped that the application did not want."""
BROKEN_HOOK: Final = "before_send"
"""Why one was dropped over which `before_send` failed."""


class Own(NamedTuple):
    """The wishes of one reporter."""

    tags: Mapping[str, str]
    ignore: Matcher
    before_send: BeforeSend | None

    def ignores(self, error: object) -> bool:
        """Whether it is an exception that is left out."""
        return bool(self.ignore) and isinstance(error, BaseException) and self._ignores(error)

    def _ignores(self, exc: BaseException) -> bool:
        try:
            return matches(exc, self.ignore, whole=True)
        except Exception as broken:  # noqa: BLE001 - the application's code; then nothing is left out
            warn("ignore", f"ignore raised {type(broken).__name__}: {text_of(broken)}")
            return False

    def applied(self, event: ErrorEvent) -> tuple[ErrorEvent | None, str]:
        """The event as it is to be sent, or None and the reason why it is not."""
        if self.tags:
            event.tags = dict(list({**self.tags, **event.tags}.items())[:MAX_TAGS])
        if self.before_send is None:
            return event, ""
        try:
            found: object = self.before_send(event)
        except Exception as broken:  # noqa: BLE001 - the application's code
            warn(BROKEN_HOOK, f"before_send raised {type(broken).__name__}: {text_of(broken)}")
            return None, BROKEN_HOOK
        if found is None:
            return None, FILTERED
        if not isinstance(found, ErrorEvent):
            warn(BROKEN_HOOK, f"before_send: expected an event, got {type(found).__name__}")
            return None, BROKEN_HOOK
        return found, ""


def own(
    tags: Mapping[str, object] | None, ignore: Exceptions, before_send: BeforeSend | None
) -> Own:
    """Raises TypeError: something of another kind."""
    if tags is not None and not isinstance(tags, Mapping):
        raise TypeError(f"tags: expected a mapping, got {tags!r}")
    if before_send is not None:
        checks.function("before_send", before_send)
    return Own(tags_of(tags or {}), checks.exceptions("ignore", ignore), before_send)
