"""Signatures of commands and results: HMAC-SHA-256 over the bytes of the value on the topic.

The signature travels in the header `faultstream-signature`, the name of its key in
`faultstream-key-id`, so that keys can be changed while commands are under way.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Final

SIGNATURE_HEADER: Final = "faultstream-signature"
KEY_ID_HEADER: Final = "faultstream-key-id"
MIN_KEY_BYTES: Final = 16


def sign(value: bytes, key: bytes) -> str:
    """The signature of `value`: 64 lower-case hexadecimal digits."""
    return hmac.new(key, value, hashlib.sha256).hexdigest()


def verify(value: bytes, signature: str, key: bytes) -> bool:
    """Whether `signature` belongs to `value`; takes equally long wherever they differ."""
    return hmac.compare_digest(sign(value, key).encode(), signature.encode("utf-8", "replace"))


def headers(value: bytes, key: bytes, key_id: str) -> list[tuple[str, bytes]]:
    """Both headers for `value`."""
    return [(SIGNATURE_HEADER, sign(value, key).encode()), (KEY_ID_HEADER, key_id.encode())]


def keys_in(text: str) -> dict[str, bytes]:
    """Keys by key id from `id=key[,id=key]`, as they stand in an environment variable; no key holds
    a comma. Nothing in it is no key.

    Raises:
        ValueError: what is wrong with which part, by its id or number from 1; without the keys.
    """
    found: dict[str, bytes] = {}
    for number, part in enumerate(filter(None, (part.strip() for part in text.split(","))), 1):
        key_id, equals, key = part.partition("=")
        raw = key.encode("utf-8", "surrogateescape")
        if not equals or not key_id:
            raise ValueError(f"part {number} is not of the form id=key")
        if key_id in found:
            raise ValueError(f"{key_id} stands there twice")
        if len(raw) < MIN_KEY_BYTES:
            raise ValueError(f"{key_id} has {len(raw)} bytes, a key has at least {MIN_KEY_BYTES}")
        found[key_id] = raw
    return found


def signed(value: bytes, given: Iterable[tuple[str, bytes]], keys: Mapping[str, bytes]) -> bool:
    """Whether the headers `given` hold a signature of `value` by one of `keys`, by key id."""
    found = dict(given)
    key = keys.get(found.get(KEY_ID_HEADER, b"").decode("utf-8", "replace"))
    signature = found.get(SIGNATURE_HEADER, b"").decode("utf-8", "replace")
    return key is not None and verify(value, signature, key)
