"""One connection to ClickHouse over HTTP, server or embedded, with errors of two kinds.

`SinkAway` means wait and try again, `SinkRefused` means that trying again will not help. All
statements are sent with `wait_end_of_query`, so an answer means that the statement is done.
"""

import io
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol, cast
from urllib.parse import unquote, urlsplit

import clickhouse_connect
import msgspec
import urllib3
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError

from faultstream.analytics.errors import SinkAway, SinkRefused

# Codes that pass by themselves: timeouts, too many queries or parts, memory, network, Keeper.
PASSING: Final = frozenset(
    {3, 107, 159, 202, 203, 209, 210, 241, 242, 252, 285, 319, 425, 439, 999}
)
HINTS: Final = {
    516: "user or password is wrong",
    81: "there is no such database",
    164: "this user may only read; the recorder needs a user that may write",
    497: "this user has too few rights",
}
_FRILLS: Final = re.compile(r"\s*(\(for url [^)]*\)|\(version [^()]*(\([^()]*\))?\))")
_DEPTH: Final = 10
logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())  # what it logs it raises
UNREACHABLE: Final = (urllib3.exceptions.HTTPError, OSError)


class Place(Protocol):
    """Where ClickHouse answers; `config.settings.ClickHouse` is one, `Address` another."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def database(self) -> str: ...
    @property
    def username(self) -> str: ...
    @property
    def password(self) -> str: ...
    @property
    def secure(self) -> bool: ...


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where ClickHouse answers. The password is not shown by repr."""

    host: str
    port: int
    database: str
    username: str = "default"
    password: str = ""
    secure: bool = False

    @classmethod
    def parse(cls, text: str) -> "Address":
        """The address in `http[s]://[user[:password]@]host[:port]/database`.

        Raises:
            ValueError: it is none; the message does not repeat it, for it may hold a password.
        """
        form = "expected http[s]://[user[:password]@]host[:port]/database"
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError as exc:
            raise ValueError(form) from exc
        database = parts.path.strip("/")
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(form)
        if not database.replace("_", "").isalnum() or not database.isascii():
            raise ValueError(f"{form}; a database's name is letters, digits and _")
        secure = parts.scheme == "https"
        return cls(
            host=parts.hostname,
            port=port or (8443 if secure else 8123),
            database=database,
            username=unquote(parts.username or "default"),
            password=unquote(parts.password or ""),
            secure=secure,
        )

    def __repr__(self) -> str:
        return f"Address({where(self)})"


def where(place: Place) -> str:
    """The address without its password, for messages."""
    scheme = "https" if place.secure else "http"
    return f"{scheme}://{place.username}@{place.host}:{place.port}/{place.database}"


class Connection:
    """Statements, one after another; not for several threads at once."""

    def __init__(self, place: Place, *, timeout_s: float = 60.0) -> None:
        """Connects lazily. A statement that takes longer than `timeout_s` is SinkAway."""
        self.place = place
        self._timeout_s = timeout_s
        self._client: Client | None = None

    def command(self, sql: str, settings: Mapping[str, Any] | None = None) -> None:
        """Runs a statement that answers nothing.

        Raises:
            SinkAway: not reached, or the answer did not come.
            SinkRefused: ClickHouse said no.
        """
        with self._errors():
            self._open().command(sql, settings=dict(settings or {}))

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Sequence[Any]:
        """The rows that `sql` answers; `{name:Type}` in it are taken from `parameters`.

        Raises:
            SinkAway, SinkRefused: as `command`.
        """
        with self._errors():
            rows: Sequence[Any] = (
                self._open().query(sql, parameters=dict(parameters or {})).result_rows
            )
            return rows

    def pieces(
        self, sql: str, form: str | None, parameters: Mapping[str, Any] | None = None
    ) -> Iterator[bytes]:
        """The answer as it comes, in ClickHouse's format `form`, None for the one in `sql`.

        Raises:
            SinkAway, SinkRefused: as `command`.
        """
        with self._errors():
            asked = dict(parameters or {})
            stream = cast("io.IOBase", self._open().raw_stream(sql, parameters=asked, fmt=form))
            try:
                while piece := stream.read(1 << 16):
                    yield piece
            finally:
                stream.close()

    def insert(
        self, table: str, columns: Sequence[str], block: bytes, settings: Mapping[str, Any]
    ) -> None:
        """Inserts an Arrow stream. Not to be repeated blindly after SinkAway: it may be stored.

        Raises:
            SinkAway, SinkRefused: as `command`.
        """
        with self._errors():
            self._open().raw_insert(
                table,
                column_names=columns,
                insert_block=block,
                settings=dict(settings),
                fmt="ArrowStream",
            )

    def close(self) -> None:
        """Drops the connection; the next statement makes a new one."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def create_database(self) -> None:
        """Makes the database of the address if there is none; may be repeated.

        Raises:
            SinkAway, SinkRefused: as `command`.
        """
        with self._errors():
            client = self._make(database="default")
            try:
                client.command(f"CREATE DATABASE IF NOT EXISTS `{self.place.database}`")
            finally:
                client.close()

    def _open(self) -> Client:
        if self._client is None:
            self._client = self._make(self.place.database)
        return self._client

    def _make(self, database: str) -> Client:
        return clickhouse_connect.get_client(
            host=self.place.host,
            port=self.place.port,
            database=database,
            username=self.place.username,
            password=self.place.password,
            secure=self.place.secure,
            connect_timeout=5,
            send_receive_timeout=max(1, round(self._timeout_s)),
            query_retries=0,
            compress=False,
            autogenerate_session_id=False,
            client_name="faultstream",
        )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except ClickHouseError as exc:
            code = int(getattr(exc, "code", None) or 0)
            self.close()
            if code in PASSING or (code == 0 and isinstance(exc, OperationalError)):
                raise SinkAway(f"ClickHouse at {where(self.place)}: {_short(exc)}") from exc
            hint = f" ({HINTS[code]})" if code in HINTS else ""
            reason = _short(exc)
            message = f"ClickHouse at {where(self.place)}{hint}: {reason}"
            raise SinkRefused(message, code, reason) from exc
        except UNREACHABLE as exc:
            self.close()
            raise SinkAway(f"ClickHouse at {where(self.place)}: {_short(exc)}") from exc


def _short(exc: BaseException) -> str:
    """One line, without the driver's and the server's own frills; of a connection that could not be
    made, what the system says."""
    inner: BaseException | None = None if getattr(exc, "code", None) else exc
    for _ in range(_DEPTH):
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror
        inner = inner and (inner.__cause__ or inner.__context__)
    text = " ".join(str(exc).split())
    text = text.rpartition("server response: ")[2]
    return _FRILLS.sub("", text)[:1000] or type(exc).__name__
