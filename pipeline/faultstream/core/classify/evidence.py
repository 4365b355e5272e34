"""Evidence of what an error is, in the order in which it counts.

Decisive evidence ends the search: a listed type, words of a name that are reliable, a known
ancestor, the message, a cause. What is left is weighed: of soft types, last parts of names,
packages, ancestors, HTTP status, doubtful words and the learned model, the surest wins.
"""

from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple

import msgspec

from faultstream.core.classify.knowledge import Knowledge, Spec, TypeRule
from faultstream.core.classify.learned import Model, Opinion
from faultstream.core.classify.messages import FOLLOWED_BY_CODE, Said, family, mentioned, said
from faultstream.core.classify.names import dotted, leaf, words
from faultstream.core.classify.reading import Read
from faultstream.core.classify.statuses import of_status
from faultstream.core.group import Category
from faultstream.core.template import HEAD_CHARS

Kind = Literal[
    "type", "leaf", "words", "message", "mentioned", "ancestor", "cause", "package", "status",
    "phrase", "learned", "default",
]  # fmt: skip
# How often each kind of evidence was right, rounded down: listed names on the labelled set, all
# others where whole libraries were left out; benchmarks/quality/classification.py counts them.
# Readings of names and the learned model bring their own (learned.json).
CONFIDENCE: Final[dict[str, float]] = {
    "given": 1.0,
    "corrected": 1.0,
    "type": 0.97,
    "message": 0.95,
    "ancestor": 0.9,
    "mentioned": 0.85,
    "cause": 0.85,
    "leaf": 0.7,
    "words": 0.75,
    "status": 0.75,
    "default": 0.3,
}
SOFT_ANCESTOR: Final = 0.6
"""An ancestor such as ValueError says less of a type than it does of itself."""
DECISIVE: Final = 0.8
"""From this reliability on a firm reading of a name goes before the message."""
NEAR: Final = 0.6
"""From this on the category of soft evidence says in what sense a message is meant."""
WEAK: Final = 0.85
"""Words in a message that hint at a category, where the type is known to say nothing."""
DOUBTED: Final = 0.35
"""A reading does not decide where the model, which knows the message too, finds it less likely."""
UNLIKELY: Final = 0.02
"""What a message says does not decide where the model finds it less likely than this."""
MAX_ABOVE: Final = 8
"""Ancestors that are looked at, nearest first."""
MAX_PHRASE: Final = 12
"""Words of a message's beginning that are read where nothing else speaks."""


class Evidence(NamedTuple):
    """One thing that says what the error is. `told` is the name or the words that say it.

    Where `near` is not set, it does not say what family the type is of: another library's type
    of the same name.
    """

    kind: Kind
    spec: Spec
    confidence: float
    decides: bool
    told: str = ""
    near: bool = True


class Weigher:
    """Finds the evidence for a type, its bases, its message and its causes. Pure."""

    def __init__(self, knowledge: Knowledge, model: Model) -> None:
        self._known = knowledge
        self._model = model

    def evidence(
        self,
        error_type: str,
        text: str,
        causes: Sequence[tuple[str, str]] = (),
        http_status: int | None = None,
        bases: Sequence[str] = (),
    ) -> Iterator[Evidence]:
        """All of it. `text` and the texts of `causes` are templates; `bases` nearest first."""
        text = text[:HEAD_CHARS]
        name, low = dotted(error_type), text.lower()
        known, by_leaf = self._listed(name)
        read = self._known.reader.read(name) if known is None else None
        above: list[Evidence] = []
        if known is not None and known.strength == "firm":
            kind: Kind = "leaf" if by_leaf else "type"
            yield self._exactly(low, Evidence(kind, known.spec, CONFIDENCE[kind], True, name))
        opinion = self._model.opinion(error_type, low, self._known)
        if known is None or known.strength != "firm":
            if read is not None and self._is_decisive(read):
                one = self._of_read(read)
                likely = opinion.sure(one.spec.category)
                if likely < DOUBTED:
                    one = one._replace(confidence=likely, decides=False)
                yield self._exactly(low, one)
            above = list(self._above(bases))
            if above and above[0].decides:
                yield self._exactly(low, above[0])
        soft = [*above, *self._soft(name, known, by_leaf, read, opinion)]
        guessed = self._guessed(opinion, soft)
        nearest = max((one for one in (*soft, *guessed) if one.near), key=_sureness, default=None)
        says_nothing = known is None or known.strength == "bare"
        if low:
            yield from self._told(
                text, low, nearest, opinion, weak=says_nothing, known=known is not None
            )
        if says_nothing:
            yield from self._below(causes)
        yield from soft
        status = of_status(http_status)
        if status is not None:
            yield Evidence("status", status, CONFIDENCE["status"], decides=False)
        yield from guessed
        phrase = self._known.reader.of_words(words(text, MAX_PHRASE)) if low else None
        if phrase is not None and not phrase.reading.head:
            one = self._of_read(phrase)
            spec = _renamed(one.spec, f"phrase:{phrase.reading.id}")
            sure = opinion.sure(spec.category)
            yield Evidence("phrase", spec, sure, decides=False, told=phrase.words)

    def _guessed(self, opinion: Opinion, soft: Sequence[Evidence]) -> list[Evidence]:
        """What the model adds to `soft`: its guess, unless one of them says the same."""
        guess = self._model.guess(opinion)
        if guess is None or any(one.spec.category == guess.spec.category for one in soft):
            return []
        return [Evidence("learned", guess.spec, guess.confidence, decides=False)]

    def _listed(self, name: str) -> tuple[TypeRule | None, bool]:
        """The rule for this very name; of a name without its module, for the last part."""
        found = self._known.types.get(name)
        if found is None and "." not in name:
            return self._known.leaves.get(name), True
        return found, False

    def _is_decisive(self, read: Read) -> bool:
        sure = self._model.reading(read.reading.id, CONFIDENCE["words"])
        return read.reading.strength == "firm" and sure >= DECISIVE

    def _of_read(self, read: Read) -> Evidence:
        spec = self._known.readings[read.reading.id]
        sure = self._model.reading(read.reading.id, CONFIDENCE["words"])
        return Evidence("words", spec, sure, self._is_decisive(read), read.words)

    def _soft(
        self,
        name: str,
        known: TypeRule | None,
        by_leaf: bool,
        read: Read | None,
        opinion: Opinion,
    ) -> list[Evidence]:
        """What does not settle the matter, each as sure as the model finds its category likely."""
        if known is not None:
            kind: Kind = "leaf" if by_leaf else "type"
            sure = opinion.sure(known.spec.category) if by_leaf else CONFIDENCE[kind]
            one = Evidence(kind, known.spec, sure, decides=False, told=name)
            return [one] if known.strength == "soft" else []
        found = []
        if read is not None and not self._is_decisive(read):
            one = self._of_read(read)
            spec = one.spec
            if read.reading.head:
                spec = self._model.spec(opinion.tokens, spec.category, spec.rule)
            found.append(one._replace(spec=spec, confidence=opinion.sure(spec.category)))
        other = self._known.leaves.get(leaf(name))
        if other is not None and other.strength != "bare":
            near, sure = other.agreed > 1, opinion.sure(other.spec.category)
            spec = self._model.spec(opinion.tokens, other.spec.category, other.spec.rule)
            found.append(Evidence("leaf", spec, sure, False, leaf(name), near))
        package = self._known.package(name)
        if package is not None:
            category = package.spec.category
            spec = self._model.spec(opinion.tokens, category, package.spec.rule)
            found.append(Evidence("package", spec, opinion.sure(category), decides=False))
        return found

    def _above(self, bases: Sequence[str]) -> Iterator[Evidence]:
        """The nearest ancestor that is listed, or else can be read for sure."""
        for base in bases[:MAX_ABOVE]:
            name = dotted(base)
            known, by_leaf = self._listed(name)
            if known is None:
                read = self._known.reader.read(name)
                if read is None or not self._is_decisive(read):
                    continue
                one = self._of_read(read)
                sure, decides = min(one.confidence, CONFIDENCE["ancestor"]), True
            elif known.strength == "bare":
                continue
            else:
                one = Evidence("type", known.spec, CONFIDENCE["type"], decides=True)
                decides = known.strength == "firm" and not by_leaf
                sure = CONFIDENCE["ancestor"] if decides else SOFT_ANCESTOR
            yield Evidence("ancestor", _renamed(one.spec, f"ancestor:{name}"), sure, decides, name)
            return

    def _exactly(self, low: str, found: Evidence) -> Evidence:
        """A message may say within a firm type's category what it is exactly."""
        if low:
            within = self._known.texts.within(low)
            for rule in self._known.messages:
                if found.spec.category in rule.within and rule.matches(low, within):
                    return Evidence("message", rule.spec, CONFIDENCE["message"], decides=True)
        return found

    def _told(
        self,
        text: str,
        low: str,
        nearest: Evidence | None,
        opinion: Opinion,
        *,
        weak: bool,
        known: bool,
    ) -> Iterator[Evidence]:
        """What the message says: as its kind of type means it, by names in it, by any words."""
        senses: list[Category] = []
        told = family(self._known, low) if weak else None
        if told is not None:
            senses.append(told)
        if nearest is not None and nearest.confidence >= NEAR:
            senses.append(nearest.spec.category)
        hints = False
        for one in said(self._known, low, frozenset(senses), weak=weak):
            if one is Said.NAMES:
                yield from self._mentioned(text)
            elif one is Said.WEAK:
                hints = True
            elif isinstance(one, Spec):
                likely = opinion.sure(one.category)
                if hints and known:
                    yield Evidence("message", one, WEAK, decides=True)
                elif hints:
                    yield Evidence("message", one, likely, decides=False)
                else:
                    decides = known or likely >= UNLIKELY
                    yield Evidence("message", one, CONFIDENCE["message"], decides)

    def _mentioned(self, text: str) -> Iterator[Evidence]:
        """What the names of errors inside a message say: of nested exceptions and error codes."""
        for found, role in mentioned(text):
            name = dotted(found)
            known, _ = self._listed(name)
            known = known or self._known.leaves.get(leaf(name))
            spec: Spec | None = None
            sure = CONFIDENCE["mentioned"]
            if known is not None:
                spec = known.spec if known.strength == "firm" else None
            else:
                read = self._known.reader.read(name)
                if read is not None and (self._is_decisive(read) or role == FOLLOWED_BY_CODE):
                    spec = self._known.readings[read.reading.id]
                    sure = min(self._of_read(read).confidence, sure)
            if spec is not None:
                spec = _renamed(spec, f"mentioned:{spec.rule}")
                yield Evidence("mentioned", spec, sure, decides=True, told=found)

    def _below(self, causes: Sequence[tuple[str, str]]) -> Iterator[Evidence]:
        """What the causes say by themselves, outermost first, if they say anything for sure."""
        for cause_type, cause_text in causes:
            one = next(self.evidence(cause_type, cause_text), None)
            if one is not None and (one.decides or one.kind == "type"):
                sure = min(one.confidence, CONFIDENCE["cause"])
                spec = _renamed(one.spec, f"cause:{one.spec.rule}")
                yield Evidence("cause", spec, sure, decides=True, told=cause_type)


def _sureness(one: Evidence) -> float:
    return one.confidence


def _renamed(spec: Spec, rule: str) -> Spec:
    return msgspec.structs.replace(spec, rule=rule)
