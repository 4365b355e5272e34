"""Keys that commands are signed with, and signatures of what executors say by the same keys."""

import os
from collections.abc import Iterable, Mapping

from faultstream.core import signing


class Seal:
    """Signs results, and tells whether another instance with the keys wrote one. Never shown."""

    __slots__ = ("_keys",)

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """Keys by key id, at least one; the first one signs, all of them are believed."""
        self._keys = dict(keys)

    def headers(self, value: bytes) -> list[tuple[str, bytes]]:
        """The signature of a value, and the id of its key."""
        key_id, key = next(iter(self._keys.items()))
        return signing.headers(value, key, key_id)

    def holds(self, value: bytes, headers: Iterable[tuple[str, bytes]]) -> bool:
        """Whether the value was signed with one of the keys."""
        return signing.signed(value, headers, self._keys)


def keys_from_environment() -> dict[str, bytes]:
    """The key that `faultstream` itself signs with, when it is set, then those that it believes.

    Raises:
        ValueError: keys that cannot be read, or two of one id.
    """
    key = os.environ.get("FAULTSTREAM_SIGNING_KEY", "")
    key_id = os.environ.get("FAULTSTREAM_SIGNING_KEY_ID", "") or "k1"
    if not key:
        return {}
    try:
        more = signing.keys_in(os.environ.get("FAULTSTREAM_SIGNING_KEYS_ACCEPTED", ""))
    except ValueError as exc:
        raise ValueError(f"FAULTSTREAM_SIGNING_KEYS_ACCEPTED: {exc}") from exc
    if key_id in more:
        raise ValueError(f"FAULTSTREAM_SIGNING_KEYS_ACCEPTED: {key_id} is the id of SIGNING_KEY")
    return {key_id: key.encode("utf-8", "surrogateescape"), **more}
