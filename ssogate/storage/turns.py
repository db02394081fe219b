"""Whose turn it is to write, among the threads and processes of a machine.

SQLite has one writer at a time and no queue: whoever finds the lock taken sleeps for ever longer,
while those that are awake take it again and again. Here the threads of a process queue, and
processes knock every tenth of a millisecond and let each other in.

Only the order is decided here: SQLite's own lock excludes, whether or not somebody had the turn.
Hence a file lock that ends with its process (POSIX), and no wait that lasts.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KNOCK = 0.0001  # seconds between two looks at another process's lock
PATIENCE = 1.0  # seconds; then one goes on without the turn, and waits as SQLite does
MEMORY = 1.0  # seconds for which one remembers that others write, too


class Turns:
    """The turns at one file, whose own bytes do not matter. Raises `OSError` at construction."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._threads = threading.Lock()
        self._met = -MEMORY

    def __del__(self) -> None:
        os.close(self._file)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn, and keep it until the block ends."""
        mine = self._threads.acquire(timeout=PATIENCE)
        try:
            if mine:
                self._wait()
            yield
        finally:
            if mine:
                fcntl.lockf(self._file, fcntl.LOCK_UN)
                self._threads.release()

    def _wait(self) -> None:
        now = time.monotonic()
        if now - self._met < MEMORY:
            time.sleep(KNOCK)  # whoever knocks meanwhile goes first
        until = now + PATIENCE
        while not self._takes_lock() and now < until:
            time.sleep(KNOCK)
            self._met = now = time.monotonic()

    def _takes_lock(self) -> bool:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
