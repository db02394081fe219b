"""Who comes in as whom: a source's own people, an operator's, and nobody else's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ssogate.directory import admit, may_sign_out, owns
from ssogate.errors import (
    AccountInactive,
    AccountNotFound,
    DuplicateUser,
    GateError,
)
from ssogate.model import (
    Administrator,
    Assertion,
    Enrolment,
    Identity,
    LocalPath,
    SignIn,
    User,
)
from ssogate.storage import SQLiteStore, UserStore
from tests.storage.making import NOW, Hands, user

JOE = Assertion("Joe", "Joe Doe", "joe@example.com")
CREATES = Enrolment("crm", create=True)
FINDS = Enrolment("crm")
SHARED = Enrolment("crm", create=True, shared=True)


@pytest.fixture
def store(tmp_path: Path) -> SQLiteStore:
    return SQLiteStore(tmp_path / "gate.db", clock=Hands())


@pytest.fixture
def users(store: SQLiteStore) -> UserStore:
    return store.users


def admitted(store: Any, assertion: Assertion, enrolment: Enrolment, now: int) -> Identity:
    sign_in = SignIn("crm", assertion, enrolment, LocalPath("/"))
    return admit(store, sign_in, client="192.0.2.1", now=now).identity


@pytest.mark.parametrize(
    ("enrolment", "known", "code"),
    [
        pytest.param(FINDS, None, "404E2", id="unknown, not created"),
        pytest.param(CREATES, None, None, id="unknown, created"),
        pytest.param(FINDS, user("joe", source="crm"), None, id="the source's own"),
        pytest.param(FINDS, user("joe", source=""), None, id="an operator's"),
        pytest.param(FINDS, user("joe", source="other"), "400E4", id="another source's"),
        pytest.param(CREATES, user("joe", source="other"), "400E4", id="another's, would create"),
        pytest.param(SHARED, user("joe", source="other"), None, id="another's, shared"),
        pytest.param(FINDS, user("joe", active=False), "404E1", id="inactive"),
        pytest.param(CREATES, user("joe", active=False), "404E1", id="inactive, would create"),
        pytest.param(
            FINDS, user("joe", source="", active=False), "404E1", id="operator's inactive"
        ),
        pytest.param(
            SHARED, user("joe", source="other", active=False), "404E1", id="shared, inactive"
        ),
        pytest.param(
            FINDS, user("joe", source="other", active=False), "400E4", id="another's, inactive"
        ),
        pytest.param(FINDS, user("joe", source="crm2"), "400E4", id="a longer source's"),
        pytest.param(FINDS, user("joe", source="CRM"), "400E4", id="a source in another case"),
    ],
)
def test_who_is_admitted(
    store: SQLiteStore, users: UserStore, enrolment: Enrolment, known: User | None, code: str | None
) -> None:
    if known:
        users.add(known)
    before = list(users.listed())

    if code is None:
        assert admitted(store, JOE, enrolment, NOW).canonical == "joe"
        return
    with pytest.raises(GateError) as caught:
        admitted(store, JOE, enrolment, NOW)
    assert caught.value.code == code
    assert list(users.listed()) == before, "a refusal changes nobody"


def test_a_new_user_gets_the_default_groups_beside_the_asserted(
    store: SQLiteStore, users: UserStore
) -> None:
    enrolment = Enrolment("crm", create=True, default_groups=frozenset({"members"}))
    identity = admitted(store, replace(JOE, groups=frozenset({"staff"})), enrolment, NOW)

    assert identity.groups == {"members", "staff"}
    assert users.get("joe") == User(identity, True, "crm", NOW, NOW)
    assert len(identity.subject) == 36


def test_subjects_are_never_reused(store: SQLiteStore, users: UserStore) -> None:
    first = admitted(store, JOE, CREATES, NOW)
    users.delete(first.subject)

    assert admitted(store, JOE, CREATES, NOW).subject != first.subject


@pytest.mark.parametrize(
    ("update", "groups", "expected"),
    [
        pytest.param(True, None, {"b", "staff"}, id="groups not sent: kept"),
        pytest.param(True, frozenset({"c"}), {"c"}, id="groups sent: taken"),
        pytest.param(True, frozenset(), set(), id="no group sent: none left"),
        pytest.param(False, frozenset({"c"}), {"b", "staff"}, id="updates off"),
    ],
)
def test_a_known_user_is_updated_as_told(
    store: SQLiteStore,
    users: UserStore,
    update: bool,
    groups: frozenset[str] | None,
    expected: set[str],
) -> None:
    known = user("joe")
    users.add(known)
    enrolment = Enrolment("crm", update=update, default_groups=frozenset({"members"}))

    identity = admitted(store, Assertion("JOE", "New Name", "new@x.y", groups), enrolment, NOW + 5)

    stored = users.get("joe")
    assert stored is not None
    assert stored.identity == identity
    assert identity.groups == expected
    assert (identity.name, identity.email) == (
        ("New Name", "new@x.y") if update else ("joe Doe", "joe@example.com")
    )
    assert identity.username == known.identity.username, "the name stays as it was first seen"
    assert identity.subject == known.identity.subject
    assert stored.updated_at == (NOW + 5 if update else NOW)


def test_what_did_not_change_is_not_written(store: SQLiteStore, users: UserStore) -> None:
    first = admitted(store, JOE, CREATES, NOW)

    assert admitted(store, JOE, CREATES, NOW + 9) == first
    stored = users.get("joe")
    assert stored is not None
    assert stored.updated_at == NOW


@pytest.mark.parametrize("alias", ["JOE", "ｊｏｅ", "𝐉oe", "joE"])
def test_two_spellings_are_one_person(store: SQLiteStore, users: UserStore, alias: str) -> None:
    """D4."""
    first = admitted(store, JOE, CREATES, NOW)

    assert admitted(store, replace(JOE, username=alias), CREATES, NOW).subject == first.subject
    assert len(list(users.listed())) == 1
    with pytest.raises(DuplicateUser):
        admitted(store, replace(JOE, username=alias), Enrolment("other", create=True), NOW)


class AppearsMeanwhile:
    """A store in which somebody else adds the user between the look and the write."""

    def arriving(self, canonical: str) -> User | None:
        return None

    def add(self, user: User) -> bool:
        return False


def test_a_user_that_appears_meanwhile_is_not_taken_over() -> None:
    with pytest.raises(DuplicateUser):
        admitted(SimpleNamespace(users=AppearsMeanwhile()), JOE, CREATES, NOW)


def test_whose_users_a_source_may_act_for() -> None:
    theirs = User(Identity("u", "joe", "joe"), True, "other", NOW, NOW)

    assert not owns(FINDS, theirs)
    assert owns(SHARED, theirs)
    assert owns(FINDS, replace(theirs, source="crm"))
    assert owns(FINDS, replace(theirs, source=""))
    assert issubclass(AccountInactive, GateError)
    assert issubclass(AccountNotFound, GateError)


def known_as(store: SQLiteStore, source: str, external_id: str) -> User:
    known = replace(user("joe", source=source), external_id=external_id)
    assert store.users.add(known)
    return known


@pytest.mark.parametrize(
    ("source", "external_id", "code"),
    [
        pytest.param("crm", "5", None, id="the same person"),
        pytest.param("crm", "6", "400E4", id="the name is somebody else's there by now"),
        pytest.param("crm", "", "400E4", id="known without an id"),
        pytest.param("", "", "400E4", id="an operator's, of the same name"),
        pytest.param("", "5", "400E4", id="an import's, of the same id"),
        pytest.param("other", "5", "400E4", id="another source's"),
    ],
)
def test_a_source_that_tells_people_by_ids_reaches_its_own_by_their_ids(
    store: SQLiteStore, source: str, external_id: str, code: str | None
) -> None:
    known = known_as(store, source, external_id)
    asserted = replace(JOE, external_id="5")

    if code is None:
        assert admitted(store, asserted, CREATES, NOW).subject == known.identity.subject
        return
    with pytest.raises(DuplicateUser):
        admitted(store, asserted, CREATES, NOW)


def test_a_source_signs_no_administrator_out(store: SQLiteStore) -> None:
    known = known_as(store, "crm", "")
    assert may_sign_out(store, FINDS, known)

    store.administrators.put(Administrator(known.identity.subject, frozenset(), NOW))

    assert not may_sign_out(store, FINDS, known)
    assert may_sign_out(store, replace(FINDS, administrators=True), known)
