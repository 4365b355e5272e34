"""A request on ClickHouse's HTTP interface, read into what the engine has to do."""

import base64
import binascii
import hmac
import re
import zlib
from collections.abc import Mapping
from typing import Any, Final

import lz4.frame
import msgspec
from aiohttp import web

from faultstream.analytics.errors import SinkRefused

READER: Final = "default"
WRITER: Final = "recorder"
MAX_BODY: Final = {READER: 1_000_000, WRITER: 512_000_000}
"""Bytes of a request's body, as sent and unpacked."""

# What belongs to the transport and is no setting.
TRANSPORT: Final = frozenset(
    {"add_http_cors_header", "buffer_size", "client_protocol_version", "close_session",
     "compress", "database", "decompress", "default_format", "enable_http_compression",
     "http_headers_progress_interval_ms", "http_write_exception_in_output_format",
     "http_zlib_compression_level", "log_queries", "password", "query", "query_id", "quota_key",
     "role", "send_progress_in_http_headers", "session_check", "session_id", "session_timeout",
     "stacktrace", "user", "wait_end_of_query"}
)  # fmt: skip

_LEAD: Final = rb"\s*(?:/\*.*?\*/\s*|--[^\n]*\n\s*)*"
_INSERT: Final = re.compile(
    _LEAD + rb"(INSERT\s+INTO\s+(?:TABLE\s+)?[\w.`\"]+\s*(?:\([^()]*\))?)"
    rb"\s*(SETTINGS\s[^()]*?)?\s*FORMAT\s+(\w+)[ \t]*;?\r?\n?",
    re.IGNORECASE | re.DOTALL,
)
_FORMAT: Final = re.compile(rb"\bFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)


class Insert(msgspec.Struct, frozen=True):
    """INSERT INTO ... FORMAT with its rows behind it."""

    head: str
    settings: str
    format: str
    rows: bytes


class Question(msgspec.Struct, frozen=True):
    """One statement, who asks it, and how the answer should look."""

    user: str
    readonly: bool
    query_id: str
    database: str
    sql: str
    insert: Insert | None
    format: str
    settings: dict[str, str]
    parameters: dict[str, str]
    hold: bool
    """The answer is wanted only when it is complete."""


def user_of(request: web.Request, passwords: Mapping[str, str]) -> str:
    """Who asks, by basic auth, ClickHouse's headers or the address, in this order.

    Raises:
        SinkRefused: code 516, the same for an unknown user and a wrong password.
    """
    header = request.headers.get("Authorization", "")
    if header.startswith("Basic "):
        try:
            text = base64.b64decode(header[6:], validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            text = ""
        user, _, password = text.partition(":")
    else:
        user = request.headers.get("X-ClickHouse-User") or request.query.get("user", READER)
        password = request.headers.get("X-ClickHouse-Key") or request.query.get("password", "")
    known = passwords.get(user)
    same = hmac.compare_digest((known or "").encode(), password.encode("utf-8", "replace"))
    if known is None or not same:
        raise SinkRefused(
            f"Code: 516. DB::Exception: {user[:40]!r}: Authentication failed: password is "
            "incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)",
            516,
        )
    return user


async def read_question(request: web.Request, user: str, query_id: str) -> Question:
    """What a request asks.

    Raises:
        SinkRefused: too large, packed in a way that is not read, or no UTF-8.
    """
    query = request.query
    if request.content_type == "multipart/form-data":
        raise _bad("multipart requests are not read; send the statement as `query` or body", 48)
    body = await _body(request, MAX_BODY[user])
    text = query.get("query", "").encode()
    insert = _insert(text + b"\n" + body if text else body) if user == WRITER else None
    sql = b"\n".join(part for part in (text, body) if part)
    found = _FORMAT.search(sql) if insert is None else None
    chosen = query.get("default_format") or request.headers.get("X-ClickHouse-Format")
    try:
        return Question(
            user=user,
            readonly=user != WRITER or request.method != "POST",
            query_id=query_id,
            database=query.get("database") or request.headers.get("X-ClickHouse-Database") or "",
            sql="" if insert else sql.decode(),
            insert=insert,
            format=found[1].decode() if found else chosen or "TabSeparated",
            settings={
                name: value
                for name, value in query.items()
                if name not in TRANSPORT and not name.startswith("param_")
            },
            parameters={
                name.removeprefix("param_"): value
                for name, value in query.items()
                if name.startswith("param_")
            },
            hold=query.get("wait_end_of_query") == "1",
        )
    except UnicodeDecodeError as exc:
        raise _bad(f"the statement is no UTF-8: {exc.reason}", 62) from exc


def _insert(text: bytes) -> Insert | None:
    found = _INSERT.match(text)
    if found is None:
        return None
    return Insert(
        head=found[1].decode(),
        settings=(found[2] or b"").decode(),
        format=found[3].decode(),
        rows=text[found.end() :],
    )


async def _body(request: web.Request, most: int) -> bytes:
    parts, size = [], 0
    async for part in request.content.iter_chunked(1 << 20):
        size += len(part)
        if size > most:
            raise _bad(f"the request is larger than {most} bytes", 307)
        parts.append(part)
    raw = b"".join(parts)
    return _unpacked(raw, request.headers.get("Content-Encoding", ""), most) if raw else raw


def _unpacked(raw: bytes, encoding: str, most: int) -> bytes:
    if encoding in {"", "identity"}:
        return raw
    if encoding in {"gzip", "deflate"}:
        unpack: Any = zlib.decompressobj(47)
    elif encoding == "lz4":
        unpack = lz4.frame.LZ4FrameDecompressor()
    else:
        raise _bad(f"Content-Encoding {encoding[:20]!r} is not read; lz4 and gzip are", 36)
    try:
        unpacked: bytes = unpack.decompress(raw, most + 1)
    except (zlib.error, RuntimeError) as exc:
        raise _bad(f"the body is no {encoding}: {exc}", 271) from exc
    if len(unpacked) > most:
        raise _bad(f"the request is larger than {most} bytes", 307)
    if not unpack.eof:
        raise _bad(f"the body is no whole {encoding}", 271)
    return unpacked


def _bad(reason: str, code: int) -> SinkRefused:
    return SinkRefused(f"Code: {code}. DB::Exception: {reason}.", code)
