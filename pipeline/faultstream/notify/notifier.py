"""Notifier: takes a message to the channel that it is for."""

import os
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import structlog

from faultstream.core.policy import Topology
from faultstream.core.records import Notification
from faultstream.notify.channel import Channel, UndeliveredError
from faultstream.notify.channels import make

if TYPE_CHECKING:
    from faultstream.notify.template import MessageTemplate

DELIVERED: Final = "notification_delivered"
UNDELIVERED: Final = "notification_undelivered"
REMEMBERED: Final = 10_000
"""Ids of messages that are kept to recognise a repeat."""


class Delivery(msgspec.Struct, frozen=True):
    """What became of a message on a channel, and why."""

    channel: str
    status: Literal["delivered", "repeated", "undelivered"]
    attempts: int = 0
    reason: str = ""


class Notifier:
    """Delivers with each channel's own retries.

    A message that a channel already got from this process is not sent there again; after a
    restart it may be, with the same id.
    """

    def __init__(
        self,
        channels: Mapping[str, Channel],
        templates: Mapping[str, "MessageTemplate"] | None = None,
    ) -> None:
        """`templates` by channel; the others' messages go out as they are."""
        self._channels = dict(channels)
        self._templates = dict(templates or {})
        self._sent: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._log = structlog.get_logger("faultstream.notify")

    async def deliver(self, channel: str, message: Notification) -> str:
        """ "" when the channel has it, else why it gave up. Takes as long as its retries, at most
        about two minutes."""
        found = await self.attempt(channel, message)
        return found.reason if found.status == "undelivered" else ""

    async def attempt(self, channel: str, message: Notification) -> Delivery:
        """What the channel made of it. Never raises for what a channel does."""
        key = (channel, message.notification_id)
        if channel not in self._channels:
            return Delivery(channel, "undelivered", 0, "there is no such channel any more")
        if key in self._sent:
            return Delivery(channel, "repeated", 0, "already delivered")
        template = self._templates.get(channel)
        text = message if template is None else template.apply(message)
        try:
            attempts = await self._channels[channel].send(text)
        except UndeliveredError as exc:
            return self._gave_up(channel, message, exc.attempts, str(exc))
        except Exception as exc:  # noqa: BLE001 - a channel is foreign code
            return self._gave_up(channel, message, 1, type(exc).__name__)
        self._sent[key] = None
        if len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)
        self._log.info(
            DELIVERED, channel=channel, notification_id=message.notification_id, attempts=attempts
        )
        return Delivery(channel, "delivered", attempts)

    async def close(self) -> None:
        """Close all channels. May be called twice."""
        for channel in self._channels.values():
            await channel.close()

    def _gave_up(self, channel: str, message: Notification, attempts: int, why: str) -> Delivery:
        self._log.error(
            UNDELIVERED,
            channel=channel,
            notification_id=message.notification_id,
            attempts=attempts,
            reason=why,
        )
        return Delivery(channel, "undelivered", attempts, why)


def build(topology: Topology, env: Mapping[str, str] | None = None) -> Notifier:
    """The notifier for the channels of `topology`; `env` holds their addresses.

    Raises:
        ChannelConfigError: a channel cannot be used.
    """
    env = os.environ if env is None else env
    return Notifier(
        {name: make(name, policy, env) for name, policy in topology.channels.items()},
        templates(topology),
    )


def templates(topology: Topology) -> dict[str, "MessageTemplate"]:
    """The templates of those channels that have one.

    Raises:
        BadTemplateError: a template that `check` refuses.
    """
    named = {
        name: topology.notification.templates[policy.template]
        for name, policy in topology.channels.items()
        if policy.template is not None
    }
    if not named:
        return {}
    from faultstream.notify.template import MessageTemplate  # noqa: PLC0415 - Jinja costs 60 ms

    return {name: MessageTemplate(policy) for name, policy in named.items()}
