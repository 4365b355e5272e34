"""A page that shows what is in force in this process. Off unless it is given to a middleware."""

import base64
import binascii
import hmac
import html
import os
from collections.abc import Mapping
from typing import Final

import msgspec

from faultstream.client import metrics
from faultstream.client.inforce import InForce, in_force
from faultstream.client.web.answer import Answer

MIN_TOKEN_CHARS: Final = 16
_COLUMNS: Final = ("kind", "name", "dependency", "state", "local", "held", "figures")
_STYLE: Final = (
    "body{font:14px system-ui;margin:2em}table{border-collapse:collapse}"
    "td,th{padding:.3em .8em;border-bottom:1px solid #ccc;text-align:left}"
    ".held{background:#fff3cd}"
)


class StatePage:
    """Answers `path` (HTML, or JSON for who accepts that), and `path`/metrics for Prometheus.

    Who asks shows the token: `authorization: Bearer TOKEN`, or as the password that a browser asks
    for, with any name. Behind it stand names and states of primitives, no data of users.
    """

    def __init__(self, token: str, *, path: str = "/.faultstream") -> None:
        """Raises ValueError for a token of fewer than 16 characters, or a path without a slash."""
        if len(token) < MIN_TOKEN_CHARS:
            raise ValueError(f"token: at least {MIN_TOKEN_CHARS} characters, got {len(token)}")
        if not path.startswith("/") or path.endswith("/"):
            raise ValueError(f"path: begins with a slash and does not end with one, got {path!r}")
        self._token = token.encode()
        self._path = path

    def wanted(self, path: str) -> bool:
        """Whether this path is the page's."""
        return path in {self._path, f"{self._path}/metrics"}

    def answer(self, path: str, headers: Mapping[str, str]) -> Answer:
        """The whole response. `headers` by names in lower case: authorization and accept."""
        if not self._allowed(headers.get("authorization", "")):
            return _answer(401, "text/plain; charset=utf-8", "not without the token\n",
                           ("www-authenticate", 'Basic realm="faultstream"'))  # fmt: skip
        if path.endswith("/metrics"):
            return _answer(200, metrics.CONTENT_TYPE, metrics.text())
        found = in_force()
        if "application/json" in headers.get("accept", ""):
            told = {"process": os.getpid(), "in_force": found}
            return _answer(200, "application/json", msgspec.json.encode(told).decode())
        return _answer(200, "text/html; charset=utf-8", _html(found))

    def _allowed(self, authorization: str) -> bool:
        scheme, _, given = authorization.partition(" ")
        shown = given.strip().encode()
        if scheme.lower() == "basic":
            try:
                shown = base64.b64decode(shown, validate=True).partition(b":")[2]
            except binascii.Error:
                return False
        elif scheme.lower() != "bearer":
            return False
        return hmac.compare_digest(shown, self._token)


def _answer(status: int, kind: str, text: str, *more: tuple[str, str]) -> Answer:
    body = text.encode()
    headers = [
        ("content-type", kind),
        ("content-length", str(len(body))),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'"),
        *more,
    ]
    return Answer(status, headers, body)


def _html(found: list[InForce]) -> str:
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    rows = "".join(_row(one) for one in found)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" '
        f'content="5"><title>In force</title><style>{_STYLE}</style><h1>In force in process '
        f"{os.getpid()}</h1><table><tr>{head}</tr>{rows}</table></html>\n"
    )


def _row(one: InForce) -> str:
    held = f"for {one.left_ms / 1000:.0f} s more" if one.held else ""
    figures = ", ".join(f"{name} {value:g}" for name, value in one.figures.items())
    cells = (one.kind, one.name, one.dependency, one.state, one.local, held, figures)
    inner = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
    return f'<tr class="held">{inner}</tr>' if one.held else f"<tr>{inner}</tr>"
