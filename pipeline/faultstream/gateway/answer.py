"""Answers: what was found, as JSON that nobody keeps."""

from typing import Any

from aiohttp import web

from faultstream import wire


def answer(plain: Any) -> web.Response:
    """200 with the value."""
    return web.Response(
        body=wire.dumps(plain),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
