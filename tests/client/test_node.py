"""The examples for Node work: an event is reported, a signed command carried out and answered."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from faultstream import wire
from faultstream.core import signing
from faultstream.core.records import Target
from faultstream.formats import native
from tests.client import topics
from tests.until import until

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples" / "node"
CACHE = Path(__file__).parents[2] / ".cache" / "node"


def absent(reason: str) -> None:
    """Skip at home; fail in CI, which installs it."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def examples() -> Path:
    """A folder with the examples and the library that they use, fetched once."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        absent("node and npm are not installed")
    CACHE.mkdir(parents=True, exist_ok=True)
    for file in EXAMPLES.iterdir():
        if file.is_file():
            shutil.copy(file, CACHE)
    if not (CACHE / "node_modules" / "kafkajs").is_dir():
        argv = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]
        done = subprocess.run(
            argv, cwd=CACHE, capture_output=True, text=True, timeout=240, check=False
        )
        if done.returncode:
            absent(f"npm could not install kafkajs: {done.stderr[-500:]}")
    return CACHE


def env(broker: str) -> dict[str, str]:
    """Where it is and the key."""
    return {
        **os.environ, "FAULTSTREAM_KAFKA": broker, "FAULTSTREAM_SIGNING_KEY": topics.KEY.decode()
    }  # fmt: skip


def test_node_reports_an_error(examples: Path, embedded_broker: str, prefix: str) -> None:
    """The pipeline admits the event, with its frames, as any other."""
    topics.create(embedded_broker, prefix)
    argv = ["node", "producer.js", "till", "PaymentError", "card refused", prefix]
    subprocess.run(argv, cwd=examples, env=env(embedded_broker), timeout=60, check=True)
    [record] = topics.read(embedded_broker, prefix, len)
    event = native.admit(record.value or b"", timestamp_ms=0)
    assert record.key == b"till"
    assert (event.service, event.error_type, event.message) == (
        "till", "PaymentError", "card refused",
    )  # fmt: skip
    assert event.frames[-1].file.endswith("producer.js")
    assert event.frames[-1].in_app


def test_node_carries_commands_out(examples: Path, embedded_broker: str, prefix: str) -> None:
    """Once; not what is forged, for others or repeated; what is expired is answered as such."""
    commands, results = f"{prefix}.commands.v1", f"{prefix}.results.v1"
    topics.create(embedded_broker, commands, results)
    now = time.time_ns() // 1_000_000
    good = topics.command("cache_clear", parameters={"pattern": "user:*"})
    late = topics.command("cache_clear", issued_at_ms=now - 9_000, expires_at_ms=now - 1)
    last = topics.command("cache_clear", parameters={"pattern": "last"})
    other = topics.command(
        "cache_clear", target=Target(environment="production", service="orders", instances=["o2"])
    )
    forged = topics.command("cache_clear")
    value = wire.encode(forged)
    topics.publish(
        embedded_broker,
        commands,
        topics.signed(other),
        (value, signing.headers(value, b"another key of 16 bytes", "k1")),
        topics.signed(good),
        topics.signed(good),
        topics.signed(late),
        topics.signed(last),
        partition=0,
    )
    argv = ["node", "executor.js", "orders", "o1", "production", f"{prefix}."]
    with subprocess.Popen(argv, cwd=examples, env=env(embedded_broker)) as process:
        try:
            found = topics.results(embedded_broker, results, 3)
            records = topics.read(embedded_broker, results, lambda all_: len(all_) >= 3)
        finally:
            process.terminate()
        until(lambda: process.poll() is not None, "it ends when asked to")
    assert all(signing.signed(one.value or b"", one.headers, topics.KEYS) for one in records)
    told = {one.command_id: (one.status, one.message, one.instance) for one in found}
    assert told == {
        good.command_id: ("success", "cleared user:*", "o1"),
        late.command_id: ("expired", "", "o1"),
        last.command_id: ("success", "cleared last", "o1"),
    }
