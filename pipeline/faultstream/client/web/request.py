"""One request, as all three kinds of middleware see it."""

import contextlib
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from faultstream.client.capture import Capture
from faultstream.client.detail import text_of
from faultstream.client.event import Details
from faultstream.client.uuid7 import uuid7

if TYPE_CHECKING:
    from faultstream.client.reporter import Reporter

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_NUMBERED: Final = re.compile(r"(?<=/)(?=[^/]*[0-9])[^/]+|(?<=/)[^/]{32,}")


class Request:
    """`route` is asked when something is reported, because routing comes after middleware."""

    __slots__ = ("_method", "_reporter", "_route", "_user", "id", "traceparent")

    def __init__(
        self,
        reporter: "Reporter",
        method: str,
        headers: Mapping[str, str],
        *,
        route: Callable[[], str],
        user: Callable[[], str] | None = None,
    ) -> None:
        """`headers` by names in lower case, at least x-request-id and traceparent if present."""
        given = headers.get("x-request-id", "")
        self.id = given if _REQUEST_ID.fullmatch(given) else uuid7()
        self.traceparent = headers.get("traceparent", "")
        self._reporter = reporter
        self._method = method
        self._route = route
        self._user = user

    def details(self) -> Details:
        """What every event of this request says."""
        found: Details = {"request_id": self.id, "operation": self._method}
        if self.traceparent:
            found["traceparent"] = self.traceparent
        with contextlib.suppress(Exception):  # someone else's request, perhaps half made
            found["operation"] = f"{self._method} {self._route()}"
        if self._user is not None:
            with contextlib.suppress(Exception):  # nobody is logged in, say
                found["user_id"] = text_of(self._user() or "")
        return found

    def capture(self) -> Capture:
        """Around the application: reports what leaves it, once."""

        def passed(exc: BaseException, function: str) -> None:
            self._reporter.report(exc, handled=False, function=function)

        return Capture(passed, swallow=False)


def plain(path: str) -> str:
    """A path whose changing parts are gone, for requests without a known route."""
    return _NUMBERED.sub("*", path) or "/"
