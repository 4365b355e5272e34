"""What every process of the pipeline needs to be run: clock, log, metrics, health, children."""
