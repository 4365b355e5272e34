"""The client: report errors and take part in recovery. Needs nothing of the pipeline."""

from faultstream.client.event import Details
from faultstream.client.reporter import Reporter, Stats

__all__ = ["Details", "Reporter", "Stats"]
