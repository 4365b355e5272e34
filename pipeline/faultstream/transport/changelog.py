"""State tables: a compacted changelog topic, replayed in bulk, written by checkpoints alone.

Faust's own tables cost a JSON encoding and a send per change and replay a record at a time
(10 thousand a second against 200). These hold the bytes of the last checkpoint per partition;
the live state is the stage's.
"""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.tables.table import Table
from faust.types import TP

from faultstream.transport.reading import RawRecord


class StateTable(Table):  # type: ignore[type-arg]
    """Key and value are bytes. Never set keys: `store` after the changelog has them."""

    def __post_init__(self) -> None:
        """Called by Faust while it makes the table."""
        self.held: dict[int, dict[bytes, bytes]] = {}

    def rows(self, partition: int) -> Mapping[bytes, bytes]:
        """The state of a partition that is ours and recovered."""
        return self.held.get(partition, {})

    def replay(self, partition: int, records: Iterable[RawRecord], *, anew: bool) -> None:
        """Apply a run of the changelog in its order; `anew` when it is read from its start."""
        rows = {} if anew else self.held.get(partition, {})
        self.held[partition] = rows
        for record in records:
            key, value = record.key or b"", record.value
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value

    def store(self, partition: int, changes: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Take over what was just written to the changelog."""
        rows = self.held.setdefault(partition, {})
        for key, value in changes:
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value

    def apply_changelog_batch(self, batch: Iterable[Any]) -> None:
        """What Faust reads by itself, a record at a time: after the recovery, or standbys."""
        for event in batch:
            message = event.message
            self.store(message.partition, [(message.key or b"", message.value)])

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Let go of the partitions that are no longer ours."""
        ours = {tp.partition for tp in active_tps | standby_tps}
        for partition in [partition for partition in self.held if partition not in ours]:
            del self.held[partition]
        await super().on_recovery_completed(active_tps, standby_tps)


class FreshRecovery(Recovery):
    """Faust's, without the end of an earlier recovery.

    Faust clears that signal only when it next looks at its queue, up to 5 s later. A rebalance
    within that time would end its recovery at once, with nothing read.
    """

    def _set_recovery_started(self) -> None:
        self.signal_recovery_end.clear()
        super()._set_recovery_started()


class QuickTableManager(TableManager):
    """Faust's, without the second that it sleeps for tables added after the start."""

    @property
    def recovery(self) -> FreshRecovery:
        """Made on first use, as Faust's."""
        if self._recovery is None:
            self._recovery = FreshRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return cast("FreshRecovery", self._recovery)

    async def on_start(self) -> None:
        """All tables are declared before the app starts."""
        await self._update_channels()
        await self.recovery.start()
