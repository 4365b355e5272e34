"""Events of exceptions: types, chains, frames, limits; whatever the application throws."""

import json
import pathlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultstream import wire
from faultstream.client import (
    Bulkhead,
    CallNotPermittedError,
    CircuitBreaker,
    Retry,
    parcel,
    stack,
    trace,
)
from faultstream.client import event as events
from faultstream.client.event import Details, Origin
from faultstream.client.outbox import Entry
from faultstream.client.uuid7 import uuid7
from faultstream.core.event import MAX_FRAMES, MAX_RECORD_BYTES, Cause, ErrorEvent

ORIGIN = Origin("orders", "production", "", "", "", "")


def built(error: BaseException | str, message: str = "", **details: Any) -> ErrorEvent:
    """The event of an error."""
    given: Details = {**details}  # type: ignore[typeddict-item]
    return events.build(ORIGIN, events.see(error, message, given), 1)


def encoded(event: ErrorEvent) -> dict[str, Any]:
    """What leaves the process."""
    value = parcel.encode(Entry(event), emails=True)
    plain: dict[str, Any] = wire.loads(value)
    return plain


class BrokenError(Exception):
    """Cannot even be read."""

    def __str__(self) -> str:
        raise RuntimeError("no")


def test_causes_are_outermost_first_without_the_error_itself() -> None:
    """Explicit causes, contexts, members of groups and suppressed contexts, safe with cycles."""
    inner, middle, outer = ValueError("inner"), KeyError("middle"), OSError("outer")
    outer.__cause__, middle.__context__ = middle, inner
    assert [cause.error_type for cause in built(outer).causes] == ["KeyError", "ValueError"]
    inner.__context__ = outer
    assert len(built(outer).causes) == 2
    middle.__suppress_context__ = True
    assert len(built(outer).causes) == 1
    group = ExceptionGroup("both", [TypeError("a"), ExceptionGroup("in", [EOFError("b")])])
    assert [cause.error_type for cause in built(group).causes] == [
        "TypeError", "ExceptionGroup", "EOFError"
    ]  # fmt: skip


def test_types_have_their_module_but_for_pythons_own() -> None:
    """`module.Class`, and nested classes by their qualified name."""
    assert built(ValueError()).error_type == "ValueError"
    assert built(BrokenError()).error_type == f"{__name__}.BrokenError"
    assert built("db.Timeout", "slow").error_type == "db.Timeout"


def test_frames_say_where_and_whose() -> None:
    """Outermost first, with the module, a path that is the same everywhere, and in_app."""

    def fail() -> None:
        pathlib.Path("/nowhere/at/all").read_text()

    try:
        fail()
    except OSError as exc:
        frames = built(exc).frames
    assert [frame.in_app for frame in frames[:2]] == [True, True]
    assert frames[-1].in_app is False
    assert frames[-1].file == "pathlib.py"
    assert frames[1].function.endswith("fail")
    assert not frames[0].file.startswith("/")


def test_frames_of_the_client_itself_are_left_out() -> None:
    """What decorates the application's code says nothing of the error, wherever it is installed."""

    @Retry(max_attempts=1)
    @Bulkhead()
    @CircuitBreaker()
    def work() -> None:
        raise OSError

    with pytest.raises(OSError) as caught:  # noqa: PT011 - any
        work()
    assert {frame.module for frame in built(caught.value).frames} == {__name__}
    breaker = CircuitBreaker()
    breaker.force_open()
    with pytest.raises(CallNotPermittedError) as refused:
        breaker.call(print)
    assert [frame.function for frame in built(refused.value).frames] == [
        "test_frames_of_the_client_itself_are_left_out"
    ]


def test_deep_recursion_keeps_both_ends() -> None:
    """At most MAX_FRAMES frames, the first and the last among them."""

    def dive(depth: int) -> None:
        if depth == 0:
            raise ValueError("deep")
        dive(depth - 1)

    try:
        dive(400)
    except ValueError as exc:
        frames = built(exc).frames
    assert len(frames) == MAX_FRAMES
    assert frames[0].function == "test_deep_recursion_keeps_both_ends"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (BrokenError(), "<no message: __str__ raised RuntimeError>"),
        (ValueError("\udc80 lone"), "? lone"),
        (ValueError("x" * 100_000), "x" * (stack.MESSAGE_CHARS - 8) + stack.CUT_MARK),
    ],
)
def test_bad_messages_become_good_ones(error: BaseException, message: str) -> None:
    """Unreadable, undecodable and huge messages still make an event."""
    assert encoded(built(error))["message"] == message


def test_events_stay_within_the_record_limit() -> None:
    """What is bulky is left out, and the event says so."""
    error = ValueError("\N{SNOWMAN}" * 20_000)
    event = built(error, tags={f"tag{n}": "\N{SNOWMAN}" * 5_000 for n in range(100)})
    event.causes = [Cause("A" * 500, "m" * 1024)] * 50
    value = parcel.encode(Entry(event), emails=True)
    assert 0 < len(value) <= MAX_RECORD_BYTES
    assert "message" in wire.loads(value)["cut"]


def test_seeded_secrets_never_leave() -> None:
    """Passwords, tokens, keys, cards and addresses in any text of an event are masked."""
    secrets = ["hunter2hunter2", "4111111111111111", "anna@example.org", "AKIAIOSFODNN7EXAMPLE"]
    text = f"password={secrets[0]} card {secrets[1]} of {secrets[2]} key {secrets[3]}"
    error = ValueError(text)
    error.__cause__ = KeyError(text)
    event = built(
        error, operation=text, component=text, user_id=secrets[2], fingerprint=[text],
        tags={"note": text, "api_key": "anything"},
    )  # fmt: skip
    value = parcel.encode(Entry(event), emails=True)
    for secret in (*secrets, "anything"):
        assert secret.encode() not in value


@given(st.text(), st.text(), st.dictionaries(st.text(), st.text(), max_size=5), st.integers(0, 600))
def test_whatever_is_said_makes_an_event(
    error: str, message: str, tags: dict[str, str], status: int
) -> None:
    """Any texts give a JSON object with service and type, within the limit."""
    plain = encoded(built(error, message, tags=tags, http_status=status, operation=message))
    assert plain["service"] == "orders"
    assert plain["error_type"]


def test_traceparents_are_read_by_the_standard() -> None:
    """Version, both ids and flags; all-zero ids and version ff are invalid."""
    good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert trace.parse(good) == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    for bad in ("", "x", f"ff{good[2:]}", good.replace("b7ad6b7169203331", "0" * 16), good[:-1]):
        assert trace.parse(bad) == ("", "")


def test_ids_are_uuids_that_sort_by_time() -> None:
    """Version 7, variant 2, all different."""
    ids = [uuid7() for _ in range(1_000)]
    assert len(set(ids)) == 1_000
    assert all(text[14] == "7" and text[19] in "89ab" and len(text) == 36 for text in ids)
    assert [text[:13] for text in ids] == sorted(text[:13] for text in ids)


class OddError(LookupError):
    """One of our own."""


class OdderError(OddError):
    """And one below it."""


def test_bases() -> None:
    """An error's own ancestors are told, nearest first; those of the standard library's are not."""
    assert stack.bases_of(OdderError) == [f"{__name__}.OddError", "LookupError"]
    assert stack.bases_of(FileNotFoundError) == []
    assert stack.bases_of(json.JSONDecodeError) == []
