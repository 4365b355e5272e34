"""The kinds of channels: a new kind is one file and one line in `KINDS`."""

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

from faultstream.core.policy import ChannelPolicy
from faultstream.core.standard_webhook import secret
from faultstream.notify.apprise_channel import AppriseChannel
from faultstream.notify.channel import Channel, ChannelConfigError
from faultstream.notify.log import LogChannel
from faultstream.notify.webhook import WebhookChannel

Factory = Callable[[str, ChannelPolicy, Mapping[str, str]], Channel]


def _log(name: str, policy: ChannelPolicy, env: Mapping[str, str]) -> Channel:  # noqa: ARG001
    return LogChannel()


def _webhook(name: str, policy: ChannelPolicy, env: Mapping[str, str]) -> Channel:
    url, place = _address(name, policy, env), f"channels.{name}.url_env"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        raise ChannelConfigError(
            f"{place}: {policy.url_env} must hold an address that begins with http:// or https://"
        )
    try:
        key = secret(policy.secret_env, env) if policy.secret_env else b""
    except ValueError as exc:
        raise ChannelConfigError(f"channels.{name}.secret_env: {exc}") from exc
    return WebhookChannel(url, key)


def _apprise(name: str, policy: ChannelPolicy, env: Mapping[str, str]) -> Channel:
    url, place = _address(name, policy, env), f"channels.{name}.url_env"
    if "://" not in url:
        raise ChannelConfigError(
            f"{place}: {policy.url_env} must hold an address of Apprise, such as mailto://..."
        )
    return AppriseChannel(url)


KINDS: Final[dict[str, Factory]] = {
    "log": _log,
    "webhook": _webhook,
    "apprise": _apprise,
}


def make(name: str, policy: ChannelPolicy, env: Mapping[str, str]) -> Channel:
    """The channel that `channels.<name>` of topology.yaml describes.

    Raises:
        ChannelConfigError: its address is missing or no address.
    """
    return KINDS[policy.kind](name, policy, env)


def _address(name: str, policy: ChannelPolicy, env: Mapping[str, str]) -> str:
    place = f"channels.{name}.url_env"
    if not policy.url_env:
        raise ChannelConfigError(f"{place}: name the environment variable that holds the address")
    url = env.get(policy.url_env, "").strip()
    if not url:
        raise ChannelConfigError(f"{place}: the environment variable {policy.url_env} is not set")
    return url
