"""The notifier tells what became of a notification on each channel."""

import msgspec
import pytest
from aiohttp import web

from faultstream.config.topology import load
from faultstream.core.policy import ChannelPolicy
from faultstream.core.records import Notification
from faultstream.notify import Delivery, UndeliveredError, build
from tests.notify.conftest import Receiver


async def test_one_failing_channel_hinders_no_other(
    receiver: Receiver, notification: Notification
) -> None:
    """The log gets it although the webhook refuses; a repeat goes only where it failed."""
    receiver.answers = [web.Response(status=403)]
    channels = {
        "pager": ChannelPolicy(kind="webhook", url_env="HOOK"),
        "log": ChannelPolicy(kind="log"),
        "quiet": ChannelPolicy(kind="log", min_level="critical"),
    }
    topology = msgspec.structs.replace(load(None), channels=channels)
    notifier = build(topology, {"HOOK": receiver.url})
    below = Delivery("quiet", "below_level", 0, "error is below critical")
    assert await notifier.attempt(notification) == [
        Delivery("pager", "undelivered", 1, "HTTP 403"),
        Delivery("log", "delivered", 1),
        below,
    ]
    assert await notifier.attempt(notification) == [
        Delivery("pager", "delivered", 1),
        Delivery("log", "repeated", 0, "already delivered"),
        below,
    ]
    await notifier.close()
    await notifier.close()


async def test_deliver_raises_until_all_have_it(
    receiver: Receiver, notification: Notification
) -> None:
    """`deliver` names the channel that failed, and is content when a repeat succeeds."""
    receiver.answers = [web.Response(status=403)]
    channels = {
        "pager": ChannelPolicy(kind="webhook", url_env="HOOK"),
        "log": ChannelPolicy(kind="log"),
    }
    topology = msgspec.structs.replace(load(None), channels=channels)
    notifier = build(topology, {"HOOK": receiver.url})
    with pytest.raises(UndeliveredError, match=r"^pager: HTTP 403$"):
        await notifier.deliver(notification)
    await notifier.deliver(notification)
    assert len(receiver.got) == 2
    await notifier.close()


async def test_packaged_channels_need_no_environment(notification: Notification) -> None:
    """The topology that ships delivers to the log without any variable set."""
    notifier = build(load(None), {})
    assert [delivery.status for delivery in await notifier.attempt(notification)] == ["delivered"]
    await notifier.close()
