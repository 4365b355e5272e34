"""Real servers with two workers each: each error in them is in Kafka once when they have ended."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from faultstream.ops import child
from tests.client import topics
from tests.until import until

MORE: Final = 10
APP: Final = """
    import os, sys, time
    from pathlib import Path
    from faultstream.client import Reporter

    reporter = Reporter("orders", brokers=os.environ["BROKER"], topic=os.environ["TOPIC"])
    reporter.report("Begun", f"in {os.getpid()}")

    def fail(path):
        if path == "/meet":  # both workers must come here: who is in waits for the other one
            folder = Path(os.environ["FOLDER"])
            (folder / f"in-{os.getpid()}").touch()
            while len(list(folder.glob("in-*"))) < 2:
                time.sleep(0.01)
        raise ConnectionError(f"in {os.getpid()}")
"""
WSGI: Final = """
    from faultstream.client.web import WsgiMiddleware

    def answer(environ, start_response):
        if environ["PATH_INFO"] == "/":
            start_response("200 OK", [])
            return [b""]
        fail(environ["PATH_INFO"])

    app = WsgiMiddleware(answer, reporter)
"""
ASGI: Final = """
    from starlette.applications import Starlette
    from starlette.responses import Response
    from starlette.routing import Route
    from faultstream.client.web import AsgiMiddleware

    async def well(request):
        return Response()

    async def failing(request):
        fail(request.url.path)

    app = Starlette(routes=[Route("/", well), Route("/meet", failing), Route("/fail", failing)])
    app.add_middleware(AsgiMiddleware, reporter=reporter)
"""


def status(port: int, path: str) -> int:
    """What a request is answered with; 0 when nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as exc:
        said = json.loads(exc.read())
        assert said["error"]["type"] == "ConnectionError"
        return exc.code
    except OSError:
        return 0


@contextmanager
def serving(argv: list[str], folder: Path, app: str, **env: str) -> Iterator[int]:
    """A server of the application; SIGTERM at the end, which it must heed with exit code 0."""
    (folder / "shop.py").write_text(textwrap.dedent(APP) + textwrap.dedent(app), "utf-8")
    port = child.free_port()
    output = folder / "server.out"
    with output.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", *(part.format(port=port) for part in argv)],
            cwd=folder,
            env={**os.environ, "FOLDER": str(folder), **env},
            stdout=out,
            stderr=out,
        )
    try:
        until(
            lambda: server.poll() is not None or status(port, "/") == 200,
            "the server answers",
            timeout_s=60,
        )
        yield port
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0, output.read_text()
    finally:
        server.kill()
        server.wait(60)


def fail_in_both(port: int, folder: Path) -> None:
    """One error in each worker, then more in whichever takes them."""
    first = threading.Thread(target=status, args=(port, "/meet"))
    first.start()
    until(lambda: [*folder.glob("in-*")], "one worker is busy", timeout_s=60)
    assert status(port, "/meet") == 500
    first.join()
    for _ in range(MORE):
        assert status(port, "/fail") == 500


def by_place(broker: str, topic: str, total: int) -> dict[str, dict[str, int]]:
    """How many errors of each type came from which process."""
    found: dict[str, dict[str, int]] = {}
    for event in topics.events(broker, topic, total):
        places = found.setdefault(event["error_type"], {})
        places[event["message"]] = places.get(event["message"], 0) + event.get("count", 1)
    return found


def test_gunicorn_whose_workers_fork_from_a_reporter_at_work(
    embedded_broker: str, prefix: str, tmp_path: Path
) -> None:
    """With preload_app the reporter has a thread before the fork; each error arrives once, those
    of the master too."""
    topics.create(embedded_broker, prefix)
    argv = ["gunicorn", "--preload", "--workers", "2", "--bind", "127.0.0.1:{port}", "shop:app"]
    with serving(argv, tmp_path, WSGI, BROKER=embedded_broker, TOPIC=prefix) as port:
        fail_in_both(port, tmp_path)
    found = by_place(embedded_broker, prefix, 1 + 2 + MORE)
    assert list(found["Begun"].values()) == [1]
    assert len(found["ConnectionError"]) == 2
    assert set(found["Begun"]).isdisjoint(found["ConnectionError"])


def test_uvicorn_whose_workers_are_new_processes(
    embedded_broker: str, prefix: str, tmp_path: Path
) -> None:
    """Each worker makes a reporter of its own, and delivers before it ends."""
    topics.create(embedded_broker, prefix)
    argv = ["uvicorn", "--workers", "2", "--port", "{port}", "shop:app"]
    with serving(argv, tmp_path, ASGI, BROKER=embedded_broker, TOPIC=prefix) as port:
        fail_in_both(port, tmp_path)
    found = by_place(embedded_broker, prefix, 2 + 2 + MORE)
    assert list(found["Begun"].values()) == [1, 1]
    assert set(found["ConnectionError"]) == set(found["Begun"])
