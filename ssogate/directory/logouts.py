"""The rules of back-channel logout: which clients are told that a session has ended, how often it
is tried, and when it is given up.

That they are to be told is noted by the store itself, whatever ends the session.
"""

from __future__ import annotations

from collections.abc import Collection

from ssogate.model import Grant, Logout, Participant
from ssogate.storage import Store

LEASE = 60  # seconds after which whoever set out to tell a client is taken for dead
RETRIES = (5, 30, 120, 600, 3600)  # seconds to wait after each attempt that failed


def join_session(store: Store, session: str, grant: Grant) -> None:
    """Note that a grant's client is let in by the session of this key, also where the grant
    outlives it. Belongs in the transaction that the grant begins in. Raises `Conflict` if session
    or client has gone meanwhile."""
    store.participants.put(Participant(session, grant.client, grant.subject, grant.sid))


def set_out(store: Store, *, most: int, busy: Collection[str], now: int) -> list[Logout]:
    """Give some whose turn it is, one of each client that is not `busy`. Nobody else is given them
    until `LEASE` is over."""
    return store.logouts.claim(now=now, until=now + LEASE, most=most, busy=busy)


def done(store: Store, logout: Logout) -> None:
    """Forget one: the client knows, or will not hear."""
    store.logouts.delete(logout.number)


def failed(store: Store, logout: Logout, *, now: int) -> bool:
    """Let one be tried again later; False if that was the last attempt, and it is given up."""
    if logout.attempts > len(RETRIES):
        store.logouts.delete(logout.number)
        return False
    store.logouts.put_off(logout.number, now + RETRIES[logout.attempts - 1])
    return True
