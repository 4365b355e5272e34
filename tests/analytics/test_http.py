"""The embedded engine's HTTP interface, asked by plain HTTP and by ClickHouse's own client."""

import gzip
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import clickhouse_connect
import lz4.frame
import pytest

from faultstream.analytics.client import Address, Connection
from faultstream.analytics.errors import DataFolderBusy, SinkAway, SinkRefused
from faultstream.analytics.serve import PASSWORD, EngineProcess


class Answer:
    """Status, headers and body of one request."""

    def __init__(
        self,
        engine: EngineProcess,
        sql: str = "",
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        path: str = "/",
        **query: str,
    ) -> None:
        parameters = urllib.parse.urlencode({"query": sql, **query} if sql else query)
        request = urllib.request.Request(
            f"http://127.0.0.1:{engine.port}{path}?{parameters}", data=body, headers=headers or {}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                self.status, self.headers, self.body = answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as exc:
            self.status, self.headers, self.body = exc.code, exc.headers, exc.read()
        self.text = self.body.decode("utf-8", "replace")
        self.code = self.headers.get("X-ClickHouse-Exception-Code", "")


def as_recorder(engine: EngineProcess, **more: str) -> dict[str, str]:
    """Headers of the user that may write."""
    return {"X-ClickHouse-User": "recorder", "X-ClickHouse-Key": engine.password, **more}


@pytest.fixture(scope="module")
def table(engine: EngineProcess) -> Iterator[str]:
    """A table with one row."""
    head = as_recorder(engine)
    Answer(engine, body=b"CREATE TABLE http_t (a Int64) ENGINE MergeTree ORDER BY a", headers=head)
    Answer(engine, body=b"INSERT INTO http_t VALUES (1)", headers=head)
    yield "http_t"
    Answer(engine, body=b"DROP TABLE http_t", headers=head)


def test_ping_and_questions_by_get_and_post(engine: EngineProcess) -> None:
    """Without any client: /ping, GET, POST, formats, parameters, an empty question."""
    assert Answer(engine, path="/ping").text == "Ok.\n"
    assert Answer(engine).text == "Ok.\n"
    assert Answer(engine, "SELECT 1").text == "1\n"
    assert Answer(engine, body=b"SELECT 2").text == "2\n"
    assert json.loads(Answer(engine, "SELECT 3 AS x FORMAT JSONEachRow").body) == {"x": 3}
    assert Answer(engine, "SELECT {a:String} FORMAT TSVRaw", param_a="it's").text == "it's\n"
    limited = Answer(engine, "SELECT number FROM numbers(9)", max_result_rows="2")
    assert limited.code == "396"
    assert Answer(engine, "SELECT 1 AS x", default_format="CSVWithNames").text == '"x"\n1\n'


def test_large_answers_come_whole_and_in_pieces(engine: EngineProcess) -> None:
    """More than one block, and an answer that nobody reads to its end."""
    answer = Answer(engine, "SELECT number FROM numbers(300000)")
    assert answer.headers.get("Transfer-Encoding") == "chunked"
    assert answer.text.split() == [str(n) for n in range(300_000)]
    url = f"http://127.0.0.1:{engine.port}/?query=SELECT+number+FROM+numbers(1000000000)"
    for _ in range(8):
        with urllib.request.urlopen(url, timeout=30) as half:
            half.read(1000)
    assert Answer(engine, "SELECT 1").text == "1\n"


@pytest.mark.parametrize(
    ("sql", "status", "code"),
    [
        ("SELECT nope", 404, "47"),
        ("SELECT * FROM nope", 404, "60"),
        ("SELECT FROM WHERE", 400, "62"),
        ("SELECT throwIf(1)", 500, "395"),
    ],
)
def test_errors_carry_the_engines_code(
    engine: EngineProcess, sql: str, status: int, code: str
) -> None:
    """Status, code and message are those of a server."""
    answer = Answer(engine, sql)
    assert (answer.status, answer.code) == (status, code)
    assert f"Code: {code}. DB::Exception" in answer.text


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM file('{secret}', 'LineAsString')",
        "SELECT * FROM `file`('{secret}', 'LineAsString')",
        "SELECT * FROM `fi\\x6ce`('{secret}', 'LineAsString')",
        "SELECT * FROM `{secret}`",
        "SELECT * FROM url('file://{secret}', 'LineAsString')",
        "SELECT * FROM s3('http://127.0.0.1:1/bucket/x', 'LineAsString')",
        "SELECT * FROM remote('127.0.0.1:9000', system.one)",
        "DESCRIBE TABLE file('{secret}', 'CSVWithNames')",
        "SELECT (SELECT * FROM file('{secret}', 'LineAsString'))",
        "EXPLAIN SELECT * FROM file('{secret}', 'CSVWithNames')",
        "SELECT 1 INTO OUTFILE '{out}'",
        "SELECT 1; SELECT 1 INTO OUTFILE '{out}'",
        "INSERT INTO FUNCTION file('{out}', 'TSV', 'a Int8') VALUES (1)",
        "DROP TABLE http_t",
        "INSERT INTO http_t VALUES (2)",
        "SET readonly = 0",
        "SELECT 1 SETTINGS readonly = 0",
        "CREATE TABLE x (a Int8) ENGINE Memory",
        "SYSTEM FLUSH LOGS",
        "KILL QUERY WHERE 1",
    ],
)
@pytest.mark.parametrize("post", [True, False])
def test_readers_get_neither_at_the_host_nor_at_the_data(
    engine: EngineProcess, table: str, tmp_path: Path, sql: str, post: bool
) -> None:
    """No file is read or written, no table changed, whatever the way in."""
    secret, out = tmp_path / "secret.csv", tmp_path / "out"
    secret.write_text("hidden\n")
    text = sql.format(secret=secret, out=out)
    body = text.encode() if post else None
    for readonly in ("1", "0", "2"):
        answer = Answer(engine, "" if post else text, body, readonly=readonly)
        assert answer.status >= 400, answer.text
        assert "hidden" not in answer.text
    assert not out.exists()
    assert Answer(engine, f"SELECT count() FROM {table}").text == "1\n"


def test_who_may_ask(engine: EngineProcess) -> None:
    """Wrong passwords and unknown users are one answer; the recorder may write by POST only."""
    for headers in (
        {"X-ClickHouse-User": "recorder", "X-ClickHouse-Key": "wrong"},
        {"X-ClickHouse-User": "recorder"},
        {"X-ClickHouse-User": "nobody"},
        {"X-ClickHouse-User": "default", "X-ClickHouse-Key": "x"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic cmVjb3JkZXI6eA=="},
    ):
        answer = Answer(engine, "SELECT 1", headers=headers)
        assert (answer.status, answer.code) == (401, "516")
    head = as_recorder(engine)
    assert Answer(engine, "SELECT 1", headers=head).text == "1\n"
    get = Answer(engine, "CREATE TABLE by_get (a Int8) ENGINE Memory", headers=head)
    assert (get.status, get.code) == (403, "164")


def test_bounds(engine: EngineProcess) -> None:
    """Bodies past the limit, packed ones too, and names of other hosts are refused."""
    big = b"SELECT 1 -- " + b"x" * 1_000_000
    assert Answer(engine, body=big).status == 413
    packed = Answer(engine, body=gzip.compress(big), headers={"Content-Encoding": "gzip"})
    assert packed.status == 413
    for encoding, body in (("gzip", b"no gzip"), ("lz4", b"no lz4"), ("br", b"x")):
        answer = Answer(engine, body=body, headers={"Content-Encoding": encoding})
        assert answer.status == 400, encoding
    assert Answer(engine, body=b"SELECT \xff").status == 400
    assert Answer(engine, "SELECT 1", headers={"Host": "evil.example"}).status == 421
    assert Answer(engine, "SELECT 1", headers={"Host": "localhost:1"}).status == 200


def test_rows_come_packed_or_plain(engine: EngineProcess, table: str) -> None:
    """INSERT with rows in the body, plain, gzip and lz4; the statement in address or body."""
    sql, rows = "INSERT INTO http_t FORMAT TSV", b"7\n8\n"
    for encoding, body in (
        ("identity", rows),
        ("gzip", gzip.compress(rows)),
        ("lz4", lz4.frame.compress(rows)),
    ):
        head = as_recorder(engine, **{"Content-Encoding": encoding})
        assert Answer(engine, sql, body, head).status == 200
    assert Answer(engine, body=sql.encode() + b"\n9\n", headers=as_recorder(engine)).status == 200
    answer = Answer(engine, f"SELECT groupArray(a) FROM (SELECT a FROM {table} ORDER BY a)")
    assert answer.text == "[1,7,7,7,8,8,8,9]\n"
    Answer(engine, body=b"DELETE FROM http_t WHERE a > 1", headers=as_recorder(engine))


@pytest.mark.parametrize("compress", [False, "lz4", "gzip"])
def test_clickhouse_connect_works_as_with_a_server(
    engine: EngineProcess, compress: str | bool
) -> None:
    """Reader and writer, native inserts, streams, parameters and settings of the usual client."""
    writer = clickhouse_connect.get_client(
        host="127.0.0.1", port=engine.port, username="recorder", password=engine.password,
        compress=compress,
    )  # fmt: skip
    writer.command("CREATE OR REPLACE TABLE cc (a Int64, b String) ENGINE MergeTree ORDER BY a")
    writer.insert("cc", [[1, "x"], [2, "it's\0"]], column_names=["a", "b"])
    reader = clickhouse_connect.get_client(host="127.0.0.1", port=engine.port, compress=compress)
    found = reader.query("SELECT * FROM cc WHERE a > {low:Int64} ORDER BY a", {"low": 1})
    assert found.result_rows == [(2, "it's\0")]
    with reader.query_row_block_stream("SELECT number FROM numbers(200000)") as blocks:
        assert sum(len(block) for block in blocks) == 200_000
    with pytest.raises(clickhouse_connect.driver.exceptions.DatabaseError, match="READONLY"):
        reader.insert("cc", [[3, "y"]], column_names=["a", "b"])
    writer.command("DROP TABLE cc")
    writer.close()
    reader.close()


def test_one_folder_one_owner(engine: EngineProcess) -> None:
    """A second process is told who has the folder open."""
    with pytest.raises(DataFolderBusy, match=f"is open in another process \\(id {engine.pid}\\)"):
        EngineProcess(engine.data).start()


def test_the_command_ends_cleanly_on_sigterm(tmp_path: Path) -> None:
    """`faultstream engine` says where it listens, and SIGTERM ends it with code 0."""
    environment = {**os.environ, PASSWORD: "pw"}
    with subprocess.Popen(
        [sys.executable, "-m", "faultstream", "engine", "--port", "0", "--data", str(tmp_path)],
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = Address.parse(line.split(",")[0])
        with urllib.request.urlopen(f"http://127.0.0.1:{address.port}/ping", timeout=30) as ping:
            assert ping.read() == b"Ok.\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_addresses() -> None:
    """An address is taken apart, and one that is none is refused without repeating it."""
    address = Address.parse("https://me:p%40ss@ch.example/db")
    assert (address.host, address.port, address.password) == ("ch.example", 8443, "p@ss")
    assert "p@ss" not in repr(address)
    for text in ("ch:9000", "http:///db", "http://u:secret@h:x/db", "http://h/", "http://h/a;b"):
        with pytest.raises(ValueError, match="expected http") as wrong:
            Address.parse(text)
        assert "secret" not in str(wrong.value)


def test_wrong_addresses_say_what_is_wrong(engine: EngineProcess) -> None:
    """Nobody listening is waited out; a wrong password or a missing database is not."""
    with pytest.raises(SinkAway, match=r"http://default@127\.0\.0\.1:1/db"):
        Connection(Address(host="127.0.0.1", port=1, database="db"), timeout_s=2).rows("SELECT 1")
    wrong = Address(
        host="127.0.0.1", port=engine.port, database="db", username="recorder", password="no"
    )
    with pytest.raises(SinkRefused, match="user or password is wrong") as refused:
        Connection(wrong).rows("SELECT 1")
    assert refused.value.code == 516
    missing = Address(host="127.0.0.1", port=engine.port, database="missing")
    with pytest.raises(SinkRefused, match="there is no such database"):
        Connection(missing).rows("SELECT 1")
    with pytest.raises(SinkRefused, match="may only read"):
        Connection(engine.address(writer=False)).create_database()
