"""What a store promises of clients that are to be told when a session ends. As in `contract`, every
method raises `StoreFailure` when it cannot keep the promise."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from ssogate.model import Logout, Participant


class Participants(Protocol):
    """Which clients have been let in by a session. When one ends, in whatever way, there is a
    `Logout` in the same transaction for each that has a `backchannel_logout_uri`."""

    def put(self, participant: Participant) -> None:
        """Store one; of one that is known, what it calls the session by now. Raises `Conflict` if
        session or client is not there."""


class Logouts(Protocol):
    """Clients that are still to be told. They go with the client."""

    def claim(self, *, now: int, until: int, most: int, busy: Collection[str]) -> list[Logout]:
        """Give those that are due, the oldest of each client that is not `busy`, at most so many.
        Nobody else is given them before `until`, if they are still there then."""

    def put_off(self, number: int, until: int) -> None:
        """Let one be due again at `until`."""

    def delete(self, number: int) -> bool: ...
