"""What can go wrong between us and ClickHouse."""


class SinkAway(ConnectionError):  # noqa: N818  (a state of the sink; the seam's name)
    """ClickHouse cannot be reached or is busy: wait, then try again. Nothing was lost.

    Whether the statement before it took effect is not known.
    """


class SinkRefused(Exception):  # noqa: N818  (as SinkAway)
    """ClickHouse answered and said no: wrong password, no such database, wrong SQL.

    Trying the same again will not help. `code` is ClickHouse's number of the error, 0 if none;
    `reason` is what ClickHouse said.
    """

    def __init__(self, message: str, code: int = 0, reason: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason or message


class DataFolderBusy(Exception):  # noqa: N818  (as SinkAway)
    """Another process has the data folder open; the message names it."""
