"""Secrets go, everything else stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultstream.core.scrub import is_secret_key, luhn, scrub_tags, scrub_text


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("password=hunter2 for bob", "password=[scrubbed] for bob"),
        ('{"passwd": "a b", "x": 1}', '{"passwd": [scrubbed], "x": 1}'),
        ("Authorization: Bearer abc.def-123456", "Authorization: Bearer [scrubbed]"),
        ("api_key=sk_test_12345678", "api_key=[scrubbed]"),
        ("amqp://guest:guest@mq:5672/ is away", "amqp://[scrubbed]@mq:5672/ is away"),
        ("redis://:pa@ss@cache:6379/0", "redis://[scrubbed]@cache:6379/0"),
        ("key AKIAIOSFODNN7EXAMPLE denied", "key [scrubbed] denied"),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln bad", "jwt [scrubbed] bad"),
        ("card 4111 1111 1111 1111 declined", "card [card] declined"),
        ("card 4111-1111-1111-1111 declined", "card [card] declined"),
        ("378282246310005", "[card]"),
        (" 1111 2222 4111 1111 1111 1111 9999", " 1111 2222 [card] 9999"),
    ],
)
def test_scrubbed(text: str, clean: str) -> None:
    """Keys, issued tokens, credentials in addresses and cards are masked."""
    assert scrub_text(text) == clean


@pytest.mark.parametrize(
    "text",
    [
        "KeyError: 'user_id'",
        "unexpected token: ident at line 3",
        "order 4111111111111112 not found",
        "http://example.com:80/a@b",
        "1763776899120 1763776899121",
        "connection to 10.0.0.1:5432 refused",
    ],
)
def test_left_alone(text: str) -> None:
    """What is no secret comes back as the very same object."""
    assert scrub_text(text) is text


@pytest.mark.parametrize(
    "text",
    [
        "password=hunter2 for bob",
        '{"passwd": "a b", "x": 1}',
        "Authorization: Bearer abc.def-123456",
        "token='abcdefgh1234'; api_key = sk_test_12345678, pwd:x",
        "amqp://guest:guest@mq:5672/ is away",
        "card 4111 1111 1111 1111, mail ann@example.com",
    ],
)
def test_scrubbing_twice_is_scrubbing_once(text: str) -> None:
    """Clients scrub, and so does ingress: both see the same text, and give one fingerprint."""
    once = scrub_text(text, emails=True)
    assert once != text
    assert scrub_text(once, emails=True) == once


def test_emails_are_optional() -> None:
    """Addresses are masked only on request."""
    assert scrub_text("mail to ann@example.com") == "mail to ann@example.com"
    assert scrub_text("mail to ann@example.com", emails=True) == "mail to [email]"


def test_tags() -> None:
    """Tags with a secret's name lose their value, the others only the secrets in it."""
    tags = {"DB_PASSWORD": "x", "auth": "y", "author": "z", "url": "https://a:b@c/d"}
    scrub_tags(tags)
    assert tags == {
        "DB_PASSWORD": "[scrubbed]", "auth": "[scrubbed]", "author": "z",
        "url": "https://[scrubbed]@c/d",
    }  # fmt: skip
    assert not is_secret_key("token_count")


def test_luhn() -> None:
    """The check digit is that of ISO/IEC 7812."""
    assert luhn("79927398713")
    assert not luhn("79927398710")


@given(st.text(max_size=300), st.integers(0, 9))
def test_digits_do_not_decide_what_is_remembered(text: str, digit: int) -> None:
    """Remembering clean texts by their shape never lets a secret through or masks too much."""
    other = "".join(str(digit) if char.isascii() and char.isdigit() else char for char in text)
    first = scrub_text(other), scrub_text(text)
    assert (scrub_text(other), scrub_text(text)) == first


def test_every_card_of_a_long_list_goes() -> None:
    """A list of thousands of cards is masked, card by card."""
    assert scrub_text(" ".join(["4111 1111 1111 1111"] * 3_000)) == " ".join(["[card]"] * 3_000)
