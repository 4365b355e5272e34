"""Classifier: type, bases, message, causes and circumstances to a Verdict (rows C1 to C3).

What the producer says stands. Else the first decisive evidence counts, or the surest of what is
left (evidence.py); where there is none, the default. The verdict names the rule, so that a wrong
one can be found and mended in a data file, and `explain` tells everything that was weighed.
"""

from typing import Final

import msgspec

from faultstream.core.classify import learned
from faultstream.core.classify.evidence import CONFIDENCE, Evidence, Weigher
from faultstream.core.classify.knowledge import Knowledge, Spec, load
from faultstream.core.classify.names import dotted, leaf
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
# One step less where nobody's customers are.
PRACTICE: Final = frozenset({"dev", "development", "local", "test", "testing", "ci", "sandbox"})
DEEP_LAYERS: Final = 2
"""From this depth on a fault is shared by many callers: at least medium."""
WEIGHED: Final = frozenset({"leaf", "words", "package", "phrase", "learned"})
"""Evidence that is as sure as the model finds its category likely."""
MODEST: Final = 2
"""The model is trained to one category, where often a second is as good, and on names of libraries
that it has not seen, mostly without a message: what it calls 0.5 sure is right in three of four
cases. The chance to be wrong is raised to this power."""
ENDS: Final = 2
"""Of a long chain so many causes at either end are looked at."""
CAUSE_CHARS: Final = 256
"""So much of a cause's message is looked at, where there are one or two."""
CAUSES_CHARS: Final = 512
"""So much of the messages of all causes together."""


class Classifier:
    """Classifies admitted events by the shipped knowledge base and a topology's severities."""

    def __init__(
        self,
        topology: Topology,
        knowledge: Knowledge | None = None,
        model: learned.Model | None = None,
    ) -> None:
        self._known = knowledge or load()
        self._weigher = Weigher(self._known, model or learned.load())
        self._severities = topology.severities
        self._deep = frozenset(
            name for name, layer in topology.layers.items() if layer.depth >= DEEP_LAYERS
        )

    def classify(self, event: ErrorEvent, text: str) -> Verdict:
        """The verdict on an event whose message has the template `text`. Pure."""
        finding = self.find(event.error_type, text, _causes(event), event.http_status, event.bases)
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

    def explain(self, event: ErrorEvent, text: str) -> tuple[Evidence, list[Evidence]]:
        """What decided, and all that was weighed, in order. Costs more than `classify`."""
        seen = list(
            self._weigher.evidence(
                event.error_type, text, _causes(event), event.http_status, event.bases
            )
        )
        return self._chosen(seen, event.error_type), seen

    def _adjusted(self, severity: Severity, event: ErrorEvent) -> Severity:
        if event.environment in PRACTICE:
            return shifted(severity, -1)
        if severity == "low" and (event.layer in self._deep or event.handled is False):
            return "medium"
        return severity

    def find(
        self,
        error_type: str,
        text: str,
        causes: list[tuple[str, str]],
        http_status: int | None = None,
        bases: list[str] | tuple[str, ...] = (),
    ) -> Evidence:
        """What the evidence says, before the circumstances. `causes`: types and templates."""
        soft = []
        for one in self._weigher.evidence(error_type, text, causes, http_status, bases):
            if one.decides:
                return one
            soft.append(one)
        return self._chosen(soft, error_type)

    def _chosen(self, seen: list[Evidence], error_type: str) -> Evidence:
        for one in seen:
            if one.decides:
                return one
        if seen:
            surest = max(seen, key=lambda one: one.confidence)
            if surest.kind in WEIGHED:
                surest = surest._replace(confidence=round(1 - (1 - surest.confidence) ** MODEST, 3))
            return surest
        return self._default(error_type)

    def _default(self, error_type: str) -> Evidence:
        name = dotted(error_type)
        known = self._known.types.get(name)
        if known is not None:
            spec = known.spec
        else:
            spec = Spec("code", self._severities.get("code", "medium"), False, 0, "default")
        severity = self._severities.get(leaf(name), spec.severity)
        spec = msgspec.structs.replace(spec, severity=severity, rule="default")
        return Evidence("default", spec, CONFIDENCE["default"], decides=False)


def _causes(event: ErrorEvent) -> list[tuple[str, str]]:
    causes = event.causes
    if len(causes) > 2 * ENDS:
        causes = [*causes[:ENDS], *causes[-ENDS:]]
    longest = min(CAUSE_CHARS, CAUSES_CHARS // len(causes)) if causes else 0
    return [(cause.error_type, template(cause.message[:longest])) for cause in causes]
