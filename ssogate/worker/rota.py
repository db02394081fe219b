"""Everybody in turn, a few at a time: to see to ten thousand at once would hold up all others."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Generic, TypeVar

PAUSE = 0.005  # seconds between two looks at whose turn it is

T = TypeVar("T")


class Rota(Generic[T]):
    """Has a turn for each of `everybody`, who may come and go, every `seconds`; two turns are twice
    as far apart at most."""

    def __init__(self, everybody: Collection[T], seconds: float, now: float) -> None:
        self._everybody, self._seconds = everybody, seconds
        self._waiting: list[T] = []
        self._looked, self._owed = now, 0.0

    def due(self, now: float) -> Sequence[T]:
        """Give whose turn has come since the last call; `now` is in monotonic seconds. Some may be
        gone by now."""
        passed = now - self._looked
        if passed < PAUSE:
            return ()
        self._looked = now
        self._owed += len(self._everybody) * passed / self._seconds
        if self._owed >= len(self._everybody):
            self._waiting, self._owed = [], 0.0
            return list(self._everybody)
        if not self._waiting:
            self._waiting = list(self._everybody)
        count = int(self._owed)
        self._owed -= count
        cut = max(len(self._waiting) - count, 0)
        turns, self._waiting = self._waiting[cut:], self._waiting[:cut]
        return turns
