"""What an error is: category, severity, transience, and the rule that says so."""

from faultstream.core.classify.engine import Classifier

__all__ = ["Classifier"]
