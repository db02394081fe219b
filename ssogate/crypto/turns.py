"""Turns at slow work: a few at once, a few who wait, and everybody else is refused at once.

A password hash takes a core and 64 MiB. Without a bound, a hundred guesses at a time would take
the machine from those who are signed in already.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Semaphore


class TooBusy(Exception):
    """Nobody's fault: so much of the work is under way that this one had no turn in time."""


class Turns:
    """At most `at_once` in a process work, at most `waiting` more wait, `patience` seconds each."""

    def __init__(self, *, at_once: int, waiting: int, patience: float) -> None:
        self._places = Semaphore(at_once + waiting)
        self._turns = Semaphore(at_once)
        self._patience = patience

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Do the work inside. Raises `TooBusy` instead of entering."""
        if not self._places.acquire(blocking=False):
            raise TooBusy("no place to wait")
        try:
            if not self._turns.acquire(timeout=self._patience):
                raise TooBusy(f"no turn within {self._patience:g} s")
            try:
                yield
            finally:
                self._turns.release()
        finally:
            self._places.release()
