"""What is admitted, what is cut, what is refused, and why."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultstream.core import event as limits
from faultstream.core.errors import DataError
from faultstream.core.event import ErrorEvent
from faultstream.formats import bounds
from faultstream.formats.native import admit, left_out

NOW = 1_763_776_899_120


def value(**fields: Any) -> bytes:
    return json.dumps({"service": "orders", "error_type": "KeyError", **fields}).encode()


def admitted(**fields: Any) -> ErrorEvent:
    return admit(value(**fields), timestamp_ms=NOW)


def test_two_fields_are_enough() -> None:
    """Service and type make an event: time is the record's, the environment production."""
    event = admitted()
    assert (event.time, event.environment, event.event_id, event.cut) == (NOW, "production", "", [])


@pytest.mark.parametrize(
    ("given_time", "time_ms"),
    [
        ("2025-11-22T02:01:39.120Z", NOW),
        ("2025-11-22T02:01:39.120+00:00", NOW),
        ("2025-11-22T03:01:39.120+01:00", NOW),
        ("2025-11-22T02:01:39.120456789Z", NOW),
        ("2025-11-22 02:01:39.120", NOW),
        ("2025-11-22T02:01:39Z", NOW - 120),
        (NOW, NOW),
        (float(NOW), NOW),
        ("1970-01-01T00:00:00Z", 0),
        ("2099-12-31T23:59:59.999Z", 4_102_444_799_999),
        (None, NOW),
    ],
)
def test_times(given_time: object, time_ms: int) -> None:
    """RFC 3339 and milliseconds are taken from 1970 up to 2100, null is the record's time."""
    assert admitted(time=given_time).time == time_ms


@pytest.mark.parametrize(
    "wrong", [-1, "1969-12-31T23:59:59Z", "2100-01-01T00:00:00Z", 10**30, "yesterday", "20251122",
              "2025-13-01T00:00:00Z", True, [1]],
)  # fmt: skip
def test_refused_times(wrong: object) -> None:
    """Times outside 1970 to 2100 and what is no time are refused."""
    with pytest.raises(DataError) as caught:
        admitted(time=wrong)
    assert caught.value.stage == "validate"


@pytest.mark.parametrize(
    ("raw", "stage", "reason"),
    [
        (None, "decode", "the value is null"),
        (b"", "decode", "not JSON: Expecting value: line 1 column 1 (char 0)"),
        (b"[1]", "decode", "expected a JSON object, got list"),
        (b"null", "decode", "expected a JSON object, got NoneType"),
        (b'{"service":"a"}', "validate", "Object missing required field `error_type`"),
        (value(service=""), "validate", "service: must not be empty"),
        (value(service=" "), "validate", "service: must not be empty"),
        (value(service="a\nb"), "validate", "service: control characters are not taken"),
        (value(service="s" * 513), "size", "service: longer than 512 characters"),
        (value(error_type=" "), "validate", "error_type: must not be empty"),
        (value(message=5), "validate", "Expected `str`, got `int` - at `$.message`"),
        (value(tags={"a": 1}), "validate", "Expected `str`, got `int` - at `$.tags[...]`"),
        (value(count=0), "validate", "count: 0 is not within 1 to 1000000000"),
        (value(count=10**9 + 1), "validate", "count: 1000000001 is not within 1 to 1000000000"),
        (
            value(severity="loud"),
            "validate",
            "severity: 'loud' is none of low, medium, high, critical, fatal",
        ),
        (b" " * (limits.MAX_RECORD_BYTES + 1), "size", "262145 bytes; at most 262144 are taken"),
    ],
)
def test_refused(raw: bytes | None, stage: str, reason: str) -> None:
    """What cannot be used is refused with the stage and a reason that names the field."""
    with pytest.raises(DataError) as caught:
        admit(raw, timestamp_ms=NOW)
    assert (caught.value.stage, caught.value.reason) == (stage, reason)


@pytest.mark.parametrize("opening", [b'{"service":"a","error_type":"b","x":', b""])
@pytest.mark.parametrize("bracket", [b"[", b'{"a":'])
def test_nesting_bomb(opening: bytes, bracket: bytes) -> None:
    """A bomb of brackets is refused, not a crash."""
    with pytest.raises(DataError) as caught:
        admit(opening + bracket * 40_000, timestamp_ms=NOW)
    assert caught.value.stage == "decode"


@pytest.mark.parametrize(
    ("word", "severity"),
    [("ERROR", "high"), ("Warning", "medium"), ("info", "low"), ("CRITICAL", "critical"),
     ("panic", "fatal"), ("high", "high"), ("", "")],
)  # fmt: skip
def test_severity_words(word: str, severity: str) -> None:
    """Loggers' words in any case become ours."""
    assert admitted(severity=word).severity == severity


def test_unknown_fields_and_nulls() -> None:
    """Unknown fields are ignored; null in an optional field means that it is absent."""
    event = admitted(new_field={"a": 1}, message=None, frames=[{"module": None, "function": "f"}])
    assert (event.message, event.frames[0].module, event.frames[0].function) == ("", "", "f")


@pytest.mark.parametrize(
    "raw",
    [
        b'{"service":"a","error_type":"b","message":"x \\ud800 y"}',
        b'{"service":"a","error_type":"b","message":"x \xff y"}',
        b'{"service":"a","error_type":"b","message":"x \xed\xa0\x80 y"}',
    ],
)
def test_broken_text_is_mended(raw: bytes) -> None:
    """Lone surrogates and broken UTF-8 are replaced and the event says so."""
    event = admit(raw, timestamp_ms=NOW)
    assert event.cut == ["encoding"]
    event.message.encode()
    assert event.message.startswith("x ")


def test_long_things_are_cut_and_named() -> None:
    """Past a limit what is harmless to cut is cut, exactly at the bound, and named."""
    event = admitted(
        message="m" * limits.MAX_MESSAGE_CHARS + "n",
        operation="o" * 513,
        component="c" * 512,
        frames=[{"function": str(n)} for n in range(limits.MAX_FRAMES + 1)],
        causes=[{"error_type": str(n)} for n in range(limits.MAX_CAUSES + 1)],
        tags={str(n): "v" for n in range(limits.MAX_TAGS + 1)},
    )
    assert len(event.message) == limits.MAX_MESSAGE_CHARS
    assert (event.message[0], event.message[-2:]) == ("m", "mn")
    assert event.message.count(" [cut] ") == 1
    assert (len(event.operation), len(event.component)) == (512, 512)
    assert len(event.frames) == limits.MAX_FRAMES
    assert (event.frames[0].function, event.frames[-1].function) == ("0", str(limits.MAX_FRAMES))
    assert len(event.causes) == limits.MAX_CAUSES
    assert len(event.tags) == limits.MAX_TAGS
    assert sorted(event.cut) == ["causes", "frames", "message", "operation", "tags"]


def test_secrets_are_scrubbed() -> None:
    """Messages, causes and tags lose their secrets at ingress."""
    event = admitted(
        message="postgres://app:hunter2@db/orders refused",
        causes=[{"error_type": "E", "message": "password=hunter2"}],
        tags={"api_key": "abc", "region": "north"},
    )
    assert event.message == "postgres://[scrubbed]@db/orders refused"
    assert event.causes[0].message == "password=[scrubbed]"
    assert event.tags == {"api_key": "[scrubbed]", "region": "north"}


@given(st.binary(max_size=400))
def test_any_bytes(raw: bytes) -> None:
    """Whatever the bytes, there is an event or a DataError."""
    stage = ""
    try:
        admit(raw, timestamp_ms=NOW)
    except DataError as error:
        stage = error.stage
    assert stage in {"", "decode", "validate", "size"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*ErrorEvent.__struct_fields__, "other"]), json_values))
def test_any_fields(fields: dict[str, Any]) -> None:
    """Whatever stands in the fields, there is an event within limits or a DataError."""
    raw = json.dumps({"service": "a", "error_type": "b", **fields}).encode()
    try:
        event = admit(raw, timestamp_ms=NOW)
    except DataError:
        return
    assert isinstance(event.time, int)
    assert len(event.message) <= limits.MAX_MESSAGE_CHARS
    assert event == admit(raw, timestamp_ms=NOW)


def test_what_is_long_is_cut() -> None:
    """Causes, tags and frames have room, exactly to the bound; the ends of stacks stay."""

    def made(extra: int, *fields: str) -> ErrorEvent:
        rest = limits.MAX_CAUSES_CHARS - 10 * 800
        every: dict[str, Any] = {
            "causes": [{"error_type": "E", "message": "c" * 800} for _ in range(10)]
            + [{"error_type": "E", "message": "c" * (rest + extra)}],
            "tags": {"k": "v" * (4_096 - 1), "l": "v" * (4_095 + extra)},
            "frames": [
                {"function": f"{n:0256}"} for n in range(limits.MAX_FRAMES_CHARS // 256 + extra)
            ],
        }
        return admitted(**{name: every[name] for name in fields})

    for name in ("causes", "tags", "frames"):
        assert made(0, name).cut == []
        assert made(1, name).cut == [name]
    event = made(1, "causes")
    assert sum(len(one.message) for one in event.causes) <= limits.MAX_CAUSES_CHARS
    assert [len(one.message) for one in event.causes] == [799] * 10 + [193]  # short ones stay whole
    event = made(1, "tags")
    assert sum(len(key) + len(text) for key, text in event.tags.items()) <= limits.MAX_TAGS_CHARS
    kept = [int(frame.function) for frame in made(1, "frames").frames]
    assert len(kept) == limits.MAX_FRAMES_CHARS // 256
    assert (kept[0], kept[-1]) == (0, limits.MAX_FRAMES_CHARS // 256)


def hostile(message: int, frames: int, causes: int, tags: int) -> dict[str, Any]:
    """Fields with so many characters, in small pieces."""
    return {
        "message": "m" * message,
        "frames": [{"function": "f" * 128} for _ in range(frames // 128)],
        "causes": [{"error_type": "E", "message": "c" * 256} for _ in range(causes // 256)],
        "tags": {f"{n:02}": "v" * 254 for n in range(tags // 256)},
    }


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        # What fits in the room together stays whole.
        ({"message": 4_096, "frames": 8_192, "causes": 2_048, "tags": 2_048}, {}),
        ({"message": 1_024, "frames": 11_264, "causes": 2_048, "tags": 2_048}, {}),
        # Past it each has its share; what others leave of theirs goes to the message first.
        ({"message": 12_288, "frames": 24_576, "causes": 8_192, "tags": 8_192},
         {"message": 4_096, "frames": 6_144, "causes": 1_024, "tags": 1_024}),
        ({"message": 60_000, "frames": 2_048, "causes": 8_192, "tags": 0},
         {"message": 9_216, "causes": 1_024}),
        ({"message": 2_048, "frames": 24_576, "causes": 8_192, "tags": 256},
         {"frames": 6_144, "causes": 3_840}),
        # A stack is cut to one length or not at all.
        ({"message": 1_024, "frames": 14_336, "causes": 1_024, "tags": 256},
         {"frames": 6_144}),
    ],
)  # fmt: skip
def test_one_room_for_all_texts(sent: dict[str, int], kept: dict[str, int]) -> None:
    """Message, frames, causes and tags share one room; what is cut is counted and named."""
    event = admitted(**hostile(**sent))
    assert bounds.texts(event) == sent | kept
    assert sorted(event.cut) == sorted(kept)
    lost = {name: sent[name] - kept[name] for name in kept}
    assert left_out(value(**hostile(**sent))) == lost


@given(st.integers(0, 250), st.integers(0, 400), st.integers(0, 60), st.integers(0, 70))
def test_texts_are_bounded(frames: int, length: int, causes: int, tags: int) -> None:
    """Whatever a record holds, what the hot path looks through is bounded."""
    event = admitted(
        message="m" * 200 * length,
        frames=[{"module": "a" * length, "function": "b" * n} for n in range(frames)],
        causes=[{"error_type": "E", "message": "c" * length * 2} for _ in range(causes)],
        tags={f"{n}": "v" * length for n in range(tags)},
    )
    held = bounds.texts(event)
    assert sum(held.values()) <= limits.MAX_TEXT_CHARS
    assert held["message"] <= limits.MAX_MESSAGE_CHARS
    assert held["causes"] <= limits.MAX_CAUSES_CHARS
    assert held["tags"] <= limits.MAX_TAGS_CHARS


@pytest.mark.parametrize("broken", [b"", b',"x":"\\ud800"'])
@pytest.mark.parametrize("over", [0, 1, 300])
def test_what_is_read_slowly_is_cut_alike(broken: bytes, over: int) -> None:
    """Of long lists in broken records, the same items are kept as of those in good ones."""
    fields = {
        "frames": [{"function": str(n)} for n in range(limits.MAX_FRAMES + over)],
        "causes": [{"error_type": str(n)} for n in range(limits.MAX_CAUSES + over)],
        "bases": [str(n) for n in range(limits.MAX_BASES + over)],
        "fingerprint": [str(n) for n in range(bounds.MAX_PARTS + over)],
        "tags": {str(n): "v" for n in range(limits.MAX_TAGS + over)},
    }
    good = admitted(**fields)
    raw = json.dumps({"service": "a", "error_type": "b", "message": None, **fields}).encode()
    event = admit(raw[:-1] + broken + b"}", timestamp_ms=NOW)
    for name in fields:
        assert getattr(event, name) == getattr(good, name)
    assert [name for name in event.cut if name != "encoding"] == good.cut
