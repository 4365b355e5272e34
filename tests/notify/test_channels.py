"""Every kind of channel keeps the promises of Channel."""

import pytest

from faultstream.core.policy import ChannelPolicy
from faultstream.core.records import Notification
from faultstream.notify import Channel, ChannelConfigError
from faultstream.notify.channels import KINDS, make
from tests.notify.conftest import Receiver

# Apprise asks for a module that Python 3.13 has no longer.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@pytest.fixture(params=sorted(KINDS))
def channel(request: pytest.FixtureRequest, receiver: Receiver) -> Channel:
    policy = ChannelPolicy(kind=request.param, url_env="HOOK")
    url = receiver.url
    if request.param == "apprise":
        url = url.replace("http://", "json://")
    return make("any", policy, {"HOOK": url})


async def test_takes_every_level_and_repeats(channel: Channel, notification: Notification) -> None:
    """A notification of any level is delivered in one attempt, and may be sent again."""
    for level in ("info", "warning", "error", "critical", "critical"):
        notification.level = level
        assert await channel.send(notification) == 1
    await channel.close()


async def test_closes_twice(channel: Channel) -> None:
    """Closing needs no send before and may be repeated."""
    await channel.close()
    await channel.close()


async def test_sends_after_close(channel: Channel, notification: Notification) -> None:
    """A closed channel opens again when it is used."""
    await channel.close()
    assert await channel.send(notification) == 1
    await channel.close()


@pytest.mark.parametrize(
    ("policy", "env", "message"),
    [
        (
            ChannelPolicy(kind="webhook"),
            {},
            "channels.pager.url_env: name the environment variable that holds the address",
        ),
        (
            ChannelPolicy(kind="webhook", url_env="HOOK"),
            {},
            "channels.pager.url_env: the environment variable HOOK is not set",
        ),
        (
            ChannelPolicy(kind="webhook", url_env="HOOK", secret_env="SIGN"),
            {"HOOK": "https://x", "SIGN": "short"},
            "channels.pager.secret_env: SIGN has 5 bytes, at least 16 are needed",
        ),
        (
            ChannelPolicy(kind="webhook", url_env="HOOK"),
            {"HOOK": "ftp://x:secret@y"},
            "channels.pager.url_env: HOOK must hold an address that begins with http:// or https://",
        ),
        (
            ChannelPolicy(kind="apprise", url_env="MAIL"),
            {"MAIL": "secret"},
            "channels.pager.url_env: MAIL must hold an address of Apprise, such as mailto://...",
        ),
    ],
)
def test_refuses_what_has_no_address(
    policy: ChannelPolicy, env: dict[str, str], message: str
) -> None:
    """A channel without a usable address is refused with its place, without the address."""
    with pytest.raises(ChannelConfigError) as refused:
        make("pager", policy, env)
    assert str(refused.value) == message
