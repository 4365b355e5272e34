"""A question put to the engine, in a thread of its own; the answer comes in pieces."""

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from faultstream.analytics.engine import Engine
from faultstream.analytics.guard import check_reader, check_settings
from faultstream.analytics.question import Insert, Question

# The formats whose pieces, put together, are the whole; chDB streams SELECT and WITH only.
STREAMED: Final = frozenset(
    {"Native", "TabSeparated", "TSV", "TSVRaw", "CSV", "RowBinary", "JSONEachRow"}
)
_SELECT: Final = re.compile(
    r"\s*(?:/\*.*?\*/\s*|--[^\n]*\n\s*|\()*(SELECT|WITH)\b", re.IGNORECASE | re.DOTALL
)
_number = itertools.count()

Emit = Callable[[bytes], bool]
"""Takes a piece; False when nobody listens any more."""


def answer(engine: Engine, question: Question, emit: Emit) -> dict[str, str]:
    """Carries out `question`; returns ClickHouse's summary of it. Blocks.

    Raises:
        SinkRefused: the engine, or the rules for readers, said no.
    """
    settings = question.settings
    if question.readonly:
        check_reader(question.sql, engine.table_functions)
        settings = check_settings(settings)
    with engine.handle(question.database, settings, readonly=question.readonly) as handle:
        if question.insert is not None:
            return _inserted(engine, question.insert, handle)
        if question.format in STREAMED and _SELECT.match(question.sql):
            with handle.send_query(
                question.sql, question.format, params=question.parameters
            ) as stream:
                for piece in _pieces(stream):
                    if not emit(piece):
                        stream.cancel()
                        break
            return {}
        result = handle.query(question.sql, question.format, params=question.parameters)
        emit(result.bytes() or b"")
        return {"read_rows": str(result.rows_read()), "read_bytes": str(result.bytes_read())}


def _pieces(stream: Iterator[object]) -> Iterator[bytes]:
    for chunk in stream:
        piece: bytes = chunk.bytes()  # type: ignore[attr-defined]
        if piece:
            yield piece


def _inserted(engine: Engine, insert: Insert, handle: object) -> dict[str, str]:
    """The rows go through a file in memory: the engine reads files faster than statements."""
    path = Path(engine.temporary.name) / f"rows-{next(_number)}"
    try:
        path.write_bytes(insert.rows)
        result = handle.query(  # type: ignore[attr-defined]
            f"{insert.head} FROM INFILE '{path}' {insert.settings} FORMAT {insert.format}", "Null"
        )
    finally:
        path.unlink(missing_ok=True)
    return {"written_rows": str(result.rows_read()), "written_bytes": str(len(insert.rows))}
