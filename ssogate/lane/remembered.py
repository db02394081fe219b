"""What was worked out a moment ago, bounded in two generations.

When the younger is full it becomes the older, so that a full memory never empties at once. Whatever
is still in use comes back from the older one as soon as it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Remembered(dict[K, V | None]):
    """A dict that works out what it does not hold, by `make`, and keeps it unless it is None or not
    `worth` it; at most twice `most` values. For one thread. A hit costs what a dict's does."""

    def __init__(
        self,
        most: int,
        make: Callable[[K], V | None],
        worth: Callable[[K], bool] = lambda key: True,
    ) -> None:
        super().__init__()
        self._most, self._make, self._worth = most, make, worth
        self._old: dict[K, V | None] = {}

    def __missing__(self, key: K) -> V | None:
        found = self._old.get(key)
        if found is None:
            found = self._make(key)
            if found is None or not self._worth(key):
                return found
        self[key] = found
        return found

    def __setitem__(self, key: K, value: V | None) -> None:
        if len(self) >= self._most:
            self._old = dict(self)
            self.clear()
        super().__setitem__(key, value)


class Again:
    """Whether something of at most `longest` bytes has come before, lately: what comes but once is
    not worth remembering, and would only drive out the rest."""

    def __init__(self, most: int, longest: int) -> None:
        self._most, self._longest = most, longest
        self._marks: set[int] = set()

    def __call__(self, text: bytes) -> bool:
        mark = hash(text)
        if mark in self._marks:
            return True
        if len(self._marks) >= self._most:
            self._marks.clear()
        if len(text) <= self._longest:
            self._marks.add(mark)
        return False
