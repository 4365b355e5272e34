"""Notifier: takes a notification to every channel that wants it."""

import asyncio
import os
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final, Literal

import msgspec
import structlog

from faultstream.core.policy import ChannelPolicy, Topology
from faultstream.core.records import Level, Notification
from faultstream.notify.channel import Channel, UndeliveredError
from faultstream.notify.channels import make

DELIVERED: Final = "notification_delivered"
UNDELIVERED: Final = "notification_undelivered"
REMEMBERED: Final = 10_000
"""Ids of notifications that are kept to recognise a repeat."""

RANK: Final[dict[Level, int]] = {"info": 0, "warning": 1, "error": 2, "critical": 3}


class Delivery(msgspec.Struct, frozen=True):
    """What became of a notification on one channel, and why."""

    channel: str
    status: Literal["delivered", "below_level", "repeated", "undelivered"]
    attempts: int = 0
    reason: str = ""


class Notifier:
    """Delivers to all channels at once; one that fails does not hinder the others.

    A notification that a channel already got from this process is not sent there again; after
    a restart it may be, with the same id.
    """

    def __init__(self, channels: Mapping[str, tuple[ChannelPolicy, Channel]]) -> None:
        self._channels = dict(channels)
        self._sent: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._log = structlog.get_logger("faultstream.notify")

    async def deliver(self, notification: Notification) -> None:
        """Deliver to all channels; call again to repeat only where it failed.

        Takes as long as the slowest channel's retries, at most about 40 s.

        Raises:
            UndeliveredError: a channel gave up; the others have it. Names each that did.
        """
        failed = [one for one in await self.attempt(notification) if one.status == "undelivered"]
        if failed:
            reason = "; ".join(f"{one.channel}: {one.reason}" for one in failed)
            raise UndeliveredError(reason, attempts=max(one.attempts for one in failed))

    async def attempt(self, notification: Notification) -> list[Delivery]:
        """What each channel made of it, in the order of topology.yaml."""
        return list(
            await asyncio.gather(*(self._one(name, notification) for name in self._channels))
        )

    async def close(self) -> None:
        """Close all channels. May be called twice."""
        for _, channel in self._channels.values():
            await channel.close()

    async def _one(self, name: str, notification: Notification) -> Delivery:
        policy, channel = self._channels[name]
        key = (name, notification.notification_id)
        if RANK[notification.level] < RANK[policy.min_level]:
            reason = f"{notification.level} is below {policy.min_level}"
            return Delivery(name, "below_level", reason=reason)
        if key in self._sent:
            return Delivery(name, "repeated", reason="already delivered")
        try:
            attempts = await channel.send(notification)
        except UndeliveredError as exc:
            self._log.error(
                UNDELIVERED,
                channel=name,
                notification_id=notification.notification_id,
                attempts=exc.attempts,
                reason=str(exc),
            )
            return Delivery(name, "undelivered", exc.attempts, str(exc))
        self._sent[key] = None
        if len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)
        self._log.info(
            DELIVERED,
            channel=name,
            notification_id=notification.notification_id,
            attempts=attempts,
        )
        return Delivery(name, "delivered", attempts)


def build(topology: Topology, env: Mapping[str, str] | None = None) -> Notifier:
    """The notifier for the channels of `topology`; `env` holds their addresses.

    Raises:
        ChannelConfigError: a channel cannot be used.
    """
    env = os.environ if env is None else env
    return Notifier(
        {name: (policy, make(name, policy, env)) for name, policy in topology.channels.items()}
    )
