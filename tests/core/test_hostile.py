"""Whatever is sent, grouping and classifying it ends, and what is looked at is bounded."""

import gc
import sys
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultstream.config.topology import load
from faultstream.core import frames, scrub
from faultstream.core import template as template_module
from faultstream.core.classify import Classifier, knowledge
from faultstream.core.classify.names import dotted
from faultstream.core.errors import DataError
from faultstream.core.event import Cause, ErrorEvent, Frame
from faultstream.core.frames import frame_name, is_test, without_recursion
from faultstream.core.grouping import Grouper, group_of
from faultstream.core.template import HEAD_CHARS, template
from faultstream.formats.shapes import Shapes

SIZE = 65_536
TOPOLOGY = load(None)
CLASSIFIER = Classifier(TOPOLOGY)
GROUPER = Grouper(TOPOLOGY)
MOST_CALLS = 25_000
"""Of functions, for one record. The worst known takes 21,000, an ordinary one 1,000."""
pieces = st.one_of(
    st.text(min_size=1, max_size=12),
    st.sampled_from(["::1", "1:", "0x", "a.", "a1_", "A_", "/a", "\\a", "[0:", "k=", "user ",
                     "1.1.", "com.a.BError ", "code = A", "status: 5", "$$Lambda", "<a>", "\n",
                     "\ud800"]),
)  # fmt: skip
parts = st.lists(pieces, min_size=1, max_size=4).map("".join)


def huge(part: str) -> str:
    """64 Ki characters of it."""
    return (part * (SIZE // len(part) + 1))[:SIZE]


@settings(max_examples=40)
@given(parts, st.text(max_size=600))
def test_only_the_head_counts(part: str, tail: str) -> None:
    """What stands behind the part that is looked at changes neither group nor cost."""
    message, seen = huge(part), 16 * HEAD_CHARS
    one = ErrorEvent(service="s", error_type="acme.Odd", message=message)
    other = ErrorEvent(service="s", error_type="acme.Odd", message=message[:seen] + tail)
    assert group_of(one, CLASSIFIER) == group_of(other, CLASSIFIER)
    assert len(template(message)) <= 8 * HEAD_CHARS


@settings(max_examples=40)
@given(parts, st.booleans())
def test_any_name(part: str, in_cause: bool) -> None:
    """Names of types, modules and functions may be anything; the memo says what is computed."""
    text = huge(part.encode("utf-8", "replace").decode())  # admitted text is never broken
    name = text[:512]
    event = ErrorEvent(
        service="s",
        error_type=name,
        bases=[name] * 16,
        causes=[Cause(name, text)] if in_cause else [],
        frames=[Frame(module=name, function=name, file=name)] * 3,
    )
    assert GROUPER.group(event) == group_of(event, CLASSIFIER)
    assert len(frame_name(event.frames[0])) <= 2 * 512 + 64


@given(st.lists(st.sampled_from("abc"), max_size=200))
def test_recursion_is_bounded(names: list[str]) -> None:
    """A stack is as long as before at most, and without recursion taken out twice it is equal."""
    once = without_recursion(names)
    assert len(once) <= len(names)
    assert without_recursion(once) == once


@pytest.mark.parametrize(
    ("module", "test"),
    [
        ("com.acme.ShopTest", True), ("com.acme.ShopTests$1", True), ("tests.shop", True),
        ("shop.test_cart", True), ("shop_test", True), ("spec.cart_spec", True),
        ("com.acme.TestCart", True), ("com.acme.Testament", False), ("contest.entry", False),
        ("latest", False), ("Spec", False), ("a_" * 250, False),
    ],
)  # fmt: skip
def test_frames_of_tests(module: str, test: bool) -> None:
    """Test cases are told by how a part of their module begins or ends."""
    assert is_test(Frame(module=module)) is test


def calls(value: bytes) -> int:
    """How many functions a record takes on its whole way with nothing remembered, C's included."""
    shapes = Shapes(Grouper(TOPOLOGY))
    scrub.KNOWN_CLEAN.clear()
    memos: list[dict[Any, Any]] = [scrub.KNOWN_KEYS, frames.MEMO, *template_module.MEMOS]
    for memo in memos:
        memo.clear()
    template_module.candidates.cache_clear()
    template.cache_clear()
    dotted.cache_clear()
    knowledge.load().reader.read.cache_clear()
    knowledge.load().texts.within.cache_clear()
    count = 0

    def note(frame: object, event: str, arg: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    gc.disable()  # what it calls is not counted
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        shapes.look(value, 0)
    finally:
        sys.setprofile(before)
        gc.enable()
    return count


def everywhere(size: int, text: str, name: str) -> bytes:
    """A record of about `size` bytes, hostile in every field at once."""
    part = size // 5
    long = (text * part)[:part]
    each = (name * part)[: max(4, part // 190 // 3)]
    names = [f"{each}{n}" for n in range(190)]
    record = {
        "service": "s",
        "error_type": (name * 500)[:500],
        "bases": [f"{(name * 500)[:490]}{n}" for n in range(16)],
        "message": long,
        "frames": [{"module": one, "function": one, "file": one} for one in names],
        "causes": [
            {"error_type": "Exception", "message": f"{n}{long[: part // 4]}"} for n in range(4)
        ],
        "tags": {f"k{n}": long[n : n + part // 64] for n in range(64)},
    }
    return orjson.dumps(record)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("4111-1111-", "$fn__1("), ("::1", "$"), ("1:1:", "$_closure1"), ("0-", "\U0001f600"),
        ("passwd='", "throwErrorFor"), ("4111 1111 1111 1111 ", "test_"), ("0x", "[as "),
        ("code = A", "checkNotNull"), ("https://a:b@c ", "::h0123456789abcdef"),
        ("é", "{closure:"), ("user a1 ", "Timeouterrortimeouterrortimeouterrortimeoutex"),
    ],
)  # fmt: skip
def test_work_is_bounded(text: str, name: str) -> None:
    """The worst records known take few steps, and four times the size four times as many at most.

    What one step costs is bounded too, by the room that all texts have together.
    """
    calls(everywhere(16_384, text, name))  # compiles what is compiled at its first use
    small, large = calls(everywhere(16_384, text, name)), calls(everywhere(65_536, text, name))
    assert large <= 4 * small
    assert large <= MOST_CALLS


@pytest.mark.parametrize("field", ["frames", "causes", "bases", "fingerprint", "other"])
@pytest.mark.parametrize("item", [b"{},", b"1,", b"1.5e-300,", b'"",', b"null,"])
@pytest.mark.parametrize("end", [b"", b',"x":"\\ud800"'])
def test_long_lists_are_not_walked(field: str, item: bytes, end: bytes) -> None:
    """How many items a list has does not show in the steps, also where the text is broken."""
    head = b'{"service":"s","error_type":"E","%b":[' % field.encode()

    def value(items: int) -> bytes:
        return head + (item * items)[:-1] + b"]" + end + b"}"

    def steps(items: int) -> int:
        try:
            return calls(value(items))
        except DataError:
            return 0  # refused at once

    steps(4_000)  # compiles what is compiled at its first use
    assert steps(20_000) <= steps(4_000) + 100
