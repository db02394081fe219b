"""What an operator does with users holds from their next request."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssogate.directory import add_user, change_user
from ssogate.errors import AccountNotFound, StoreFailure
from ssogate.storage import SQLiteStore
from tests.storage.making import NOW, Hands, record


@pytest.fixture
def store(tmp_path: Path) -> SQLiteStore:
    return SQLiteStore(tmp_path / "gate.db", clock=Hands())


def add(store: SQLiteStore, username: str = "Joe", **fields: object) -> object:
    usual = {"name": "Joe Doe", "email": "joe@example.com", "groups": ["staff"], "now": NOW}
    return add_user(store.users, username, **(usual | fields))  # type: ignore[arg-type]


def test_an_added_user_is_the_operators_own(store: SQLiteStore) -> None:
    joe = add_user(store.users, "Joe", name=" Joe ", email="", groups=["b", "a", "b"], now=NOW)

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

    assert store.users.listed() == []


@pytest.mark.parametrize("alias", ["Joe", "joe", "JOE", "ｊｏｅ"])
def test_a_taken_name_is_refused_in_every_spelling(store: SQLiteStore, alias: str) -> None:
    """D4."""
    add(store, "Joe")

    with pytest.raises(ValueError, match="there is a user 'joe' already"):
        add(store, alias)


def test_a_deactivated_user_loses_all_sessions(store: SQLiteStore) -> None:
    joe = add_user(store.users, "joe", name="", email="", groups=[], now=NOW)
    store.sessions.put(record(joe))

    gone = change_user(store, joe.identity.canonical, active=False, now=NOW + 1)
    assert not gone.active
    assert store.sessions.listed() == []

    back = change_user(store, gone.identity.canonical, active=True, now=NOW + 2)
    assert back.active
    assert store.users.get("joe") == back
    assert store.sessions.listed() == [], "no session comes back"


def test_a_regrouped_user_keeps_the_sessions(store: SQLiteStore) -> None:
    joe = add_user(store.users, "joe", name="", email="", groups=["a"], now=NOW)
    store.sessions.put(record(joe))

    changed = change_user(store, joe.identity.canonical, groups=["b"], now=NOW + 1)

    assert changed.identity.groups == {"b"}
    assert changed.active
    found = store.sessions.get("k1")
    assert found is not None
    assert found[1].groups == {"b"}
    assert changed.updated_at == NOW + 1


def test_a_regrouped_user_who_is_inactive_stays_out(store: SQLiteStore) -> None:
    joe = add_user(store.users, "joe", name="", email="", groups=[], now=NOW)
    joe = change_user(store, joe.identity.canonical, active=False, now=NOW)

    assert not change_user(store, joe.identity.canonical, groups=["a"], now=NOW).active


def test_nobody_unknown_is_changed(store: SQLiteStore) -> None:
    with pytest.raises(AccountNotFound):
        change_user(store, "ghost", active=True, now=NOW)

    assert store.users.listed() == []


def test_a_bad_group_changes_nothing(store: SQLiteStore) -> None:
    joe = add_user(store.users, "joe", name="", email="", groups=["a"], now=NOW)

    with pytest.raises(ValueError, match="comma"):
        change_user(store, joe.identity.canonical, active=False, groups=["a,b"], now=NOW)

    assert store.users.get("joe") == joe


def test_a_change_is_whole_or_not_at_all(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    joe = add_user(store.users, "joe", name="", email="", groups=[], now=NOW)

    def fail(subject: str) -> int:
        raise StoreFailure("disk full")

    monkeypatch.setattr(store.sessions, "delete_subject", fail)
    with pytest.raises(StoreFailure):
        change_user(store, joe.identity.canonical, active=False, now=NOW)

    assert store.users.get("joe") == joe
