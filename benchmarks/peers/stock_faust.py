"""Faust as its documentation shows it: one record at a time, a table as the count.

    BROKERS=... TOPIC=... GROUP=... python stock_faust.py worker --without-web -l error

Prints how many records were counted so far.
"""

import os
import tempfile
import time
from typing import Any

import faust

app = faust.App(
    os.environ["GROUP"],
    broker=f"kafka://{os.environ['BROKERS']}",
    store="memory://",
    topic_partitions=4,
    topic_disable_leader=True,
    broker_session_timeout=30.0,
    table_standby_replicas=0,
    stream_wait_empty=False,
    datadir=tempfile.gettempdir() + f"/faust-{os.getpid()}",
)


def say(text: object) -> None:
    """To the real standard output; Faust logs what is printed."""
    os.write(1, f"{text}\n".encode())


class Event(faust.Record, serializer="json"):
    """The fields that the count needs."""

    service: str
    error_type: str
    time: int


topic = app.topic(os.environ["TOPIC"], value_type=Event)
counts = app.Table("counts", default=int, partitions=4)
state = {"done": 0, "told": 0.0}


@app.agent(topic)
async def count(events: Any) -> None:
    """Count by (service, error_type, minute)."""
    async for event in events:
        counts[f"{event.service} {event.error_type} {event.time // 60_000}"] += 1
        state["done"] += 1
        if time.monotonic() - state["told"] > 0.02:
            state["told"] = time.monotonic()
            say(int(state["done"]))


@app.timer(0.2)  # type: ignore[untyped-decorator]
async def tell() -> None:
    """The count so far, also when nothing comes."""
    say(int(state["done"]))


if __name__ == "__main__":
    app.main()
