"""Classifier: type, message, causes and circumstances to a Verdict (rows C1 to C3).

First that settles it: what the producer says; a firm type; the message; a chained cause; a soft
type; the HTTP status; the words of the type's name; the learned model; the default. The verdict
names the rule, so that a wrong one can be found and mended in a data file.
"""

from typing import Final, NamedTuple

import msgspec

from faultstream.core.classify import learned
from faultstream.core.classify.knowledge import Knowledge, Spec, TypeRule, WordRule, load
from faultstream.core.classify.names import dotted, leaf, words
from faultstream.core.event import ErrorEvent
from faultstream.core.group import Category, Domain, Verdict
from faultstream.core.policy import Topology
from faultstream.core.severity import RANK, Severity, shifted
from faultstream.core.status import BY_CATEGORY
from faultstream.core.template import template

DOMAINS: Final[dict[Category, Domain]] = {
    "business": "business",
    "validation": "business",
    "security": "security",
}
# How often each kind of evidence was right, rounded down: listed names on the labelled set, all
# others where whole libraries were left out; benchmarks/quality/classification.py counts them.
CONFIDENCE: Final = {
    "given": 1.0,
    "type": 0.97,
    "leaf": 0.75,
    "message": 0.95,
    "cause": 0.85,
    "package": 0.7,
    "words": 0.75,
    "status": 0.75,
    "default": 0.3,
}
# One step less where nobody's customers are.
PRACTICE: Final = frozenset({"dev", "development", "local", "test", "testing", "ci", "sandbox"})
DEEP_LAYERS: Final = 2
"""From this depth on a fault is shared by many callers: at least medium."""
SHORT_WORD: Final = 4
"""Parts of a name up to this length must be a word of their own: `db` is not in InvalidBytes."""


class Finding(NamedTuple):
    """A Spec, how sure it is, and what kind of evidence gave it."""

    spec: Spec
    confidence: float
    kind: str


class Classifier:
    """Classifies admitted events by the shipped knowledge base and a topology's severities."""

    def __init__(self, topology: Topology, knowledge: Knowledge | None = None) -> None:
        self._known = knowledge or load()
        self._model = learned.load()
        self._severities = topology.severities
        self._deep = frozenset(
            name for name, layer in topology.layers.items() if layer.depth >= DEEP_LAYERS
        )

    def classify(self, event: ErrorEvent, text: str) -> Verdict:
        """The verdict on an event whose message has the template `text`. Pure."""
        causes = [(cause.error_type, template(cause.message)) for cause in event.causes]
        finding = self.find(event.error_type, text, causes, event.http_status)
        spec, category = finding.spec, finding.spec.category
        rule, confidence = spec.rule, finding.confidence
        severity = spec.severity
        if event.category and event.category != category:
            category = msgspec.convert(event.category, Category)
            severity = self._severities.get(category, severity)
            rule, confidence = "given", CONFIDENCE["given"]
        if event.severity in RANK:
            severity = msgspec.convert(event.severity, Severity)
        else:
            severity = self._adjusted(severity, event)
        transient = spec.transient if event.recoverable is None else event.recoverable
        http = spec.http if spec.http and category == spec.category else BY_CATEGORY[category]
        return Verdict(
            domain=DOMAINS.get(category, "technical"),
            category=category,
            severity=severity,
            transient=transient,
            confidence=confidence,
            rule=rule,
            http_status=event.http_status or http,
        )

    def _adjusted(self, severity: Severity, event: ErrorEvent) -> Severity:
        if event.environment in PRACTICE:
            return shifted(severity, -1)
        if severity == "low" and (event.layer in self._deep or event.handled is False):
            return "medium"
        return severity

    def find(  # noqa: C901, PLR0911  (a list of steps, each of which may settle it)
        self,
        error_type: str,
        text: str,
        causes: list[tuple[str, str]],
        http_status: int | None = None,
    ) -> Finding:
        """What the evidence says, before the circumstances. `causes`: types and templates."""
        known = self._type(error_type)
        low = text.lower()
        settled = self._settled(known, low)
        if settled is not None:
            return settled
        named = self._named(error_type) if known is None else None
        if named is not None and named.strength == "firm":
            return Finding(named.spec, CONFIDENCE["words"], "words")
        told = self._told(low, known)
        if told is not None:
            return told
        if known is None or known.strength == "bare":
            for cause_type, cause_text in causes:
                below = self._caused(cause_type, cause_text)
                if below is not None:
                    return below
        if known is not None and known.strength == "soft":
            kind = known.spec.rule.partition(":")[0]
            return Finding(known.spec, CONFIDENCE["leaf" if known.by_leaf else kind], kind)
        by_status = _by_status(http_status)
        if by_status is not None:
            return by_status
        if named is not None:
            return Finding(named.spec, CONFIDENCE["words"], "words")
        guess = self._model.guess(error_type, low)
        if guess is not None:
            return Finding(guess.spec, guess.confidence, "learned")
        return self._default(error_type, known)

    def _default(self, error_type: str, known: TypeRule | None) -> Finding:
        name = leaf(dotted(error_type))
        if known is not None:
            spec = known.spec
        else:
            spec = Spec("code", self._severities.get("code", "medium"), False, 0, "default")
        severity = self._severities.get(name, spec.severity)
        spec = msgspec.structs.replace(spec, severity=severity, rule="default")
        return Finding(spec, CONFIDENCE["default"], "default")

    def _type(self, error_type: str) -> TypeRule | None:
        name = dotted(error_type)
        found = self._known.types.get(name)
        if found is not None:
            return found
        found = self._known.leaves.get(leaf(name))
        if found is not None:
            return found
        package = name
        while "." in package:
            package = package.rpartition(".")[0]
            found = self._known.packages.get(package)
            if found is not None:
                return found
        return None

    def _settled(self, known: TypeRule | None, low: str) -> Finding | None:
        """What a firm type says; a message may say it more exactly within its category."""
        if known is None or known.strength != "firm":
            return None
        for rule in self._known.messages:
            if known.spec.category in rule.within and rule.matches(low):
                return Finding(rule.spec, CONFIDENCE["message"], "message")
        return Finding(known.spec, CONFIDENCE["leaf" if known.by_leaf else "type"], "type")

    def _told(self, low: str, known: TypeRule | None) -> Finding | None:
        if not low:
            return None
        says_nothing = known is None or known.strength == "bare"
        family = self._family(low) if known is None or says_nothing else known.spec.category
        for rule in self._known.messages:
            if rule.weak and not says_nothing:
                continue
            if (not rule.within or family in rule.within) and rule.matches(low):
                return Finding(rule.spec, CONFIDENCE["message"], "message")
        return None

    def _family(self, low: str) -> Category | None:
        for category, texts in self._known.families:
            for text in texts:
                if text in low:
                    return category
        return None

    def _caused(self, cause_type: str, cause_text: str) -> Finding | None:
        known = self._type(cause_type)
        low = cause_text.lower()
        found = self._settled(known, low)
        found = found or self._told(low, known)
        if found is None and known is not None and known.strength == "soft":
            found = Finding(known.spec, CONFIDENCE["cause"], "type")
        if found is None and known is None:
            named = self._named(cause_type)
            if named is not None and named.strength == "firm":
                found = Finding(named.spec, CONFIDENCE["words"], "words")
        if found is None:
            return None
        spec = msgspec.structs.replace(found.spec, rule=f"cause:{found.spec.rule}")
        return Finding(spec, min(found.confidence, CONFIDENCE["cause"]), "cause")

    def _named(self, error_type: str) -> WordRule | None:
        last = leaf(dotted(error_type))
        name = last.replace("_", "").lower()
        single = frozenset(words(last))
        for rule in self._known.words:
            for part in rule.any:
                if part in single or (len(part) > SHORT_WORD and part in name):
                    return rule
        return None


def _by_status(status: int | None) -> Finding | None:
    if status is None or not 400 <= status <= 599:
        return None
    spec = _STATUS.get(status) or _STATUS[status // 100 * 100]
    return Finding(spec, CONFIDENCE["status"], "status")


def _spec(category: Category, severity: Severity, transient: bool, status: int) -> Spec:
    return Spec(category, severity, transient, status, f"status:{status}")


_STATUS: Final[dict[int, Spec]] = {
    400: _spec("validation", "low", False, 400),
    401: _spec("security", "medium", False, 401),
    403: _spec("security", "medium", False, 403),
    404: _spec("business", "low", False, 404),
    407: _spec("security", "medium", False, 407),
    408: _spec("timeout", "medium", True, 408),
    409: _spec("business", "low", False, 409),
    410: _spec("business", "low", False, 410),
    413: _spec("validation", "low", False, 413),
    422: _spec("validation", "low", False, 422),
    429: _spec("rate_limit", "medium", True, 429),
    500: _spec("dependency", "high", False, 500),
    502: _spec("dependency", "high", True, 502),
    503: _spec("dependency", "high", True, 503),
    504: _spec("timeout", "medium", True, 504),
    507: _spec("resource", "critical", False, 507),
}
