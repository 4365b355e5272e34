"""Spares the topics that are read in runs all Python work per record.

aiokafka's fetcher takes a fetched partition apart one record at a time, and copies each record of
its C parser into a ConsumerRecord. The C record has all that a RawRecord has, so for the
registered topics whole batches of them are handed over as they are: about 2 microseconds less an
event. This overrides two private classes of aiokafka 0.14; where they are not there as they are
known, nothing is changed and everything works as before.
"""

import sys
from typing import Any, Final

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException

_TOPICS: Final[set[str]] = set()
_REFETCH: Final = -1
"""No position: what is left of the fetch is thrown away, and fetched again."""
_Stock: Final = fetcher.PartitionRecords
_StockResult: Final = fetcher.FetchResult


class _LeanRecords(_Stock):  # type: ignore[misc,valid-type]  # aiokafka has no types
    """The fetched records of one partition."""

    next_fetch_offset: int

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._left: list[Any] = []
        self._end = self.next_fetch_offset

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        if tp.topic in _TOPICS:
            return record
        return super()._consumer_record(tp, record)

    def take(self, most: int) -> list[Any] | None:
        """The next records, at most so many; None where they must be looked at one by one."""
        if self._tp.topic not in _TOPICS or self._isolation_level == fetcher.READ_COMMITTED:
            return None
        taken: list[Any] = self._left
        while len(taken) < most and self._records.has_next():
            batch = self._records.next_batch()
            if self._check_crcs and not batch.validate_crc():
                self.next_fetch_offset = _REFETCH  # good batches before it are read again too
                raise CorruptRecordException(f"Invalid CRC - {self._tp}")
            if not batch.is_control_batch:
                records = list(batch)
                if records and records[0].offset < self._end:
                    records = [record for record in records if record.offset >= self._end]
                taken = taken + records if taken else records
            self._end = batch.next_offset
        self._left = taken[most:]
        self.next_fetch_offset = self._left[0].offset if self._left else self._end
        return taken[:most] if self._left else taken

    def ended(self) -> bool:
        """Whether all records were taken."""
        return not self._left and not self._records.has_next()


class _LeanResult(_StockResult):  # type: ignore[misc,valid-type]  # aiokafka has no types
    """What one fetch brought of one partition."""

    _partition_records: Any

    def getall(self, max_records: int | None = None) -> list[Any]:
        if not self.check_assignment(self._topic_partition) or not self.has_more():
            return []
        most = sys.maxsize if max_records is None else max_records
        records: list[Any] | None = self._partition_records.take(most)
        if records is None:
            return list(super().getall(max_records))
        self._update_position()
        if self._partition_records.ended():
            self._partition_records = None
        return records


def hand_over(*topics: str) -> bool:
    """Hand over the records of these topics as the parser made them, in this process.

    False: this aiokafka does it in another way, so its ConsumerRecords come as usual.
    """
    if not hasattr(_Stock, "_consumer_record") or not hasattr(_StockResult, "getall"):
        return False
    fetcher.PartitionRecords = _LeanRecords
    fetcher.FetchResult = _LeanResult
    _TOPICS.update(topics)
    return True
