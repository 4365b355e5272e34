"""ConfigError: what is wrong in the configuration, where, and how to mend it."""

from collections.abc import Sequence
from typing import Self

import msgspec

MAX_SHOWN_CHARS = 80


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong in one place.

    `line` counts from 1, 0 when the place has none; `path` is the place inside the file, as in
    `routes[2].strategies[0]`. `bound` is what would be right, `value` what stands there.
    """

    file: str
    path: str
    problem: str
    bound: str = ""
    value: str = ""
    mend: str = ""
    line: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        text = f"{place}: {self.path}: {self.problem}" if self.path else f"{place}: {self.problem}"
        if self.bound:
            text += f"; must be {self.bound}"
        if self.value:
            text += f"; got {self.value}"
        if self.mend:
            text += f". {self.mend}"
        return text


class ConfigError(Exception):
    """The configuration is wrong; raised before the first message. The CLI exits with code 2.

    `problems` holds everything that was found, in the order of the file; its text has one line
    for each.
    """

    problems: tuple[Problem, ...]

    def __init__(
        self,
        file: str,
        path: str,
        problem: str,
        *,
        bound: str = "",
        value: str = "",
        mend: str = "",
        line: int = 0,
    ) -> None:
        only = Problem(file, path, problem, bound, value, mend, line)
        super().__init__(str(only))
        self.problems = (only,)

    @classmethod
    def of(cls, problems: Sequence[Problem]) -> Self:
        """One error for all of `problems`, of which there is at least one."""
        error = cls(problems[0].file, problems[0].path, problems[0].problem)
        error.args = ("\n".join(str(problem) for problem in problems),)
        error.problems = tuple(problems)
        return error


def shown(value: object) -> str:
    """`value` as it may stand in a message: at most 80 characters."""
    text = repr(value)
    return text if len(text) <= MAX_SHOWN_CHARS else text[: MAX_SHOWN_CHARS - 3] + "..."
