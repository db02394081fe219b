"""A number that tells every process when to read anew. On one machine: two in shared memory.

A writer raises `started` while it holds the store's write lock, and sets `finished` to the same
when its commit is done. While the two are equal, what was read since is still true; while they
differ, nothing may be remembered. A writer that is killed in between, or a race between two that
finish, leaves them different: readers then go to the store each time, until the next write ends.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Protocol

_SIZE = 16  # bytes: two native 64-bit integers, each read and written in one piece


class Changes(Protocol):
    """What an engine tells by which what was read may have changed."""

    def current(self) -> int | None:
        """A number that was read before what is remembered, and is read again before that is used:
        while it stays the same, it is still true. None: remember nothing now. Waits for nobody."""

    def start(self) -> int:
        """A change begins in this process, in a writer's transaction; give what `finish` needs."""

    def finish(self, number: int) -> None:
        """It has been committed, or undone."""


class MappedChanges:
    """The numbers beside a store, in a file of their own. Raises `OSError` at construction."""

    def __init__(self, path: Path) -> None:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.fstat(handle).st_size < _SIZE:
                os.truncate(handle, _SIZE)
            self._numbers = memoryview(mmap.mmap(handle, _SIZE)).cast("q")
        finally:
            os.close(handle)

    def current(self) -> int | None:
        """The number of the last write; None while one is under way."""
        started = self._numbers[0]
        return started if self._numbers[1] == started else None

    def start(self) -> int:
        """A write begins, under the store's write lock; give its number for `finish`."""
        self._numbers[0] += 1
        return self._numbers[0]

    def finish(self, number: int) -> None:
        """The write of this number has been committed, or undone."""
        self._numbers[1] = max(number, self._numbers[1])
