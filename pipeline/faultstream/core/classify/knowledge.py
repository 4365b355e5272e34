"""The knowledge base: TOML files beside this one, read once when a Classifier is first made.

Reading package data is the one thing here that is not arithmetic; what is read is part of the
release like code, so equal versions give equal verdicts. A file holds `[[types]]` (names that
share a verdict), `[[packages]]` (what an unlisted type of a package is by default), `[[messages]]`
(in order, first match wins), `[[families]]` (texts that give a type away) and `[[words]]` (for
names that no table lists, in order).

A verdict is written `category severity transient [http]`, transient as yes or no. How far a
type settles the matter: `firm` wholly; `soft` unless the message says more; `bare` not at all.
"""

import re
import tomllib
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from typing import Any, Final, Literal

import msgspec

from faultstream.core.classify.names import leaf
from faultstream.core.group import CATEGORIES, Category
from faultstream.core.severity import RANK, Severity

Strength = Literal["firm", "soft", "bare"]

# `python` and `java` first: a name without its module is most often the standard library's.
FIRST: Final[tuple[str, ...]] = ("python", "java", "node", "go", "dotnet", "php", "ruby")


# Too common to say by themselves which library is meant.
COMMON_LEAVES: Final = frozenset(
    {
        "error",
        "Error",
        "Exception",
        "Errors",
        "Fault",
        "Status",
        "ApiException",
        "APIException",
        "ApiError",
        "ClientError",
        "ServerError",
        "ServiceError",
        "ServiceException",
        "ServerException",
        "ClientException",
        "ResponseError",
        "RequestError",
        "ResponseException",
        "HTTPException",
        "HttpException",
        "HTTPError",
        "ParseError",
    }
)


class Spec(msgspec.Struct, frozen=True):
    """A verdict before the event's circumstances. `http` 0: the category's own."""

    category: Category
    severity: Severity
    transient: bool
    http: int
    rule: str


class TypeRule(msgspec.Struct, frozen=True):
    """What is known of one type. `by_leaf`: found by the last part of its name only."""

    spec: Spec
    strength: Strength
    library: str
    by_leaf: bool = False


class MessageRule(msgspec.Struct, frozen=True):
    """Matches when one of `any` stands in the text or `regex` finds something, and all of `all`.

    With `within`, only for types of these categories, then also for firm ones; `weak` ones only
    where the type says nothing. A part that ends in a digit ends the number too.
    """

    spec: Spec
    any: tuple[str, ...]
    all: tuple[str, ...]
    regex: re.Pattern[str] | None
    within: tuple[str, ...]
    weak: bool = False

    def matches(self, text: str) -> bool:
        """Whether the rule applies to `text`, which is in lower case."""
        for needed in self.all:
            if needed not in text:
                return False
        for one in self.any:
            if one in text:
                return True
        if self.regex is not None:
            return self.regex.search(text) is not None
        return not self.any


class WordRule(msgspec.Struct, frozen=True):
    """Matches a type's leaf name, in lower case without separators, by any of its parts."""

    spec: Spec
    any: tuple[str, ...]
    strength: Strength


class Knowledge(msgspec.Struct, frozen=True):
    """All rules. `leaves` holds types by their last part, for names given without module."""

    types: dict[str, TypeRule]
    leaves: dict[str, TypeRule]
    packages: dict[str, TypeRule]
    messages: tuple[MessageRule, ...]
    words: tuple[WordRule, ...]
    families: tuple[tuple[Category, tuple[str, ...]], ...] = ()

    def without(self, libraries: Iterable[str]) -> "Knowledge":
        """The same without the type and package rules of some libraries, for cross-validation."""
        left = frozenset(libraries)
        types = {name: rule for name, rule in self.types.items() if rule.library not in left}
        packages = {name: rule for name, rule in self.packages.items() if rule.library not in left}
        return msgspec.structs.replace(self, types=types, leaves=_leaves(types), packages=packages)


def parse_spec(text: str, rule: str) -> Spec:
    """A verdict as the files write it.

    Raises:
        ValueError: naming the rule; a broken file is a bug of the release.
    """
    parts = text.split()
    if len(parts) not in (3, 4) or parts[0] not in CATEGORIES or parts[1] not in RANK:
        raise ValueError(f"{rule}: verdict {text!r} is not `category severity yes|no [http]`")
    if parts[2] not in ("yes", "no"):
        raise ValueError(f"{rule}: transient must be yes or no in {text!r}")
    return msgspec.convert(
        {
            "category": parts[0],
            "severity": parts[1],
            "transient": parts[2] == "yes",
            "http": int(parts[3]) if len(parts) == 4 else 0,
            "rule": rule,
        },
        Spec,
    )


def _leaves(types: dict[str, TypeRule]) -> dict[str, TypeRule]:
    """By last part. Where libraries disagree about a name, it settles nothing by itself."""
    found: dict[str, TypeRule] = {}
    for name, rule in types.items():
        last = leaf(name)
        if last != name and last in COMMON_LEAVES:
            continue
        first = found.get(last)
        if first is None:
            found[last] = msgspec.structs.replace(rule, by_leaf=True)
        elif first.strength == "firm" and (
            rule.strength != "firm" or rule.spec.category != first.spec.category
        ):
            found[last] = msgspec.structs.replace(first, strength="soft")
    return found


def _texts(value: str | Sequence[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def _parts(texts: tuple[str, ...], regex: str | None) -> tuple[tuple[str, ...], str | None]:
    """Texts that end in a digit become expressions: `errno 11` must not find `errno 111`."""
    numbered = [re.escape(text) + "(?![0-9])" for text in texts if text[-1].isdigit()]
    expressions = [*numbered, *([regex] if regex else [])]
    plain = tuple(text for text in texts if not text[-1].isdigit())
    return plain, "|".join(expressions) or None


def build(files: Iterable[tuple[str, dict[str, Any]]]) -> Knowledge:
    """Knowledge from parsed files, each with its library's name; earlier files win."""
    types: dict[str, TypeRule] = {}
    packages: dict[str, TypeRule] = {}
    messages: list[MessageRule] = []
    words: list[WordRule] = []
    families: list[tuple[Category, tuple[str, ...]]] = []
    for file, content in files:
        for entry in content.get("types", ()):
            library = entry.get("library", file)
            for name in entry["names"].split():
                spec = parse_spec(entry["verdict"], f"type:{name}")
                types.setdefault(name, TypeRule(spec, entry.get("strength", "firm"), library))
        for entry in content.get("packages", ()):
            library = entry.get("library", file)
            for name in entry["names"].split():
                spec = parse_spec(entry["verdict"], f"package:{name}")
                packages.setdefault(name, TypeRule(spec, entry.get("strength", "soft"), library))
        for entry in content.get("messages", ()):
            plain, regex = _parts(_texts(entry.get("any")), entry.get("regex"))
            messages.append(
                MessageRule(
                    parse_spec(entry["verdict"], f"message:{entry['id']}"),
                    plain,
                    _texts(entry.get("all")),
                    re.compile(regex) if regex else None,
                    _texts(entry.get("within")),
                    entry.get("weak", False),
                )
            )
        families.extend(
            (entry["category"], _texts(entry["any"])) for entry in content.get("families", ())
        )
        for entry in content.get("words", ()):
            spec = parse_spec(entry["verdict"], f"words:{entry['id']}")
            words.append(WordRule(spec, _texts(entry["any"]), entry.get("strength", "firm")))
    return Knowledge(
        types, _leaves(types), packages, tuple(messages), tuple(words), tuple(families)
    )


@cache
def load() -> Knowledge:
    """The shipped knowledge base."""
    folder = resources.files(__package__) / "rules"
    files = {
        item.name.removesuffix(".toml"): tomllib.loads(item.read_text("utf-8"))
        for item in folder.iterdir()
        if item.name.endswith(".toml")
    }
    order = [name for name in FIRST if name in files]
    order += sorted(name for name in files if name not in FIRST)
    return build((name, files[name]) for name in order)
