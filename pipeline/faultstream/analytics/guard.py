"""What users who may only read can ask of the embedded engine.

The engine itself holds them to readonly = 1, which refuses every change and most ways out of
the database. Three holes remain in it (INTO OUTFILE writes files, DESCRIBE reads the head of
one, KILL QUERY stops others), and several statements may stand in one text. They are closed
here, on the text with its strings and comments taken out; what cannot be read with certainty
is refused.
"""

import re
from typing import Final

from faultstream.analytics.errors import SinkRefused

FIRST: Final = frozenset(
    {"select", "with", "from", "show", "describe", "desc", "explain", "exists", "values"}
)
HARMLESS: Final = frozenset(
    {"numbers", "numbers_mt", "zeros", "zeros_mt", "values", "generaterandom", "generateseries",
     "generate_series", "primes", "view", "viewexplain", "null", "format", "sqlstandardvalues"}
)  # fmt: skip
"""Table functions that stay inside; `format` and `values` are names of plain functions too."""

SETTINGS: Final = re.compile(
    r"max_(execution_time|result_rows|result_bytes|rows_to_read|bytes_to_read|threads|block_size)"
    r"|(result|read|timeout)_overflow_mode|session_timezone|join_use_nulls|extremes"
    r"|output_format_(json|csv|tsv|pretty|native|arrow|decimal|binary)_\w+|date_time_output_format"
    r"|output_format_write_statistics|cancel_http_readonly_queries_on_client_close"
    r"|wait_end_of_query|readonly"
)
"""Settings that readers may set; `readonly` too, because clients send it, and it is overridden."""

DEFAULTS: Final = {"max_execution_time": "60"}

_QUOTED: Final = re.compile(
    r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`(?:[^`\\]|\\.|``)*`|--[^\n]*|/\*.*?\*/""",
    re.DOTALL,
)
_ODD: Final = re.compile("['\"`#$\0\u2018\u2019\u201c\u201d]|/\\*")
_WORD: Final = re.compile(r"[A-Za-z_]\w*")
_CALL: Final = re.compile(r"([A-Za-z_]\w*)\s*\(")
_DESCRIBED: Final = re.compile(r"\s*desc(ribe)?\s+(table\s+)?[\w.\s]+", re.IGNORECASE)


def check_reader(sql: str, table_functions: frozenset[str]) -> None:
    """Passes one question that stays inside the database.

    Raises:
        SinkRefused: with ClickHouse's code 164 (READONLY).
    """
    plain = _QUOTED.sub(_blanked, sql)
    if _ODD.search(plain):
        raise _no("quotes that do not close, and # $ outside of them, are not taken here")
    plain = plain.rstrip().removesuffix(";")
    if ";" in plain:
        raise _no("one statement at a time")
    words = [word.lower() for word in _WORD.findall(plain)]
    if not words or words[0] not in FIRST:
        first = words[0].upper() if words else "this"
        known = ", ".join(sorted(FIRST)).upper()
        raise _no(f"{first} is not for users who may only read; {known} are")
    if "outfile" in words or "infile" in words:
        raise _no("files of the host are out of reach")
    if words[0] in {"desc", "describe"} and not _DESCRIBED.fullmatch(plain):
        raise _no("DESCRIBE is for tables")
    outside = table_functions - HARMLESS
    for name in _CALL.findall(plain):
        if name.lower() in outside:
            raise _no(f"the table function {name}() reaches outside of the database")


def check_settings(settings: dict[str, str]) -> dict[str, str]:
    """The settings of a reader's question, with defaults, without `readonly`.

    Raises:
        SinkRefused: one that readers may not set, code 164.
    """
    for name in settings:
        if not SETTINGS.fullmatch(name):
            raise _no(f"the setting {name} cannot be changed by users who may only read")
    kept = {**DEFAULTS, **settings}
    kept.pop("readonly", None)
    return kept


def _blanked(found: re.Match[str]) -> str:
    """Quoted names stay as words, so that a quoted function is still seen; texts vanish."""
    text = found[0]
    if text[0] in '`"':
        return re.sub(r"\W", "_", text[1:-1])
    return " "


def _no(reason: str) -> SinkRefused:
    return SinkRefused(f"Code: 164. DB::Exception: {reason}. (READONLY)", 164)
