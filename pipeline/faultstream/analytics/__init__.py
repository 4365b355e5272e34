"""Everything ClickHouse: schema, the recorder that fills it, and the engine for one machine.

A ClickHouse server and the embedded engine are the same to everything here: both are asked over
ClickHouse's HTTP interface, which `engine` and `http` serve for the embedded one.
"""
