"""The webhook repeats what may pass and gives up on the rest."""

import base64
import hashlib
import hmac

import pytest
from aiohttp import web

from faultstream import wire
from faultstream.core.records import Notification
from faultstream.core.standard_webhook import secret
from faultstream.notify import UndeliveredError
from faultstream.notify.webhook import WebhookChannel
from faultstream.ops import child
from tests.notify.conftest import Receiver


async def test_posts_the_record(receiver: Receiver, notification: Notification) -> None:
    """The body is the record as on its topic, and the header Idempotency-Key is its id."""
    channel = WebhookChannel(receiver.url)
    await channel.send(notification)
    await channel.close()
    ((headers, body),) = receiver.got
    assert wire.decode(Notification, body) == notification
    assert headers["content-type"] == "application/json"
    assert headers["idempotency-key"] == "n-1"
    assert headers["traceparent"] == wire.traceparent(notification, "n-1")


async def test_is_signed_for_who_wants_to_know(
    receiver: Receiver, notification: Notification
) -> None:
    """As Standard Webhooks says, anew in each attempt; nothing is signed without a secret."""
    key = secret("SECRET", {"SECRET": "whsec_" + base64.b64encode(b"k" * 24).decode()})
    receiver.answers = [web.Response(status=503)]
    times = iter([1_790_000_000_000, 1_790_000_001_999])
    channel = WebhookChannel(receiver.url, key, first_wait_s=0, clock_ms=lambda: next(times))
    assert await channel.send(notification) == 2
    await channel.close()
    for (headers, body), second in zip(receiver.got, ("1790000000", "1790000001"), strict=True):
        assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("n-1", second)
        signed = b"n-1." + second.encode() + b"." + body
        wanted = base64.b64encode(hmac.new(b"k" * 24, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{wanted}"


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_repeats_what_may_pass(
    receiver: Receiver, notification: Notification, status: int
) -> None:
    """After two refusals that may pass, the third attempt delivers."""
    receiver.answers = [web.Response(status=status) for _ in range(2)]
    channel = WebhookChannel(receiver.url, first_wait_s=0.001)
    assert await channel.send(notification) == 3
    await channel.close()
    assert len(receiver.got) == 3


@pytest.mark.parametrize("status", [302, 400, 404])
async def test_gives_up_on_what_does_not_pass(
    receiver: Receiver, notification: Notification, status: int
) -> None:
    """A refusal for good is not repeated."""
    receiver.answers = [web.Response(status=status)]
    channel = WebhookChannel(receiver.url, first_wait_s=0.001)
    with pytest.raises(UndeliveredError, match=f"HTTP {status}") as gave_up:
        await channel.send(notification)
    await channel.close()
    assert gave_up.value.attempts == 1
    assert len(receiver.got) == 1


async def test_gives_up_after_its_attempts(receiver: Receiver, notification: Notification) -> None:
    """What never passes ends after the number of attempts."""
    receiver.answers = [web.Response(status=500) for _ in range(9)]
    channel = WebhookChannel(receiver.url, attempts=3, first_wait_s=0.001)
    with pytest.raises(UndeliveredError, match="HTTP 500") as gave_up:
        await channel.send(notification)
    await channel.close()
    assert gave_up.value.attempts == 3


async def test_nobody_there(notification: Notification) -> None:
    """No connection is repeated too, and the message does not repeat the address."""
    url = f"http://127.0.0.1:{child.free_port()}/secret"
    channel = WebhookChannel(url, attempts=2, first_wait_s=0.001)
    with pytest.raises(UndeliveredError) as gave_up:
        await channel.send(notification)
    await channel.close()
    assert str(gave_up.value) == "ClientConnectorError"
    assert gave_up.value.attempts == 2
