"""Labelled fleets: error events of services that run as a scenario file says, incidents planted.

Same scenario and seed, same bytes. Nothing here reads a clock; `cli/simulate.py` writes the files
and runs the scorer.
"""
