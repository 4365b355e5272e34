"""The channel `apprise`: mail, Slack, SMS, Teams, PagerDuty and a hundred more by one address.

The address is one of https://appriseit.com, such as `mailto://user:password@example.org`. Apprise
is imported at the first use, as that takes a third of a second. It works in a thread.
"""

import asyncio
from typing import TYPE_CHECKING, Final

from faultstream.core.records import Level, Notification
from faultstream.notify.channel import UndeliveredError

if TYPE_CHECKING:
    from apprise import Apprise

ATTEMPTS: Final = 4
FIRST_WAIT_S: Final = 0.5
TIMEOUT_S: Final = 30.0
MAILS_AT_ONCE: Final = 4

_TYPES: Final[dict[Level, str]] = {
    "info": "info",
    "warning": "warning",
    "error": "failure",
    "critical": "failure",
}


class AppriseChannel:
    """Repeats what was not taken, after 0.5 s and then twice as long each time. Apprise says only
    whether a message was taken, so every refusal is taken for one that may pass. The address is a
    secret: no message has it.

    Apprise holds back what comes sooner than a service is said to allow, mail by seconds too. Mail
    needs no such pause and goes out up to `MAILS_AT_ONCE` at a time; for the rest messages wait
    for their turn here, so that `TIMEOUT_S` is for the service alone."""

    def __init__(
        self, url: str, *, attempts: int = ATTEMPTS, first_wait_s: float = FIRST_WAIT_S
    ) -> None:
        self._url = url
        self._attempts = attempts
        self._first_wait_s = first_wait_s
        self._client: Apprise | None = None
        self._mail = url.lower().startswith(("mailto:", "mailtos:"))
        self._places = asyncio.Semaphore(MAILS_AT_ONCE if self._mail else 1)

    async def send(self, notification: Notification) -> int:
        """Hand it to the service until it takes it; the number of attempts.

        Raises:
            UndeliveredError: the attempts are used up, or Apprise does not know the address.
        """
        wait_s = self._first_wait_s
        for attempt in range(1, self._attempts + 1):
            reason, final = await self._try(notification)
            if not reason:
                return attempt
            if final or attempt == self._attempts:
                raise UndeliveredError(reason, attempts=attempt)
            await asyncio.sleep(wait_s)
            wait_s *= 2
        raise AssertionError("unreachable: attempts >= 1")

    async def close(self) -> None:
        """It keeps no connections."""
        self._client = None

    async def _try(self, notification: Notification) -> tuple[str, bool]:
        """(why not, whether that is final); "" is delivered."""
        try:
            async with self._places, asyncio.timeout(TIMEOUT_S):
                return await asyncio.to_thread(self._hand_over, notification)
        except TimeoutError:
            return f"not taken within {TIMEOUT_S:g} s", False

    def _hand_over(self, notification: Notification) -> tuple[str, bool]:
        client = self._client
        if client is None:
            from apprise import Apprise  # noqa: PLC0415 - see the module

            client = Apprise()
            if not client.add(self._url):
                return "Apprise does not know such an address", True
            if self._mail:
                for server in client:
                    server.request_rate_per_sec = 0
            self._client = client
        taken = client.notify(
            title=f"[{notification.level}] {notification.title}",
            body=notification.body or notification.title,
            notify_type=_TYPES[notification.level],
            body_format="text",
        )
        return ("", False) if taken else ("the service did not take it", False)
