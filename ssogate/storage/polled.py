"""The number of a database's last change, for a process that has no time to ask: a thread asks all
the time, and keeps when it began to.

Whoever changes something raises the number in the transaction that does it. So an answer tells of
every change that was committed before the question was asked, and it counts for `MAX_AGE` from
then on: no later does this process learn of what another one has done. What this process does
itself counts at once: no answer does to a question that was asked before that was over.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import count
from typing import NamedTuple

from ssogate.http.log import log

EVERY = 0.025  # seconds from question to question
MAX_AGE = 0.075  # seconds for which an answer counts, from before the question
UNASKED = 5.0  # seconds after which a number that nobody wants is asked for no more
PAUSE = 0.25  # seconds before a lost server is tried again

Ask = Callable[[], int]


class _Seen(NamedTuple):
    mark: object
    """What `_mark` was before the question."""
    began: float
    told: int


class PolledChanges:
    """`dial` connects, and gives what asks for the number. Both may raise anything.

    Threads share it without a lock: what each of them writes is one reference.
    """

    def __init__(self, dial: Callable[[], AbstractContextManager[Ask]]) -> None:
        self._dial, self._told = dial, count()
        self.forget()

    def forget(self) -> None:
        """Begin anew, in a process that has just been forked: it has no such thread."""
        self._thread: threading.Thread | None = None
        self._beginning, self._awake = threading.Lock(), threading.Event()
        self._seen: _Seen | None = None
        self._mark = object()
        self._asked = 0.0

    def current(self) -> int | None:
        """A number of this process's own. It is another one whenever the database's is, and after
        every loss of the connection: the server that comes back may count from elsewhere."""
        self._asked = now = time.monotonic()
        if self._thread is None:
            self._begin()
        seen = self._seen
        if seen is None or seen.mark is not self._mark or now - seen.began >= MAX_AGE:
            return None
        return seen.told

    def start(self) -> int:
        self._mark = object()
        return 0

    def finish(self, number: int) -> None:
        self._mark = object()
        self._awake.set()

    def close(self) -> None:
        """End the thread, in a moment."""
        self._thread = self._seen = None
        self._awake.set()

    def _begin(self) -> None:
        if not self._beginning.acquire(blocking=False):
            return
        try:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="changes", daemon=True)
                self._thread.start()
        except RuntimeError:  # no thread can be had now
            self._thread = None
        finally:
            self._beginning.release()

    def _run(self) -> None:
        lost = False
        while self._goes_on():
            try:
                with self._dial() as ask:
                    self._watch(ask)
                lost = False
            except Exception as error:  # whatever it is: nothing is known, and nothing remembered
                if not lost:
                    log.warning("cannot ask for changes", error=type(error).__name__)
                lost = True
                time.sleep(PAUSE)

    def _goes_on(self) -> bool:
        mine = self._thread is threading.current_thread()
        if mine and time.monotonic() - self._asked > UNASKED:
            self._thread = None
            return False
        return mine

    def _watch(self, ask: Ask) -> None:
        last, told = None, 0
        while self._goes_on():
            self._awake.clear()
            mark, began = self._mark, time.monotonic()
            number = ask()
            if number != last:
                last, told = number, next(self._told)
            self._seen = _Seen(mark, began, told)
            self._awake.wait(began + EVERY - time.monotonic())
