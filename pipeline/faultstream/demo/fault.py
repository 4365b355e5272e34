"""What can go wrong with the shop's database, in numbers.

The shop asks inventory 60 times a second and payments 20 times a second, so by Little's law a
latency of 0.3 s needs 18 connections for inventory and 6 for payments. Inventory opens one
connection per question; payments keeps a pool of 4.

    slow    0.3 s a question. Payments' pool of 4 serves 13 of its 20 charges a second: the rest
            finds no connection. A larger pool cures that; inventory is only slow.
    refuse  no new connections. Inventory fails outright; payments' open connections live on.
            Asking again cannot help, leaving the database alone and answering from memory does.
    both    0.3 s and at most 12 connections a user: inventory lacks 6 of its 18, payments lacks
            2 of its 6 until its pool grows, which 12 allow.
"""

from typing import Final

import msgspec


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """How the database behaves: time per question, and connections that one user may hold."""

    latency_ms: int = 15
    connections_per_user: int = 40


HEALTHY: Final = Fault()
FAULTS: Final[dict[str, Fault]] = {
    "slow": Fault(latency_ms=300),
    "refuse": Fault(connections_per_user=0),
    "both": Fault(latency_ms=300, connections_per_user=12),
}
