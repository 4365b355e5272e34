"""What ends a request early, each with its HTTP status. Told as problem details (RFC 9457)."""

from typing import Any

import msgspec
from aiohttp import web


class ProblemError(Exception):
    """The request cannot be served: what is wrong, and the mend if there is one."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str = "",
        *,
        mend: str = "",
        retry_after_s: float | None = None,
        **more: Any,
    ) -> None:
        super().__init__(f"{title}: {detail}" if detail else title)
        self.status = status
        self.retry_after_s = retry_after_s
        parts = {"title": title, "status": status, "detail": detail, "mend": mend, **more}
        self.body = {name: part for name, part in parts.items() if part not in ("", None)}

    def response(self) -> web.Response:
        """The answer. Retry-After is whole seconds, at least 1."""
        headers = {}
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(max(1, -(-round(self.retry_after_s * 1000) // 1000)))
        if self.status == 401:
            headers["WWW-Authenticate"] = 'Bearer realm="faultstream"'
        return web.Response(
            status=self.status,
            body=msgspec.json.encode(self.body),
            headers=headers,
            content_type="application/problem+json",
        )


class AwayError(Exception):
    """Kafka, or ClickHouse, does not answer now; the same request may be sent again."""


class FullError(Exception):
    """There is no room for it now; the same request may be sent again."""
