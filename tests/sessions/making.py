"""A keeper over a real store, with a clock and tokens that a test can foresee."""

from __future__ import annotations

import hashlib
from functools import partial
from itertools import count
from pathlib import Path

from ssogate.directory import admit
from ssogate.model import Assertion, Enrolment, LocalPath, Proof, Session, SignIn
from ssogate.sessions import Keeper, SessionSettings
from ssogate.storage import SQLiteStore
from tests.storage.making import NOW, Hands

IDLE, LIFETIME = 600, 3600
CRM = Enrolment("crm", create=True, default_groups=frozenset({"members"}))


def tokens() -> partial[str]:
    """Different at each call, and of the right form."""
    numbers = count(1)
    return partial(_token, numbers)


def _token(numbers: count[int]) -> str:
    return hashlib.sha256(str(next(numbers)).encode()).hexdigest()[:43]


def make_keeper(path: Path, clock: Hands) -> Keeper:
    store = SQLiteStore(path / "gate.db", clock=clock)
    settings = SessionSettings(idle=IDLE, lifetime=LIFETIME)
    return Keeper(store, partial(admit, store), clock, tokens(), settings)


def opened(keeper: Keeper, sign_in: SignIn, current: Session | None) -> Session:
    """Open a session for somebody without a second factor."""
    session = keeper.open(sign_in, current)
    assert isinstance(session, Session)
    return session


def sign_in(
    name: str = "Joe", *, proof: str = "", enrolment: Enrolment = CRM, return_to: str = "/"
) -> SignIn:
    return SignIn(
        method=enrolment.source,
        assertion=Assertion(name, f"{name} Doe", f"{name}@example.com"),
        enrolment=enrolment,
        return_to=LocalPath(return_to),
        proof=Proof(proof, NOW + 300) if proof else None,
    )
