"""Figures of the core, on data that nobody here wrote and on simulated fleets.

A section is one file with `measure(task)` and one line in `report.SECTIONS`. Real data is read from
a folder that is no part of the package; a section whose data is not there is skipped and says so.
"""
