"""`faultstream sql` as a command: what runs, what lies in a folder, formats, and errors."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faultstream.analytics.queries import EXAMPLES
from faultstream.analytics.recorder import Recorder
from faultstream.analytics.serve import EngineProcess
from faultstream.config.topology import load
from tests.analytics.kit import TOPIC, errors

Ask = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder at rest with ten errors in it."""
    path = tmp_path_factory.mktemp("at-rest")
    engine = EngineProcess(path)
    engine.start()
    recorder = Recorder(engine.address(), load(None), "log")
    recorder.open()
    recorder.add("errors", TOPIC, 0, errors(0, 10))
    recorder.flush()
    recorder.close()
    assert engine.stop() == 0
    return path


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Path]:
    """The same folder while an engine runs in it, as `up` would say in up.json."""
    engine = EngineProcess(folder)
    engine.start()
    up = folder / "up.json"
    up.write_text(json.dumps({"clickhouse": f"http://127.0.0.1:{engine.port}/faultstream"}))
    yield folder
    up.unlink()
    engine.stop()


def ask(*arguments: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """Runs the command."""
    kept = {name: value for name, value in os.environ.items() if "FAULTSTREAM" not in name}
    return subprocess.run(
        [sys.executable, "-m", "faultstream", "sql", *arguments],
        input=stdin,
        env={**kept, **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_folder_at_rest(folder: Path) -> None:
    """The engine is opened for the question and the folder is free again afterwards."""
    for _ in range(2):
        done = ask("SELECT count() AS n FROM errors", "--data", str(folder))
        assert (done.returncode, done.stdout) == (0, '{"n":10}\n'), done.stderr
        assert "in which nothing runs" in done.stderr
    done = ask("DROP TABLE errors", FAULTSTREAM_DATA=str(folder))
    assert done.returncode == 2
    assert "not for users who may only read" in done.stderr


def test_formats(running: Path) -> None:
    """JSON Lines when piped, CSV with header, TSV, a table, and a FORMAT of one's own."""
    sql = "SELECT offset, message FROM errors ORDER BY offset LIMIT 2"
    at = {"FAULTSTREAM_DATA": str(running)}
    lines = ask(sql, **at).stdout.splitlines()
    assert [json.loads(line)["offset"] for line in lines] == [0, 1]
    table = list(csv.reader(io.StringIO(ask(sql, "--format", "csv", **at).stdout)))
    assert table == [["offset", "message"], ["0", "no answer in 0 ms"], ["1", "no answer in 1 ms"]]
    assert ask(sql, "--format", "tsv", **at).stdout.startswith("offset\tmessage\n0\t")
    drawn = ask(sql, "--format", "table", **at).stdout
    assert "message" in drawn
    assert "no answer in 1 ms" in drawn
    assert "┌" in ask(sql, "--format", "pretty", **at).stdout
    assert ask(sql + " FORMAT TSV;", **at).stdout == "0\tno answer in 0 ms\n1\tno answer in 1 ms\n"


def test_where_the_sql_comes_from(running: Path, tmp_path: Path) -> None:
    """Argument, file, standard input, or the name of a ready question."""
    at = {"FAULTSTREAM_DATA": str(running)}
    file = tmp_path / "q.sql"
    file.write_text("SELECT 1 AS x\n")
    assert ask("-f", str(file), **at).stdout == '{"x":1}\n'
    assert ask("-", stdin="SELECT 2 AS x", **at).stdout == '{"x":2}\n'
    assert ask(stdin="SELECT 3 AS x", **at).stdout == '{"x":3}\n'
    assert json.loads(ask("stored", **at).stdout)["records"] == 10
    listed = ask("--examples").stdout
    assert all(query.name in listed for query in EXAMPLES)
    assert ask(**at).returncode == 2


def test_errors_help(running: Path, tmp_path: Path) -> None:
    """A wrong table lists those there are; exit codes tell usage from unreachable."""
    at = {"FAULTSTREAM_DATA": str(running)}
    wrong = ask("SELECT * FROM incident", **at)
    assert wrong.returncode == 2
    assert "tables and views: availability_over, cascade_edges, command_log" in wrong.stderr
    assert "SYNTAX_ERROR" in ask("SELECT FROM WHERE", **at).stderr
    word = ask("what-hapened", **at)
    assert (word.returncode, word.stdout) == (2, "")
    assert "no ready question 'what-hapened'. Did you mean what-happened?" in word.stderr
    away = ask("SELECT 1", "--clickhouse", "http://127.0.0.1:1/faultstream")
    assert away.returncode == 3
    where = "http://default@127.0.0.1:1/faultstream"
    assert away.stderr == f"cannot reach it: ClickHouse at {where}: Connection refused\n"
    nothing = ask("SELECT 1", FAULTSTREAM_DATA=str(tmp_path / "none"))
    assert nothing.returncode == 3
    assert "nothing runs or is stored in" in nothing.stderr
    bad = ask("SELECT 1", "--clickhouse", "ch:9000")
    assert bad.returncode == 2
    assert "no address; must be http[s]://" in bad.stderr


def test_a_folder_that_is_busy_is_said_to_be(running: Path) -> None:
    """Without up.json the owner of the folder is named."""
    up = running / "up.json"
    kept = up.read_text()
    up.unlink()
    try:
        busy = ask("SELECT 1", "--data", str(running))
    finally:
        up.write_text(kept)
    assert busy.returncode == 2
    assert "is open in another process (id " in busy.stderr
