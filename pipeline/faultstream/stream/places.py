"""Places: a fixed number of services a partition; see core/detect/roster.py for what is meant.

A new service past the bound takes the place of one that was silent longest, is not under way and
whose records the partition's durable mark covers: a replay begins behind them, so that none is
counted twice. While none such is found it is counted as `__other__`, exactly once too:

- the rows of `__other__` follow all others in a checkpoint (see Cells), so where one is written
  and a service has no row, the service's records up to there were counted in it;
- a service that gets a place later notes in `since` up to where it was counted there.

`durable` moves at every checkpoint, every few seconds: a flood of names at once is folded.
"""

from collections.abc import Mapping
from itertools import islice
from typing import Final

from faultstream.core.detect import Detect, ServiceState
from faultstream.core.detect.roster import LOOK, MAX_FOLDED
from faultstream.core.tally import FOLDED
from faultstream.ops import log, metrics
from faultstream.stream.cells import Cell, Partition, covered

Name = tuple[str, str]
"""Environment, service."""
_Cell = Cell[ServiceState]
_Part = Partition[ServiceState]

SAY_MS: Final = 60_000
_END: Final = b"\n" + FOLDED.encode()
_log = log.get(__name__)


def key_of(name: Name) -> bytes:
    """The key of a service in the table."""
    return "\n".join(name).encode("utf-8", "surrogatepass")


def is_other(key: bytes) -> bool:
    """Whether a key stands for services without a place."""
    return key.endswith(_END)


class Places:
    """At most `most` services a partition, and MAX_FOLDED that stand for others. Counts those
    that lost their place and those that found none; says so once a minute."""

    def __init__(self, detect: Detect, most: int) -> None:
        self._detect = detect
        self._most = most
        self._said_ms: int | None = None
        self.forgotten = 0
        self.folded = 0

    def of(self, part: _Part, name: Name, touched: Mapping[_Cell, int], topic: str) -> _Cell:
        """The cell that counts new events of a service. `touched`: the cells of this run, which
        keep their places, with their last offsets of `topic`."""
        key = key_of(name)
        cell = part.cells.get(key)
        if cell is not None:
            return cell
        if len(part.cells) >= self._most and not self._room(part, touched):
            self.folded += 1
            metrics.SERVICES_FOLDED.inc()
            return self._other(part, name)
        cell = part.cells[key] = Cell(self._detect.new(*name, part.shared), {})
        other = _present(part, name)
        if other is not None:
            since = dict(other.offsets)
            if other in touched:
                since[topic] = touched[other]
            if not covered(since, part.durable):
                cell.since = since
        return cell

    def again(
        self, part: _Part, name: Name, touched: Mapping[_Cell, int], topic: str, offset: int
    ) -> _Cell | None:
        """The same for a record that may have been counted before a restart; None: it was."""
        cell, other = part.cells.get(key_of(name)), _present(part, name)
        if cell is None:
            if other is not None and offset <= other.offsets.get(topic, -1):
                return None
            return self.of(part, name, touched, topic)
        if offset <= cell.since.get(topic, -1):
            cell = other or self._other(part, name)
        return None if offset <= cell.offsets.get(topic, -1) else cell

    def used(self, part: _Part, touched: Mapping[_Cell, int]) -> None:
        """These are the last to be forgotten now."""
        if 2 * len(part.cells) > self._most:
            for cell in touched:
                key = key_of((cell.state.environment, cell.state.service))
                part.cells[key] = part.cells.pop(key)

    def say(self, now_ms: int) -> None:
        """Logs what was lost, once a minute at most."""
        if self._said_ms is not None and now_ms - self._said_ms < SAY_MS:
            return
        if self.forgotten or self.folded:
            _log.warning(
                "services_past_bound",
                forgotten=self.forgotten,
                folded=self.folded,
                max_services_per_partition=self._most,
            )
            self._said_ms, self.forgotten, self.folded = now_ms, 0, 0

    def _room(self, part: _Part, touched: Mapping[_Cell, int]) -> bool:
        """Makes a place free, if one of the longest silent may go."""
        for key, cell in islice(part.cells.items(), LOOK):
            if (
                cell not in touched
                and not is_other(key)
                and covered(cell.offsets, part.durable)
                and not self._detect.due(cell.state)
            ):
                del part.cells[key]
                part.gone.add(key)
                self.forgotten += 1
                metrics.SERVICES_FORGOTTEN.inc()
                return True
        return False

    def _other(self, part: _Part, name: Name) -> _Cell:
        found = _present(part, name)
        if found is None:
            others = sum(map(is_other, part.cells))
            mine = (name[0] if others < MAX_FOLDED else FOLDED, FOLDED)
            found = part.cells[key_of(mine)] = Cell(self._detect.new(*mine, part.shared), {})
        return found


def _present(part: _Part, name: Name) -> _Cell | None:
    """What counts services of the environment that have no place, if there is any."""
    mine = part.cells.get(key_of((name[0], FOLDED)))
    return mine if mine is not None else part.cells.get(key_of((FOLDED, FOLDED)))
