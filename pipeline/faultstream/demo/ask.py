"""The demo's questions to ClickHouse, through the running engine's HTTP interface."""

from typing import Any, Final

import aiohttp
import msgspec

from faultstream import wire

TIMEOUT_S: Final = 10.0


class AskError(RuntimeError):
    """ClickHouse did not answer, or refused the question."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A table of the epilogue: its title and the query, which can be given to `faultstream sql`."""

    title: str
    sql: str


class Answer(msgspec.Struct, frozen=True):
    """Names of the columns, and rows of plain JSON values."""

    columns: list[str]
    rows: list[list[Any]]


async def ask(clickhouse: str, sql: str) -> Answer:
    """What the engine at that address (`http://host:port/database`) answers.

    Raises:
        AskError: no answer within `TIMEOUT_S`, or an error.
    """
    address, _, database = clickhouse.rpartition("/")
    params = {"database": database, "default_format": "JSONCompact"}
    params["output_format_json_quote_64bit_integers"] = "0"
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(address + "/", params=params, data=sql.encode()) as response,
        ):
            body = await response.read()
            if response.status != 200:
                raise AskError(body.decode("utf-8", "replace").strip()[:500])
    except (aiohttp.ClientError, TimeoutError) as exc:
        raise AskError(f"ClickHouse does not answer at {address}: {exc!r}") from exc
    plain = wire.loads(body)
    return Answer([column["name"] for column in plain["meta"]], plain["data"])
