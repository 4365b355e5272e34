"""Matchers: Alertmanager's operators and quoting, in linear time."""

import pytest

from faultstream.core.notify.matchers import MatcherError, matcher


@pytest.mark.parametrize(
    ("text", "value", "found"),
    [
        ("a=x", "x", True),
        ("a=x", "xy", False),
        ('a="x"', "x", True),
        ('a = "x y, z"', "x y, z", True),
        (r'a="say \"x\""', 'say "x"', True),
        (r'a="back\\slash"', r"back\slash", True),
        ("a!=x", "x", False),
        ("a!=x", "", True),
        ('a=""', "", True),
        ("a=", "", True),
        ("a=~x.*", "xyz", True),
        ("a=~x", "xyz", False),
        ('a=~"x|y"', "y", True),
        (r'a=~"\\d+"', "12", True),
        (r'a=~"\d+"', "12", True),
        ('a!~"x|y"', "y", False),
        ('a=~".+"', "", False),
        ('a=~".*"', "", True),
    ],
)
def test_matches(text: str, value: str, found: bool) -> None:
    """Equality and full matches of RE2, and their negations; a missing label is empty."""
    assert matcher(text).matches({"a": value} if value else {}) is found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("service", "'service' is no matcher such as service=\"orders\""),
        ("a==b", "'a==b' is no matcher such as service=\"orders\""),
        ("1a=b", "'1a=b' is no matcher such as service=\"orders\""),
        ('a="b', '\'a="b\' is no matcher such as service="orders"'),
        ("a=~(", "'(' is no RE2 expression: missing ): ("),
        ('a=~"(x)\\\\1"', r"'(x)\\1' is no RE2 expression: invalid escape sequence: \1"),
        ("a=~x(?=y)", "'x(?=y)' is no RE2 expression: invalid perl operator: (?="),
    ],
)
def test_refuses(text: str, message: str) -> None:
    """What is no matcher, or what takes more than linear time: back references, look-around."""
    with pytest.raises(MatcherError) as refused:
        matcher(text)
    assert str(refused.value) == message


def test_evil_expressions_take_linear_time() -> None:
    """An expression that makes backtracking engines take years ends at once."""
    evil = matcher('a=~"(a+)+(a|aa)*b"')
    assert not evil.matches({"a": "a" * 20_000})
