"""faultstream: error events in, verified recovery out."""

__version__ = "0.1.0"
