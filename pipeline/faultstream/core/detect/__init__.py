"""Detection: from tallies of events to patterns. `Detect` is the stage, DETECTORS the list."""

from faultstream.core.detect.stage import DETECTORS, Detect, is_withdrawn
from faultstream.core.detect.state import ServiceState

__all__ = ["DETECTORS", "Detect", "ServiceState", "is_withdrawn"]
