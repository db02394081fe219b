"""Answers about people, remembered for a while: bounded in two generations, so that a full memory
never empties at once and sends everybody to the app's database together."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ssogate.directory.legacy.person import LegacyUser
from ssogate.model import Clock

GENERATION = 10_000  # answers, some 1 KiB each


@dataclass(frozen=True, slots=True)
class Answer:
    """Who bears an id, or None for nobody, and since when we know."""

    user: LegacyUser | None
    at: float


class Answers:
    """By id. Threads share it without a lock: each step is one step of a dict."""

    def __init__(self, seconds: float, clock: Clock) -> None:
        self._seconds, self._clock = seconds, clock
        self._young: dict[str, Answer] = {}
        self._old: dict[str, Answer] = {}

    def recall(self, external_id: str) -> Answer | None:
        """Give what was kept less than `seconds` ago."""
        kept = self._young.get(external_id) or self._old.get(external_id)
        return kept if kept and 0 <= self._clock() - kept.at < self._seconds else None

    def keep(self, external_id: str, user: LegacyUser | None, at: float) -> LegacyUser | None:
        """Remember an answer to what was asked `at` that time, without its password; give it."""
        user = user and replace(user, password_hash="")
        if len(self._young) >= GENERATION:
            self._young, self._old = {}, self._young
        self._young[external_id] = Answer(user, at)
        return user
