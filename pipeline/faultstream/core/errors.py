"""The errors that the core itself raises."""


class DataError(ValueError):
    """This record is wrong and never becomes right: it goes to the dead letters.

    `stage` says who refused it: decode, size, validate, or another step's name.
    """

    def __init__(self, stage: str, reason: str) -> None:
        super().__init__(reason)
        self.stage = stage
        self.reason = reason
