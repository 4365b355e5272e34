"""What ClickHouse says at the end: the tables that are printed, and the verdict.

The verdict is taken from the tables alone; the run compares it with what the topics said.
"""

from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from faultstream.demo.ask import Answer, Question, ask

ERRORS: Final = Question(
    title="The errors",
    sql="""\
SELECT service, extract(error_type, '[^.]+$') AS error, category,
       sum(count) AS errors, count() AS events,
       round(dateDiff('millisecond', min(time), max(time)) / 1000, 1) AS lasted_s
FROM errors GROUP BY service, error_type, category ORDER BY errors DESC LIMIT 10""",
)
HAPPENED: Final = Question(
    title="What happened",
    sql="""\
SELECT root AS service, severity, state, reason FROM incidents ORDER BY opened_at, service""",
)
TRIED: Final = Question(
    title="What was tried",
    sql="""\
SELECT a.root AS service, a.position AS attempt, a.strategy AS strategy,
       count(r.result_id) AS answers, max(r.duration_ms) AS took_ms, any(a.outcome) AS outcome,
       any(a.reason) AS found
FROM incident_attempts AS a LEFT JOIN results AS r ON r.command_id = a.command_id
GROUP BY a.opened_at, service, attempt, strategy ORDER BY a.opened_at, attempt""",
)
TIMES: Final = Question(
    title="Seconds from the first error, mean",
    sql="""\
SELECT service, mttd_s AS to_detect, to_command, mttr_s AS to_recover FROM mttd_mttr INNER JOIN (
  SELECT root AS service, round(avg(first_s), 3) AS to_command FROM (
    SELECT incident_id, min(after_s) AS first_s FROM incident_timeline WHERE what = 'command'
    GROUP BY incident_id
  ) AS t INNER JOIN incidents AS i ON i.incident_id = t.incident_id GROUP BY root
) AS first_command USING service ORDER BY service""",
)
TABLES: Final = (ERRORS, HAPPENED, TRIED, TIMES)

_VERDICT: Final = """\
SELECT i.incident_id, i.root, i.state,
       arrayExists(a -> a.outcome = 'cured' AND a.command_id IN (
         SELECT command_id FROM results WHERE status = 'success'), i.attempts) AS cured
FROM incidents AS i ORDER BY i.root"""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Incident id to whether ClickHouse shows it verified and over, and what is missing."""

    cured: dict[str, bool]
    problems: list[str]


async def verdict(clickhouse: str) -> Verdict:
    """What ClickHouse shows now.

    Raises:
        AskError: it does not answer.
    """
    cured: dict[str, bool] = {}
    problems: list[str] = []
    for incident_id, root, state, carried_and_cured in (await ask(clickhouse, _VERDICT)).rows:
        cured[incident_id] = bool(carried_and_cured) and state in {"resolved", "closed"}
        if not cured[incident_id]:
            problems.append(f"the incident in {root} is {state} and not cured by a command")
    return Verdict(cured=cured, problems=problems or ([] if cured else ["no incident"]))


async def print_tables(clickhouse: str, console: Console) -> None:
    """Every table of the epilogue.

    Raises:
        AskError: ClickHouse does not answer.
    """
    for question in TABLES:
        console.print(_table(question, await ask(clickhouse, question.sql)))
        console.print()


def _table(question: Question, answer: Answer) -> Table:
    table = Table(title=question.title, title_justify="left", title_style="bold", box=None)
    last = len(answer.columns) - 1
    for number, name in enumerate(answer.columns):
        figures = bool(answer.rows) and isinstance(answer.rows[0][number], int | float)
        table.add_column(
            name, justify="right" if figures else "left", no_wrap=number != last, overflow="fold"
        )
    if not answer.rows:
        table.add_row(*("-" for _ in answer.columns))
    for row in answer.rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    return table
