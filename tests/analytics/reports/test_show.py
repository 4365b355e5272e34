"""`faultstream incidents` and `show` over what the pipeline recorded."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from faultstream.analytics import chain as reading
from faultstream.analytics.chain import read
from faultstream.analytics.client import Connection
from faultstream.analytics.queries import EXAMPLES, Query
from faultstream.analytics.serve import EngineProcess
from faultstream.cli import main
from faultstream.cli.reading import chosen
from faultstream.cli.show_tree import freshness, tree
from faultstream.core.report.chain import Answer, Chain, Head, Order, Verdict
from faultstream.core.report.facts import Analysis
from faultstream.core.report.post_incident import post_incident

Ask = Callable[..., Result]
SECOND = "03a54aeb"


@pytest.fixture
def ask(recorded_data: Path) -> Ask:
    """Calls a command on the recorded data; standard output is no terminal, 80 columns wide."""

    def run(*arguments: str, data: Path = recorded_data) -> Result:
        environment = {"COLUMNS": "80", "FAULTSTREAM_CLICKHOUSE": None}
        return CliRunner().invoke(main, [*arguments, "--data", str(data)], env=environment)

    return run


def shown(chain: Chain) -> str:
    """The tree as a terminal of 80 columns shows it."""
    console = Console(width=80, file=io.StringIO(), highlight=False)
    console.print(tree(chain))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(len(line) for line in text.splitlines()) <= 80
    return str(text)


def test_open_ones_by_default_and_all_on_request(ask: Ask) -> None:
    """Resolved incidents are left out; with --all every one is a JSON object, newest first."""
    assert ask("incidents").stdout == ""
    found = [json.loads(line) for line in ask("incidents", "--all").stdout.splitlines()]
    assert [one["service"] for one in found] == ["payments", "search", "payments", "payments"]
    assert found[2]["incident_id"].startswith(SECOND)
    assert found[2]["tried"] == ["pool_increase recurring", "timeout_increase cured"]
    assert found[2]["recovered_after_s"] == 21


def test_filters(ask: Ask) -> None:
    """By service, environment and how long ago; values are values and no SQL."""
    search = ask("incidents", "--all", "--service", "search").stdout.splitlines()
    assert [json.loads(line)["state"] for line in search] == ["resolved"]
    for nothing in (("--service", "' OR '1'='1"), ("--environment", "staging"), ("--since", "7d")):
        answer = ask("incidents", "--all", *nothing)
        assert (answer.exit_code, answer.stdout) == (0, ""), nothing


def test_formats(ask: Ask) -> None:
    """CSV with names; a table within 80 columns that says how fresh it is."""
    table = list(csv.reader(io.StringIO(ask("incidents", "--all", "--format", "csv").stdout)))
    assert table[0][0] == "incident_id"
    assert len(table) == 5
    people = ask("incidents", "--all", "--format", "table")
    lines = people.stdout.splitlines()
    assert lines[0].split() == ["id", "service", "severity", "state", "opened", "why"]
    assert lines[3].startswith(f"{SECOND} payments critical resolved ")
    assert max(map(len, lines)) <= 80
    assert people.stderr.startswith("4 incidents; newest row stored ")


def test_show_is_the_whole_chain(ask: Ask) -> None:
    """Errors under their pattern, commands with reason, answer and verdict, who was told; in the
    order of what led to what, within 80 columns."""
    answer = ask("show", SECOND)
    assert answer.exit_code == 0, answer.output
    assert max(map(len, answer.stdout.splitlines())) <= 80
    words = " ".join(answer.stdout.replace("│", " ").split())
    places = [
        words.index(part)
        for part in (
            "payments: critical incident resolved after 21 s",
            "+0.0 s critical psycopg.OperationalError in payments, 9 errors",
            "FATAL: too many connections for role pay of 10.0.0.7",
            "payments then checkout, 300 ms later",
            "+0.0 s command 1: pool_increase",
            "+0.3 s success by test on payments-1",
            "+8.3 s recurring: payments-1 is done",
            "+8.3 s command 2: timeout_increase",
            "+21 s cured",
            "+21 s resolved: timeout_increase cured it",
            "+1.0 s sent on log: first",
        )
    ]
    assert places == sorted(places)
    assert answer.stderr.startswith("newest row stored ")


def test_show_as_json(ask: Ask) -> None:
    """Everything as one object, times as RFC 3339."""
    found = json.loads(ask("show", SECOND, "--json").stdout)
    assert found["incident"]["resolved_at"] == "2023-11-14T22:53:21.000Z"
    assert [one["at"] for one in found["orders"]] == [
        "2023-11-14T22:53:00.000Z",
        "2023-11-14T22:53:08.300Z",
    ]
    assert {edge["target"] for one in found["around"] for edge in one["edges"]} == {"checkout"}


def test_any_id_of_it_will_do(ask: Ask, stored: Connection) -> None:
    """The beginning of a command's or a pattern's id means its incident."""
    chain = read(stored, chosen(stored, SECOND))
    for one in (chain.orders[1].command_id[:13], chain.patterns[0].pattern_id, SECOND.upper()):
        assert ask("show", one).stdout.splitlines()[1].endswith(chain.incident.incident_id), one


def test_unknown_and_unclear_ids(
    ask: Ask,
    stored: Connection,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Unknown: 1 and where to look. Unclear: 2 and those that are meant."""
    unknown = ask("show", "zz")
    assert unknown.exit_code == 1
    assert "no incident 'zz' is stored (newest row stored " in unknown.output
    assert "`faultstream incidents --all` lists them" in unknown.output
    assert ask("show", "").exit_code == 1
    monkeypatch.setattr(reading, "find", lambda *_: ["aa1", "aa2"])
    with pytest.raises(Exception, match="2"):
        chosen(stored, "aa")
    assert capsys.readouterr().err == "2 incidents begin with 'aa':\n  aa1\n  aa2\n"


def test_nothing_recorded_is_said(engine: EngineProcess) -> None:
    """A database that no recorder has seen is no error of the one who asks."""
    address = engine.address(writer=False)
    url = f"http://127.0.0.1:{address.port}/nobody"
    for command in (["incidents"], ["show", "a"]):
        answer = CliRunner().invoke(main, [*command, "--clickhouse", url])
        assert answer.exit_code == 1
        assert answer.output == "nothing was recorded here yet: the recorder makes the tables\n"


def early(**more: Any) -> Chain:
    """An incident of which only the beginning is stored."""
    head = Head("i1", 1, "open", "high", "production", "till", 0, 500, 500, None, "", "", ["p1"])
    fields = ("incident", "stored_at_ms", "now_ms")
    lists: dict[str, Any] = {x: [] for x in Chain.__struct_fields__ if x not in fields}
    return Chain(**{"incident": head, **lists, "stored_at_ms": 1_000, "now_ms": 2_000, **more})


def test_an_analysis_without_patterns_says_why() -> None:
    """A person asked, or they are not stored."""
    head = msgspec.structs.replace(early().incident, pattern_ids=[])
    for incident, said in (
        (early().incident, "The patterns of this incident are not stored."),
        (head, "A person asked for recovery; no pattern led to it."),
    ):
        facts = Analysis(
            chain=early(incident=incident), impact=[], buckets=[], bucket_ms=1_000, begin_ms=0,
            end_ms=1_000, releases=[], earlier=0, earlier_at_ms=None,
        )  # fmt: skip
        assert f"## Root cause\n\n{said}\n" in post_incident(facts)


def test_what_is_not_there_yet_is_said() -> None:
    """Patterns that are not stored, or that there are none, no command, no answer, nobody told."""
    head = msgspec.structs.replace(early().incident, pattern_ids=[])
    assert "a person asked for it" in shown(early(incident=head))
    text = shown(early())
    for line in (
        "its patterns are not stored yet",
        "nothing was commanded",
        "nobody was to be told",
    ):
        assert line in text
    order = Order(
        600, "c1", 1, "", "", "retry", "{}", "till", ["all"], "", "high", 9_000, False, "", ""
    )
    assert "no answer is stored; expires in 7.0 s" in shown(early(orders=[order]))
    assert "no answer is stored; it has expired" in shown(early(orders=[order], now_ms=10_000))
    assert freshness(0, 5) == "nothing is stored yet"


def test_workflows_rollbacks_and_signs_of_life() -> None:
    """A step names its workflow, what takes something back says so, who is at work says how far."""
    orders = [
        Order(600, "c1", 1, "move", "drain", "queue_priority", "{}", "till", ["till-1"], "", "high",
              9_000, False, "kim", ""),
        Order(900, "c2", 2, "", "", "retry", "{}", "till", ["all"], "", "high", 9_000, True, "",
              ""),
        Order(950, "c3", 3, "", "", "retry", "{}", "till", ["all"], "", "high", 9_000, False, "",
              "c1"),
    ]  # fmt: skip
    answers = [Answer(700, "c1", "app", "till-1", "in_progress", "draining", 0.5, 100, "")]
    verdicts = [Verdict(990, "c1", "queue_priority", "rolled_back", "")]
    text = shown(early(orders=orders, answers=answers, verdicts=verdicts))
    for line in (
        "command 1 move/drain: queue_priority {} to till (till-1)",
        "approved by kim",
        "+0.7 s  app on till-1 is at it 50 %: draining",
        "+1.0 s  rolled_back",
        "dry run 2: retry {} to till",
        "rollback 3: retry {} to till",
    ):
        assert line in text
    only = shown(early(orders=orders[:1], answers=answers))
    assert "no answer is stored; expires in 7.0 s" in only


def test_what_a_terminal_would_obey_is_not_shown() -> None:
    """Foreign text cannot colour, clear or link."""
    head = Head(
        "i1", 1, "open", "high", "p", "till\x1b[2J", 0, 0, 0, None, "[red]x[/red]\x1b]8;;", "", []
    )
    text = shown(early(incident=head))
    assert "\x1b" not in text
    assert "[red]x[/red]" in text


@pytest.mark.parametrize("query", EXAMPLES, ids=lambda query: query.name)
def test_ready_questions_fit_a_terminal(ask: Ask, query: Query) -> None:
    """Within 80 columns; what happened is readable there, without cut words."""
    answer = ask("sql", query.name, "--format", "table")
    assert answer.exit_code == 0, answer.output
    assert max(map(len, answer.stdout.splitlines())) <= 80
    if query.name == "what-happened":
        assert "…" not in answer.stdout
        assert f"21  {SECOND}" in answer.stdout
