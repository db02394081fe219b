"""Whether one server is to be given requests, and how many it has.

Strategy: two causes put a server out, each ended by its own kind only. Failed requests in a row
are a circuit breaker: after `ejected_for` one request is let through to try, and an answer brings
the server back. Failed checks in a row last until a check succeeds. What every request asks is
plain attributes; a lock is taken only when something goes wrong, or is over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Lock

from ssogate.http.log import MAX_LOGGED, log


class Health:
    """Of one server, in this process. `now` is in monotonic seconds, always."""

    __slots__ = (
        "_ejected_for",
        "_lock",
        "_max_failures",
        "_missed_checks",
        "_names",
        "_next_trial",
        "failures",
        "out",
        "spare",
        "under_way",
    )

    def __init__(
        self, upstream: str, server: str, *, max_failures: int, ejected_for: float
    ) -> None:
        self._names = {"upstream": upstream, "server": server}
        self._max_failures, self._ejected_for = max_failures, ejected_for
        self.under_way: deque[None] = deque()
        """An entry for each request: a deque's ends are safe among threads without a lock, where
        `+= 1` loses counts for good."""
        self.failures = 0
        """Of requests, in a row."""
        self.out = False
        """Whether no request may be given to it unless `admits` says so."""
        self._next_trial: float | None = None  # None while the breaker is closed
        self._missed_checks = 0  # in a row
        self._lock = Lock()
        self.spare: Callable[[], bool] = lambda: True
        """Whether another server of the upstream is in use."""

    # --- What requests tell -----------------------------------------------------------------

    def ended(self) -> None:
        """A request is over, its answer's body included."""
        try:  # noqa: SIM105  `suppress` is three calls more for every request
            self.under_way.pop()
        except IndexError:  # it began before a fork, which forgot it
            pass

    def succeeded(self) -> None:
        """An answer came: in time, and one that can be passed on, whatever its status."""
        if not self.failures:
            return
        with self._lock:
            self.failures, self._next_trial = 0, None
            turned = self._turned()
        self._tell(turned)

    def failed(self, now: float, reason: str = "") -> None:
        """It did not answer in time, or answered garbage. That may be what one visitor asks for, so
        it counts only while there is another server: nobody can put out the last one."""
        if self.spare():
            self.unreachable(now, reason)

    def unreachable(self, now: float, reason: str = "") -> None:
        """No connection to it could be opened."""
        with self._lock:
            self.failures += 1
            # What fails while it is out began before that, or is the trial: the next one is set.
            if self.failures >= self._max_failures and now >= (self._next_trial or now):
                self._next_trial = now + self._ejected_for
            turned = self._turned()
        self._tell(turned, reason)

    def admits(self, now: float) -> bool:
        """Whether a server that is out may be given a request after all, to try it: True for one
        request in each `ejected_for`.

        A trial without an end (a visitor who uploads for an hour, or who left) holds up no other.
        """
        with self._lock:
            if self._missed_checks >= self._max_failures:
                return False
            if self._next_trial is None:  # it came back a moment ago
                return True
            if now < self._next_trial:
                return False
            self._next_trial = now + self._ejected_for
            return True

    # --- What checks tell -------------------------------------------------------------------

    def checked(self, fault: str | None) -> None:
        """A check found this wrong, or nothing (None)."""
        with self._lock:
            self._missed_checks = 0 if fault is None else self._missed_checks + 1
            turned = self._turned()
        self._tell(turned, fault or "")

    # --- The rest ---------------------------------------------------------------------------

    def forked(self) -> None:
        """This process is a fork: it has no request under way, and no thread that holds a lock."""
        self.under_way.clear()
        self._lock = Lock()

    def _turned(self) -> bool:
        """Set `out` by what is known now; whether that changed it. The lock is held."""
        was = self.out
        self.out = self._next_trial is not None or self._missed_checks >= self._max_failures
        return self.out != was

    def _tell(self, turned: bool, reason: str = "") -> None:
        if not turned:
            return
        if self.out:
            log.warning("server out", **self._names, reason=reason[:MAX_LOGGED])
        else:
            log.warning("server back", **self._names)
