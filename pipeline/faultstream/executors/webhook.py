"""The action `webhook`: a command as a signed POST to one fixed address.

The body is the command as on its topic. Requests are signed as https://www.standardwebhooks.com
says (headers webhook-id, webhook-timestamp, webhook-signature), for which there are libraries in
most languages. webhook-id and idempotency-key are derived from the command and its target, so
they are the same in every attempt, from every executor and after every restart: a receiver that
heeds them carries a command out once.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import aiohttp

from faultstream import wire
from faultstream.client import Outcome, RecoveryCommand
from faultstream.core import standard_webhook
from faultstream.core.ids import derive
from faultstream.core.scrub import MASK, is_secret_key, scrub_text
from faultstream.executors.policy import Status, WebhookPolicy

FIRST_WAIT_S: Final = 0.2
MAX_WAIT_S: Final = 3.0
MAX_ANSWER_BYTES: Final = 65_536
MAX_MESSAGE_CHARS: Final = 1_000
PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""What another attempt may change."""
_OUTCOMES: Final[tuple[Status, ...]] = ("success", "partial", "failed", "not_attempted")


class _Answer(NamedTuple):
    outcome: Outcome
    passes: bool = False
    asked_s: float = 0.0


class Webhook:
    """See the module.

    No connection, no answer in time, 408, 425, 429 and 5xx but 501 are tried again, never at or
    after the command's expiry; the last of them is `failed`. Other refusals are `not_attempted`.
    2xx is `success` (202 `partial`: taken, not known to be done), unless the answer is a JSON
    object with a `status` of its own, and a `message` and `details`. Redirects are not followed.
    """

    def __init__(
        self,
        policy: WebhookPolicy,
        key: bytes,
        *,
        first_wait_s: float = FIRST_WAIT_S,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._policy = policy
        self._key = key
        self._first_wait_s = first_wait_s
        self._clock_ms = clock_ms
        self._session: aiohttp.ClientSession | None = None

    @property
    def longest_ms(self) -> int:
        """Every attempt in full, and the waits between them."""
        policy = self._policy
        return policy.attempts * policy.timeout_ms + (policy.attempts - 1) * int(MAX_WAIT_S * 1000)

    @property
    def undoes(self) -> bool:
        """Whether there is an address for it."""
        return self._policy.undo_url is not None

    async def __call__(self, command: RecoveryCommand) -> Outcome:
        """What the receiver made of it."""
        url = self._policy.url
        if command.rollback_of and self._policy.undo_url is not None:
            url = self._policy.undo_url
        body = wire.encode(command)
        target = command.target
        message_id = derive("webhook", command.command_id, target.environment, target.service)
        trace = wire.traceparent(command, command.command_id)
        wait_s = self._first_wait_s
        for attempt in range(1, self._policy.attempts + 1):
            answer = await self._post(url, message_id, body, trace)
            if not answer.passes or attempt == self._policy.attempts:
                break
            wait_s = min(max(wait_s, answer.asked_s), MAX_WAIT_S)
            if self._clock_ms() + wait_s * 1000 >= command.expires_at_ms:
                break
            await asyncio.sleep(wait_s)
            wait_s *= 2
        outcome = answer.outcome
        return outcome if attempt == 1 else _after(outcome, attempt)

    async def close(self) -> None:
        """Close its connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _post(self, url: str, message_id: str, body: bytes, trace: str) -> _Answer:
        now_s = self._clock_ms() // 1000
        headers = {
            "content-type": "application/json",
            "idempotency-key": message_id,
            "traceparent": trace,
            "user-agent": "faultstream",
            **standard_webhook.headers(self._key, message_id, now_s, body),
        }
        timeout = aiohttp.ClientTimeout(total=self._policy.timeout_ms / 1000)
        if self._session is None:
            self._session = aiohttp.ClientSession()
        try:
            async with self._session.post(
                url, data=body, headers=headers, allow_redirects=False, timeout=timeout
            ) as answer:
                content = await answer.content.read(MAX_ANSWER_BYTES + 1)
                asked = answer.headers.get("retry-after", "")
                return self._mapped(answer.status, content, asked)
        except TimeoutError:
            text = f"no answer within {self._policy.timeout_ms} ms"
            return _Answer(Outcome("failed", text), passes=True)
        except aiohttp.ClientError as exc:
            return _Answer(Outcome("failed", type(exc).__name__), passes=True)

    def _mapped(self, status: int, content: bytes, asked: str) -> _Answer:
        named = self._policy.statuses.get(str(status))
        if named is not None:
            return _Answer(Outcome(named, f"HTTP {status}"))
        if 200 <= status < 300:
            return _Answer(_told(status, content))
        if status in PASSING:
            asked_s = float(asked) if asked.isascii() and asked.isdigit() else 0.0
            return _Answer(Outcome("failed", f"HTTP {status}"), passes=True, asked_s=asked_s)
        kind: Status = "failed" if status == 409 or status > 501 else "not_attempted"
        return _Answer(Outcome(kind, f"refused with HTTP {status}"))


def _told(status: int, content: bytes) -> Outcome:
    """What an accepted request's answer says of the outcome."""
    try:
        plain = wire.loads(content) if 0 < len(content) <= MAX_ANSWER_BYTES else None
    except ValueError:
        plain = None
    if not isinstance(plain, dict) or "status" not in plain:
        if status == 202:
            return Outcome("partial", "accepted (HTTP 202), not known to be done")
        return Outcome("success", f"HTTP {status}")
    claimed = plain["status"]
    message = plain.get("message")
    text = scrub_text(message)[:MAX_MESSAGE_CHARS] if isinstance(message, str) else f"HTTP {status}"
    if claimed not in _OUTCOMES:
        return Outcome("partial", f"answered with a status that is none: {str(claimed)[:80]!r}")
    details = plain.get("details")
    return Outcome(claimed, text, _scrubbed(details) if isinstance(details, dict) else {})


def _scrubbed(value: Any) -> Any:
    """`value` without secrets in its texts; as deep as JSON of `MAX_ANSWER_BYTES` goes."""
    if isinstance(value, str):
        return scrub_text(value)
    if isinstance(value, list):
        return [_scrubbed(one) for one in value]
    if isinstance(value, dict):
        return {
            key: MASK if is_secret_key(key) else _scrubbed(below) for key, below in value.items()
        }
    return value


def _after(outcome: Outcome, attempts: int) -> Outcome:
    message = f"{outcome.message} (attempt {attempts})".strip()
    return Outcome(outcome.status, message, outcome.details)
