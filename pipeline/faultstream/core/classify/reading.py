"""Reading names that no table lists: words to concepts, concepts to a verdict.

`ShardLeaderUnavailableException` says what is wrong to anyone who can read, though nobody listed
it. A vocabulary (rules/words.toml) gives the words and phrases of names a meaning, a concept; a
list of readings says what concepts mean together. Readings with several concepts come first, in
order; then those with one, of which the word that stands last counts, as the head of an
English compound does: a `ConnectionValidationError` is about validation.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, Literal

import msgspec

from faultstream.core.classify.names import words

MAX_WORDS: Final = 24
"""Words of a name that are read; the last ones, because the head stands last."""
MAX_CHARS: Final = 192
"""Characters of a name, and of its namespace, in which those words are looked for."""
_LONGEST_PHRASE: Final = 4
_SHORTEST_STEM: Final = 3
_LONGEST_STEM: Final = 24
_SHORTEST_JOINED: Final = 7
_LONGEST_JOINED: Final = 48
_FILLERS: Final = frozenset({"error", "exception", "failure", "fault", "err", "errors", "warning"})
_ENDINGS: Final = ("", "s", "es", "ed", "ing")
_PLURAL: Final = re.compile(r"(?<=[a-z]{3})s$")

Strength = Literal["firm", "soft", "bare"]


class Concept(msgspec.Struct, frozen=True):
    """A meaning found in a name, and the words that gave it."""

    name: str
    words: str


class Vocabulary(msgspec.Struct, frozen=True):
    """Phrases to concepts. `stems` are beginnings of single words, `joined` whole phrases.

    `sizes` are the lengths of stems by their first three letters, the longest first; `heads` the
    words that phrases of several begin with.
    """

    phrases: dict[tuple[str, ...], str]
    stems: dict[str, str]
    joined: dict[str, str]
    sizes: dict[str, tuple[int, ...]]
    heads: frozenset[str]

    def read(self, name_words: Sequence[str]) -> tuple[Concept, ...]:
        """The concepts of a name's words, in order. Longer phrases first; linear."""
        found: list[Concept] = []
        at, heads = 0, self.heads
        while at < len(name_words):
            longest = min(_LONGEST_PHRASE, len(name_words) - at) if name_words[at] in heads else 1
            for size in range(longest, 1, -1):
                phrase = tuple(name_words[at : at + size])
                concept = self.phrases.get(phrase)
                if concept is not None:
                    found.append(Concept(concept, " ".join(phrase)))
                    at += size
                    break
            else:
                found += self._single(name_words[at])
                at += 1
        return tuple(found)

    def _single(self, word: str) -> list[Concept]:
        concept = self._meaning(word)
        if concept is not None:
            return [Concept(concept, word)] if concept else []
        return self._taken_apart(word)

    def _meaning(self, word: str) -> str | None:
        known = self.phrases.get((word,)) or self.joined.get(word)
        if known is None and word.endswith("s"):
            known = self.phrases.get((_PLURAL.sub("", word),))
        if known is not None:
            return known
        for size in self.sizes.get(word[:_SHORTEST_STEM], ()):
            known = self.stems.get(word[:size])
            if known is not None:
                return known
        return "" if word in _FILLERS else None

    def _taken_apart(self, word: str) -> list[Concept]:
        """A name in one case, such as `nosuchkeyerror`: only if all of it can be read."""
        if not _SHORTEST_JOINED <= len(word) <= _LONGEST_JOINED:
            return []
        found: list[Concept] = []
        at = 0
        while at < len(word):
            for end in range(len(word), at + 1, -1):
                part = word[at:end]
                concept = self.joined.get(part)
                if concept is None and part in _FILLERS:
                    concept = ""
                if concept is not None:
                    if concept:
                        found.append(Concept(concept, part))
                    at = end
                    break
            else:
                return []
        return found


class Reading(msgspec.Struct, frozen=True):
    """What concepts mean: each of `needs` is a set of which one must stand in the name, `within`
    the same for the namespace, and none of `unless` may. A single need makes it a head."""

    verdict: str
    id: str
    needs: tuple[frozenset[str], ...]
    within: tuple[frozenset[str], ...] = ()
    unless: frozenset[str] = frozenset()
    strength: Strength = "firm"
    head: bool = False

    def fits(self, concepts: frozenset[str], around: frozenset[str]) -> bool:
        """Whether it applies to a name with these concepts in a namespace with those."""
        return (
            all(need & concepts for need in self.needs)
            and all(need & (around | concepts) for need in self.within)
            and not self.unless & concepts
        )


class Read(msgspec.Struct, frozen=True):
    """A reading that applies, and the words that it rests on."""

    reading: Reading
    words: str


class Reader:
    """Reads names by a vocabulary and readings. Pure; remembers a bounded number of names."""

    def __init__(self, vocabulary: Vocabulary, readings: Sequence[Reading]) -> None:
        self._vocabulary = vocabulary
        self._compound = [reading for reading in readings if not reading.head]
        self._by_need: dict[str, list[int]] = {}
        for at, reading in enumerate(self._compound):
            for concept in reading.needs[0]:
                self._by_need.setdefault(concept, []).append(at)
        self._heads: dict[str, list[Reading]] = {}
        for reading in readings:
            if reading.head:
                for concept in sorted(reading.needs[0]):
                    self._heads.setdefault(concept, []).append(reading)
        self.read = lru_cache(maxsize=8_192)(self._read)

    def _read(self, name: str) -> Read | None:
        """What a dotted name says of its error, None when it says nothing."""
        space, _, last = name.rpartition(".")
        own, around = words(last[-MAX_CHARS:]), words(space[-MAX_CHARS:])
        return self.of_words(own[-MAX_WORDS:], around[-MAX_WORDS:])

    def concepts(self, own: Sequence[str]) -> tuple[Concept, ...]:
        """The meanings in a name's words, in order."""
        return self._vocabulary.read(own)

    def plainly(self, categories: Mapping[str, str]) -> list[tuple[str, str]]:
        """Phrases that settle a category by themselves, with that category."""
        return sorted(
            (" ".join(phrase), categories[head.id])
            for phrase, concept in self._vocabulary.phrases.items()
            for head in self._heads.get(concept, ())
        )

    def of_words(self, own: Sequence[str], space: Sequence[str] = ()) -> Read | None:
        """The same for words that were already taken apart."""
        concepts = self._vocabulary.read(own)
        if not concepts:
            return None
        names = frozenset(concept.name for concept in concepts)
        around = frozenset(concept.name for concept in self._vocabulary.read(space))
        maybe = {at for name in names for at in self._by_need.get(name, ())}
        for at in sorted(maybe):
            reading = self._compound[at]
            if reading.fits(names, around):
                return Read(reading, _resting_on(reading, concepts))
        for firm in (True, False):
            for concept in reversed(concepts):
                for reading in self._heads.get(concept.name, ()):
                    if (reading.strength == "firm") is firm and reading.fits(names, around):
                        return Read(reading, concept.words)
        return None


def _resting_on(reading: Reading, concepts: Iterable[Concept]) -> str:
    wanted = frozenset[str]().union(*reading.needs)
    return " ".join(concept.words for concept in concepts if concept.name in wanted)


def _sets(texts: Iterable[str]) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(text.split("|")) for text in texts)


def build(content: Mapping[str, Any]) -> tuple[Vocabulary, list[Reading]]:
    """Vocabulary and readings from a parsed file.

    Raises:
        ValueError: a reading names a concept that has no words; naming both.
    """
    phrases: dict[tuple[str, ...], str] = {}
    stems: dict[str, str] = {}
    joined: dict[str, str] = {}
    for concept, texts in content.get("concepts", {}).items():
        for text in texts:
            parts = tuple(text.removesuffix("*").split())
            joined.setdefault("".join(parts), concept)
            if len(parts) == 1 and text.endswith("*"):
                stems.setdefault(parts[0], concept)
                continue
            for ending in _ENDINGS if text.endswith("*") else ("",):
                phrases.setdefault((*parts[:-1], parts[-1] + ending), concept)
    known = frozenset(content.get("concepts", {}))
    readings = []
    for entry in content.get("readings", ()):
        single = entry.get("head")
        reading = Reading(
            verdict=entry["verdict"],
            id=entry["id"],
            needs=_sets([single] if single else entry["all"]),
            within=_sets(entry.get("within", ())),
            unless=frozenset(entry.get("unless", "").split()),
            strength=entry.get("strength", "firm"),
            head=bool(single),
        )
        for concept in frozenset[str]().union(*reading.needs, *reading.within, reading.unless):
            if concept not in known:
                raise ValueError(f"words:{reading.id}: no words for the concept {concept!r}")
        readings.append(reading)
    sizes: dict[str, set[int]] = {}
    for stem in stems:
        if _SHORTEST_STEM <= len(stem) <= _LONGEST_STEM:
            sizes.setdefault(stem[:_SHORTEST_STEM], set()).add(len(stem))
    by_start = {start: tuple(sorted(found, reverse=True)) for start, found in sizes.items()}
    heads = frozenset(phrase[0] for phrase in phrases if len(phrase) > 1)
    return Vocabulary(phrases, stems, joined, by_start, heads), readings
