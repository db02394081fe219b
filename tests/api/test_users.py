"""Users and their permissions by the API."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from ssogate.api.people import names
from ssogate.config.values import Name
from ssogate.crypto import Turns, verify_password
from ssogate.directory import add_user, change_user
from ssogate.directory.administrators import add_administrator
from ssogate.directory.enrol import owns
from ssogate.directory.users import API_SOURCE
from ssogate.login.password.pace import Pace
from ssogate.model import Enrolment, Permission, User
from tests.api.making import Office, refused
from tests.directory.making import SUE, customer, member, person
from tests.storage.making import NOW

ANN = {"firstname": "Ann", "lastname": "Lee", "email": "ann@example.com"}
PASSWORD = "a long enough password"


def added(office: Office, name: str = "sue") -> User:
    """A user, with a number."""
    made = person(office.store, name, signed_in=False)
    return office.store.users.of(made.identity.subject) or made


def test_a_user_is_added(office: Office) -> None:
    found = office.good("AddUser", **ANN, password2=PASSWORD)

    user = office.store.users.get("ann@example.com")
    assert user is not None
    assert found == {"user_id": user.number}
    assert (user.identity.name, user.identity.email) == ("Ann Lee", "ann@example.com")
    assert verify_password(PASSWORD, office.store.secrets.password(user.identity.subject))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        pytest.param({"firstname": ""}, "You did not enter a first name", id="first name"),
        pytest.param({"lastname": ""}, "You did not enter a last name", id="last name"),
        pytest.param({"email": ""}, "You did not enter an email address", id="e-mail"),
        pytest.param({"password2": ""}, "You did not enter a password", id="password"),
        pytest.param({"email": "ann"}, "The email address entered is not valid", id="bad e-mail"),
        pytest.param(
            {"email": "Joe@Example.com"},
            "A user already exists with that email address",
            id="known",
        ),
        pytest.param({"password2": "x"}, "The password must have at least 12", id="short"),
    ],
)
def test_a_user_that_must_not_be(office: Office, asked: dict[str, str], message: str) -> None:
    sent = {**ANN, "password2": PASSWORD, **asked}

    assert office.no("AddUser", **sent).startswith(message)
    assert [*office.store.users.listed()] == [office.joe]


def test_users_are_listed_with_their_clients(office: Office) -> None:
    other = customer(office.store, "Other")
    member(office.store, other, office.joe)

    assert office.good("GetUsers") == {
        "totalresults": 1,
        "startnumber": 0,
        "numreturned": 1,
        "users": [
            {
                "id": office.joe.number,
                "firstname": "",
                "lastname": "",
                "email": "joe@example.com",
                "datecreated": "2027-01-15 08:00:00",
                "validationdata": "",
                "clients": [{"id": 1, "isOwner": True}, {"id": 2, "isOwner": False}],
            }
        ],
    }


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        pytest.param({}, ["joe", "sue", "zoe"], id="all"),
        pytest.param({"sorting": "DESC", "limitnum": "1"}, ["zoe"], id="the last"),
        pytest.param({"search": "SUE@"}, ["sue"], id="by e-mail"),
        pytest.param({"search": "susan"}, ["sue"], id="by first name"),
        pytest.param({"search": "jones"}, ["sue"], id="by last name"),
        pytest.param({"search": "susan jo"}, ["sue"], id="by full name"),
        pytest.param({"search": "ones"}, [], id="not in the middle"),
    ],
)
def test_some_users_are_listed(office: Office, asked: dict[str, str], found: list[str]) -> None:
    added(office), added(office, "zoe")
    change_user(office.store, "sue", name="Susan Jones", by=SUE, now=NOW)

    users = office.good("GetUsers", **asked)["users"]

    assert [user["email"].partition("@")[0] for user in users] == found


@pytest.mark.parametrize(
    ("name", "told"),
    [
        pytest.param("", ("", ""), id="none"),
        pytest.param("Cher", ("Cher", ""), id="one"),
        pytest.param("Ann Lee", ("Ann", "Lee"), id="two"),
        pytest.param("Ann van Lee", ("Ann van", "Lee"), id="three"),
    ],
)
def test_a_name_is_told_as_two(office: Office, name: str, told: tuple[str, str]) -> None:
    user = change_user(office.store, "joe", name=name, by=SUE, now=NOW)

    assert names(user) == told


@pytest.mark.parametrize(
    ("asked", "name", "email"),
    [
        pytest.param({"firstname": "Jo"}, "Jo Doe", "joe@example.com", id="first name"),
        pytest.param({"lastname": "Roe "}, "Joe Roe", "joe@example.com", id="last name"),
        pytest.param({"email": "new@example.com"}, "Joe Doe", "new@example.com", id="e-mail"),
        pytest.param({"email": "JOE@example.com"}, "Joe Doe", "JOE@example.com", id="case"),
        pytest.param({"language": "german"}, "Joe Doe", "joe@example.com", id="language"),
    ],
)
def test_what_a_call_names_of_a_user_is_changed(
    office: Office, asked: dict[str, str], name: str, email: str
) -> None:
    change_user(office.store, "joe", name="Joe Doe", by=SUE, now=NOW)

    assert office.good("UpdateUser", user_id=office.joe.number, **asked) == {
        "user_id": office.joe.number
    }

    user = office.store.users.get("joe")
    assert user is not None
    assert (user.identity.name, user.identity.email) == (name, email)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        pytest.param(
            {"user_id": "1"},
            "One of `email`, `firstname`, `lastname`, or `language` is required",
            id="nothing",
        ),
        pytest.param({"firstname": "X"}, "Invalid User ID requested", id="nobody"),
        pytest.param({"user_id": "9", "email": "a@b.c"}, "Invalid User ID requested", id="unknown"),
        pytest.param(
            {"user_id": "1", "email": "x"},
            "The email address entered is not valid",
            id="bad e-mail",
        ),
        pytest.param(
            {"user_id": "1", "email": "SUE@example.com"},
            "A user already exists with that email address",
            id="another's e-mail",
        ),
    ],
)
def test_a_change_that_must_not_be(office: Office, asked: dict[str, str], message: str) -> None:
    added(office)
    before = [*office.store.users.listed()]

    assert office.no("UpdateUser", **asked) == message
    assert [*office.store.users.listed()] == before


@pytest.mark.parametrize(
    ("source", "may"),
    [
        pytest.param("", True, id="an operator's"),
        pytest.param(API_SOURCE, True, id="a program's"),
        pytest.param("members", False, id="a sender's"),
    ],
)
def test_a_program_changes_whom_no_sender_and_no_application_owns(
    office: Office, source: str, may: bool
) -> None:
    add_user(office.store, "ann", source=source, by=SUE, now=NOW)
    ann = office.store.users.get("ann")
    assert ann is not None

    found = office.call("UpdateUser", user_id=ann.number, firstname="Ann")

    assert (found["result"] == "success") is may
    changed = office.store.users.get("ann")
    assert changed is not None
    assert (changed.identity.name == "Ann") is may


@pytest.mark.parametrize(
    "email", ["boss@corp.example", "BOSS@corp.example", "two@corp.example", "TWO@Corp.example"]
)
def test_an_address_by_which_somebody_else_may_sign_in_is_taken(office: Office, email: str) -> None:
    """`boss@corp.example` is a user name without an address, `two@…` the address of two."""
    for name, address in (
        ("boss@corp.example", ""),
        ("ann", "two@corp.example"),
        ("sue", "two@corp.example"),
    ):
        add_user(office.store, name, email=address, by=SUE, now=NOW)
    before = [*office.store.users.listed()]

    for message in (
        office.no("UpdateUser", user_id=office.joe.number, email=email),
        office.no("AddUser", **{**ANN, "email": email}, password2=PASSWORD),
        office.no("AddClient", **{**ANN, "email": email}),
    ):
        assert message == "A user already exists with that email address"
    assert [*office.store.users.listed()] == before


def test_a_user_made_by_a_program_may_keep_the_own_name_as_address(office: Office) -> None:
    number = office.good("AddUser", **ANN, password2=PASSWORD)["user_id"]

    assert office.good("UpdateUser", user_id=number, email=ANN["email"]) == {"user_id": number}


@pytest.mark.parametrize("action", ["AddUser", "AddClient"])
def test_who_adds_many_at_once_is_told_to_wait(office: Office, action: str) -> None:
    nobody = Turns(at_once=0, waiting=0, patience=0)
    office.hashed = Pace(hashing=nobody).hashed

    response = office.send(action, **ANN, password2=PASSWORD)

    assert refused(response, 503).startswith("So many people sign in")
    assert [*office.store.users.listed()] == [office.joe]


@pytest.mark.parametrize("action", ["AddUser", "AddClient"])
def test_whom_a_program_adds_is_no_senders(office: Office, action: str) -> None:
    office.good(action, **ANN, password2=PASSWORD)

    ann = office.store.users.get("ann@example.com")
    assert ann is not None
    assert ann.source == API_SOURCE
    assert not owns(Enrolment(source="members"), ann)
    with pytest.raises(ValidationError):
        TypeAdapter(Name).validate_python(API_SOURCE)


def test_an_administrator_is_not_changed_by_programs(office: Office) -> None:
    add_administrator(office.store, office.joe.identity.subject, [], by=SUE, now=NOW)

    message = office.no("UpdateUser", user_id=office.joe.number, email="evil@example.com")

    assert message == "Invalid User ID requested"


# --- Permissions ---------------------------------------------------------------------------------


def test_the_permissions_that_there_are(office: Office) -> None:
    assert office.good("GetPermissionsList")["permissions"]["permission"] == [
        *("profile", "contacts", "products", "manageproducts", "productsso", "domains"),
        *("managedomains", "invoices", "quotes", "tickets", "affiliates", "emails", "orders"),
    ]


def test_an_owner_may_do_all(office: Office) -> None:
    found = office.good("GetUserPermissions", user_id=office.joe.number, client_id=1)

    assert found["permissions"]["permission"] == [*Permission]


def test_permissions_are_set_in_place_of_earlier_ones(office: Office) -> None:
    sue = added(office)
    member(office.store, office.acme, sue, Permission.TICKETS)
    both = {"user_id": sue.number, "client_id": 1}

    assert office.good("UpdateUserPermissions", **both, permissions="productsso, products,") == {}

    found = office.good("GetUserPermissions", **both)
    assert found["permissions"]["permission"] == ["products", "productsso"]


def test_all_permissions_are_taken_by_an_empty_list(office: Office) -> None:
    sue = added(office)
    member(office.store, office.acme, sue, Permission.TICKETS)

    office.good("UpdateUserPermissions", user_id=sue.number, client_id=1, permissions="")

    membership = office.store.memberships.get(1, sue.identity.subject)
    assert membership is not None
    assert membership.permissions == frozenset()


@pytest.mark.parametrize("action", ["GetUserPermissions", "UpdateUserPermissions"])
@pytest.mark.parametrize(
    ("asked", "message"),
    [
        pytest.param({}, "Invalid user id", id="nobody"),
        pytest.param({"user_id": 9, "client_id": 1}, "Invalid user id", id="no such user"),
        pytest.param({"user_id": 1, "client_id": 9}, "Invalid client id", id="no such client"),
        pytest.param(
            {"user_id": 2, "client_id": 1}, "User is not associated with client", id="no member"
        ),
    ],
)
def test_permissions_of_nobody(
    office: Office, action: str, asked: dict[str, Any], message: str
) -> None:
    added(office)

    assert office.no(action, **asked, permissions="profile") == message


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        pytest.param({"user_id": 1}, "Permissions cannot be set on a client owner", id="owner"),
        pytest.param({"user_id": 2}, "Missing permissions definition", id="none"),
        pytest.param(
            {"user_id": 2, "permissions": "profile,root"}, 'Invalid permission "root"', id="unknown"
        ),
    ],
)
def test_permissions_that_cannot_be_set(
    office: Office, asked: dict[str, Any], message: str
) -> None:
    sue = added(office)
    member(office.store, office.acme, sue, Permission.TICKETS)

    assert office.no("UpdateUserPermissions", client_id=1, **asked) == message
    membership = office.store.memberships.get(1, sue.identity.subject)
    assert membership is not None
    assert membership.permissions == {Permission.TICKETS}
