"""The knowledge base: TOML files beside this one, read once when a Classifier is first made.

Reading package data is the one thing here that is not arithmetic; what is read is part of the
release like code, so equal versions give equal verdicts. A file holds `[[types]]` (names that
share a verdict), `[[packages]]` (what an unlisted type of a package is by default), `[[messages]]`
(in order, first match wins), `[[families]]` (texts that give a type away), `[concepts]` and
`[[readings]]` (for names that no table lists; see reading.py).

A verdict is written `category severity transient [http]`, transient as yes or no. How far a
type settles the matter: `firm` wholly; `soft` unless the message says more; `bare` not at all.
"""

import re
import tomllib
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from typing import Any, Final

import msgspec

from faultstream.core.classify import reading
from faultstream.core.classify.names import leaf
from faultstream.core.classify.reading import Reader, Strength
from faultstream.core.classify.texts import Texts
from faultstream.core.group import CATEGORIES, Category
from faultstream.core.severity import RANK, Severity

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
        # The languages' own, which are listed without a module.
        "RuntimeError",
        "RuntimeException",
        "TypeError",
        "NameError",
        "ValueError",
        "SyntaxError",
        "RangeError",
        "KeyError",
        "IndexError",
        "LoadError",
        "IOException",
    }
)


_DIGITS: Final = frozenset("0123456789")


class Spec(msgspec.Struct, frozen=True):
    """A verdict before the event's circumstances. `http` 0: the category's own."""

    category: Category
    severity: Severity
    transient: bool
    http: int
    rule: str


class TypeRule(msgspec.Struct, frozen=True):
    """What is known of one type. `by_leaf`: found by the last part of its name only, in which
    `agreed` more libraries mean the same than mean something else."""

    spec: Spec
    strength: Strength
    library: str
    by_leaf: bool = False
    agreed: int = 1


class MessageRule(msgspec.Struct, frozen=True):
    """Matches when one of `any` stands in the text or `regex` finds something, and all of `all`.

    `of` says which of the texts belong to one library. With `within`, only for types of these
    categories, then also for firm ones; `weak` ones only where the type says nothing. A part
    that ends in a digit ends the number too.
    """

    spec: Spec
    any: tuple[str, ...]
    all: tuple[str, ...]
    regex: re.Pattern[str] | None
    within: tuple[str, ...]
    weak: bool = False
    of: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def without(self, libraries: frozenset[str]) -> "MessageRule | None":
        """The same without the texts of some libraries, None when nothing is left."""
        gone = {text for library, texts in self.of if library in libraries for text in texts}
        if not gone:
            return self
        texts = tuple(text for text in self.any if text not in gone)
        if not texts and self.regex is None:
            return None
        return msgspec.structs.replace(self, any=texts)

    def matches(self, text: str, within: frozenset[str]) -> bool:
        """Whether the rule applies to `text`, which is in lower case; `within` stand in it."""
        if not within.issuperset(self.all):
            return False
        if not within.isdisjoint(self.any):
            for one in self.any:
                if one in within and (one[-1] not in _DIGITS or _ends_in_number(one, text)):
                    return True
        if self.regex is not None:
            return self.regex.search(text) is not None
        return not self.any


class Knowledge(msgspec.Struct, frozen=True):
    """All rules. `leaves` holds types by their last part, for names given without module."""

    types: dict[str, TypeRule]
    leaves: dict[str, TypeRule]
    packages: dict[str, TypeRule]
    messages: tuple[MessageRule, ...]
    reader: Reader
    readings: dict[str, Spec]
    texts: Texts
    families: tuple[tuple[Category, tuple[str, ...]], ...] = ()

    def package(self, name: str) -> TypeRule | None:
        """What is known of the innermost known package that a dotted name lies in."""
        while "." in name:
            name = name.rpartition(".")[0]
            found = self.packages.get(name)
            if found is not None:
                return found
        return None

    def without(self, libraries: Iterable[str]) -> "Knowledge":
        """The same without what was written for some libraries, for cross-validation."""
        left = frozenset(libraries)
        types = {name: rule for name, rule in self.types.items() if rule.library not in left}
        packages = {name: rule for name, rule in self.packages.items() if rule.library not in left}
        messages = tuple(
            rule for whole in self.messages if (rule := whole.without(left)) is not None
        )
        return msgspec.structs.replace(
            self,
            types=types,
            leaves=_leaves(types),
            packages=packages,
            messages=messages,
            texts=_looked_for(messages, self.families),
        )


def _looked_for(
    messages: Iterable[MessageRule], families: Iterable[tuple[Category, tuple[str, ...]]]
) -> Texts:
    """Every text of the rules and families."""
    told = [text for rule in messages for text in (*rule.any, *rule.all)]
    return Texts((*told, *(text for _, texts in families for text in texts)))


def _ends_in_number(part: str, text: str) -> bool:
    """Whether `part` stands in `text` with no further digit behind it: `errno 11` is not in
    `errno 111`."""
    at = text.find(part)
    while at >= 0:
        if text[at + len(part) : at + len(part) + 1] not in _DIGITS:
            return True
        at = text.find(part, at + 1)
    return False


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
    grouped: dict[str, list[TypeRule]] = {}
    for name, rule in types.items():
        last = leaf(name)
        if last == name or last not in COMMON_LEAVES:
            grouped.setdefault(last, []).append(rule)
    return {last: _agreed(rules) for last, rules in grouped.items()}


def _agreed(rules: Sequence[TypeRule]) -> TypeRule:
    """What most libraries mean by a name, the first of them where it is even."""
    if len(rules) == 1:
        only = rules[0]
        return TypeRule(only.spec, only.strength, only.library, by_leaf=True)
    meant: dict[str, set[str]] = {}
    for rule in rules:
        meant.setdefault(rule.spec.category, set()).add(rule.library)
    most = max(meant, key=lambda category: len(meant[category]))
    first = next(rule for rule in rules if rule.spec.category == most)
    soft = len(meant) > 1 or any(rule.strength != "firm" for rule in rules)
    others = sum(len(libraries) for libraries in meant.values()) - len(meant[most])
    strength = "soft" if soft and first.strength == "firm" else first.strength
    agreed = max(0, len(meant[most]) - others)
    return TypeRule(first.spec, strength, first.library, by_leaf=True, agreed=agreed)


def _texts(value: str | Sequence[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def _listed(
    kind: str, entry: dict[str, Any], strength: Strength, library: str, known: dict[str, TypeRule]
) -> dict[str, TypeRule]:
    """Rules for the names of an entry that are not known yet; its verdict is parsed once."""
    one = parse_spec(entry["verdict"], f"{kind} of {library}")
    category, severity, transient, http = one.category, one.severity, one.transient, one.http
    return {
        name: TypeRule(
            Spec(category, severity, transient, http, f"{kind}:{name}"), strength, library
        )
        for name in entry["names"].split()
        if name not in known
    }


def build(files: Iterable[tuple[str, dict[str, Any]]]) -> Knowledge:
    """Knowledge from parsed files, each with its library's name; earlier files win."""
    types: dict[str, TypeRule] = {}
    packages: dict[str, TypeRule] = {}
    messages: list[MessageRule] = []
    readings: dict[str, Any] = {"concepts": {}, "readings": []}
    families: list[tuple[Category, tuple[str, ...]]] = []
    for file, content in files:
        for entry in content.get("types", ()):
            library = entry.get("library", file)
            types |= _listed("type", entry, entry.get("strength", "firm"), library, types)
        for entry in content.get("packages", ()):
            library = entry.get("library", file)
            packages |= _listed("package", entry, entry.get("strength", "soft"), library, packages)
        for entry in content.get("messages", ()):
            of = {library: _texts(texts) for library, texts in entry.get("of", {}).items()}
            every = (*_texts(entry.get("any")), *(text for texts in of.values() for text in texts))
            regex = entry.get("regex")
            messages.append(
                MessageRule(
                    parse_spec(entry["verdict"], f"message:{entry['id']}"),
                    every,
                    _texts(entry.get("all")),
                    re.compile(regex) if regex else None,
                    _texts(entry.get("within")),
                    entry.get("weak", False),
                    tuple(sorted(of.items())),
                )
            )
        families.extend(
            (entry["category"], _texts(entry["any"])) for entry in content.get("families", ())
        )
        readings["concepts"].update(content.get("concepts", {}))
        readings["readings"].extend(content.get("readings", ()))
    vocabulary, listed = reading.build(readings)
    specs = {one.id: parse_spec(one.verdict, f"words:{one.id}") for one in listed}
    return Knowledge(
        types=types,
        leaves=_leaves(types),
        packages=packages,
        messages=tuple(messages),
        reader=Reader(vocabulary, listed),
        readings=specs,
        texts=_looked_for(messages, families),
        families=tuple(families),
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
