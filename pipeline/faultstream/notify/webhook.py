"""The channel `webhook`: POSTs the notification as it stands on its topic to an address."""

import asyncio
from collections.abc import Callable
from typing import Final

import aiohttp

from faultstream import wire
from faultstream.core import standard_webhook
from faultstream.core.records import Notification
from faultstream.notify.channel import UndeliveredError
from faultstream.ops.clock import now_ms

ATTEMPTS: Final = 4
TIMEOUT_S: Final = 10.0
FIRST_WAIT_S: Final = 0.5
MAX_WAIT_S: Final = 3.0
TOO_MANY: Final = 429


class WebhookChannel:
    """Repeats what may pass: no connection, no answer in time, 429 and 5xx.

    Waits 0.5 s and then twice as long each time, or what Retry-After asks for, at most 3 s.
    The header Idempotency-Key is the notification's id, `traceparent` is of the incident's trace.
    With a `key` each attempt is signed as Standard Webhooks says. The address is a secret: no
    message has it. Redirects are not followed.
    """

    def __init__(
        self,
        url: str,
        key: bytes = b"",
        *,
        attempts: int = ATTEMPTS,
        first_wait_s: float = FIRST_WAIT_S,
        clock_ms: Callable[[], int] = now_ms,
    ) -> None:
        self._url = url
        self._key = key
        self._clock_ms = clock_ms
        self._attempts = attempts
        self._first_wait_s = first_wait_s
        self._session: aiohttp.ClientSession | None = None

    async def send(self, notification: Notification) -> int:
        """POST it until it is accepted (any 2xx); the number of attempts.

        Raises:
            UndeliveredError: refused for good (another 4xx, 3xx), or the attempts are used up.
        """
        value = wire.encode(notification)
        headers = {
            "content-type": "application/json",
            "idempotency-key": notification.notification_id,
            "traceparent": wire.traceparent(notification, notification.notification_id),
            "user-agent": "faultstream",
        }
        wait_s = self._first_wait_s
        for attempt in range(1, self._attempts + 1):
            now_s = self._clock_ms() // 1000
            if self._key:
                headers |= standard_webhook.headers(
                    self._key, notification.notification_id, now_s, value
                )
            reason, asked_s, final = await self._post(value, headers)
            if not reason:
                return attempt
            if final or attempt == self._attempts:
                raise UndeliveredError(reason, attempts=attempt)
            await asyncio.sleep(min(max(wait_s, asked_s), MAX_WAIT_S))
            wait_s *= 2
        raise AssertionError("unreachable: attempts >= 1")

    async def _post(self, value: bytes, headers: dict[str, str]) -> tuple[str, float, bool]:
        """(why not, seconds the server asks to wait, whether that is final); "" is delivered."""
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
            self._session = aiohttp.ClientSession(timeout=timeout)
        try:
            async with self._session.post(
                self._url, data=value, headers=headers, allow_redirects=False
            ) as answer:
                status, asked = answer.status, answer.headers.get("retry-after", "")
        except TimeoutError:
            return f"no answer within {TIMEOUT_S:g} s", 0.0, False
        except aiohttp.ClientError as exc:
            return type(exc).__name__, 0.0, False
        if 200 <= status < 300:
            return "", 0.0, False
        asked_s = float(asked) if asked.isascii() and asked.isdigit() else 0.0
        return f"HTTP {status}", asked_s, status != TOO_MANY and status < 500

    async def close(self) -> None:
        """Close its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None
