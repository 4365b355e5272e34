"""What errors are said to be, and by which rule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultstream.config.topology import load as load_topology
from faultstream.core.classify import Classifier, learned
from faultstream.core.classify.knowledge import load, parse_spec
from faultstream.core.classify.names import dotted
from faultstream.core.event import Cause, ErrorEvent
from faultstream.core.group import CATEGORIES, Verdict
from faultstream.core.template import template

CLASSIFIER = Classifier(load_topology(None))


def verdict(error_type: str, message: str = "", **fields: object) -> Verdict:
    made = {"service": "s", "error_type": error_type, "message": message, **fields}
    event = ErrorEvent(**made)  # type: ignore[arg-type]
    return CLASSIFIER.classify(event, template(message))


@pytest.mark.parametrize(
    ("error_type", "message", "category", "severity", "transient"),
    [
        ("KeyError", "'user_id'", "code", "medium", False),
        ("OSError", "[Errno 28] No space left on device", "resource", "critical", False),
        ("OSError", "[Errno 111] Connection refused", "network", "high", True),
        ("OSError", "[Errno 11] Resource temporarily unavailable", "resource", "critical", True),
        ("requests.exceptions.ReadTimeout", "", "timeout", "medium", True),
        ("sqlalchemy.exc.OperationalError", "could not connect to server", "database", "critical",
         True),
        ("psycopg2.errors.DeadlockDetected", "", "database", "high", True),
        ("java.lang.OutOfMemoryError", "Java heap space", "resource", "critical", False),
        ("*net.OpError", "dial tcp 10.0.0.1:1: i/o timeout", "timeout", "medium", True),
        ("Error", "connect ECONNREFUSED 127.0.0.1:5432", "network", "high", True),
        ("SyntaxError", "Unexpected end of JSON input", "serialization", "medium", False),
        ("System.NullReferenceException", "", "code", "medium", False),
        ("Illuminate\\Validation\\ValidationException", "", "validation", "low", False),
        ("ActiveRecord::RecordNotFound", "", "business", "low", False),
        ("stripe.error.CardError", "declined", "business", "low", False),
        ("acme.QuotaExceededError", "", "rate_limit", "medium", True),
        ("Exception", "HTTP 429 from api", "rate_limit", "medium", True),
    ],
)  # fmt: skip
def test_known(
    error_type: str, message: str, category: str, severity: str, transient: bool
) -> None:
    """Types, messages and words of names settle category, severity and transience."""
    found = verdict(error_type, message)
    assert (found.category, found.severity, found.transient) == (category, severity, transient)


@pytest.mark.parametrize(
    ("error_type", "message", "category", "severity", "transient"),
    [
        ("*url.Error", 'Get "http://a": EOF', "network", "medium", True),
        ("acme.Error", "Redirected 10 times, too many redirects", "dependency", "medium", False),
        ("Net::HTTPClientException", '409 "Conflict"', "business", "low", False),
        ("ValueError", "URL must include a 'scheme', 'host' and 'port'", "configuration", "medium",
         False),
        ("PDOException", "PDO: Argument #1 ($dsn) must be a valid data source name",
         "configuration", "high", False),
        ("ValueError", "str_repeat(): Argument #2 ($times) must be greater than or equal to 0",
         "code", "medium", False),
        ("org.springframework.web.client.ResourceAccessException",
         'I/O error on GET request for "http://a.invalid": a.invalid', "network", "high", True),
        ("Error", "EEXIST: file already exists, mkdir '/var/x'", "system", "medium", False),
        ("Error", "listen EADDRNOTAVAIL: address not available 10.9.9.9:80", "network", "high",
         False),
        ("kafka.Error", "Message Size Too Large: to avoid unlimited memory allocation",
         "validation", "low", False),
        ("builtins.RuntimeError", "Code: 511. DB::Exception: There is no role `a`. (UNKNOWN_ROLE)",
         "database", "high", False),
        ("builtins.RuntimeError", "Code: 27. DB::Exception: Cannot parse input: expected ','",
         "database", "medium", False),
        ("psycopg2.OperationalError", "permission denied for table users", "security", "high",
         False),
        ("*errors.errorString", "panic: error parsing regexp: missing )", "code", "high", False),
        ("*syntax.Error", "error parsing regexp: missing )", "code", "medium", False),
    ],
)  # fmt: skip
def test_ordinary_messages(
    error_type: str, message: str, category: str, severity: str, transient: bool
) -> None:
    """What common calls raise when they fail is told from what it looks like at first sight."""
    found = verdict(error_type, message)
    assert (found.category, found.severity, found.transient) == (category, severity, transient)


@pytest.mark.parametrize(
    ("message", "category", "severity", "transient"),
    [
        ("An error occurred (SignatureDoesNotMatch) when calling PutObject", "security", "high",
         False),
        ("operation error S3: GetObject, api error NoSuchKey: no key", "business", "low", False),
        ("Rejected (Service: S3, Error Code: SlowDown; Request: 7)", "rate_limit", "medium", True),
        ("rpc error: code = NotFound desc = no order 7", "business", "low", False),
        ("Client error: `GET http://x` resulted in a `404 Not Found` response", "business", "low",
         False),
        ("(404, \"NOT_FOUND - no queue 'orders' in vhost '/'\")", "configuration", "high", False),
        ("CSRF token mismatch", "security", "low", False),
        ("the session expired: jwt expired", "security", "low", False),
        ("listen EADDRINUSE: address already in use :::8080", "system", "high", False),
        ("Reached heap limit Allocation failed - JavaScript heap out of memory", "resource",
         "fatal", False),
        ("context canceled", "timeout", "medium", True),
        ("thread 'main' panicked at src/main.rs", "code", "high", False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("error_type", ["ApiException", "ServiceError", "acme.sdk.ClientError"])
def test_messages_decide(
    error_type: str, message: str, category: str, severity: str, transient: bool
) -> None:
    """Where a name says nothing, codes of services and words of the message do."""
    found = verdict(error_type, message)
    assert (found.category, found.severity, found.transient) == (category, severity, transient)


@pytest.mark.parametrize(
    ("error_type", "message", "category", "severity"),
    [
        ("TypeError", "fetch failed", "network", "high"),
        ("RangeError", "Maximum call stack size exceeded", "code", "high"),
        ("System.InvalidOperationException", "No service for type 'IFoo' has been registered.",
         "configuration", "high"),
        ("ValueError", "I/O operation on closed file.", "code", "medium"),
        ("IllegalArgumentException", "Customer 17 not found", "business", "low"),
        ("psycopg2.InterfaceError", "cursor already closed", "database", "medium"),
        ("org.springframework.beans.factory.BeanCreationException", "Error creating bean 'a'",
         "configuration", "critical"),
        ("org.postgresql.util.PSQLException", "Connection to localhost:5432 refused.", "database",
         "critical"),
        ("redis.exceptions.ResponseError", "unknown command 'FOO'", "code", "medium"),
        ("System.IO.FileNotFoundException", "Could not load file or assembly 'Foo'",
         "configuration", "high"),
        ("jwt.ValidationError", "token is expired by 5m0s", "security", "low"),
    ],
)  # fmt: skip
def test_a_type_may_mean_several_things(
    error_type: str, message: str, category: str, severity: str
) -> None:
    """What a runtime says with one type is told apart by the message."""
    found = verdict(error_type, message)
    assert (found.category, found.severity) == (category, severity)


@pytest.mark.parametrize(
    ("error_type", "category", "severity", "transient"),
    [
        ("Symfony\\Component\\Lock\\Exception\\LockConflictedException", "database", "medium",
         True),
        ("Doctrine\\ORM\\Mapping\\MappingException", "configuration", "high", False),
        ("Trilogy::ConnectionRefusedError", "database", "critical", True),
        ("Bundler::GemfileNotFound", "configuration", "high", False),
        ("Cassandra.NoHostAvailableException", "database", "critical", True),
        ("CsvHelper.HeaderValidationException", "serialization", "medium", False),
        ("gorm.ErrDuplicatedKey", "database", "medium", False),
        ("azidentity.CredentialUnavailableError", "configuration", "high", False),
        ("FST_ERR_CTP_BODY_TOO_LARGE", "validation", "low", False),
        ("UND_ERR_HEADERS_TIMEOUT", "timeout", "medium", True),
        ("io.r2dbc.spi.R2dbcTimeoutException", "timeout", "medium", True),
        ("com.stripe.exception.CardException", "business", "low", False),
        ("torch.cuda.OutOfMemoryError", "resource", "critical", False),
        ("ray.exceptions.WorkerCrashedError", "system", "critical", True),
        ("Ecto.StaleEntryError", "database", "medium", True),
        ("std::bad_alloc", "resource", "critical", False),
        ("rustls::Error", "security", "high", False),
        ("EXC_BAD_ACCESS", "system", "critical", False),
    ],
)  # fmt: skip
def test_libraries_are_listed(
    error_type: str, category: str, severity: str, transient: bool
) -> None:
    """Widely used libraries of each language are listed by name."""
    found = verdict(error_type)
    assert (found.category, found.severity, found.transient) == (category, severity, transient)
    assert found.rule.startswith("type:")


@pytest.mark.parametrize(
    ("message", "category", "transient"),
    [
        ("SQLSTATE 23505", "database", False),
        ("SQLSTATE[53300]", "database", True),
        ("SQLSTATE 40P01", "database", True),
        ("SQLSTATE[08S01]", "database", True),
        ("ORA-12541: TNS", "database", True),
        ("ORA-01653: unable to extend", "resource", False),
        ("errno 1452", "database", False),
    ],
)
def test_codes_of_databases(message: str, category: str, transient: bool) -> None:
    """Codes in the message of a database error say what it is."""
    found = verdict("Doctrine\\DBAL\\Exception\\DriverException", message)
    assert (found.category, found.transient) == (category, transient)


def test_cause_chain() -> None:
    """A bare type is what its cause is, and the rule says so."""
    found = verdict("RuntimeError", "failed", causes=[Cause(error_type="TimeoutError")])
    assert (found.category, found.rule) == ("timeout", "cause:type:TimeoutError")


@pytest.mark.parametrize(
    ("error_type", "bases", "category", "rule"),
    [
        ("shop.Oops", ["requests.exceptions.ConnectionError", "OSError"], "network",
         "ancestor:requests.exceptions.ConnectionError"),
        ("shop.Oops", ["shop.Base", "TimeoutError"], "timeout", "ancestor:TimeoutError"),
        ("shop.Oops", ["shop.TokenExpired"], "security", "ancestor:shop.TokenExpired"),
        ("shop.TimeoutError", ["ValueError"], "timeout", "words:timeout"),
        ("KeyError", ["TimeoutError"], "code", "type:KeyError"),
    ],
)  # fmt: skip
def test_ancestors(error_type: str, bases: list[str], category: str, rule: str) -> None:
    """The nearest ancestor that says something tells what an unknown type is."""
    found = verdict(error_type, bases=bases)
    assert (found.category, found.rule) == (category, rule)


@pytest.mark.parametrize(
    ("error_type", "category"),
    [
        ("acme.cache.ShardLeaderUnavailableException", "dependency"),
        ("acme.ConnectionValidationError", "validation"),
        ("Acme::Billing::CardAlreadyExpired", "business"),
        ("acme.NoSuchTableError", "database"),
        ("acme.JsonDecodeFailure", "serialization"),
        ("nosuchtableerror", "database"),
        ("acme.TooManyConnectionsError", "resource"),
        ("acme.PaymentDeclined", "business"),
    ],
)
def test_names_are_read(error_type: str, category: str) -> None:
    """Names that no table lists are read word by word; the last word is the head."""
    assert verdict(error_type).category == category


@pytest.mark.parametrize(
    ("error_type", "rule", "words"),
    [
        ("acme.PoolExhaustedError", "words:too-many-connections", "pool exhausted"),
        ("acme.jwt.TokenHasExpired", "words:expired", "token expired"),
        ("acme.ReadTimedOut", "words:timeout", "timed out"),
    ],
)
def test_reliable_readings_decide(error_type: str, rule: str, words: str) -> None:
    """What is read for sure goes before the message, and the words that say it are told."""
    event = ErrorEvent(service="s", error_type=error_type, message="no such file or directory")
    chosen, _ = CLASSIFIER.explain(event, template(event.message))
    assert (chosen.spec.rule, chosen.told) == (rule, words)


@pytest.mark.parametrize(
    ("message", "category", "rule"),
    [
        ("job 7 died: com.acme.RateLimitExceededException: wait", "rate_limit", "mentioned:"),
        ("rpc error: code = DeadlineExceeded desc = slow", "timeout", "mentioned:"),
        ("upstream answered: response 503", "dependency", "message:"),
    ],
)
def test_names_in_messages(message: str, category: str, rule: str) -> None:
    """Names of errors and codes in a message are read too."""
    found = verdict("acme.Odd", message)
    assert found.category == category
    assert found.rule.startswith(rule)


@pytest.mark.parametrize(
    ("error_type", "message", "category"),
    [
        ("acme.GadgetException", "your allowance of calls for today is used up", "rate_limit"),
        ("acme.GadgetException", "no answer within 30 seconds", "timeout"),
        ("acme.CellarFullError", "", "resource"),
    ],
)
def test_what_no_rule_knows_is_weighed(error_type: str, message: str, category: str) -> None:
    """Words of name and message speak for a category, and say how sure that is."""
    found = verdict(error_type, message)
    assert found.category == category
    assert found.confidence < 0.99


@given(st.text(max_size=80), st.text(max_size=80))
def test_shares(error_type: str, message: str) -> None:
    """Every category has a share, and they add up to one."""
    opinion = learned.load().opinion(error_type, message.lower(), load())
    assert set(opinion.shares) == set(CATEGORIES)
    assert sum(opinion.shares.values()) == pytest.approx(1)
    assert opinion.tokens == sorted(set(opinion.tokens))


def test_explained() -> None:
    """All that was weighed is told, and what decided is one of it."""
    event = ErrorEvent(service="s", error_type="acme.Odd", message="read timed out")
    chosen, seen = CLASSIFIER.explain(event, template(event.message))
    assert chosen in seen
    assert chosen.spec.rule == CLASSIFIER.classify(event, template(event.message)).rule


def test_producer_decides() -> None:
    """Category, severity and recoverability given by the producer stand."""
    found = verdict("KeyError", category="business", severity="fatal", recoverable=True)
    assert (found.category, found.severity, found.transient) == ("business", "fatal", True)
    assert (found.rule, found.confidence) == ("given", 1.0)


def test_circumstances() -> None:
    """Practice environments lower a step; deep layers and uncaught errors are at least medium."""
    assert verdict("ValueError", environment="test").severity == "low"
    low = "pydantic.ValidationError"
    assert verdict(low).severity == "low"
    assert verdict(low, layer="infrastructure").severity == "medium"
    assert verdict(low, layer="api").severity == "low"
    assert verdict(low, handled=False).severity == "medium"


def test_http_status() -> None:
    """The status is the event's, else the rule's, else the category's."""
    assert verdict("KeyError", http_status=418).http_status == 418
    assert verdict("django.http.Http404").http_status == 404
    assert verdict("TimeoutError").http_status == 504
    assert verdict("Exception", http_status=429).category == "rate_limit"


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("*net.OpError", "net.OpError"),
        ("Redis::TimeoutError", "Redis.TimeoutError"),
        ("Illuminate\\Database\\QueryException", "Illuminate.Database.QueryException"),
        ("builtins.KeyError", "KeyError"),
        ("System.Exception`1[System.Int32]", "System.Exception"),
    ],
)
def test_dotted(name: str, plain: str) -> None:
    """Names of all languages come to one form."""
    assert dotted(name) == plain


def test_every_rule_names_a_category() -> None:
    """The shipped files parse, every name is dotted as it is looked up, all categories occur."""
    known = load()
    assert {rule.spec.category for rule in known.types.values()} == set(CATEGORIES)
    assert [name for name in known.types if dotted(name) != name] == []
    assert len(known.types) > 2_500


@pytest.mark.parametrize(
    "text", ["network high", "net high yes", "network loud yes", "network high si"]
)
def test_broken_verdicts(text: str) -> None:
    """A broken verdict in a file is refused with the rule's name."""
    with pytest.raises(ValueError, match=r"^r: "):
        parse_spec(text, "r")


@given(st.text(max_size=60), st.text(max_size=200))
def test_anything(error_type: str, message: str) -> None:
    """Every error has a verdict with a rule and a probability."""
    found = verdict(error_type or "x", message)
    assert found.rule
    assert 0.0 <= found.confidence <= 1.0
