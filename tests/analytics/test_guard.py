"""What users who may only read can ask, as text; test_http.py asks the engine itself."""

import pytest

from faultstream.analytics.errors import SinkRefused
from faultstream.analytics.guard import check_reader, check_settings

OUTSIDE = frozenset({"file", "url", "s3", "remote", "numbers", "format", "python"})


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        " select 1 ; ",
        "-- a comment; with a semicolon\nSELECT ';', 'file(', \"a;b\" FROM `x;y`",
        "/* file('x') */ WITH 1 AS x SELECT x",
        "SELECT format('{}', 'x'), 'it''s', 'a\\'b' FROM numbers(3)",
        "SELECT file FROM t WHERE message LIKE '%into outfile%' ORDER BY file DESC",
        "(SELECT 1) UNION ALL (SELECT 2)",
        "DESCRIBE TABLE errors",
        "desc faultstream.errors",
        "SHOW TABLES",
        "EXPLAIN SELECT 1",
        "EXISTS TABLE errors",
    ],
)
def test_questions_pass(sql: str) -> None:
    """Words in texts, comments and quoted names are no danger."""
    check_reader(sql, OUTSIDE)


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT 1; DROP TABLE errors", "one statement at a time"),
        ("DROP TABLE errors", "DROP is not for users who may only read"),
        ("/**/ KILL QUERY WHERE 1", "KILL is not for users"),
        ("", "this is not for users"),
        ("SELECT * FROM file('/etc/passwd')", "the table function file() reaches outside"),
        ("SELECT * FROM FILE /**/ ('/etc/passwd')", "the table function FILE() reaches outside"),
        ("SELECT * FROM `file`('/etc/passwd')", "the table function file() reaches outside"),
        ("SELECT * FROM \"url\" ('http://x')", "the table function url() reaches outside"),
        ("SELECT 1 INTO OUTFILE '/tmp/x'", "files of the host are out of reach"),
        ("SELECT 1 INTO/**/OUTFILE '/tmp/x'", "files of the host are out of reach"),
        ("DESCRIBE TABLE file('/etc/passwd')", "DESCRIBE is for tables"),
        ("DESC `fi\\x6ce`('/etc/passwd')", "DESCRIBE is for tables"),
        ("SELECT 'open", "quotes that do not close"),
        ("SELECT 1 /* open", "quotes that do not close"),
        ("SELECT $x$ ; $x$", "quotes that do not close"),
        ("SELECT 1 # ; DROP", "quotes that do not close"),
        ("SELECT \u2018a\u2019", "quotes that do not close"),
        ("SELECT 1\0; DROP", "quotes that do not close"),
    ],
)
def test_ways_out_are_refused(sql: str, reason: str) -> None:
    """With ClickHouse's own code for it, and the reason."""
    with pytest.raises(SinkRefused) as refused:
        check_reader(sql, OUTSIDE)
    assert refused.value.code == 164
    assert reason in str(refused.value)


def test_settings_of_readers() -> None:
    """What shapes an answer or bounds a question is taken; `readonly` is ours to set."""
    assert check_settings({"max_threads": "1", "readonly": "0"}) == {
        "max_execution_time": "60",
        "max_threads": "1",
    }
    for name in ("format_schema", "output_format_schema", "allow_ddl", "x; y"):
        with pytest.raises(SinkRefused, match="cannot be changed by users who may only read"):
            check_settings({name: "1"})
