"""What a channel is."""

from typing import Protocol

from faultstream.core.records import Notification


class ChannelConfigError(ValueError):
    """A channel of topology.yaml cannot be used; the text begins with its place in the file."""


class UndeliveredError(Exception):
    """A channel gave up on one notification. `attempts` were made; the text is the last reason."""

    def __init__(self, reason: str, *, attempts: int) -> None:
        super().__init__(reason)
        self.attempts = attempts


class Channel(Protocol):
    """One way to reach people. A notification may be sent twice; receivers know it by its id."""

    async def send(self, notification: Notification) -> int:
        """Deliver it, with the channel's own retries; the number of attempts that it took.

        Raises:
            UndeliveredError: it was given up, within a bound of its own (about a minute).
        """
        ...

    async def close(self) -> None:
        """Let go of connections. May be called twice, and without a send before."""
        ...
