"""Accounts and their members: who may act for whom. What is closed or taken away counts at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ssogate.directory import fields
from ssogate.directory.activity import By, note
from ssogate.directory.records import Kind
from ssogate.directory.users import end_unwelcome, known_subject, shutting_out
from ssogate.errors import Conflict
from ssogate.model import Account, AccountStatus, Membership
from ssogate.storage import Store


def _checked(store: Store, account: Account, now: int) -> Account:
    return replace(
        account,
        company=fields.text("company", account.company, needed=True),
        email=fields.email(account.email),
        created_at=account.created_at or now,
        # Never the same twice: a token remembers the state of the account that it was made in.
        updated_at=max(now, account.updated_at + 1),
        external_id=fields.exact("external id", account.external_id),
    )


def _verb(old: Account, new: Account) -> str:
    closed = AccountStatus.CLOSED
    return "closed" if new.status is closed and old.status is not closed else "changed"


def _members(store: Store, number: int) -> Iterable[str]:
    return [membership.subject for membership in store.memberships.listed(account=number)]


ACCOUNTS: Kind[Account] = Kind(
    noun="account",
    table=lambda store: store.accounts,
    called=lambda account: account.company,
    checked=_checked,
    verb=_verb,
    people=_members,
)


def set_member(store: Store, membership: Membership, *, by: By, now: int) -> None:
    """Let a user act for an account, with these permissions and no others. A new owner takes the
    place of the old one, who keeps the permissions given to him.

    Raises `Conflict` for an unknown account, and `AccountNotFound`.
    """
    with store.transaction():
        account, name = _both(store, membership.account, membership.subject)
        if store.memberships.get(membership.account, membership.subject) == membership:
            return
        store.memberships.put(membership)
        end_unwelcome(store, [membership.subject])  # it may be the only account, and Closed
        may = "owner" if membership.owner else ", ".join(sorted(membership.permissions)) or "none"
        note(store, by, "account.member-set", f"{account}: user {name}, permissions: {may}", now)


def remove_member(store: Store, account: int, subject: str, *, by: By, now: int) -> None:
    """Let a user act for an account no more. Raises as `set_member`, and `Conflict` for a user
    who is no member."""
    with store.transaction():
        called, name = _both(store, account, subject)
        with shutting_out(store, [subject], by=by, now=now):
            if not store.memberships.delete(account, subject):
                raise Conflict(f"user {name} is no member of {called}")
        note(store, by, "account.member-removed", f"{called}: user {name}", now)


def _both(store: Store, account: int, subject: str) -> tuple[str, str]:
    user = known_subject(store, subject)
    return ACCOUNTS.name(ACCOUNTS.known(store, account)), user.identity.canonical
