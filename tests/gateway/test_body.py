"""Bodies share room: what is being read at once is bounded, whatever is promised."""

import asyncio
from unittest.mock import Mock

import pytest
from aiohttp import StreamReader, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request

from faultstream.gateway.body import Bodies
from faultstream.gateway.errors import FullError


def request(length: int | None) -> tuple[web.Request, StreamReader]:
    """One whose body is still to come; None does not tell its length."""
    protocol = Mock(BaseProtocol, _reading_paused=False)
    payload = StreamReader(protocol, 1 << 16, loop=asyncio.get_running_loop())
    headers = {"Content-Length": str(length)} if length is not None else {}
    return make_mocked_request("POST", "/", headers=headers, payload=payload), payload


@pytest.mark.parametrize(("first", "second", "room"), [(600, 400, True), (600, 401, False),
                                                       (None, 1, False)])  # fmt: skip
async def test_there_is_room_or_not(first: int | None, second: int, *, room: bool) -> None:
    """A body takes the room of its length, or of the largest one when it does not tell, from its
    beginning until it was dealt with."""
    bodies = Bodies(max_bytes=1_000, max_unpacked=1_000, most_at_once=1_000)
    slow, payload = request(first)
    reading = asyncio.create_task(read(bodies, slow))
    await asyncio.sleep(0)
    quick, ready = request(second)
    ready.feed_eof()
    if room:
        assert await read(bodies, quick) == b""
    else:
        with pytest.raises(FullError):
            await read(bodies, quick)
    payload.feed_data(b"{}")
    payload.feed_eof()
    assert await reading == b"{}"
    whole, ready = request(1_000)
    ready.feed_eof()
    assert await read(bodies, whole) == b""


async def read(bodies: Bodies, one: web.Request) -> bytes:
    async with bodies.read(one) as body:
        return body
