"""Who is there, for the tests of the directory's rules."""

from __future__ import annotations

from ssogate.directory import ACCOUNTS, By, add_user
from ssogate.directory.accounts import set_member
from ssogate.model import Account, AccountStatus, Membership, Permission, Standing, User
from ssogate.storage import Store
from tests.storage.making import NOW, record

SUE = By("cli:sue", "192.0.2.1")


def texts(store: Store) -> list[tuple[str, str]]:
    """What the activity log says."""
    return [(line.action, line.text) for line in store.activity.listed()]


def actions(store: Store) -> list[str]:
    return [line.action for line in store.activity.listed()]


def person(store: Store, name: str, *, signed_in: bool = True) -> User:
    """A user, with a session."""
    user = add_user(store, name, email=f"{name}@example.com", by=SUE, now=NOW)
    if signed_in:
        store.sessions.put(record(user, f"session of {name}"))
    return user


def signed_in(store: Store) -> set[str]:
    """Who has a session, welcome or not."""
    return {identity.username for _, identity in store.sessions.listed()}


def customer(store: Store, company: str = "Acme", **fields: object) -> Account:
    drawn = Account(0, company, "", AccountStatus.ACTIVE, True, 0, 0, **fields)  # type: ignore[arg-type]
    return ACCOUNTS.add(store, drawn, by=SUE, now=NOW)


def member(
    store: Store, account: Account, user: User, *permissions: Permission, owner: bool = False
) -> None:
    membership = Membership(account.number, user.identity.subject, owner, frozenset(permissions))
    set_member(store, membership, by=SUE, now=NOW)


def standing(store: Store, account: Account, user: User) -> Standing:
    found = store.memberships.standing(account.number, user.identity.subject)
    assert found
    return found
