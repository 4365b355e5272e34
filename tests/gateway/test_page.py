"""The live page in a real browser, asked through its debugging protocol."""

import asyncio
import base64
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from faultstream.config.topology import load
from faultstream.core.controls import paused
from faultstream.core.policy import Topology
from faultstream.core.report import live
from faultstream.gateway.access import Access
from faultstream.gateway.clients import Clients
from faultstream.gateway.page import Page
from faultstream.gateway.pauses import Pauses
from faultstream.gateway.reading import Query, Reading
from faultstream.ops.health import Health
from tests.gateway.kit import TOKEN, running
from tests.until import until, until_async

EVIL = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
NOW = 1_790_000_040_000
INCIDENT = live.LiveIncident(
    "0190b0c4-aaaa", "production", "orders", "critical", "escalated", NOW - 90_000, NOW - 80_000,
    NOW - 9_000, None, f"pool_increase waits for approval {EVIL}",
    [live.Try("c", "retry", "failed", EVIL)], [live.Step(NOW - 80_000, "escalated", EVIL)],
)  # fmt: skip
FACTS = live.Facts(
    now_ms=NOW,
    stored_at_ms=NOW - 2_000,
    minutes=[
        live.Minute(NOW - at * 60_000 - NOW % 60_000, "production", "orders", 90 - at, 0)
        for at in range(60)
    ],
    layers={("production", "orders"): "api"},
    patterns=[
        live.OpenPattern("p", "burst", "production", "orders", "api", EVIL, "high", 40, 2.0,
                         NOW - 90_000, NOW, EVIL)
    ],
    incidents=[INCIDENT, msgspec.structs.replace(INCIDENT, incident_id="b", state="resolved",
                                                 service="till", resolved_at_ms=NOW - 4_000)],
    holds=[live.Hold("c", "production", "orders", "circuit_break", '{"open_ms": 60000}', "db", 3,
                     NOW - 9_000, NOW + 51_000)],
)  # fmt: skip


PAUSE = paused("", service="orders", active=True, reason=EVIL, by="ann", now_ms=NOW, until_ms=None)


class Answers:
    """Tells the facts above."""

    def __init__(self) -> None:
        self.facts = FACTS

    def live(self) -> live.Live:
        return live.judge(self.facts, load(None))

    def incidents(self, query: Query) -> list[dict[str, Any]]:
        raise NotImplementedError

    def incident(self, prefix: str) -> dict[str, Any]:
        raise NotImplementedError

    def summary(self, hours: int) -> dict[str, Any]:
        raise NotImplementedError


async def in_force(service: str, environment: str, by: str) -> list[dict[str, Any]]:
    """What an instance would answer."""
    assert (service, environment, by) == ("orders", "production", "ann")
    force = {
        "kind": "breaker", "name": EVIL, "dependency": "db", "state": "open", "local": "closed",
        "held": True, "left_ms": 8_000,
    }  # fmt: skip
    return [{"instance": "orders-1", "in_force": [force]}]


class Tab:
    """A page that is open; `said` is what it logged, violations of its policy among it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self.said: list[str] = []

    async def call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        number = self._number
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            told = await self._socket.receive_json()
            if told.get("id") == number:
                assert "error" not in told, told
                return told["result"]
            if told.get("method") in {"Log.entryAdded", "Runtime.exceptionThrown"}:
                self.said.append(str(told["params"]))

    async def value(self, expression: str) -> Any:
        told = await self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    async def until(self, expression: str) -> None:
        async def holds() -> bool:
            return bool(await self.value(expression))

        await until_async(holds, expression, timeout_s=60)

    async def picture(self, name: str) -> None:
        """Where FAULTSTREAM_PICTURES names a folder, for people to look at."""
        folder = os.environ.get("FAULTSTREAM_PICTURES")
        if folder:
            told = await self.call("Page.captureScreenshot")
            await asyncio.to_thread(
                Path(folder, f"{name}.png").write_bytes, base64.b64decode(told["data"])
            )


def _port(file: Path) -> str:
    """Where it listens, once it has written that down."""
    until(lambda: file.exists() and "\n" in file.read_text(), "chromium runs", timeout_s=60)
    return file.read_text().split()[0]


@asynccontextmanager
async def browser(address: str) -> AsyncIterator[Tab]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = await asyncio.create_subprocess_exec(
            program, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-dev-shm-usage", "--remote-debugging-port=0", "--window-size=1100,1300",
            f"--user-data-dir={folder}", "about:blank", stdout=-3, stderr=-3,
        )  # fmt: skip
        try:
            file = Path(folder, "DevToolsActivePort")
            base = f"http://127.0.0.1:{await asyncio.to_thread(_port, file)}"
            async with aiohttp.ClientSession() as session:
                async with session.get(f"{base}/json/list") as answer:
                    pages = [one for one in await answer.json() if one["type"] == "page"]
                async with session.ws_connect(pages[0]["webSocketDebuggerUrl"]) as socket:
                    tab = Tab(socket)
                    for part in ("Log", "Runtime", "Page"):
                        await tab.call(f"{part}.enable")
                    await tab.call("Page.navigate", url=address)
                    yield tab
        finally:
            process.kill()
            await process.wait()


async def test_the_page_shows_how_things_stand(embedded_broker: str, topology: Topology) -> None:
    """Services with their rule, incidents with what was tried, what is in force, patterns; what
    events say is text and nothing else; open details and the focus outlive an update; without a
    token nothing can be steered."""
    answers = Answers()
    access = Access({}, {}, {"ann": TOKEN.encode()}, loopback=True)
    health = Health()
    health.well("start")
    pauses = Pauses(embedded_broker, topology)
    pauses._found = [PAUSE]
    pauses._asked_ms = 1 << 60  # nobody asks
    parts = (Reading(access, health, answers, pauses), Clients(access, in_force), Page())
    async with (
        running(embedded_broker, topology, parts=parts, wait=False) as gateway,
        browser(f"{gateway.address}/") as tab,
    ):
        await tab.until("document.querySelectorAll('#services tbody tr').length === 1")
        row = await tab.value("document.querySelector('#services tbody tr').innerText")
        assert "critical" in row
        assert "an incident waits for a person" in row
        assert await tab.value("document.querySelectorAll('#incidents article').length") == 2
        shown = await tab.value("document.body.innerText")
        for text in (
            EVIL,
            "circuit break for db",
            "burst",
            "newest row 2 s old",
            "1 critical of",
            "Recovery is paused for orders in every environment until it is resumed",
        ):
            assert text in shown
        assert await tab.value("document.title") == "critical: faultstream"
        assert await tab.value("document.querySelectorAll('img, article button').length") == 0
        await tab.picture("light")
        await tab.value("document.querySelector('article summary').click()")
        await tab.value("document.querySelector('article summary').focus()")
        changed = msgspec.structs.replace(INCIDENT, reason="commanded", state="recovering")
        answers.facts = msgspec.structs.replace(FACTS, incidents=[changed])
        await tab.until("document.querySelectorAll('#incidents article').length === 1")
        assert await tab.value("document.querySelector('article details').open")
        assert await tab.value("document.activeElement.tagName") == "SUMMARY"
        await tab.value(f"sessionStorage.setItem('token', '{TOKEN}'); location.reload()")
        await tab.until("document.querySelectorAll('article button').length === 3")
        await tab.value("document.querySelector('.ask').click()")
        await tab.until("document.querySelector('#state').open")
        rows = await tab.value("document.querySelector('#state tbody').innerText")
        assert rows.split("\t") == ["orders-1", "breaker", f"{EVIL} · db", "open", "closed", "8 s"]
        await tab.value("document.querySelector('#state').close()")
        media = [{"name": "prefers-color-scheme", "value": "dark"}]
        await tab.call("Emulation.setEmulatedMedia", features=media)
        await tab.picture("dark")
        answers.facts = msgspec.structs.replace(
            FACTS, incidents=[], patterns=[], holds=[], minutes=[]
        )
        await tab.until("document.querySelectorAll('#incidents article').length === 0")
        assert "None is open" in await tab.value("document.body.innerText")
        assert tab.said == []
