"""Standard Webhooks (https://www.standardwebhooks.com): signed requests that libraries in most
languages can check. For executors and for notifications alike."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

MIN_SECRET_BYTES: Final = 16


def secret(variable: str, env: Mapping[str, str]) -> bytes:
    """The signing secret in a variable: bytes in base64 behind `whsec_`, else the text itself.

    Raises:
        ValueError: it is not set, no base64, or shorter than 16 bytes.
    """
    text = env.get(variable, "").strip()
    if not text:
        raise ValueError(f"the environment variable {variable} is not set")
    try:
        coded = text.startswith("whsec_")
        raw = base64.b64decode(text[6:], validate=True) if coded else text.encode()
    except binascii.Error as exc:
        raise ValueError(f"{variable} holds no base64 behind whsec_") from exc
    if len(raw) < MIN_SECRET_BYTES:
        raise ValueError(f"{variable} has {len(raw)} bytes, at least {MIN_SECRET_BYTES} are needed")
    return raw


def headers(key: bytes, message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """The three headers of a request with this body; they differ between attempts in time only."""
    signed = b".".join([message_id.encode(), str(timestamp_s).encode(), body])
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }
