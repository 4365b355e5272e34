"""A request's body, within bounds before and after unpacking: gzip, deflate, br and zstd."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import cramjam
from aiohttp import web

from faultstream.gateway.errors import FullError, ProblemError

READ_S: Final = 30.0
"""How long a body may take to come."""
_FIRST: Final = 1 << 20


class Bodies:
    """Reads bodies; all that are read at once share `most_at_once` bytes."""

    def __init__(self, *, max_bytes: int, max_unpacked: int, most_at_once: int) -> None:
        self._max_bytes = max_bytes
        self._max_unpacked = max_unpacked
        self._room = most_at_once

    @asynccontextmanager
    async def read(self, request: web.Request) -> AsyncIterator[bytes]:
        """The unpacked body; its room is taken until the end of the block.

        Raises:
            ProblemError: 400 (broken), 408 (slow), 413 (large), 415 (unknown packing).
            FullError: too many bodies are being read.
        """
        said = request.content_length
        if said is not None and said > self._max_bytes:
            raise self._too_large(f"{said} bytes", self._max_bytes, "a body")
        taken = self._max_bytes if said is None else said
        if taken > self._room:
            raise FullError("too many requests at once")
        self._room -= taken
        try:
            yield self._unpacked(await self._raw(request), request)
        finally:
            self._room += taken

    async def _raw(self, request: web.Request) -> bytes:
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(READ_S):
                async for part in request.content.iter_any():
                    size += len(part)
                    if size > self._max_bytes:
                        raise self._too_large("it", self._max_bytes, "a body")
                    parts.append(part)
        except TimeoutError as exc:
            raise ProblemError(
                408, "the body did not come in time", f"within {READ_S:g} s"
            ) from exc
        return b"".join(parts)

    def _unpacked(self, raw: bytes, request: web.Request) -> bytes:
        """Several packings, one over the other, are not taken."""
        packing = request.headers.get("Content-Encoding", "identity").strip().lower()
        most = self._max_unpacked
        try:
            if packing in {"gzip", "x-gzip", "deflate"}:
                return self._inflated(raw, most)
            if packing in {"br", "zstd"}:
                return self._into(packing, raw, most)
        except (zlib.error, cramjam.DecompressionError) as exc:
            raise ProblemError(400, "the body cannot be unpacked", f"{packing}: {exc}") from exc
        if packing not in {"", "identity"}:
            mend = "send it as gzip, deflate, br, zstd, or plain"
            raise ProblemError(415, "unknown Content-Encoding", packing[:40], mend=mend)
        return raw

    def _inflated(self, raw: bytes, most: int) -> bytes:
        """Gzip or zlib, told apart by the first bytes; members after the first one too."""
        parts: list[bytes] = []
        size = 0
        while raw:
            one = zlib.decompressobj(wbits=47)
            part = one.decompress(raw, most + 1 - size)
            size += len(part)
            if size > most:
                raise self._too_large("it", most, "an unpacked body")
            if not one.eof:
                raise zlib.error("it is cut off")
            parts.append(part)
            raw = one.unused_data
        return b"".join(parts)

    def _into(self, packing: str, raw: bytes, most: int) -> bytes:
        """Into a buffer that cannot grow, first one of the usual size."""
        unpack = getattr(cramjam, packing if packing != "br" else "brotli").decompress_into
        for size in sorted({min(_FIRST, most), most}):
            room = bytearray(size)
            try:
                return bytes(memoryview(room)[: unpack(raw, room)])
            except cramjam.DecompressionError as exc:
                if "whole buffer" not in str(exc):
                    raise
        raise self._too_large("it", most, "an unpacked body")

    @staticmethod
    def _too_large(what: str, most: int, of: str) -> ProblemError:
        detail = f"{what} is more than {most} bytes, the most for {of}"
        return ProblemError(413, "too large", detail, mend="send fewer records at once")
