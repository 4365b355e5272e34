"""The live page and the document that describes the API: two files, served as they are.

The page holds its style and script itself and asks nobody but this gateway; the policy that is sent
with it allows nothing else.
"""

import base64
import hashlib
import re
from importlib.resources import files
from typing import Final

from aiohttp import web

_STYLE: Final = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_SCRIPT: Final = re.compile(r"<script>(.*?)</script>", re.DOTALL)


class Page:
    """See the module."""

    def __init__(self) -> None:
        here = files("faultstream.gateway")
        self._html = here.joinpath("page.html").read_text("utf-8")
        self._api = here.joinpath("openapi.json").read_bytes()
        self._headers = {"Content-Security-Policy": policy(self._html), "Cache-Control": "no-cache"}

    def add_to(self, app: web.Application) -> None:
        """The routes. Neither holds anything that needs a token."""
        app.router.add_get("/", self._page)
        app.router.add_get("/openapi.json", self._document)

    async def _page(self, _: web.Request) -> web.Response:
        return web.Response(text=self._html, content_type="text/html", headers=self._headers)

    async def _document(self, _: web.Request) -> web.Response:
        return web.Response(body=self._api, content_type="application/json")


def policy(html: str) -> str:
    """The content security policy of a page: its own style and script by hash, and this server."""
    style, script = (_hashes(pattern, html) for pattern in (_STYLE, _SCRIPT))
    return (
        f"default-src 'none'; style-src {style}; script-src {script}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hashes(pattern: re.Pattern[str], html: str) -> str:
    found = []
    for text in pattern.findall(html):
        digest = hashlib.sha256(text.encode()).digest()
        found.append(f"'sha256-{base64.b64encode(digest).decode()}'")
    return " ".join(found) or "'none'"
