"""Settings: defaults, every variable's bounds from both sides, and that no secret is shown."""

import pytest

from faultstream.config.errors import ConfigError
from faultstream.config.settings import ClickHouse, Settings

SECRET = "correct-horse-battery"


def test_without_variables_everything_is_on_loopback() -> None:
    """An empty environment is enough on one machine; an empty value is none."""
    settings = Settings.from_env({"FAULTSTREAM_KAFKA": ""})
    assert settings.brokers == "127.0.0.1:9092"
    assert settings.clickhouse == ClickHouse("127.0.0.1", 8123, "faultstream")
    assert (settings.signing_key, settings.signing_key_id) == (b"", "k1")
    assert (str(settings.data), settings.topology) == (".faultstream", None)
    assert (settings.log_level, settings.metrics_port) == ("info", 0)


def test_brokers_are_a_list() -> None:
    """Several brokers with commas, IPv6 in brackets."""
    settings = Settings.from_env({"FAULTSTREAM_KAFKA": "a:1, b.example:65535,[::1]:9092"})
    assert settings.kafka == ("a:1", "b.example:65535", "[::1]:9092")


def test_the_clickhouse_address_is_taken_apart() -> None:
    """User and password are percent-decoded; https has its own port."""
    settings = Settings.from_env({"FAULTSTREAM_CLICKHOUSE": "https://rec:p%40ss@ch.example/logs"})
    assert settings.clickhouse == ClickHouse(
        "ch.example", 8443, "logs", username="rec", password="p@ss", secure=True
    )


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("KAFKA", "kafka", "no list of brokers; must be host:port[,host:port]; got 'kafka'"),
        ("KAFKA", "a:0", "no list of brokers; must be host:port[,host:port]; got 'a:0'"),
        ("KAFKA", "a:65536", "no list of brokers; must be host:port[,host:port]; got 'a:65536'"),
        (
            "KAFKA",
            "http://a:1",
            "no list of brokers; must be host:port[,host:port]; got 'http://a:1'",
        ),
        ("METRICS_PORT", "65536", "no port; must be a number from 0 to 65535; got '65536'"),
        ("METRICS_PORT", "-1", "no port; must be a number from 0 to 65535; got '-1'"),
        (
            "LOG_LEVEL",
            "loud",
            "unknown level; must be debug or info or warning or error or critical; got 'loud'",
        ),
        (
            "SIGNING_KEY",
            "x" * 15,
            "too short; must be at least 16 bytes; got 15 bytes. `openssl rand -hex 32` makes one",
        ),
        (
            "SIGNING_KEYS_ACCEPTED",
            "k0=" + "x" * 15,
            (
                "k0 has 15 bytes, a key has at least 16; must be id=key[,id=key], each key of at "
                "least 16 bytes and without a comma"
            ),
        ),
        (
            "SIGNING_KEYS_ACCEPTED",
            "k1=" + "x" * 16,
            (
                "k1 is the id of SIGNING_KEY; must be id=key[,id=key], each key of at least 16 "
                "bytes and without a comma. Each key has an id of its own; give the new one "
                "another in SIGNING_KEY_ID."
            ),
        ),
    ],
)
def test_a_wrong_variable_is_refused(name: str, value: str, message: str) -> None:
    """The message says the variable, the bound and what stands there."""
    with pytest.raises(ConfigError) as caught:
        Settings.from_env({f"FAULTSTREAM_{name}": value})
    assert str(caught.value) == f"environment: FAULTSTREAM_{name}: {message}"


@pytest.mark.parametrize(
    "address",
    [
        f"tcp://u:{SECRET}@h:9000/db",
        f"http://u:{SECRET}@h",
        f"http://u:{SECRET}@h:99999/db",
        f"http://u:{SECRET}@[h/db",
        f"http://u:{SECRET}@h/a/b",
    ],
)
def test_no_message_shows_the_password(address: str) -> None:
    """A wrong address of ClickHouse is refused without repeating what is in it."""
    with pytest.raises(ConfigError, match="FAULTSTREAM_CLICKHOUSE") as caught:
        Settings.from_env({"FAULTSTREAM_CLICKHOUSE": address})
    assert SECRET not in str(caught.value)


def test_no_repr_shows_a_secret() -> None:
    """Settings may be logged."""
    settings = Settings.from_env(
        {
            "FAULTSTREAM_CLICKHOUSE": f"http://u:{SECRET}@h/db",
            "FAULTSTREAM_SIGNING_KEY": SECRET,
        }
    )
    assert settings.signing_key == SECRET.encode()
    assert SECRET not in repr(settings) + str(settings) + repr(settings.clickhouse)


def test_all_wrong_variables_are_said_at_once() -> None:
    """One run shows every problem."""
    with pytest.raises(ConfigError) as caught:
        Settings.from_env({"FAULTSTREAM_KAFKA": "x", "FAULTSTREAM_METRICS_PORT": "y"})
    assert [problem.path for problem in caught.value.problems] == [
        "FAULTSTREAM_KAFKA",
        "FAULTSTREAM_METRICS_PORT",
    ]


TOKEN = "0123456789abcdef"


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({}, ""),
        ({"LISTEN": "0.0.0.0:8124"}, "GATEWAY_TOKENS: missing, and the gateway listens on 0.0.0.0"),
        ({"LISTEN": "0.0.0.0:8124", "TOKENS": f"a={TOKEN}"}, "GATEWAY_READERS: missing"),
        ({"LISTEN": "0.0.0.0:8124", "TOKENS": f"a={TOKEN}", "OPERATORS": f"b={TOKEN}"}, ""),
        ({"LISTEN": "[::1]:0"}, ""),
        ({"LISTEN": "8124"}, "GATEWAY_LISTEN: no address to listen on"),
        ({"LISTEN": "host:65536"}, "GATEWAY_LISTEN: no address to listen on"),
        ({"TOKENS": f"a={TOKEN[1:]}"}, "GATEWAY_TOKENS: a has 15 bytes"),
        ({"READERS": TOKEN}, "GATEWAY_READERS: part 1 is not of the form"),
        ({"OPERATORS": f"a={TOKEN},a={TOKEN}"}, "GATEWAY_OPERATORS: a stands there twice"),
    ],
)
def test_gateway(given: dict[str, str], wrong: str) -> None:
    """Beyond loopback it needs tokens to send and to read; a token has 16 bytes, which no message
    and no repr shows."""
    env = {f"FAULTSTREAM_GATEWAY_{name}": value for name, value in given.items()}
    if not wrong:
        assert TOKEN not in repr(Settings.from_env(env))
        return
    with pytest.raises(ConfigError, match=wrong) as caught:
        Settings.from_env(env)
    assert TOKEN not in str(caught.value)
