"""Notifications to people, over channels that topology.yaml names."""

from faultstream.notify.channel import Channel, ChannelConfigError, UndeliveredError
from faultstream.notify.notifier import Delivery, Notifier, build

__all__ = ["Channel", "ChannelConfigError", "Delivery", "Notifier", "UndeliveredError", "build"]
