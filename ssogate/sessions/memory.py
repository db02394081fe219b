"""Sessions that this process found a moment ago, for as long as nothing has changed since.

Bounded in two generations: when the younger is full it becomes the older, so that a full memory
never empties at once and sends every visitor to the store together.
"""

from __future__ import annotations

from ssogate.model import Session

# What a lost signal could cost (somebody removes the store's files under a running gate).
KEPT_SECONDS = 30
GENERATION = 10_000  # sessions, some 2 KiB each


class Memory:
    """Sessions by token. Threads share it without a lock: each step is one step of a dict."""

    def __init__(self) -> None:
        self._young: dict[str, tuple[int, float, Session]] = {}
        self._old: dict[str, tuple[int, float, Session]] = {}

    def recall(self, token: str, change: int | None, now: float) -> Session | None:
        """Give a session that was kept at the same `change`, at most `KEPT_SECONDS` ago."""
        kept = self._young.get(token) or self._old.get(token)
        if kept is None or kept[0] != change or not 0 <= now - kept[1] < KEPT_SECONDS:
            return None
        return kept[2]

    def keep(self, session: Session, change: int | None, now: float) -> None:
        """Remember a session; `change` was the current number before it was read. None: do not."""
        if change is None:
            return
        if len(self._young) >= GENERATION:
            self._young, self._old = {}, self._young
        self._young[session.token] = (change, now, session)

    def forget(self, token: str) -> None:
        """Have the session read anew next time."""
        self._young.pop(token, None)
        self._old.pop(token, None)
