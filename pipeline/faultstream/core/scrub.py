"""Secrets taken out of texts and tags: by key, by shape, and card numbers by checksum (row E7).

Every expression is linear: classes exclude what follows them and repeats have bounds. A text is
looked at with plain substring tests first; whether they all fail does not depend on which
digits stand in it, so that answer is remembered per text with its digits made equal.
"""

import re
from itertools import accumulate, compress, count
from operator import add
from typing import Final

from faultstream.core.event import ErrorEvent

MASK: Final = "[scrubbed]"
CARD: Final = "[card]"
EMAIL: Final = "[email]"

ZEROED: Final = bytes(48 if 48 <= byte <= 57 else byte for byte in range(256))
"""A table for bytes.translate that makes every digit a 0."""

_TEXTS: Final = (
    "message", "operation", "component", "function", "user_id", "session_id", "request_id",
)  # fmt: skip
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
_JWT: Final = re.compile(
    r"eyJ(?<!\weyJ)[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]{0,})?"
)
_ISSUED: Final = re.compile(
    r"A(?<!\wA)(?:KIA|SIA)[0-9A-Z]{16}|g(?<!\wg)h[pousr]_[A-Za-z0-9]{20,}"
    r"|g(?<!\wg)ithub_pat_[A-Za-z0-9_]{20,}|x(?<!\wx)ox[abeoprs]-[A-Za-z0-9-]{10,}"
    r"|s(?<!\ws)k_live_[A-Za-z0-9]{10,}|s(?<!\ws)k-[A-Za-z0-9_-]{20,}"
)
_PEM: Final = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]{0,65536}(?:-----END[^-]{0,40}-----)?"
)
# `x(?<!\wx)` is `\bx` in a form that lets the engine leap to where one may begin. For the same
# reason these three are for texts in lower case; their first group stays.
_SCHEME: Final = re.compile(r"(b(?<!\wb)(?:earer|asic))\s{1,4}[a-z0-9._~+/=-]{8,}")
_PASSWORD: Final = re.compile(
    r"(p(?:assw(?:or)?d|assphrase|wd)[\"']?\s{0,4}[:=]\s{0,4})(?!\[scrubbed\])"
    r"(?:\"[^\"]{1,4096}\"|'[^']{1,4096}'|[^\s\"',;&)}\]]{1,4096})"
)
_KEYED: Final = re.compile(
    r"((?:secret|token|api[_ -]?key|access[_ -]?key(?:[_ -]?id)?|private[_ -]?key"
    r"|_(?<=[a-z]_)key|authorization|credentials?|cookie)[\"']?\s{0,4}[:=]\s{0,4}[\"']?)(?!\[scrubbed\])"
    r"(?=[^\s\"',;&)}\]]{0,64}[0-9a-z_~+/=-])[^\s\"',;&)}\]]{8,4096}"
)
_LOWER_I: Final = str.maketrans({"\u0130": "i", "\u0131": "i", "\u017f": "s"})
# A class repeated is what the engine does fastest; what stands apart by more than one character is
# told apart afterwards.
_CARD: Final = re.compile(r"(?<![0-9A-Za-z.])[0-9][0-9 -]{11,}[0-9](?![A-Za-z])")
_APART: Final = re.compile(r"([ -]{2,})")
_GAPS: Final = ("  ", "--", " -", "- ")
_EMAIL: Final = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-])"
)

# A digit's byte to its part of the checksum where it counts twice.
_DOUBLED: Final = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))

_NO_FOUR: Final = 1_000
_TENS: Final = frozenset(range(0, 4 * 36 + 1, 10))

_MEMO_ENTRIES: Final = 8_192
_MEMO_CHARS: Final = 512
KNOWN_CLEAN: Final[set[bytes]] = set()
"""Shapes of texts that hold no secret; admit asks it first, because a call is what costs."""
KNOWN_KEYS: Final[dict[str, bool]] = {}
"""Names of tags, and whether they mean secrets; for admit too."""
MIN_TAG_CHARS: Final = 8
"""Shorter values of tags are left alone: nothing that is known by its shape is that short."""


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of a card number (ISO/IEC 7812)."""
    raw = digits.encode()
    singles, doubles = raw[::-2], raw[-2::-2].translate(_DOUBLED)
    return (sum(singles) - 48 * len(singles) + sum(doubles)) % 10 == 0


def _is_card(digits: str) -> bool:
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and luhn(digits)


def _plain_digits(text: str) -> str:
    return text.replace(" ", "").replace("-", "")


def _cards(match: re.Match[str]) -> str:
    text = match[0]
    if not any(gap in text for gap in _GAPS):
        return _card(text)
    return "".join([_card(part) for part in _APART.split(text)])


def _card(text: str) -> str:
    digits = _plain_digits(text)
    if len(digits) > 19:
        return _cards_in_list(text)
    return CARD if _is_card(digits) else text


class _Sums(dict[str, int]):
    """Four digits to what they add to the checksum of a card that is written in fours."""

    def __missing__(self, four: str) -> int:
        if len(four) != 4:
            return _NO_FOUR
        singles, doubles = four.encode(), four.encode().translate(_DOUBLED)
        self[four] = doubles[0] + doubles[2] + singles[1] + singles[3] - 2 * 48
        return self[four]


_sums: Final = _Sums()  # at most 10,000


def _cards_in_list(text: str) -> str:
    """Masks cards written in fours within a longer list of numbers."""
    numbers = text.replace("-", " ").split(" ")
    sums = list(map(_sums.__getitem__, numbers))
    pairs = list(map(add, sums, sums[1:]))
    hits = compress(count(), map(_TENS.__contains__, map(add, pairs, pairs[2:])))
    ends: list[int] = []
    parts: list[str] = []
    last = len(numbers)
    end = place = 0  # numbers before `end` are settled, up to `place` in the text
    for at in hits:
        if at < end:
            continue
        four = numbers[at]
        if four == numbers[at + 1] == numbers[at + 2] == numbers[at + 3] and four == four[0] * 4:
            end = at + 1
            while end + 3 < last and numbers[end + 3] == four:
                end += 1
            continue
        ends = ends or list(accumulate(map(len, numbers)))
        start = ends[at] - 4 + at
        parts.append(text[place:start])
        end, place = at + 4, start + 19
    return CARD.join((*parts, text[place:]))


def _suspicious(text: str, zeroed: bytes) -> bool:
    if "://" in text and "@" in text:
        return True
    if any(run in zeroed for run in _DIGITS):
        return True
    low = text.lower()
    return any(word in low for word in _WORDS)


def scrub_text(text: str, *, emails: bool = False) -> str:
    """`text` without secrets. The very same object comes back when nothing was found.

    With `emails`, addresses are masked too. Linear in the length of the text.
    """
    zeroed = text.encode("utf-8", "surrogatepass").translate(ZEROED)
    if zeroed not in KNOWN_CLEAN:
        if _suspicious(text, zeroed):
            clean = _replace(text, zeroed)
            text = text if clean == text else clean
        elif len(zeroed) <= _MEMO_CHARS:
            if len(KNOWN_CLEAN) >= _MEMO_ENTRIES:
                KNOWN_CLEAN.clear()
            KNOWN_CLEAN.add(zeroed)
    if emails and "@" in text:
        return _EMAIL.sub(EMAIL, text)
    return text


def _folded(text: str) -> str:
    """`text` in lower case and as long as before, as far as the expressions can see."""
    return text.lower() if text.isascii() else text.translate(_LOWER_I).lower()


def _mask(text: str, expression: re.Pattern[str], mask: str) -> str:
    """Masks what `expression` finds, but for its first group, whatever its case."""
    parts: list[str] = []
    end = 0
    for match in expression.finditer(_folded(text)):
        parts += (text[end : match.end(1)], mask)
        end = match.end()
    return "".join((*parts, text[end:])) if parts else text


def _replace(text: str, zeroed: bytes) -> str:
    low = text.lower()
    if "://" in text and "@" in text:
        text = _USERINFO.sub(f"://{MASK}@", text)
    if "private key" in low:
        text = _PEM.sub(MASK, text)
    if "bearer" in low or "basic" in low:
        text = _mask(text, _SCHEME, f" {MASK}")
    if "eyJ" in text:
        text = _JWT.sub(MASK, text)
    text = _ISSUED.sub(MASK, text)
    if "pass" in low or "pwd" in low:
        text = _mask(text, _PASSWORD, MASK)
    if ":" in text or "=" in text:
        text = _mask(text, _KEYED, MASK)
    return _CARD.sub(_cards, text) if zeroed.count(b"0") >= 13 else text


def is_secret_key(key: str) -> bool:
    """Whether a tag of this name holds a secret, whatever its value looks like."""
    known = KNOWN_KEYS.get(key)
    if known is None:
        known = bool(_SECRET_KEY.search(key)) and not _HARMLESS_KEY.search(key)
        if len(KNOWN_KEYS) >= _MEMO_ENTRIES:
            KNOWN_KEYS.clear()
        KNOWN_KEYS[key] = known
    return known


def scrub_tags(tags: dict[str, str], *, emails: bool = False) -> None:
    """Masks the values of secret keys and the secrets inside the other values, in place."""
    for key, value in tags.items():
        if is_secret_key(key):
            tags[key] = MASK
        elif len(value) >= MIN_TAG_CHARS:
            clean = scrub_text(value, emails=emails)
            if clean is not value:
                tags[key] = clean


def scrub_event(event: ErrorEvent, *, emails: bool = False) -> None:
    """Takes secrets out of every free text of the event, in place."""
    for name in _TEXTS:
        text = getattr(event, name)
        if text:
            setattr(event, name, scrub_text(text, emails=emails))
    for cause in event.causes:
        cause.message = scrub_text(cause.message, emails=emails)
    if event.fingerprint:
        event.fingerprint = [scrub_text(part, emails=emails) for part in event.fingerprint]
    scrub_tags(event.tags, emails=emails)
