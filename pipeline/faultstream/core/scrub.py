"""Secrets taken out of texts and tags: by key, by shape, and card numbers by checksum (row E7).

Every expression is linear: classes exclude what follows them and repeats have bounds. A text is
looked at with plain substring tests first; whether they all fail does not depend on which
digits stand in it, so that answer is remembered per text with its digits made equal.
"""

import re
from typing import Final

MASK: Final = "[scrubbed]"
CARD: Final = "[card]"
EMAIL: Final = "[email]"

ZEROED: Final = bytes(48 if 48 <= byte <= 57 else byte for byte in range(256))
"""A table for bytes.translate that makes every digit a 0."""

_SECRET_KEY: Final = re.compile(
    r"(?i)passw|passphrase|pwd|secret|token|credential|cookie|authorization|private_?key"
    r"|api[_-]?key|access[_-]?key|session[_-]?key|signing[_-]?key|encryption[_-]?key"
    r"|(?:^|[_.-])(?:auth|pin|cvv|cvc|ssn|dsn)(?:$|[_.-])|card_?number|connection_?string"
)
_HARMLESS_KEY: Final = re.compile(r"(?i)tokens?_(?:count|type|used|limit)|secret_(?:name|version)")

# One of these stands in every text that the expressions below could change.
_WORDS: Final = (
    "passw", "passphrase", "pwd", "secret", "token", "_key", "apikey", "api-key", "api key",
    "access key", "authorization", "credential", "cookie", "bearer ", "basic ", "eyj", "akia",
    "asia", "ghp_", "gho_", "ghs_", "github_pat_", "xox", "sk_live_", "sk-", "private key",
)  # fmt: skip
_DIGITS: Final = (
    b"0000000000000", b"0000 0000 0000", b"0000-0000-0000", b"0000 000000 0000",
    b"0000-000000-0000",
)  # fmt: skip

_USERINFO: Final = re.compile(r"://[^\s/@:?#]{0,256}:[^\s/?#]{1,256}@")
_SCHEME: Final = re.compile(r"(?i)\b(bearer|basic)\s{1,4}[A-Za-z0-9._~+/=-]{8,}")
_JWT: Final = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]{0,})?")
_ISSUED: Final = re.compile(
    r"\b(?:(?:AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}|sk_live_[A-Za-z0-9]{10,}|sk-[A-Za-z0-9_-]{20,})"
)
_PEM: Final = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]{0,65536}(?:-----END[^-]{0,40}-----)?"
)
_PASSWORD: Final = re.compile(
    r"(?i)((?:passw(?:or)?d|passphrase|pwd)[\"']?\s{0,4}[:=]\s{0,4})"
    r"(?:\"[^\"]{1,4096}\"|'[^']{1,4096}'|[^\s\"',;&)}\]]{1,4096})"
)
_KEYED: Final = re.compile(
    r"(?i)((?:secret|token|api[_ -]?key|access[_ -]?key(?:[_ -]?id)?|private[_ -]?key|[a-z]_key"
    r"|authorization|credentials?|cookie)[\"']?\s{0,4}[:=]\s{0,4}[\"']?)"
    r"(?=[^\s\"',;&)}\]]{0,64}[0-9A-Z_~+/=-])[^\s\"',;&)}\]]{8,4096}"
)
_CARD: Final = re.compile(r"(?<![0-9A-Za-z.])[0-9](?:[ -]?[0-9]){12,}(?![A-Za-z])")
_BETWEEN: Final = re.compile(r"([ -])")
_EMAIL: Final = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-])"
)

# A digit's byte to its part of the checksum where it counts twice.
_DOUBLED: Final = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))

_MEMO_ENTRIES: Final = 8_192
_MEMO_CHARS: Final = 512
_clean: set[bytes] = set()
_keys: dict[str, bool] = {}


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of a card number (ISO/IEC 7812)."""
    raw = digits.encode()
    singles, doubles = raw[::-2], raw[-2::-2].translate(_DOUBLED)
    return (sum(singles) - 48 * len(singles) + sum(doubles)) % 10 == 0


def _is_card(digits: str) -> bool:
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and luhn(digits)


def _plain_digits(text: str) -> str:
    return text.replace(" ", "").replace("-", "")


def _card(match: re.Match[str]) -> str:
    digits = _plain_digits(match[0])
    if len(digits) > 19:
        return _cards_in_list(match[0])
    return CARD if _is_card(digits) else match[0]


def _cards_in_list(text: str) -> str:
    """Masks cards written in fours within a longer list of numbers."""
    groups = _BETWEEN.split(text)  # numbers at even places, what is between them at odd ones
    parts: list[str] = []
    place = 0
    while place < len(groups):
        four = groups[place : place + 7 : 2]
        if len(four) == 4 and all(len(group) == 4 for group in four) and _is_card("".join(four)):
            parts += (CARD, *groups[place + 7 : place + 8])
            place += 8
        else:
            parts += groups[place : place + 2]
            place += 2
    return "".join(parts)


def _suspicious(text: str, zeroed: bytes) -> bool:
    if "://" in text and "@" in text:
        return True
    low = text.lower()
    return any(word in low for word in _WORDS) or any(run in zeroed for run in _DIGITS)


def scrub_text(text: str, *, emails: bool = False) -> str:
    """`text` without secrets. The very same object comes back when nothing was found.

    With `emails`, addresses are masked too. Linear in the length of the text.
    """
    zeroed = text.encode("utf-8", "surrogatepass").translate(ZEROED)
    if zeroed not in _clean:
        if _suspicious(text, zeroed):
            clean = _replace(text)
            text = text if clean == text else clean
        elif len(zeroed) <= _MEMO_CHARS:
            if len(_clean) >= _MEMO_ENTRIES:
                _clean.clear()
            _clean.add(zeroed)
    if emails and "@" in text:
        return _EMAIL.sub(EMAIL, text)
    return text


def _replace(text: str) -> str:
    low = text.lower()
    if "://" in text and "@" in text:
        text = _USERINFO.sub(f"://{MASK}@", text)
    if "private key" in low:
        text = _PEM.sub(MASK, text)
    if "bearer" in low or "basic" in low:
        text = _SCHEME.sub(rf"\1 {MASK}", text)
    text = _JWT.sub(MASK, text)
    text = _ISSUED.sub(MASK, text)
    if "pass" in low or "pwd" in low:
        text = _PASSWORD.sub(rf"\1{MASK}", text)
    text = _KEYED.sub(rf"\1{MASK}", text)
    return _CARD.sub(_card, text)


def is_secret_key(key: str) -> bool:
    """Whether a tag of this name holds a secret, whatever its value looks like."""
    known = _keys.get(key)
    if known is None:
        known = bool(_SECRET_KEY.search(key)) and not _HARMLESS_KEY.search(key)
        if len(_keys) >= _MEMO_ENTRIES:
            _keys.clear()
        _keys[key] = known
    return known


def scrub_tags(tags: dict[str, str], *, emails: bool = False) -> None:
    """Masks the values of secret keys and the secrets inside the other values, in place."""
    for key, value in tags.items():
        if is_secret_key(key):
            tags[key] = MASK
        elif len(value) >= 8:
            clean = scrub_text(value, emails=emails)
            if clean is not value:
                tags[key] = clean
