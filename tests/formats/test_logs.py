"""Log formats: what each line opens and carries on, and what a record tells."""

import re
from datetime import timedelta, timezone
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultstream.core.event import ErrorEvent
from faultstream.formats.logs import FORMATS
from faultstream.formats.logs.format import Format
from faultstream.formats.logs.joiner import MAX_LINES, Joiner
from faultstream.formats.logs.stamp import Now, epoch, milliseconds

NOW = Now(1_795_312_899_120)  # 2026-11-22T02:01:39.120Z
PYTHON = """2026-11-22 02:01:39,120 ERROR shop.orders charge failed
Traceback (most recent call last):
  File "/app/shop/db.py", line 10, in connect
    raise OSError(111, "refused")
ConnectionRefusedError: [Errno 111] refused

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/shop/web.py", line 3, in handle
    charge()
  File "/app/shop/orders.py", line 7, in charge
    raise OrderError("no database") from exc
shop.errors.OrderError: no database
"""
JAVA = """2026-11-22T02:01:39.120Z ERROR 1 --- [nio-8080-exec-1] c.e.OrderController : charge failed
java.lang.IllegalStateException: no database
\tat com.example.Orders.charge(Orders.java:17) ~[classes!/:na]
\tat com.example.Web.handle(Web.java:9) ~[classes!/:na]
Caused by: java.sql.SQLException: refused
\tat org.postgresql.Driver.connect(Driver.java:5)
\t... 12 more
"""
NODE = """TypeError [ERR_X]: Cannot read properties of undefined (reading 'id')
    at charge (/app/orders.js:17:9)
    at async handle (file:///app/web.js:9:3) {
  code: 'ERR_X',
  [cause]: Error: refused
      at connect (/app/db.js:1:2)
}
"""
GO = """panic: runtime error: index out of range [5] with length 3

goroutine 1 [running]:
main.charge(0x5)
\t/app/orders.go:17 +0x1d
main.(*Server).handle(...)
\t/app/web.go:9
created by main.main in goroutine 1
\t/app/main.go:3 +0x4
exit status 2
"""
NGINX = (
    "2026/11/22 02:01:39 [error] 12#12: *3 connect() failed (111: Connection refused) while "
    'connecting to upstream, client: 10.0.0.9, server: _, request: "GET /orders?key=1 HTTP/1.1", '
    'upstream: "http://10.0.0.2:80/orders", host: "shop"\n'
)
ACCESS = '10.0.0.9 - - [22/Nov/2026:02:01:39 +0000] "GET /orders?key=1 HTTP/1.1" 502 157 "-" "x"\n'
SYSLOG = "<11>Nov 22 02:01:39 node1 kernel: Out of memory: Killed process 17 (orders)\n"
PINO = orjson.dumps(
    {"level": 50, "time": NOW.ms, "hostname": "h", "msg": "charge failed", "reqId": "r",
     "err": {"type": "TypeError", "message": "no id", "stack": NODE}}
).decode() + "\n"  # fmt: skip
STRUCTLOG = orjson.dumps(
    {"level": "error", "event": "charge failed", "timestamp": "2026-11-22T02:01:39.120Z",
     "logger": "shop", "exception": PYTHON.partition("\n")[2]}
).decode() + "\n"  # fmt: skip
LOGBACK = orjson.dumps(
    {"@timestamp": "2026-11-22T02:01:39.120Z", "level": "ERROR", "logger_name": "c.e.Orders",
     "message": "charge failed", "stack_trace": JAVA.partition("\n")[2], "app": "orders"}
).decode() + "\n"  # fmt: skip
ZAP = orjson.dumps(
    {"level": "error", "ts": NOW.ms / 1000, "msg": "charge failed", "error": "refused",
     "stacktrace": "main.charge\n\t/app/orders.go:17\nmain.main\n\t/app/main.go:3"}
).decode() + "\n"  # fmt: skip
LOGFMT = (
    'time=2026-11-22T02:01:39.120Z level=ERROR msg="charge failed" component=shop trace_id=a1 '
    'err="open \\"x\\": no such file"\n'
)
SPRING = """2026-11-22T02:01:39.120Z ERROR 1 --- [main] c.e.Web : threw exception with root cause

java.lang.IllegalStateException: no database
\tat com.example.Web.handle(Web.java:9) ~[classes!/:na]
"""
GROUP = """2026-11-22 02:01:39,120 ERROR shop.orders failed
  + Exception Group Traceback (most recent call last):
  |   File "/app/shop/web.py", line 8, in main
  |     async with asyncio.TaskGroup() as tg:
  | ExceptionGroup: in a TaskGroup (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/app/shop/web.py", line 3, in a
    |     raise ValueError("one")
    |     ^^^^^^^^^^^^^^^^^^^^^^^
    | ValueError: one
    +---------------- 2 ----------------
    | KeyError: 'two'
    +------------------------------------
"""
OUTER = (
    GROUP
    + """
The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/shop/web.py", line 11, in plain
    raise LookupError("outer") from e
LookupError: outer
"""
)
EXAMPLES = {
    "logfmt": LOGFMT,
    "python": PYTHON, "java": JAVA, "node": NODE, "go": GO, "nginx-error": NGINX,
    "access": ACCESS, "syslog": SYSLOG, "json": PINO,
}  # fmt: skip
WANTED: dict[str, tuple[str, dict[str, Any]]] = {
    "logfmt": (LOGFMT, {
        "error_type": "LogError", "message": 'open "x": no such file', "trace_id": "a1",
        "component": "shop", "tags": {"log_message": "charge failed"}}),
    "spring": (SPRING, {
        "error_type": "java.lang.IllegalStateException", "message": "no database",
        "tags": {"log_message": "threw exception with root cause"},
        "frames": ["Web.java:handle:9"]}),
    "group": (GROUP, {
        "error_type": "ExceptionGroup", "message": "in a TaskGroup (2 sub-exceptions)",
        "causes": ["ValueError: one", "KeyError: 'two'"], "frames": ["/app/shop/web.py:main:8"]}),
    "group with a consequence": (OUTER, {
        "error_type": "LookupError", "message": "outer", "frames": ["/app/shop/web.py:plain:11"],
        "causes": ["ExceptionGroup: in a TaskGroup (2 sub-exceptions)", "ValueError: one",
                   "KeyError: 'two'"]}),
    "old node": ("(node:12) UnhandledPromiseRejectionWarning: Error: no\n    at f (/a.js:1:2)\n", {
        "error_type": "Error", "message": "no", "frames": ["/a.js:f:1"]}),
    "python": (PYTHON, {
        "error_type": "shop.errors.OrderError", "message": "no database",
        "causes": ["ConnectionRefusedError: [Errno 111] refused"],
        "frames": ["/app/shop/web.py:handle:3", "/app/shop/orders.py:charge:7"]}),
    "java": (JAVA, {
        "error_type": "java.lang.IllegalStateException", "message": "no database",
        "component": "c.e.OrderController", "causes": ["java.sql.SQLException: refused"],
        "frames": ["Web.java:handle:9", "Orders.java:charge:17"]}),
    "node": (NODE, {
        "error_type": "TypeError", "causes": ["Error: refused"], "tags": {"code": "ERR_X"},
        "frames": ["file:///app/web.js:handle:9", "/app/orders.js:charge:17"]}),
    "go": (GO, {
        "error_type": "runtime.Error", "severity": "fatal",
        "frames": ["/app/main.go:main:3", "/app/web.go:(*Server).handle:9",
                   "/app/orders.go:charge:17"]}),
    "nginx": (NGINX, {
        "error_type": "NginxError", "operation": "GET /orders",
        "message": "connect() failed (111: Connection refused) while connecting to upstream"}),
    "access": (ACCESS, {
        "error_type": "HttpServerError", "http_status": 502, "operation": "GET /orders",
        "message": "HTTP 502 for GET /orders"}),
    "syslog": (SYSLOG, {
        "error_type": "SyslogError", "component": "kernel", "host": "node1",
        "message": "Out of memory: Killed process 17 (orders)"}),
    "pino": (PINO, {
        "error_type": "TypeError", "message": "no id", "request_id": "",
        "tags": {"log_message": "charge failed"}, "causes": ["Error: refused"]}),
    "structlog": (STRUCTLOG, {
        "error_type": "shop.errors.OrderError", "message": "no database", "component": "shop"}),
    "logback": (LOGBACK, {
        "error_type": "java.lang.IllegalStateException", "service": "orders",
        "causes": ["java.sql.SQLException: refused"]}),
    "zap": (ZAP, {
        "error_type": "panic", "message": "refused",
        "frames": ["/app/main.go:main:3", "/app/orders.go:charge:17"]}),
}  # fmt: skip


def events(text: str, now: Now = NOW) -> list[ErrorEvent]:
    """The events of a whole text."""
    joiner = Joiner()
    found = [joiner.feed(line, 0) for line in text.split("\n")]
    records = [record for record in (*found, joiner.end()) if record is not None]
    read = [record.format.read(record.lines, now) for record in records]
    return [event for event in read if event is not None]


def shown(event: ErrorEvent, name: str) -> Any:
    """A field in a form that is easy to write down."""
    if name == "causes":
        return [f"{cause.error_type}: {cause.message}" for cause in event.causes]
    if name == "frames":
        return [f"{frame.file}:{frame.function}:{frame.line}" for frame in event.frames]
    return getattr(event, name)


@pytest.mark.parametrize("name", WANTED)
def test_example(name: str) -> None:
    """A record of each kind of log becomes the one event that it tells of."""
    text, wanted = WANTED[name]
    (event,) = events(text)
    assert {field: shown(event, field) for field in wanted} == wanted
    if name not in {"node", "old node", "go"}:
        whole_seconds = name in {"nginx", "access", "syslog"}
        assert event.time == (NOW.ms - 120 if whole_seconds else NOW.ms)


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-22 02:01:39,120 INFO shop.orders charged",
        "2026-11-22 02:01:39,120 - shop - WARNING - slow",
        "02:01:39.120 [main] INFO  c.e.Orders - started",
        "Error: usage",
        "Starting up",
        '10.0.0.9 - - [22/Nov/2026:02:01:39 +0000] "GET /x HTTP/1.1" 404 1 "-" "x"',
        "2026/11/22 02:01:39 [notice] 12#12: start worker processes",
        "<14>Nov 22 02:01:39 node1 app[3]: an error that its sender calls information",
        "Nov 22 02:01:39 node1 sshd[3]: Accepted publickey for ann",
        '{"level":30,"msg":"fine"}',
        'time=2026-11-22T02:01:39.120Z level=INFO msg="err=none"',
        "result=error without a level",
        '{"not":"a log"}',
        "{broken}",
        "",
    ],
)
def test_no_error(line: str) -> None:
    """What is no error gives no event."""
    assert events(line) == []


@pytest.mark.parametrize(
    ("line", "message", "component"),
    [
        ("ERROR:shop.orders:charge failed", "charge failed", "shop.orders"),
        ("2026-11-22 02:01:39,120 - shop - CRITICAL - down", "down", "shop"),
        ("[2026-11-22 02:01:39 +0000] [7] [ERROR] Worker (pid:8) was sent SIGKILL!",
         "Worker (pid:8) was sent SIGKILL!", ""),
        ("2026-11-22 02:01:39.120 | ERROR    | shop.orders:charge:7 - no", "no",
         "shop.orders:charge:7"),
        ("02:01:39.120 [main] ERROR c.e.Orders - charge failed", "charge failed", "c.e.Orders"),
        ("2026-11-22 02:01:39,120 ERROR [c.e.Orders] (main) no", "no", "c.e.Orders"),
    ],
)  # fmt: skip
def test_heads(line: str, message: str, component: str) -> None:
    """The usual layouts of loggers are known."""
    (event,) = events(line)
    assert (event.error_type, event.message, event.component) == ("LogError", message, component)


def test_records_stay_apart() -> None:
    """Every example after every other, each once, whatever comes before and between."""
    whole = "".join(f"{a}noise\n{b}" for a in EXAMPLES.values() for b in EXAMPLES.values())
    assert len(events(whole)) == 2 * len(EXAMPLES) ** 2


@pytest.mark.parametrize("before", [GROUP, SPRING, OUTER, PYTHON])
def test_what_follows_a_trace_stands_alone(before: str) -> None:
    """The next record is none of a trace's lines, whatever the trace ends with."""
    found = events(before + "2026-11-22 02:01:40,000 ERROR shop.orders next\n")
    assert [event.message for event in found][1:] == ["next"]


def test_gap_is_only_for_errors() -> None:
    """An exception after an empty line belongs to an error that was logged, not to any line."""
    thrown = SPRING.partition("\n\n")[2]
    assert len(events(SPRING)) == len(events("10:00:00.000 INFO a started\n\n" + thrown)) == 1


def test_an_error_event_passes() -> None:
    """A line that is an event of ours stays what it is."""
    line = '{"service":"orders","error_type":"E","message":"password=x1"}'
    (event,) = events(line)
    assert (event.service, event.error_type, event.message) == (
        "orders", "E", "password=[scrubbed]"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2026-11-22 02:01:39,120", NOW.ms),
        ("2026-11-22T03:01:39.120+01:00", NOW.ms),
        ("2026/11/22 02:01:39", NOW.ms - 120),
        ("22/Nov/2026:02:01:39 +0000", NOW.ms - 120),
        ("Nov 22 02:01:39", NOW.ms - 120),
        ("Dec 24 00:00:00", 1_766_534_400_000),
        ("02:01:39.120", NOW.ms),
        ("Feb 30 00:00:00", None),
        ("soon", None),
    ],
)
def test_times(text: str, wanted: int | None) -> None:
    """Times of all formats; what they leave out comes from now and here."""
    assert milliseconds(text, NOW) == wanted


def test_zone_of_times_without_one() -> None:
    """A time without a zone is one of the zone that is given."""
    there = Now(NOW.ms, timezone(timedelta(hours=2)))
    assert milliseconds("2026-11-22 04:01:39,120", there) == NOW.ms


@pytest.mark.parametrize("factor", [1e-3, 1, 1e3, 1e6])
def test_epochs(factor: float) -> None:
    """Seconds to nanoseconds are told apart."""
    assert epoch(NOW.ms * factor) == NOW.ms


def test_record_bound() -> None:
    """A trace without end is cut at its bound, and what follows it is read."""
    head = "Traceback (most recent call last):\n"
    text = head + "  x\n" * (2 * MAX_LINES) + "ValueError: x\nERROR:a:b\n"
    joiner = Joiner()
    found = [joiner.feed(line, 0) for line in text.split("\n")]
    first = next(record for record in found if record is not None)
    assert len(first.lines) == MAX_LINES
    assert [event.message for event in events(text)][-1] == "b"


# Laws over every format.


def test_every_format_has_an_example() -> None:
    """The list and the examples agree."""
    assert [format_.name for format_ in FORMATS if format_.name not in EXAMPLES] == []
    assert len({format_.name for format_ in FORMATS}) == len(FORMATS) == len(EXAMPLES)


@pytest.mark.parametrize("format_", FORMATS, ids=lambda one: one.name)
def test_example_opens_its_format_alone(format_: Format) -> None:
    """The first line of its example opens the format, and no format before it in the list."""
    line = EXAMPLES[format_.name].partition("\n")[0]
    assert format_.begin(line) is not None
    assert next(one for one in FORMATS if one.begin(line) is not None) is format_


hostile = st.text(
    st.sampled_from("aA1 \t:.[]{}()\"'/\\-,<>|é\ud800\x00") | st.characters(), max_size=200
)
starts = st.sampled_from([line for text in EXAMPLES.values() for line in text.split("\n")] + [""])


@given(st.lists(st.tuples(starts, st.integers(0, 80), hostile), min_size=1, max_size=8))
def test_any_lines(parts: list[tuple[str, int, str]]) -> None:
    """Whatever the lines, every format reads them or leaves them; equal lines, equal events."""
    lines = [re.sub(r"[\n\r]", "", start[:place] + rest) for start, place, rest in parts]
    text = "\n".join(lines)
    assert events(text) == events(text)
    for format_ in FORMATS:
        state = format_.begin(lines[0])
        for line in lines[1:]:
            state = None if state is None else format_.follow(state, line)
        format_.read(lines, NOW)
