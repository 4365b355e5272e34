"""Whatever is sent, grouping and classifying it ends, and what is looked at is bounded."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultstream.config.topology import load
from faultstream.core.classify import Classifier
from faultstream.core.event import Cause, ErrorEvent, Frame
from faultstream.core.frames import frame_name, is_test, without_recursion
from faultstream.core.grouping import Grouper, group_of
from faultstream.core.template import HEAD_CHARS, template

SIZE = 65_536
TOPOLOGY = load(None)
CLASSIFIER = Classifier(TOPOLOGY)
GROUPER = Grouper(TOPOLOGY)
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
