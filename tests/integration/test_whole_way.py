"""The whole way of one error on real parts: in by a plain producer, out as SQL."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from faultstream.cli import main
from faultstream.client import Executor, Outcome
from faultstream.core.records import RecoveryCommand
from tests.integration.running import KEY, Pipeline, Producer, error
from tests.kafka import ApacheKafka
from tests.until import until, until_async

AWAY_S = float(os.environ.get("FAULTSTREAM_AWAY_S", "0"))
POISON: tuple[bytes | None, ...] = (
    b"\x00\xff\xfe random bytes",
    b"[1, 2, 3]",
    b'{"service": 7, "error_type": "X"}',
    b'{"service": "s"}',
    b'{"service": "s", "error_type": "X", "count": -1}',
    b"[" * 50_000,
    b'{"service":"s","error_type":"X","tags":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001,
    b'"' + b"x" * 1_000_000 + b'"',
    None,
    error("odd", "X", time="2100-01-01T00:00:00Z"),
)
USABLE: tuple[bytes, ...] = (
    error("odd", "X", unknown_field={"a": [1]}),
    error("odd", "X", time=0),
    error("odd", "X", time="2099-12-31T23:59:59Z"),
    error("odd", "X", message="\u0000 and \ud800"),
    error("odd", "X", message="m" * 100_000),
)


@pytest.fixture(
    scope="module", params=["embedded", pytest.param("apache", marks=pytest.mark.kafka)]
)
def pipeline(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pipeline]:
    """One pipeline for all tests of a broker; Apache Kafka's is a node of its own."""
    folder = tmp_path_factory.mktemp("pipeline")
    if request.param == "embedded":
        with Pipeline(folder) as running:
            yield running
        return
    request.getfixturevalue("apache_kafka")  # skips or fails where it is absent
    node = ApacheKafka(tmp_path_factory.mktemp("kafka"))
    node.start()
    try:
        with Pipeline(folder, kafka=node.address) as running:
            running.node = node
            yield running
    finally:
        node.stop()


async def test_an_error_goes_the_whole_way(pipeline: Pipeline, tmp_path: Path) -> None:
    """JSON with service and error_type, without headers or ids, becomes a pattern, an incident and
    a command; the executor carries it out once; the errors stop; the incident is verified; all of
    it can be asked for in SQL."""
    carried_out: list[RecoveryCommand] = []
    executor = Executor(
        service="till",
        brokers=pipeline.brokers,
        instance="till-1",
        keys={"k1": KEY},
        journal=tmp_path / "journal",
    )

    def carry_out(command: RecoveryCommand) -> Outcome | None:
        carried_out.append(command)
        return None

    for strategy in ("retry", "circuit_break", "fallback", "pool_increase", "timeout_increase"):
        executor.handles(strategy)(carry_out)
    executor.start()
    try:
        async with Producer(pipeline.brokers) as producer:

            async def errors_until_commanded() -> bool:
                await producer.send(
                    error("till", "ConnectionRefusedError", "connect to db:5432 refused"),
                    key="till",
                )
                await asyncio.sleep(0.1)
                return bool(carried_out)

            await until_async(errors_until_commanded, "a command was carried out", timeout_s=30)
            incident = carried_out[0].incident_id
            until(
                lambda: (
                    pipeline.value(f"SELECT state FROM incidents WHERE incident_id = '{incident}'")
                    == "resolved"
                ),
                "the incident is resolved",
                timeout_s=60,
            )
    finally:
        executor.close()
    assert len({command.command_id for command in carried_out}) == len(carried_out)
    chain = pipeline.sql(f"SELECT * FROM incident_timeline WHERE incident_id = '{incident}'")
    steps = {row["what"] for row in chain}
    assert {"error", "pattern", "incident", "command", "result", "verification"} <= steps
    assert int(pipeline.value("SELECT sum(cured) FROM recovery_success")) == 1


def test_operators_see_and_steer_what_runs(pipeline: Pipeline) -> None:
    """incidents and show read what was recorded, with every decision of notification; a recovery
    asked for by hand is answered, and is an incident that resolve closes."""
    data = ("--data", str(pipeline.folder / "data"))
    brokers = ("--brokers", pipeline.brokers)
    until(
        lambda: pipeline.value(
            "SELECT count() > 1 FROM notification_decisions WHERE kind = 'sent'"
        ),
        "what became of the notifications is recorded",
        timeout_s=30,
    )
    found = [json.loads(line) for line in cli("incidents", "--all", *data).splitlines()]
    (till,) = [one for one in found if one["service"] == "till"]
    chain = json.loads(cli("show", till["incident_id"][:8], "--json", *data))
    assert {one["outcome"] for one in chain["verdicts"]} >= {"cured"}
    assert {one["kind"] for one in chain["tellings"]} >= {"grouped", "sent"}
    assert "# Post-incident analysis: till" in cli("post-incident", till["incident_id"], *data)
    asked = cli(
        "recover", "--service", "till", "--strategy", "circuit_break", "--by", "kim", *brokers
    )
    opened = asked.split()[0]
    assert "\n  till " in asked
    assert "  till closed: closed by kim" in cli("resolve", opened[:13], "--by", "kim", *brokers)


def cli(*arguments: str) -> str:
    """What a command prints that ends with 0."""
    answer = CliRunner().invoke(main, list(arguments), env={"FAULTSTREAM_CLICKHOUSE": None})
    assert answer.exit_code == 0, answer.output
    return answer.stdout


def test_the_gateway_tells_and_steers_the_same(pipeline: Pipeline) -> None:
    """Over HTTP incidents, one of them, health, the live page and sums are what was recorded; an
    operator's wish is answered, and nobody wishes without the token of the folder."""
    token = (pipeline.folder / "data" / "operator.token").read_text().strip()

    def ask(path: str, **body: str) -> dict[str, Any]:
        data = json.dumps(body).encode() if body else None
        headers = {"Authorization": f"Bearer {token}"} if body else {}
        request = urllib.request.Request(f"{pipeline.up['gateway']}{path}", data, headers)
        with urllib.request.urlopen(request) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    (till, *_) = ask("/v1/incidents?state=all&service=till")["incidents"]
    chain = ask(f"/v1/incidents/{till['incident_id'][:9]}")
    told = json.loads(
        cli("show", till["incident_id"], "--json", "--data", str(pipeline.folder / "data"))
    )
    for name in ("orders", "answers", "verdicts"):  # patterns may go on changing
        assert chain[name] == told[name]
    assert "till" in {one["service"] for one in ask("/v1/health")["services"]}
    live = ask("/v1/live")
    assert live["incidents"][0]["steps"]
    assert {one["service"] for one in live["services"]} >= {"till"}
    summary = ask("/v1/summary?hours=1")
    assert summary["incidents"]["opened"] >= 1
    assert summary["top"][0]["first_at"].endswith("Z")
    assert "till" in cli("top", "--once", "--data", str(pipeline.folder / "data"))
    answer = ask(f"/v1/incidents/{till['incident_id']}/recover", strategy="circuit_break")
    assert answer["answered"]
    name = answer["incident"]["incident_id"]
    assert ask(f"/v1/incidents/{name}/resolve", reason="enough")["detail"] == (
        "closed by operator: enough"
    )
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{pipeline.up['gateway']}/v1/pause", b"{}")


def test_sdks_of_others_end_as_rows(pipeline: Pipeline) -> None:
    """What Sentry's and OpenTelemetry's SDKs send to the gateway of `up` are rows of errors, with
    type, release, frames and a category."""
    gateway = str(pipeline.up["gateway"])
    dsn = gateway.replace("http://", "http://kiosk@") + "/7"
    for app, arguments in (("sentry_app", [dsn]), ("otel_app", [gateway, "", "gzip"])):
        file = Path(__file__).parents[1] / "gateway" / f"{app}.py"
        subprocess.run([sys.executable, str(file), *arguments], check=True, stdout=-1)
    record = {"service": "kiosk", "error_type": "OSError", "message": "No space left on device"}
    request = urllib.request.Request(f"{gateway}/v1/errors", json.dumps(record).encode())
    with urllib.request.urlopen(request) as answer:
        (event_id,) = json.load(answer)["ids"]
    query = (
        "SELECT service, error_type, release, category, frames, event_id FROM errors"
        " WHERE service = 'kiosk' OR release = '2.4.1' ORDER BY service, error_type"
    )
    until(lambda: len(pipeline.sql(query)) == 5, "all of them are recorded", timeout_s=30)
    message, disk, payment, traced, value = pipeline.sql(query)
    assert (message["error_type"], message["service"]) == ("LogError", "kiosk")
    assert (disk["category"], disk["event_id"]) == ("resource", event_id)
    assert (payment["error_type"], payment["release"]) == ("PaymentError", "2.4.1")
    assert (value["error_type"], value["service"], value["release"]) == (
        "ValueError", "till", "2.4.1",
    )  # fmt: skip
    assert (traced["error_type"], traced["service"]) == ("ConnectionResetError", "till")
    for row, function in ((payment, "fail"), (traced, "connect"), (value, "fail")):
        assert json.loads(row["frames"])[-1]["function"] == function


async def test_poison_is_kept_apart_and_counted(pipeline: Pipeline) -> None:
    """Bytes of every bad kind end as a dead letter with a reason, odd ones are used, nothing
    crashes, and recorded + dead-lettered = sent."""
    before = int(pipeline.value("SELECT count() FROM errors") or 0)
    dead = int(pipeline.value("SELECT count() FROM dead_letters") or 0)
    pids = pipeline.up["pids"]
    async with Producer(pipeline.brokers) as producer:
        for value in (*POISON, *USABLE):
            await producer.send(value, key="odd")  # type: ignore[arg-type]
    until(
        lambda: (
            int(pipeline.value("SELECT count() FROM errors") or 0) == before + len(USABLE)
            and int(pipeline.value("SELECT count() FROM dead_letters") or 0) == dead + len(POISON)
        ),
        "recorded and dead-lettered add up",
        timeout_s=30,
    )
    assert pipeline.value("SELECT countIf(reason = '') FROM dead_letters") in {0, "0"}
    assert pipeline.up["pids"] == pids


async def test_clickhouse_away_delays_no_recovery(pipeline: Pipeline) -> None:
    """While the engine is frozen commands still come; afterwards every row is there once.
    FAULTSTREAM_AWAY_S keeps it frozen for longer than the first command takes."""
    commands: list[str] = []
    executor = Executor(
        service="frozen", brokers=pipeline.brokers, instance="frozen-1", keys={"k1": KEY}
    )

    def note(command: RecoveryCommand) -> None:
        commands.append(command.command_id)

    for strategy in ("retry", "circuit_break", "fallback"):
        executor.handles(strategy)(note)
    executor.start()
    sent = 0
    back_at = time.monotonic() + AWAY_S
    pipeline.signal("clickhouse", signal.SIGSTOP)
    try:
        async with Producer(pipeline.brokers) as producer:

            async def commanded() -> bool:
                nonlocal sent
                value = error("frozen", "ConnectionResetError", "reset by peer")
                await producer.send(*[value] * 100, key="frozen")
                sent += 100
                await asyncio.sleep(0.1)
                return bool(commands) and time.monotonic() >= back_at

            await until_async(
                commanded, "a command while ClickHouse is away", timeout_s=AWAY_S + 30
            )
    finally:
        pipeline.signal("clickhouse", signal.SIGCONT)
        executor.close()
    until(
        lambda: (
            int(pipeline.value("SELECT count() FROM errors WHERE service = 'frozen'") or 0) == sent
        ),
        "the recorder caught up",
        timeout_s=60 + AWAY_S,
    )
    assert int(pipeline.value("SELECT sum(holes) FROM sink_offsets") or 0) == 0


@pytest.mark.parametrize(
    "pipeline", [pytest.param("apache", marks=pytest.mark.kafka)], indirect=True
)
async def test_a_broker_restart_is_survived(pipeline: Pipeline) -> None:
    """Apache Kafka stops and comes back: everything resumes by itself, and nothing is missing.
    (The embedded broker keeps nothing over a restart, so `up` ends with it.)"""
    node = pipeline.node
    assert node is not None
    async with Producer(pipeline.brokers) as producer:
        await producer.send(*[error("before", "KeyError", "k")] * 50, key="before")
    node.stop()
    node.start()
    async with Producer(pipeline.brokers) as producer:
        await producer.send(*[error("after", "KeyError", "k")] * 50, key="after")
    until(
        lambda: (
            int(
                pipeline.value("SELECT count() FROM errors WHERE service IN ('before', 'after')")
                or 0
            )
            == 100
        ),
        "both sides of the restart are recorded",
        timeout_s=90,
    )
