"""The errors that the core itself raises."""


class DataError(ValueError):
    """This record is wrong and never becomes right: it goes to the dead letters.

    `stage` says who refused it: decode, size, validate, or another step's name.
    """

    def __init__(self, stage: str, reason: str) -> None:
        super().__init__(reason)
        self.stage = stage
        self.reason = reason


class StateVersionError(Exception):
    """A state was saved in a version that this faultstream cannot read.

    It is not taken for an empty one, so that nothing known is lost without anybody's wish.
    """

    def __init__(self, what: str, version: int, *, reads: tuple[int, int]) -> None:
        super().__init__(
            f"the state of {what} was saved in version {version}, this faultstream reads "
            f"{reads[0]} to {reads[1]}: run the faultstream that wrote it, or delete its changelog "
            "topic to begin anew"
        )
        self.what = what
        self.version = version
