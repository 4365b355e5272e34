"""The notifier tells what became of a message on a channel."""

import msgspec
import pytest
from aiohttp import web

from faultstream.config.topology import load
from faultstream.core.policy import ChannelPolicy, Topology
from faultstream.core.records import Notification
from faultstream.notify import Delivery, build
from tests.notify.conftest import Receiver


@pytest.fixture
def topology() -> Topology:
    channels = {
        "pager": ChannelPolicy(kind="webhook", url_env="HOOK"),
        "log": ChannelPolicy(kind="log"),
    }
    return msgspec.structs.replace(load(None), channels=channels)


async def test_says_what_became_of_it(
    receiver: Receiver, notification: Notification, topology: Topology
) -> None:
    """Undelivered with a reason, then delivered, then no second time."""
    receiver.answers = [web.Response(status=403)]
    notifier = build(topology, {"HOOK": receiver.url})
    assert [await notifier.attempt("pager", notification) for _ in range(3)] == [
        Delivery("pager", "undelivered", 1, "HTTP 403"),
        Delivery("pager", "delivered", 1),
        Delivery("pager", "repeated", 0, "already delivered"),
    ]
    assert await notifier.attempt("log", notification) == Delivery("log", "delivered", 1)
    await notifier.close()
    await notifier.close()


async def test_deliver_gives_the_reason_or_nothing(
    receiver: Receiver, notification: Notification, topology: Topology
) -> None:
    """ "" is delivered; a channel that is gone from the topology has given up."""
    receiver.answers = [web.Response(status=403)]
    notifier = build(topology, {"HOOK": receiver.url})
    assert await notifier.deliver("pager", notification) == "HTTP 403"
    assert await notifier.deliver("pager", notification) == ""
    assert await notifier.deliver("pager", notification) == ""
    assert await notifier.deliver("fax", notification) == "there is no such channel any more"
    assert len(receiver.got) == 2
    await notifier.close()


async def test_a_bug_in_a_channel_is_a_reason(
    notification: Notification, topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a channel raises beside its own error does not pass through."""

    async def send(*_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr("faultstream.notify.log.LogChannel.send", send)
    notifier = build(topology, {"HOOK": "http://127.0.0.1:9/"})
    assert await notifier.deliver("log", notification) == "ZeroDivisionError"


async def test_packaged_channels_need_no_environment(notification: Notification) -> None:
    """The topology that ships delivers to the log without any variable set."""
    notifier = build(load(None), {})
    assert await notifier.deliver("log", notification) == ""
    await notifier.close()
