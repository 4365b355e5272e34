"""Settings: where the pipeline runs and its secrets, from environment variables.

What the pipeline does stands in topology.yaml instead. Every variable is in `VARIABLES` with its
default; docs/reference/configuration.md is that list.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from faultstream.config.errors import ConfigError, Problem, shown
from faultstream.core.signing import MIN_KEY_BYTES, keys_in

PREFIX: Final = "FAULTSTREAM_"
LOG_LEVELS: Final = ("debug", "info", "warning", "error", "critical")


class Variable(msgspec.Struct, frozen=True):
    """One environment variable: its name without the prefix, default, and meaning."""

    name: str
    default: str
    meaning: str
    secret: bool = False


VARIABLES: Final = (
    Variable("KAFKA", "127.0.0.1:9092", "Kafka brokers: `host:port`, several with commas."),
    Variable(
        "CLICKHOUSE",
        "http://127.0.0.1:8123/faultstream",
        "ClickHouse over HTTP: `http[s]://[user[:password]@]host[:port]/database`. "
        "Characters with a meaning in an address are percent-encoded.",
        secret=True,
    ),
    Variable(
        "CLICKHOUSE_RECORDER_PASSWORD",
        "",
        "Password of the user `recorder` of the embedded engine, read by `faultstream engine`.",
        secret=True,
    ),
    Variable("TOPOLOGY", "", "Path of topology.yaml; the one in the package when empty."),
    Variable("DATA", ".faultstream", "Folder for local state and for the embedded services."),
    Variable(
        "SIGNING_KEY",
        "",
        "Key that signs recovery commands, at least 16 bytes of UTF-8. Needed by respond and "
        "by executors.",
        secret=True,
    ),
    Variable("SIGNING_KEY_ID", "k1", "Name of the signing key, sent beside the signature."),
    Variable(
        "SIGNING_KEYS_ACCEPTED",
        "",
        "Further keys that respond and executors believe but do not sign with, while keys change: "
        "`id=key[,id=key]`.",
        secret=True,
    ),
    Variable("LOG_LEVEL", "info", f"One of {', '.join(LOG_LEVELS)}."),
    Variable("METRICS_PORT", "0", "Port of a worker's metrics and health, 0 for none; 0 to 65535."),
    Variable(
        "METRICS_HOST",
        "127.0.0.1",
        "Address that port is on; `0.0.0.0` shows them to every network of the machine, without a "
        "password.",
    ),
    Variable(
        "GATEWAY_LISTEN",
        "127.0.0.1:8124",
        "Where `faultstream gateway` listens: `host:port`. Beyond loopback it needs tokens.",
    ),
    Variable(
        "GATEWAY_TOKENS",
        "",
        "Who may send errors to the gateway: `name=token[,name=token]`, tokens of at least 16 "
        "bytes. A DSN's key is one; its name is the service of events that name none. Without any, "
        "whoever is on this machine.",
        secret=True,
    ),
    Variable(
        "GATEWAY_READERS",
        "",
        "Who may read incidents and figures from the gateway, in the same form. Without any, "
        "whoever is on this machine.",
        secret=True,
    ),
    Variable(
        "GATEWAY_OPERATORS",
        "",
        "Who may recover, approve, cancel, resolve, acknowledge and pause through the gateway, and "
        "read, in the same form. The name stands in what is recorded. Without any, nobody.",
        secret=True,
    ),
    Variable("QUALITY_DATA", "", "Folder of real data sets, read by `faultstream quality`."),
    Variable("INJECT", "0", "1 lets the client inject faults on purpose (`inject`, `point`)."),
)


class Gateway(msgspec.Struct, frozen=True):
    """Where the gateway listens, and its tokens by name. Those are not shown by repr."""

    host: str
    port: int
    senders: dict[str, bytes]
    readers: dict[str, bytes]
    operators: dict[str, bytes]

    @property
    def loopback(self) -> bool:
        """Whether it listens on this machine alone."""
        return self.host in {"127.0.0.1", "localhost", "::1"}

    def __repr__(self) -> str:
        return f"Gateway({self.host}:{self.port})"


class ClickHouse(msgspec.Struct, frozen=True):
    """Where ClickHouse answers HTTP. The password is not shown by repr."""

    host: str
    port: int
    database: str
    username: str = "default"
    password: str = ""
    secure: bool = False

    def __repr__(self) -> str:
        scheme = "https" if self.secure else "http"
        return f"ClickHouse({scheme}://{self.username}@{self.host}:{self.port}/{self.database})"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the pipeline runs. `from_env` reads and checks it; no secret is shown by repr."""

    kafka: tuple[str, ...]
    clickhouse: ClickHouse
    topology: Path | None
    data: Path
    signing_key: bytes
    """Empty when none was given."""
    signing_key_id: str
    keys_accepted: dict[str, bytes]
    """Further keys by key id, never that of `signing_key_id`."""
    log_level: str
    metrics_port: int
    metrics_host: str
    gateway: Gateway

    @property
    def keys(self) -> dict[str, bytes]:
        """All keys by key id, the one to sign with first; empty without that."""
        own = {self.signing_key_id: self.signing_key}
        return {**own, **self.keys_accepted} if self.signing_key else {}

    @property
    def brokers(self) -> str:
        """The brokers as Kafka clients take them: `host:port,host:port`."""
        return ",".join(self.kafka)

    def __repr__(self) -> str:
        return f"Settings(kafka={self.brokers}, clickhouse={self.clickhouse}, data={self.data})"

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> "Settings":
        """The settings in `env`, by default the process environment. An empty value is none.

        Raises:
            ConfigError: one problem for each variable that cannot be used.
        """
        reader = _Reader(os.environ if env is None else env)
        settings = cls(
            kafka=reader.brokers(),
            clickhouse=reader.clickhouse(),
            topology=Path(path) if (path := reader.text("TOPOLOGY")) else None,
            data=Path(reader.text("DATA")),
            signing_key=reader.key(),
            signing_key_id=reader.text("SIGNING_KEY_ID"),
            keys_accepted=reader.keys_accepted(),
            log_level=reader.log_level(),
            metrics_port=reader.port(),
            metrics_host=reader.text("METRICS_HOST"),
            gateway=reader.gateway(),
        )
        if reader.problems:
            raise ConfigError.of(reader.problems)
        return settings


class _Reader:
    """Reads the variables one by one and keeps what is wrong with them."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.problems: list[Problem] = []
        self._env = env
        self._defaults = {variable.name: variable.default for variable in VARIABLES}

    def text(self, name: str) -> str:
        return self._env.get(PREFIX + name, "").strip() or self._defaults[name]

    def brokers(self) -> tuple[str, ...]:
        given = self.text("KAFKA")
        brokers = tuple(part.strip() for part in given.split(",") if part.strip())
        if not brokers or not all(_is_address(broker) for broker in brokers):
            self._wrong("KAFKA", "no list of brokers", "host:port[,host:port]", shown(given))
        return brokers

    def clickhouse(self) -> ClickHouse:
        """Secrets may stand in the address, so no message repeats it."""
        bound = "http[s]://[user[:password]@]host[:port]/database"
        try:
            parts: SplitResult = urlsplit(self.text("CLICKHOUSE"))
            port = parts.port
        except ValueError:
            self._wrong("CLICKHOUSE", "no address", bound)
            return ClickHouse("", 0, "")
        database = parts.path.strip("/")
        if parts.scheme not in {"http", "https"} or not parts.hostname or not database:
            self._wrong("CLICKHOUSE", "no address of a ClickHouse database", bound)
        if not database.replace("_", "").isalnum() and database:
            self._wrong("CLICKHOUSE", "no name of a database", "letters, digits and _", database)
        secure = parts.scheme == "https"
        return ClickHouse(
            host=parts.hostname or "",
            port=port or (8443 if secure else 8123),
            database=database,
            username=unquote(parts.username or "default"),
            password=unquote(parts.password or ""),
            secure=secure,
        )

    def key(self) -> bytes:
        key = self._env.get(PREFIX + "SIGNING_KEY", "").encode("utf-8", "surrogateescape")
        if key and len(key) < MIN_KEY_BYTES:
            self._wrong(
                "SIGNING_KEY",
                "too short",
                f"at least {MIN_KEY_BYTES} bytes",
                f"{len(key)} bytes",
                "`openssl rand -hex 32` makes one",
            )
        return key

    def keys_accepted(self) -> dict[str, bytes]:
        bound = "id=key[,id=key], each key of at least 16 bytes and without a comma"
        try:
            found = keys_in(self._env.get(PREFIX + "SIGNING_KEYS_ACCEPTED", ""))
        except ValueError as exc:
            self._wrong("SIGNING_KEYS_ACCEPTED", str(exc), bound)
            return {}
        own = self.text("SIGNING_KEY_ID")
        if own in found:
            mend = "Each key has an id of its own; give the new one another in SIGNING_KEY_ID."
            self._wrong("SIGNING_KEYS_ACCEPTED", f"{own} is the id of SIGNING_KEY", bound, "", mend)
        return found

    def log_level(self) -> str:
        level = self.text("LOG_LEVEL").lower()
        if level not in LOG_LEVELS:
            self._wrong("LOG_LEVEL", "unknown level", " or ".join(LOG_LEVELS), shown(level))
        return level

    def port(self) -> int:
        given = self.text("METRICS_PORT")
        if not _is_port(given):
            self._wrong("METRICS_PORT", "no port", "a number from 0 to 65535", shown(given))
            return 0
        return int(given)

    def gateway(self) -> Gateway:
        """Where it listens is open only with tokens, or on loopback."""
        given = self.text("GATEWAY_LISTEN")
        host, _, port = given.rpartition(":")
        host = host.strip("[]")
        if not _is_address(given) and not (host and port == "0"):
            self._wrong("GATEWAY_LISTEN", "no address to listen on", "host:port", shown(given))
            host, port = "127.0.0.1", "0"
        kinds = ("GATEWAY_TOKENS", "GATEWAY_READERS", "GATEWAY_OPERATORS")
        found = Gateway(host, int(port), *(self._tokens(name) for name in kinds))
        wrong = {one.path.removeprefix(PREFIX) for one in self.problems}
        for name, tokens in (("GATEWAY_TOKENS", found.senders), ("GATEWAY_READERS", found.readers)):
            none = not tokens and not (name == "GATEWAY_READERS" and found.operators)
            if none and not found.loopback and name not in wrong:
                mend = "`openssl rand -hex 16` makes one: name=token"
                where = f"missing, and the gateway listens on {host}"
                self._wrong(name, where, "name=token[,name=token]", "", mend)
        return found

    def _tokens(self, name: str) -> dict[str, bytes]:
        try:
            return keys_in(self._env.get(PREFIX + name, ""))
        except ValueError as exc:
            bound = "name=token[,name=token], each token of at least 16 bytes and without a comma"
            self._wrong(name, str(exc), bound)
            return {}

    def _wrong(self, name: str, problem: str, bound: str, value: str = "", mend: str = "") -> None:
        self.problems.append(Problem("environment", PREFIX + name, problem, bound, value, mend))


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65_535


def _is_address(text: str) -> bool:
    host, colon, port = text.rpartition(":")
    return bool(host and colon and _is_port(port) and int(port)) and not set(host) & set("/@ \t")
