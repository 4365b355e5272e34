"""Signatures of what executors say, with the keys that commands are signed with."""

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
