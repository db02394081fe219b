"""Accounts: who is shut out when one is closed or a membership ends, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ssogate.directory import ACCOUNTS
from ssogate.directory.accounts import remove_member, set_member
from ssogate.errors import AccountNotFound, Conflict, StoreFailure
from ssogate.model import Account, AccountStatus, Membership, Permission
from ssogate.storage import SQLiteStore
from tests.directory.making import SUE, actions, customer, member, person, signed_in, texts
from tests.storage.making import NOW

CLOSED = AccountStatus.CLOSED


def close(store: SQLiteStore, account: Account, status: AccountStatus = CLOSED) -> Account:
    return ACCOUNTS.change(
        store, account.number, lambda old: replace(old, status=status), by=SUE, now=NOW + 5
    )


def test_an_added_account_has_a_number_and_its_times(store: SQLiteStore) -> None:
    drawn = Account(99, " Acme Ltd ", "a@acme.example", AccountStatus.ACTIVE, True, 0, 0, "C-1")

    acme = ACCOUNTS.add(store, drawn, by=SUE, now=NOW)

    assert (acme.number, acme.company) == (1, "Acme Ltd")
    assert (acme.created_at, acme.updated_at) == (NOW, NOW)
    assert store.accounts.get(1) == acme
    assert texts(store) == [("account.added", "account 1 (Acme Ltd)")]


def test_a_change_keeps_the_rest_and_tells_what_it_was(store: SQLiteStore) -> None:
    acme = customer(store)

    changed = ACCOUNTS.change(
        store,
        acme.number,
        lambda old: replace(old, company="Acme Ltd", allow_single_sign_on=False),
        by=SUE,
        now=NOW + 5,
    )

    wanted = replace(acme, company="Acme Ltd", allow_single_sign_on=False, updated_at=NOW + 5)
    assert changed == wanted == store.accounts.get(acme.number)
    assert texts(store)[-1] == (
        "account.changed",
        "account 1 (Acme Ltd): company: Acme → Acme Ltd, allow single sign on: yes → no",
    )


def test_a_change_that_changes_nothing_is_not_told(store: SQLiteStore) -> None:
    acme = customer(store)

    assert close(store, acme, AccountStatus.ACTIVE) == acme
    assert actions(store) == ["account.added"]


def test_a_change_cannot_reach_another_record(store: SQLiteStore) -> None:
    acme, other = customer(store), customer(store, "Other")

    ACCOUNTS.change(store, acme.number, lambda _: replace(other, company="New"), by=SUE, now=NOW)

    assert [it.company for it in store.accounts.listed()] == ["New", "Other"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"company": " "}, "company: must not be empty", id="no company"),
        pytest.param({"company": "a\nb"}, "company: holds the invisible", id="line break"),
        pytest.param({"company": "a" * 256}, "company: longer than 255", id="long"),
        pytest.param({"email": "a"}, "email: an e-mail address is", id="e-mail"),
        pytest.param({"email": "a@b@c"}, "email: an e-mail address is", id="two @"),
        pytest.param({"external_id": "C-1 "}, "external id: must not begin or end", id="space"),
    ],
)
def test_a_bad_field_is_refused_by_adding_and_by_changing(
    store: SQLiteStore, fields: dict[str, str], message: str
) -> None:
    acme = customer(store)
    bad = replace(acme, **fields)  # type: ignore[arg-type]

    with pytest.raises(ValueError, match=message):
        ACCOUNTS.add(store, bad, by=SUE, now=NOW)
    with pytest.raises(ValueError, match=message):
        ACCOUNTS.change(store, acme.number, lambda _: bad, by=SUE, now=NOW)

    assert [*store.accounts.listed()] == [acme]
    assert actions(store) == ["account.added"]


def test_an_external_id_is_given_once(store: SQLiteStore) -> None:
    customer(store, external_id="C-1")

    with pytest.raises(Conflict):
        customer(store, "Other", external_id="C-1")
    assert actions(store) == ["account.added"]


# --- Who may come in -----------------------------------------------------------------------------


def test_closing_an_account_signs_out_who_acts_for_no_other(store: SQLiteStore) -> None:
    """D3: live sessions included; and they do not come back to life with the account."""
    acme, other = customer(store), customer(store, "Other")
    joe, sue, ann = (person(store, name) for name in ("joe", "sue", "ann"))
    member(store, acme, joe, owner=True)
    member(store, acme, sue, Permission.PRODUCTS)
    member(store, other, sue)

    close(store, acme)
    assert signed_in(store) == {"sue", "ann"}
    assert texts(store)[-1] == (
        "account.closed",
        "account 1 (Acme): status: Active → Closed",
    )

    close(store, other)
    assert signed_in(store) == {"ann"}

    close(store, acme, AccountStatus.ACTIVE)
    assert signed_in(store) == {"ann"}
    assert actions(store)[-1] == "account.changed"
    assert ann.welcome


def test_an_inactive_account_shuts_nobody_out(store: SQLiteStore) -> None:
    acme = customer(store)
    member(store, acme, person(store, "joe"), owner=True)

    close(store, acme, AccountStatus.INACTIVE)

    assert signed_in(store) == {"joe"}


def test_who_is_left_with_closed_accounts_is_signed_out(store: SQLiteStore) -> None:
    acme, closed = customer(store), close(store, customer(store, "Closed"))
    joe = person(store, "joe")
    member(store, acme, joe)
    member(store, closed, joe)
    assert signed_in(store) == {"joe"}

    remove_member(store, acme.number, joe.identity.subject, by=SUE, now=NOW)

    assert signed_in(store) == set()
    assert store.sessions.get("session of joe") is None


def test_who_joins_a_closed_account_only_is_signed_out(store: SQLiteStore) -> None:
    closed = close(store, customer(store))
    member(store, closed, person(store, "joe"))

    assert signed_in(store) == set()


def test_who_is_left_with_closed_accounts_by_a_deletion_is_signed_out(store: SQLiteStore) -> None:
    acme, closed = customer(store), close(store, customer(store, "Closed"))
    joe = person(store, "joe")
    member(store, acme, joe)
    member(store, closed, joe)

    assert ACCOUNTS.delete(store, acme.number, by=SUE, now=NOW) == acme

    assert signed_in(store) == set()
    assert store.accounts.get(acme.number) is None
    assert texts(store)[-1] == ("account.deleted", "account 1 (Acme)")


@pytest.mark.parametrize("how", ["account deleted", "member removed"])
def test_who_was_shut_out_stays_out_when_the_closed_account_is_forgotten(
    store: SQLiteStore, how: str
) -> None:
    joe = person(store, "joe")
    closed = customer(store)
    member(store, closed, joe)
    close(store, closed)

    if how == "account deleted":
        ACCOUNTS.delete(store, closed.number, by=SUE, now=NOW)
    else:
        remove_member(store, closed.number, joe.identity.subject, by=SUE, now=NOW)

    found = store.users.of(joe.identity.subject)
    assert found is not None
    assert not found.welcome
    assert "user.deactivated" in actions(store)


def test_closing_is_whole_or_not_at_all(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = customer(store)
    member(store, acme, person(store, "joe"))

    def fail(subject: str) -> int:
        raise StoreFailure("disk full")

    monkeypatch.setattr(store.sessions, "delete_subject", fail)
    with pytest.raises(StoreFailure):
        close(store, acme)

    assert store.accounts.get(acme.number) == acme
    assert "account.closed" not in actions(store)


# --- Members -------------------------------------------------------------------------------------


def test_permissions_are_replaced(store: SQLiteStore) -> None:
    acme, joe = customer(store), person(store, "joe")
    member(store, acme, joe, Permission.PRODUCTS, Permission.PRODUCT_SSO)
    member(store, acme, joe, Permission.INVOICES)
    member(store, acme, joe, Permission.INVOICES)

    found = store.memberships.get(acme.number, joe.identity.subject)
    assert found is not None
    assert found.permissions == {Permission.INVOICES}
    assert texts(store)[-2:] == [
        (
            "account.member-set",
            "account 1 (Acme): user joe, permissions: products, productsso",
        ),
        ("account.member-set", "account 1 (Acme): user joe, permissions: invoices"),
    ], "what changes nothing is not told"


def test_an_account_has_one_owner(store: SQLiteStore) -> None:
    acme, joe, sue = customer(store), person(store, "joe"), person(store, "sue")
    member(store, acme, joe, Permission.PRODUCTS, owner=True)
    member(store, acme, sue, owner=True)

    owner, other = store.memberships.listed(account=acme.number)
    assert (owner.subject, owner.owner) == (sue.identity.subject, True)
    assert not other.owner
    assert other.permissions == {Permission.PRODUCTS}


def test_a_member_is_removed(store: SQLiteStore) -> None:
    acme, joe = customer(store), person(store, "joe")
    member(store, acme, joe)

    remove_member(store, acme.number, joe.identity.subject, by=SUE, now=NOW)

    assert store.memberships.listed() == []
    assert texts(store)[-1] == ("account.member-removed", "account 1 (Acme): user joe")
    assert signed_in(store) == {"joe"}, "who acts for no account is welcome"


@pytest.mark.parametrize(
    ("deed", "error", "message"),
    [
        pytest.param(
            lambda store, joe: close(store, Account(7, "", "", CLOSED, True, 0, 0)),
            Conflict,
            "there is no account 7",
            id="change",
        ),
        pytest.param(
            lambda store, joe: ACCOUNTS.delete(store, 7, by=SUE, now=NOW),
            Conflict,
            "there is no account 7",
            id="delete",
        ),
        pytest.param(
            lambda store, joe: set_member(store, Membership(7, joe), by=SUE, now=NOW),
            Conflict,
            "there is no account 7",
            id="member of none",
        ),
        pytest.param(
            lambda store, joe: set_member(store, Membership(1, "nobody"), by=SUE, now=NOW),
            AccountNotFound,
            "no user",
            id="nobody as a member",
        ),
        pytest.param(
            lambda store, joe: remove_member(store, 1, joe, by=SUE, now=NOW),
            Conflict,
            r"user joe is no member of account 1 \(Acme\)",
            id="no member",
        ),
    ],
)
def test_what_is_not_there_is_told(
    store: SQLiteStore,
    deed: Callable[[SQLiteStore, str], object],
    error: type[Exception],
    message: str,
) -> None:
    customer(store)
    joe = person(store, "joe").identity.subject
    before = actions(store)

    with pytest.raises(error, match=message):
        deed(store, joe)

    assert actions(store) == before
