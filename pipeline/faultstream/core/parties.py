"""Parties: what an error says of the others: its caller went away, another service failed it.

Both are read from the message by rules in parties.toml, and neither changes what the error is. A
service that was left by its caller is not touched by a fault itself. A name counts only where a
service is called so, which is not known here: see `spellings`.
"""

import re
import tomllib
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib import resources
from itertools import islice
from typing import Any, Final

import msgspec

from faultstream.core.classify.names import dotted
from faultstream.core.group import CATEGORIES

MAX_NAMED: Final = 4
_NAME: Final = (
    r"(?:the )?[\"'`(\[]?(?P<name>[A-Za-z][A-Za-z0-9_-]{1,62}(?:\.[A-Za-z0-9-]{1,63}){0,6})"
    r"(?![A-Za-z0-9_])[\"'`)\]]?"
)
_SUFFIXES: Final = ("service", "svc", "server", "api", "app")
_JOINTS: Final = ("", "-", "_")
_ZEROED: Final = str.maketrans("123456789", "0" * 9)
_SHORT: Final = 3
"""Shorter words are no names of services by themselves."""
_TOWARDS: Final = frozenset({"network", "timeout", "dependency", "rate_limit", "system"})
OWN: Final = frozenset(CATEGORIES) - _TOWARDS
"""Errors of these categories lie with who asked as often as with whom they name: a query, a pool, a
broken request."""


class _Form(msgspec.Struct, frozen=True):
    """Where a name may stand: in `regex`, when one of `any` does."""

    any: tuple[str, ...]
    regex: re.Pattern[str]


class _Rules(msgspec.Struct, frozen=True):
    """What parties.toml says."""

    left_status: frozenset[int]
    left_types: frozenset[str]
    left_texts: tuple[str, ...]
    broken: tuple[str, ...]
    answering: tuple[str, ...]
    unless: tuple[str, ...]
    no_name: frozenset[str]
    private: frozenset[str]
    forms: tuple[_Form, ...]


@cache
def _rules() -> _Rules:
    """The shipped rules; reading them is the one thing here that is not arithmetic."""
    raw = resources.files(__package__).joinpath("parties.toml").read_text("utf-8")
    told: dict[str, Any] = tomllib.loads(raw)
    left, named = told["left"], told["named"]
    forms = tuple(
        _Form(tuple(one["any"]), re.compile(one["regex"].replace("{name}", _NAME), re.IGNORECASE))
        for one in named["forms"]
    )
    broken = left["broken"]
    return _Rules(
        left_status=frozenset(left["status"]),
        left_types=frozenset(left["types"].split()),
        left_texts=tuple(left["texts"]),
        broken=tuple(broken["texts"]),
        answering=tuple(broken["while"]),
        unless=tuple(named["unless"]),
        no_name=frozenset(named["not"].split()),
        private=frozenset(named["private"].split()),
        forms=forms,
    )


def left(error_type: str, text: str, http_status: int | None = None) -> bool:
    """Whether the error says only that the caller did not wait for the answer."""
    rules = _rules()
    if http_status in rules.left_status or dotted(error_type) in rules.left_types:
        return True
    low = text.lower()
    return _any_in(rules.left_texts, low) or (
        _any_in(rules.broken, low) and _any_in(rules.answering, low)
    )


def named(text: str) -> tuple[str, ...]:
    """The words of a message (whose digits are 0) that stand where it names who failed it.

    At most MAX_NAMED, in order; of an address inside the first label.
    """
    rules, low = _rules(), text.lower()
    found: dict[str, None] = {}
    for form in rules.forms:
        if _any_in(form.any, low):
            found |= dict.fromkeys(islice(_names(rules, form.regex, text), MAX_NAMED))
    if not found or _any_in(rules.unless, low):
        return ()
    return tuple(islice(found, MAX_NAMED))


def _any_in(texts: tuple[str, ...], low: str) -> bool:
    for one in texts:  # noqa: SIM110 (a generator costs as much as the search)
        if one in low:
            return True
    return False


def _names(rules: _Rules, regex: re.Pattern[str], text: str) -> Iterator[str]:
    for match in regex.finditer(text):
        first, *labels = match["name"].split(".")
        if (not labels or labels[-1] in rules.private) and first.lower() not in rules.no_name:
            yield first


def plain(service: str) -> str:
    """A service's name as it stands in a message whose digits are 0, in lower case."""
    return service.lower().translate(_ZEROED)


@lru_cache(maxsize=4_096)
def spellings(word: str) -> tuple[str, ...]:
    """What a service may be called that a message calls `word`, the likeliest first."""
    low = word.lower()
    found = [word, low, low.replace("_", "-")]
    for suffix in _SUFFIXES:
        bare = low.removesuffix(suffix).rstrip("-_")
        if bare != low and len(bare) >= _SHORT:
            found.append(bare)
            low = bare
            break
    if len(low) >= _SHORT:
        found += [f"{low}{joint}{suffix}" for suffix in _SUFFIXES for joint in _JOINTS]
    return tuple(dict.fromkeys(found))
