"""Administrators are users; becoming one ends the sessions that anything may have opened."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ssogate.directory.administrators import (
    add_administrator,
    empty_role_groups,
    remove_administrator,
    set_role_groups,
)
from ssogate.errors import AccountNotFound, Conflict
from ssogate.model import Access, Administrator, Server
from ssogate.storage import SQLiteStore
from tests.directory.making import SUE, actions, person, signed_in, texts
from tests.storage.making import NOW


def test_who_becomes_an_administrator_signs_in_anew(store: SQLiteStore) -> None:
    joe = person(store, "joe").identity.subject
    person(store, "sue")

    known = add_administrator(store, joe, ["support", "a"], by=SUE, now=NOW)

    assert known == Administrator(joe, frozenset({"support", "a"}), NOW)
    assert store.administrators.get(joe) == known
    assert signed_in(store) == {"sue"}
    assert texts(store)[-1] == ("administrator.added", "user joe: a, support")


def test_role_groups_are_replaced(store: SQLiteStore) -> None:
    joe = person(store, "joe").identity.subject
    add_administrator(store, joe, ["a"], by=SUE, now=NOW)

    changed = set_role_groups(store, joe, ["b"], by=SUE, now=NOW + 5)
    set_role_groups(store, joe, ["b"], by=SUE, now=NOW + 6)

    assert changed == Administrator(joe, frozenset("b"), NOW) == store.administrators.get(joe)
    assert texts(store)[-1] == ("administrator.changed", "user joe: a → b")
    assert actions(store).count("administrator.changed") == 1


def test_who_is_removed_stays_a_user(store: SQLiteStore) -> None:
    joe = person(store, "joe").identity.subject
    add_administrator(store, joe, [], by=SUE, now=NOW)

    remove_administrator(store, joe, by=SUE, now=NOW)

    assert store.administrators.get(joe) is None
    assert store.users.of(joe)
    assert actions(store)[-2:] == ["administrator.added", "administrator.removed"]


@pytest.mark.parametrize(
    ("deed", "error", "message"),
    [
        pytest.param(
            lambda store, joe, admin: add_administrator(store, admin, [], by=SUE, now=NOW),
            Conflict,
            "user sue is an administrator already",
            id="twice",
        ),
        pytest.param(
            lambda store, joe, admin: add_administrator(store, joe, ["a,b"], by=SUE, now=NOW),
            ValueError,
            "comma",
            id="bad group",
        ),
        pytest.param(
            lambda store, joe, admin: add_administrator(store, "nobody", [], by=SUE, now=NOW),
            AccountNotFound,
            "no user",
            id="nobody",
        ),
        pytest.param(
            lambda store, joe, admin: set_role_groups(store, joe, [], by=SUE, now=NOW),
            Conflict,
            "user joe is no administrator",
            id="groups of a mere user",
        ),
        pytest.param(
            lambda store, joe, admin: set_role_groups(store, admin, [""], by=SUE, now=NOW),
            ValueError,
            "empty",
            id="empty group",
        ),
        pytest.param(
            lambda store, joe, admin: remove_administrator(store, joe, by=SUE, now=NOW),
            Conflict,
            "user joe is no administrator",
            id="removing a mere user",
        ),
    ],
)
def test_what_cannot_be_changes_nothing(
    store: SQLiteStore,
    deed: Callable[[SQLiteStore, str, str], object],
    error: type[Exception],
    message: str,
) -> None:
    joe, sue = person(store, "joe").identity.subject, person(store, "sue").identity.subject
    add_administrator(store, sue, ["a"], by=SUE, now=NOW)
    before = actions(store), store.administrators.listed(), signed_in(store)

    with pytest.raises(error, match=message):
        deed(store, joe, sue)

    assert (actions(store), store.administrators.listed(), signed_in(store)) == before


def test_role_groups_that_nobody_is_in_are_found(store: SQLiteStore) -> None:
    add_administrator(store, person(store, "joe").identity.subject, ["a", "b"], by=SUE, now=NOW)
    server = Server(
        1, "web1", "cpanel", ("h",), access=Access.RESTRICTED, role_groups=frozenset("ac")
    )

    assert empty_role_groups(store, server) == {"c"}
