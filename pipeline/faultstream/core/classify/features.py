"""What the learned model sees of an error: words, concepts and relations, as tokens.

Words are rare and say much of what was seen before; concepts (words.toml) are few and carry over to
names that nobody has seen; what other libraries mean by the same last part, and what the package is
known for, are tokens too. The model learns how far each is to be trusted.
"""

import re
from itertools import islice, pairwise
from typing import Final

from faultstream.core.classify.knowledge import Knowledge
from faultstream.core.classify.names import dotted, leaf, words
from faultstream.core.classify.reading import MAX_CHARS
from faultstream.core.group import Category

MAX_WORDS: Final = 64
"""Words of a message that are looked at, and parts of a name."""
MAX_CONCEPTS: Final = 24
"""Words of a message in which concepts are looked for."""
_STEM: Final = 5
_WORD: Final = re.compile(r"[a-z]{3,24}")
_ENDINGS: Final = frozenset(
    {"error", "exception", "errors", "failure", "fault", "err", "exceptions"}
)
_STOP: Final = _ENDINGS | {
    *("the", "and", "for", "was", "not", "with", "from", "that", "this", "has", "have", "are"),
    *("been", "int", "float", "path", "url", "host", "uuid", "date", "time", "hex", "failed"),
    *("fail", "could", "cannot", "can", "value"),
}


def features(error_type: str, low: str, known: Knowledge) -> list[str]:
    """Tokens of a type and of its message's template in lower case, sorted and without repeats."""
    name = dotted(error_type)
    space, _, last = name.rpartition(".")
    parts = words(last[-MAX_CHARS:])[-MAX_WORDS:]
    places = words(space[-MAX_CHARS:])[-MAX_WORDS:]
    found = {f"p:{word}" for word in places}
    core = [word for word in parts if word not in _ENDINGS]
    for word in core:
        found.add(f"n:{word}")
        if len(word) > _STEM:
            found.add(f"x:{word[:_STEM]}")
    if core:
        found |= {f"first:{core[0]}", f"last:{core[-1]}"}
    if parts and parts[-1] in _ENDINGS:
        found.add(f"end:{parts[-1]}")
    concepts = [concept.name for concept in known.reader.concepts(parts)]
    found |= {f"c:{concept}" for concept in concepts}
    found |= {f"cc:{one} {two}" for one, two in pairwise(sorted(set(concepts)))}
    if concepts:
        found.add(f"head:{concepts[-1]}")
    found |= {f"q:{concept.name}" for concept in known.reader.concepts(places)}
    read = known.reader.read(name)
    found.add(f"r:{read.reading.id if read else '-'}")
    other = known.leaves.get(leaf(name))
    if other is not None and other.strength != "bare":
        found.add(f"l:{other.spec.category}")
    package = known.package(name)
    if package is not None:
        found.add(f"g:{package.spec.category}")
    if low:
        every = (match[0] for match in _WORD.finditer(low))
        message = list(islice((word for word in every if word not in _STOP), MAX_WORDS))
        found |= {f"m:{word}" for word in message}
        found |= {f"mm:{one} {two}" for one, two in pairwise(message)}
        told = known.reader.concepts(words(low, MAX_CONCEPTS))
        found |= {f"d:{concept.name}" for concept in told}
        within = known.texts.within(low)
        found |= {
            f"w:{rule.spec.rule}"
            for rule in known.messages
            if rule.weak and rule.matches(low, within)
        }
    return sorted(found)


def with_category(tokens: list[str], category: Category) -> list[str]:
    """What the model sees when it is asked for severity and transience of a known category."""
    related = [f"{category} {token}" for token in tokens if token.startswith(("c:", "r:"))]
    return [*tokens, f"k:{category}", *related]
