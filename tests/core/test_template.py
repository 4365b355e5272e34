"""Templates: what counts as a value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultstream.core.template import HEAD_CHARS, canonical, head, parameterise, template


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("timeout after 5000 ms", "timeout after <duration>"),
        ("took 3.5s of 10s", "took <duration> of <duration>"),
        ("read 10 bytes of 4KB", "read <size> of <size>"),
        ("GET http://a.b/c?d=1 failed", "GET <url> failed"),
        ("dial tcp 10.0.0.1:5432: refused", "dial tcp <ip>: refused"),
        ("dial tcp [::1]:5432: refused", "dial tcp <ip>: refused"),
        ("lookup db.internal: no such host", "lookup <host>: no such host"),
        ("order 8f14e45f-ceea-467f-a0e6-123456789abc", "order <uuid>"),
        ("commit 9f4ef63a", "commit <hex>"),
        ("at 0x7ffdeadbeef", "at <hex>"),
        ("at 2024-01-01T10:00:00.123Z", "at <date>"),
        ("on Nov 22 02:01:39 it", "on <date> it"),
        ("mail to ann@example.com", "mail to <email>"),
        ("open /var/lib/x.db: denied", "open <path>: denied"),
        (r"open C:\Windows\x.dll failed", "open <path> failed"),
        ("ids 1, 2, 3", "ids <int>"),
        ("version 6.1.7601.23505", "version <version>"),
        ("HTTP 503 from upstream", "HTTP 503 from upstream"),
        ("status code: 404 for 17", "status code: 404 for <int>"),
        ("[Errno 111] Connection refused", "[Errno 111] Connection refused"),
        ("deadlock detected (SQLSTATE 40P01)", "deadlock detected (SQLSTATE 40P01)"),
        ("SQLSTATE[42S02]: no table 17", "SQLSTATE[42S02]: no table <int>"),
        ("SQLSTATE[HY000] [2002] refused", "SQLSTATE[HY000] [2002] refused"),
        ("503 Service Unavailable", "503 Service Unavailable"),
        ("Invalid user bob from 10.0.0.1", "Invalid user <who> from <ip>"),
        ("user unknown", "user unknown"),
        ("'NoneType' object has no attribute 'foo'", "'NoneType' object has no attribute 'foo'"),
        ("std::vector in foo::bar", "std::vector in foo::bar"),
        ("", ""),
    ],
)
def test_examples(message: str, expected: str) -> None:
    """Values are named, words and codes that say what went wrong are kept."""
    assert template(message) == expected


@given(st.text(max_size=300))
def test_canonical_is_settled(message: str) -> None:
    """Templates depend on nothing but the canonical text."""
    text = head(message)
    assert parameterise(canonical(text)) == template(message)


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_numbers_do_not_divide(first: int, second: int) -> None:
    """Messages that differ in a number of any length have one template."""
    assert template(f"order {first} failed") == template(f"order {second} failed")


def test_head() -> None:
    """The first two lines with something in them count, within the bound."""
    assert head("\n\n a\n\nb\nc") == "a\nb"
    assert len(head("x" * 100_000)) == HEAD_CHARS


@given(st.text(alphabet="a1f:/.-@ =<[({$\\\"'é\n", max_size=3000))
def test_anything(message: str) -> None:
    """Any text has a template without digits outside of codes, and the same one again."""
    assert template(message) == template(message)
