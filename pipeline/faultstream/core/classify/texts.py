"""Which of many short texts stand in a message: all of them at once, by their rarest letters.

Every text is filed under the four letters in a row that the fewest texts share. A message is cut
into all its fours once, and only texts filed under one of them are looked for. So the cost grows
with the message, and hardly with the number of texts.
"""

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

SIZE: Final = 4
_REMEMBERED: Final = 64


def _fours(text: str) -> list[str]:
    """All runs of SIZE letters in a text; a shorter one is its own."""
    return [text[at : at + SIZE] for at in range(max(1, len(text) - SIZE + 1))]


class Texts:
    """The texts to look for, in lower case. Pure; remembers a few messages."""

    def __init__(self, texts: Iterable[str]) -> None:
        every = sorted(set(texts))
        often = Counter(four for text in every for four in set(_fours(text)))
        self._filed: dict[str, list[str]] = {}
        self._short: list[str] = []
        for text in every:
            if len(text) < SIZE:
                self._short.append(text)
                continue
            rarest = min(_fours(text), key=lambda four: (often[four], four))
            self._filed.setdefault(rarest, []).append(text)
        self.within = lru_cache(maxsize=_REMEMBERED)(self._within)

    def _within(self, message: str) -> frozenset[str]:
        """Those that stand in a message in lower case."""
        found = [text for text in self._short if text in message]
        for four in self._filed.keys() & set(_fours(message)):
            found += [text for text in self._filed[four] if text in message]
        return frozenset(found)
