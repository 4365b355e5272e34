"""Access: who may send, read and steer. Three kinds of tokens, compared in constant time.

Without tokens of a kind, sending and reading are open to this machine alone (the gateway listens on
loopback), steering to nobody.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple
from urllib.parse import urlsplit

from aiohttp import web

from faultstream.gateway.errors import ProblemError

Scope = Literal["send", "read", "steer"]

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
OPEN: Final = "local"
"""The name of who needs no token."""
_VARIABLES: Final[Mapping[Scope, str]] = {
    "send": "FAULTSTREAM_GATEWAY_TOKENS",
    "read": "FAULTSTREAM_GATEWAY_READERS",
    "steer": "FAULTSTREAM_GATEWAY_OPERATORS",
}


class Caller(NamedTuple):
    """Who asks. `given` is what was shown in place of a token where none is needed."""

    name: str
    given: str = ""


class Access:
    """See the module. `senders`, `readers` and `operators` are tokens by name; operators read."""

    def __init__(
        self,
        senders: Mapping[str, bytes],
        readers: Mapping[str, bytes],
        operators: Mapping[str, bytes],
        *,
        loopback: bool,
    ) -> None:
        self._loopback = loopback
        self._open: dict[Scope, bool] = {
            "send": loopback and not senders,
            "read": loopback and not readers,
            "steer": False,
        }
        self._known: dict[Scope, dict[str, bytes]] = {
            "send": _digests(senders),
            "read": _digests(readers) | _digests(operators),
            "steer": _digests(operators),
        }

    def admit(self, request: web.Request, scope: Scope) -> Caller:
        """Who asks, when they may.

        Raises:
            ProblemError: 401 without a token that fits, 403 where nobody may, or for a page of
                another site that asks through a browser on this machine.
        """
        given = _token(request, sentry=scope == "send")
        name = _named(self._known[scope], given)
        if name is not None:
            return Caller(name)
        if self._open[scope]:
            _must_be_local(request)
            return Caller(OPEN, given)
        if not self._known[scope]:
            variable = _VARIABLES[scope]
            raise ProblemError(403, "nobody may do this", mend=f"set {variable} for the gateway")
        raise ProblemError(
            401, "no valid token", mend="send `Authorization: Bearer TOKEN`, or a DSN with the key"
        )

    def must_know_host(self, request: web.Request) -> None:
        """On loopback, only under a loopback name: a web page cannot ask through its own.

        Raises:
            ProblemError: 421.
        """
        if self._loopback and _host(request.host) not in LOOPBACK:
            raise ProblemError(421, "this gateway is for this machine only", request.host[:100])


def _digests(tokens: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name: hashlib.sha256(token).digest() for name, token in tokens.items()}


def _named(known: Mapping[str, bytes], given: str) -> str | None:
    """Takes equally long whichever fits, or none."""
    digest = hashlib.sha256(given.encode("utf-8", "replace")).digest()
    found = None
    for name, one in known.items():
        if hmac.compare_digest(one, digest):
            found = name
    return found


def _token(request: web.Request, *, sentry: bool) -> str:
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    if not sentry:
        return ""
    for part in request.headers.get("X-Sentry-Auth", "").removeprefix("Sentry ").split(","):
        name, _, value = part.strip().partition("=")
        if name == "sentry_key":
            return value
    return request.query.get("sentry_key", "")


def _must_be_local(request: web.Request) -> None:
    origin = request.headers.get("Origin", "")
    if origin and _host(urlsplit(origin).netloc) not in LOOPBACK:
        raise ProblemError(
            403, "pages of other sites may not use this", mend="set tokens and send one"
        )


def _host(netloc: str) -> str:
    name = netloc.rpartition(":")[0] if netloc.rpartition(":")[2].isdigit() else netloc
    return name.strip("[]").lower()


def cors(request: web.Request) -> dict[str, str]:
    """Headers of every answer about Sentry's endpoints, refusals too: browsers report from the
    pages of any site, with a key that is no secret."""
    if "Origin" not in request.headers or not request.path.startswith("/api/"):
        return {}
    return {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Headers": "content-type, content-encoding, x-sentry-auth",
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Expose-Headers": "retry-after",
        "Access-Control-Max-Age": "86400",
    }
