"""What an operator does with users holds from their next request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from ssogate.crypto import verify_password
from ssogate.directory import ACCOUNTS, add_user, change_user, set_password
from ssogate.directory.administrators import add_administrator
from ssogate.directory.grants import GrantRefused, refreshable
from ssogate.directory.users import clear_password, delete_user, drop_second_factor
from ssogate.errors import AccountNotFound, StoreFailure
from ssogate.model import AccountStatus, TokenKind, User
from ssogate.storage import SQLiteStore
from tests.directory.making import SUE, actions, customer, member, texts
from tests.storage.granting import WIKI, client, grant, token
from tests.storage.making import NOW, record

PASSWORD = "correct horse battery"


def add(store: SQLiteStore, username: str = "Joe", **fields: object) -> User:
    usual = {"name": "Joe Doe", "email": "joe@example.com", "groups": ["staff"], "now": NOW}
    return add_user(store, username, **(usual | fields), by=SUE)  # type: ignore[arg-type]


def test_an_added_user_is_the_operators_own(store: SQLiteStore) -> None:
    joe = add_user(store, "Joe", name=" Joe ", email="", groups=["b", "a", "b"], by=SUE, now=NOW)

    assert store.users.get("joe") == joe
    assert (joe.source, joe.active, joe.created_at) == ("", True, NOW)
    assert (joe.identity.username, joe.identity.name, joe.identity.email) == ("Joe", "Joe", "")
    assert joe.identity.groups == {"a", "b"}


@pytest.mark.parametrize(
    ("username", "fields"),
    [
        pytest.param("", {}, id="no name"),
        pytest.param("joe ", {}, id="name with a space behind"),
        pytest.param("jo\u200be", {}, id="invisible character"),
        pytest.param("joe", {"name": "a\nb"}, id="full name with a line break"),
        pytest.param("joe", {"name": "a" * 256}, id="full name too long"),
        pytest.param("joe", {"email": "joe"}, id="no e-mail address"),
        pytest.param("joe", {"groups": ["a,b"]}, id="two groups in one"),
        pytest.param("joe", {"groups": [""]}, id="empty group"),
    ],
)
def test_a_bad_field_adds_nobody(
    store: SQLiteStore, username: str, fields: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        add(store, username, **fields)

    assert list(store.users.listed()) == []


@pytest.mark.parametrize("alias", ["Joe", "joe", "JOE", "ｊｏｅ"])
def test_a_taken_name_is_refused_in_every_spelling(store: SQLiteStore, alias: str) -> None:
    """D4."""
    add(store, "Joe")

    with pytest.raises(ValueError, match="there is a user 'joe' already"):
        add(store, alias)


def test_a_deactivated_user_loses_all_sessions(store: SQLiteStore) -> None:
    joe = add_user(store, "joe", name="", email="", groups=[], by=SUE, now=NOW)
    store.sessions.put(record(joe))

    gone = change_user(store, joe.identity.canonical, active=False, by=SUE, now=NOW + 1)
    assert not gone.active
    assert store.sessions.listed() == []

    back = change_user(store, gone.identity.canonical, active=True, by=SUE, now=NOW + 2)
    assert back.active
    assert store.users.get("joe") == back
    assert store.sessions.listed() == [], "no session comes back"


def test_a_regrouped_user_keeps_the_sessions(store: SQLiteStore) -> None:
    joe = add_user(store, "joe", name="", email="", groups=["a"], by=SUE, now=NOW)
    store.sessions.put(record(joe))

    changed = change_user(store, joe.identity.canonical, groups=["b"], by=SUE, now=NOW + 1)

    assert changed.identity.groups == {"b"}
    assert changed.active
    found = store.sessions.get("k1")
    assert found is not None
    assert found[1].groups == {"b"}
    assert changed.updated_at == NOW + 1


def test_a_regrouped_user_who_is_inactive_stays_out(store: SQLiteStore) -> None:
    joe = add_user(store, "joe", name="", email="", groups=[], by=SUE, now=NOW)
    joe = change_user(store, joe.identity.canonical, active=False, by=SUE, now=NOW)

    assert not change_user(store, joe.identity.canonical, groups=["a"], by=SUE, now=NOW).active


def test_nobody_unknown_is_changed(store: SQLiteStore) -> None:
    with pytest.raises(AccountNotFound):
        change_user(store, "ghost", active=True, by=SUE, now=NOW)

    assert list(store.users.listed()) == []


def test_a_bad_group_changes_nothing(store: SQLiteStore) -> None:
    joe = add_user(store, "joe", name="", email="", groups=["a"], by=SUE, now=NOW)

    with pytest.raises(ValueError, match="comma"):
        change_user(store, joe.identity.canonical, active=False, groups=["a,b"], by=SUE, now=NOW)

    assert store.users.get("joe") == joe


def test_a_change_is_whole_or_not_at_all(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    joe = add_user(store, "joe", name="", email="", groups=[], by=SUE, now=NOW)

    def fail(subject: str) -> int:
        raise StoreFailure("disk full")

    monkeypatch.setattr(store.sessions, "delete_subject", fail)
    with pytest.raises(StoreFailure):
        change_user(store, joe.identity.canonical, active=False, by=SUE, now=NOW)

    assert store.users.get("joe") == joe


def _closed(store: SQLiteStore, joe: User) -> None:
    acme = customer(store)
    member(store, acme, joe)
    ACCOUNTS.change(
        store, acme.number, partial(replace, status=AccountStatus.CLOSED), by=SUE, now=NOW
    )
    ACCOUNTS.change(
        store, acme.number, partial(replace, status=AccountStatus.ACTIVE), by=SUE, now=NOW
    )


def _deactivated(store: SQLiteStore, joe: User) -> None:
    for active in (False, True):
        change_user(store, "joe", active=active, by=SUE, now=NOW)


def _new_password(store: SQLiteStore, joe: User) -> None:
    set_password(store, joe.identity.subject, PASSWORD, by=SUE, now=NOW)


def _no_password(store: SQLiteStore, joe: User) -> None:
    clear_password(store, joe.identity.subject, by=SUE, now=NOW)


def _administrator(store: SQLiteStore, joe: User) -> None:
    add_administrator(store, joe.identity.subject, (), by=SUE, now=NOW)


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(_deactivated, id="deactivated, and back"),
        pytest.param(_closed, id="account closed, and open again"),
        pytest.param(_new_password, id="new password"),
        pytest.param(_no_password, id="password taken away"),
        pytest.param(_administrator, id="administrator now"),
    ],
)
def test_what_ends_all_sessions_ends_what_clients_may_do_without_one(
    store: SQLiteStore, end: Callable[[SQLiteStore, User], None]
) -> None:
    joe = add(store)
    store.clients.add(client())
    given = store.grants.add(grant(joe, session=None))
    store.tokens.put(token(given, "r1", TokenKind.REFRESH))
    assert refreshable(store, "r1", client=WIKI, by=SUE, now=NOW)

    end(store, joe)

    found = store.users.get("joe")
    assert found
    assert found.welcome
    with pytest.raises(GrantRefused):
        refreshable(store, "r1", client=WIKI, by=SUE, now=NOW)


# --- The activity log -----------------------------------------------------------------------------


def test_each_change_of_a_user_is_told(store: SQLiteStore) -> None:
    joe = add(store)
    change_user(store, "joe", name="Joe Roe", email="roe@example.com", by=SUE, now=NOW)
    change_user(store, "joe", active=False, by=SUE, now=NOW)
    change_user(store, "joe", active=True, by=SUE, now=NOW)
    delete_user(store, joe.identity.subject, by=SUE, now=NOW)

    assert texts(store) == [
        ("user.added", "user joe"),
        (
            "user.changed",
            "user joe: name: Joe Doe → Joe Roe, email: joe@example.com → roe@example.com",
        ),
        ("user.deactivated", "user joe"),
        ("user.activated", "user joe"),
        ("user.deleted", "user joe"),
    ]
    (last,) = store.activity.latest(1)
    assert (last.actor, last.client, last.at) == (SUE.actor, SUE.client, NOW)


def test_what_is_refused_is_not_told(store: SQLiteStore) -> None:
    add(store)
    with pytest.raises(ValueError, match="already"):
        add(store)
    with pytest.raises(ValueError, match="email"):
        change_user(store, "joe", email="joe", by=SUE, now=NOW)

    assert actions(store) == ["user.added"]


def test_a_name_that_a_link_gave_may_stay_when_something_else_changes(store: SQLiteStore) -> None:
    joe = add(store)
    odd = replace(joe, identity=replace(joe.identity, email="joe@-odd-.example"))
    store.users.update(odd)

    assert change_user(store, "joe", groups=["a"], by=SUE, now=NOW).identity.groups == {"a"}


# --- Passwords ------------------------------------------------------------------------------------


def test_a_new_password_ends_all_sessions(store: SQLiteStore) -> None:
    joe = add(store)
    store.sessions.put(record(joe))

    set_password(store, joe.identity.subject, PASSWORD, by=SUE, now=NOW)

    stored = store.secrets.password(joe.identity.subject)
    assert verify_password(PASSWORD, stored)
    assert store.sessions.listed() == []
    assert texts(store)[-1] == ("user.password-set", "user joe")


@pytest.mark.parametrize(
    ("password", "message"),
    [
        pytest.param("", "at least 12", id="empty"),
        pytest.param("elevenchars", "at least 12", id="too short"),
        pytest.param("x" * 1025, "1024 bytes", id="too long"),
        pytest.param("é" * 513, "1024 bytes", id="too many bytes"),
        pytest.param("Joe Joe Joe Doe", "your name", id="full name"),
        pytest.param("JOE@Long.Example.com", "your name or e-mail", id="e-mail"),
        pytest.param("Joe-the-Carpenter", "your name", id="user name"),
        pytest.param(" joe-the-carpenter ", "your name", id="user name between spaces"),
        pytest.param("joe-the-carpente\ud800", "bytes of UTF-8", id="no Unicode"),
    ],
)
def test_a_bad_password_is_refused_and_changes_nothing(
    store: SQLiteStore, password: str, message: str
) -> None:
    joe = add(store, "Joe-the-Carpenter", name="Joe Joe Joe Doe", email="joe@long.example.com")
    store.sessions.put(record(joe))

    with pytest.raises(ValueError, match=message) as caught:
        set_password(store, joe.identity.subject, password, by=SUE, now=NOW)

    assert not password or password not in str(caught.value)
    assert store.secrets.password(joe.identity.subject) == ""
    assert len(store.sessions.listed()) == 1
    assert actions(store) == ["user.added"]


def test_a_site_may_ask_for_longer_passwords(store: SQLiteStore) -> None:
    joe = add(store)

    with pytest.raises(ValueError, match="at least 40"):
        set_password(store, joe.identity.subject, PASSWORD, minimum=40, by=SUE, now=NOW)


def test_a_password_that_is_taken_away_ends_all_sessions(store: SQLiteStore) -> None:
    joe = add(store)
    store.secrets.set_password(joe.identity.subject, "$2y$…", NOW)
    store.sessions.put(record(joe))

    clear_password(store, joe.identity.subject, by=SUE, now=NOW)

    assert store.secrets.password(joe.identity.subject) == ""
    assert store.sessions.listed() == []


def test_a_second_factor_goes_with_its_recovery_codes(store: SQLiteStore) -> None:
    joe = add(store)
    store.secrets.set_second_factor(joe.identity.subject, "sealed", ["k1", "k2"], NOW)

    drop_second_factor(store, joe.identity.subject, by=SUE, now=NOW)

    assert store.secrets.second_factor(joe.identity.subject) == ""
    assert store.secrets.recovery_codes(joe.identity.subject) == 0
    assert texts(store)[-1] == ("user.second-factor-dropped", "user joe")


@pytest.mark.parametrize(
    "deed",
    [
        pytest.param(partial(set_password, password=PASSWORD), id="password"),
        pytest.param(clear_password, id="no password"),
        pytest.param(drop_second_factor, id="second factor"),
        pytest.param(delete_user, id="delete"),
    ],
)
def test_nothing_is_done_for_somebody_unknown(
    store: SQLiteStore, deed: Callable[..., None]
) -> None:
    with pytest.raises(AccountNotFound):
        deed(store, subject="nobody", by=SUE, now=NOW)

    assert actions(store) == []
