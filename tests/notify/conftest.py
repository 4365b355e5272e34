"""A real HTTP server that answers what a test wants."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from faultstream.core.records import Notification
from tests import serving


class Receiver:
    """Answers `answers` one after the other, then 204; keeps what it was sent."""

    def __init__(self) -> None:
        self.answers: list[web.Response] = []
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.got.append((headers, await request.read()))
        return self.answers.pop(0) if self.answers else web.Response(status=204)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    async with serving.hook(made.handle) as made.url:
        yield made


@pytest.fixture
def notification() -> Notification:
    return Notification(
        notification_id="n-1",
        group="orders",
        level="error",
        title="orders: recovery failed",
        environment="production",
        created_at_ms=1_700_000_000_000,
    )
