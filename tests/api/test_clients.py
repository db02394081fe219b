"""Clients by the API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ssogate.crypto import verify_password
from ssogate.directory import ACCOUNTS, add_user, change_user
from ssogate.directory.administrators import add_administrator
from ssogate.directory.sso_tokens import set_single_sign_on
from ssogate.directory.users import API_SOURCE
from ssogate.model import AccountStatus, Membership, ServiceStatus, User
from tests.api.making import Office
from tests.directory.making import SUE, customer, member, person, signed_in
from tests.storage.making import NOW

ANN = {"firstname": "Ann", "lastname": "Lee", "email": "ann@example.com"}
ADDRESS = {"address1": "1 Main St", "city": "X", "country": "US", "phonenumber": "1"}
PASSWORD = "a long enough password"


def test_a_client_comes_with_its_owner(office: Office) -> None:
    found = office.good("AddClient", **ANN, **ADDRESS, companyname="Lee Inc", password2=PASSWORD)

    account = office.store.accounts.get(found["clientid"])
    owner = office.store.users.numbered(found["owner_user_id"])
    assert account is not None
    assert owner is not None
    assert (account.company, account.email) == ("Lee Inc", "ann@example.com")
    assert (account.status, account.allow_single_sign_on) == (AccountStatus.ACTIVE, True)
    assert (owner.identity.canonical, owner.identity.name) == ("ann@example.com", "Ann Lee")
    assert office.store.memberships.listed(account=account.number) == [
        Membership(account.number, owner.identity.subject, owner=True)
    ]
    assert verify_password(PASSWORD, office.store.secrets.password(owner.identity.subject))
    assert [action for action, _ in office.lines] == [
        "user.added",
        "user.password-set",
        "account.added",
        "account.member-set",
        "api.addclient",
    ]
    assert PASSWORD not in repr(office.lines)


def test_a_client_without_a_company_is_called_as_its_owner(office: Office) -> None:
    number = office.good("AddClient", **ANN)["clientid"]

    account = office.store.accounts.get(number)
    assert account is not None
    assert account.company == "Ann Lee"
    owner = office.store.memberships.listed(account=number)[0]
    assert office.store.secrets.password(owner.subject) == ""


def test_a_client_may_be_given_to_a_user_who_is_there(office: Office) -> None:
    found = office.good("AddClient", **ANN, owner_user_id=office.joe.number)

    assert found["owner_user_id"] == office.joe.number
    assert office.store.users.get("ann@example.com") is None


def test_names_may_lack_where_validation_is_skipped(office: Office) -> None:
    number = office.good("AddClient", email="a@b.example", skipvalidation=True)["clientid"]

    account = office.store.accounts.get(number)
    assert account is not None
    assert account.company == "a@b.example"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        pytest.param({"firstname": ""}, "You did not enter your first name", id="first name"),
        pytest.param({"lastname": " "}, "You did not enter your last name", id="last name"),
        pytest.param({"email": ""}, "You did not enter your email address", id="e-mail"),
        pytest.param(
            {"email": "", "skipvalidation": "true"},
            "You did not enter your email address",
            id="e-mail without validation",
        ),
        pytest.param(
            {"email": "a@b@c"}, "The email address you entered was not valid", id="bad e-mail"
        ),
        pytest.param(
            {"email": "JOE@example.com"},
            "A user already exists with that email address",
            id="a known e-mail",
        ),
        pytest.param(
            {"password2": "short"},
            "The password must have at least 12 characters.",
            id="short password",
        ),
        pytest.param(
            {"password2": "ann@example.com"},
            "The password must not be your name or e-mail address.",
            id="the address as the password",
        ),
        pytest.param({"owner_user_id": "99"}, "Invalid owner_user_id", id="no such owner"),
        pytest.param({"owner_user_id": "x"}, "Invalid owner_user_id", id="owner of no number"),
        pytest.param({"companyname": "a\u200bb"}, "company: holds the invisible", id="invisible"),
    ],
)
def test_a_client_that_must_not_be(office: Office, asked: dict[str, str], message: str) -> None:
    users = [*office.store.users.listed()]

    assert office.no("AddClient", **{**ANN, **asked}).startswith(message)
    assert [*office.store.users.listed()] == users
    assert [*office.store.accounts.listed()] == [office.acme]


def _alone(office: Office) -> User:
    """An operator's own user, who has nothing to do with any client."""
    return person(office.store, "ann", signed_in=False)


def _of_a_program(office: Office) -> User:
    return add_user(office.store, "ann", source=API_SOURCE, by=SUE, now=NOW)


def _member(office: Office) -> User:
    ann = _alone(office)
    member(office.store, office.acme, ann)
    return ann


def _switched_off(office: Office) -> User:
    set_single_sign_on(office.store, office.acme.number, False, by=SUE, now=NOW)
    return office.joe


def _member_of_one_that_is_off(office: Office) -> User:
    _switched_off(office)
    return _member(office)


def _closed(office: Office) -> User:
    closed = replace(office.acme, status=AccountStatus.CLOSED)
    ACCOUNTS.change(office.store, office.acme.number, lambda _: closed, by=SUE, now=NOW)
    return office.joe


def _deactivated(office: Office) -> User:
    return change_user(office.store, "joe", active=False, by=SUE, now=NOW)


@pytest.mark.parametrize(
    ("who", "may"),
    [
        pytest.param(_of_a_program, True, id="made by a program"),
        pytest.param(_member, True, id="a member"),
        pytest.param(_member_of_one_that_is_off, True, id="a member of another's that is off"),
        pytest.param(_alone, False, id="without a client"),
        pytest.param(_switched_off, False, id="an owner who wants no single sign-on"),
        pytest.param(_closed, False, id="shut out by a closed client"),
        pytest.param(_deactivated, False, id="deactivated"),
    ],
)
def test_a_further_client_reaches_nobody_who_was_out_of_reach(
    office: Office, who: Callable[[Office], User], may: bool
) -> None:
    user = office.store.users.of(who(office).identity.subject)
    assert user is not None
    before = [*office.store.accounts.listed()]

    found = office.call("AddClient", **ANN, owner_user_id=user.number)

    assert found.get("message") == (None if may else "Invalid owner_user_id")
    assert ([*office.store.accounts.listed()] == before) is not may


@pytest.mark.parametrize("owner", [True, False])
@pytest.mark.parametrize(
    ("action", "more"),
    [
        pytest.param("CloseClient", {}, id="closed"),
        pytest.param("DeleteClient", {}, id="deleted"),
        pytest.param("UpdateClient", {"status": "Closed"}, id="closed by an update"),
    ],
)
def test_a_client_of_an_administrator_is_not_ended_by_programs(
    office: Office, action: str, more: dict[str, str], owner: bool
) -> None:
    if not owner:
        member(office.store, office.acme, person(office.store, "ann"), owner=True)
    add_administrator(office.store, office.joe.identity.subject, [], by=SUE, now=NOW)
    service = office.service()

    message = office.no(action, clientid=office.acme.number, **more)

    assert "administrator" in message
    assert office.store.accounts.get(office.acme.number) == office.acme
    assert office.store.services.get(service.number) == service
    assert office.good("UpdateClient", clientid=office.acme.number, companyname="New")


def test_an_administrator_is_not_made_an_owner(office: Office) -> None:
    """Who may close clients could shut administrators out."""
    add_administrator(office.store, office.joe.identity.subject, [], by=SUE, now=NOW)

    message = office.no("AddClient", **ANN, owner_user_id=office.joe.number)

    assert message == "Invalid owner_user_id"


# --- Reading -------------------------------------------------------------------------------------

ACME = {
    "id": 1,
    "firstname": "",
    "lastname": "",
    "companyname": "Acme Ltd",
    "email": "office@acme.example",
    "datecreated": "2027-01-15",
    "groupid": 0,
    "status": "Active",
}


def test_clients_are_listed(office: Office) -> None:
    assert office.good("GetClients") == {
        "totalresults": 1,
        "startnumber": 0,
        "numreturned": 1,
        "clients": {"client": [ACME]},
    }


@pytest.mark.parametrize(
    ("asked", "companies", "counts"),
    [
        pytest.param({}, ["Acme Ltd", "B", "C", "D"], (4, 0, 4), id="all"),
        pytest.param({"limitnum": 2}, ["Acme Ltd", "B"], (4, 0, 2), id="first"),
        pytest.param({"limitstart": 3, "limitnum": 2}, ["D"], (4, 3, 1), id="last"),
        pytest.param({"limitstart": 9}, [], (4, 9, 0), id="beyond"),
        pytest.param({"limitnum": 2, "sorting": "DESC"}, ["D", "C"], (4, 0, 2), id="backwards"),
        pytest.param(
            {"limitstart": 3, "limitnum": 2, "sorting": "desc"},
            ["Acme Ltd"],
            (4, 3, 1),
            id="the last backwards",
        ),
        pytest.param({"limitstart": 9, "sorting": "DESC"}, [], (4, 9, 0), id="beyond backwards"),
        pytest.param({"search": "ACME"}, ["Acme Ltd"], (1, 0, 1), id="by company"),
        pytest.param({"search": "office@"}, ["Acme Ltd"], (1, 0, 1), id="by e-mail"),
        pytest.param({"search": "Ltd"}, [], (0, 0, 0), id="not in the middle"),
        pytest.param({"status": "closed"}, ["D"], (1, 0, 1), id="by status"),
        pytest.param({"limitnum": "x"}, ["Acme Ltd", "B", "C", "D"], (4, 0, 4), id="no number"),
    ],
)
def test_a_part_of_the_clients_is_listed(
    office: Office, asked: dict[str, object], companies: list[str], counts: tuple[int, ...]
) -> None:
    for name in "BCD":
        customer(office.store, name)
    office.good("UpdateClient", clientid=4, status="Closed")

    found = office.good("GetClients", **asked)

    assert [client["companyname"] for client in found["clients"]["client"]] == companies
    assert (found["totalresults"], found["startnumber"], found["numreturned"]) == counts


def test_no_answer_has_more_clients_than_the_cap(office: Office) -> None:
    with office.store.transaction():
        for number in range(251):
            customer(office.store, f"C{number}")

    found = office.good("GetClients", limitnum=1000)

    assert (found["numreturned"], found["totalresults"]) == (250, 252)


def test_a_status_that_does_not_exist_is_refused(office: Office) -> None:
    assert office.no("GetClients", status="Gone") == "Invalid Status"


@pytest.mark.parametrize("which", [{"clientid": 1}, {"email": "office@acme.example"}])
def test_the_details_of_a_client(office: Office, which: dict[str, Any]) -> None:
    found = office.good("GetClientsDetails", **which)

    client = found.pop("client")
    assert (
        client
        == found
        == {
            **ACME,
            "client_id": 1,
            "userid": 1,
            "owner_user_id": office.joe.number,
            "fullname": "",
            "phonenumber": "",
            "twofaenabled": False,
            "allowSingleSignOn": 1,
            "users": {
                "user": [
                    {
                        "id": office.joe.number,
                        "name": "",
                        "email": "joe@example.com",
                        "is_owner": True,
                    }
                ]
            },
        }
    )


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        pytest.param({}, "Either clientid Or email Is Required", id="neither"),
        pytest.param({"clientid": "9"}, "Client Not Found", id="no such client"),
        pytest.param({"clientid": "1x"}, "Client Not Found", id="no number"),
        pytest.param({"email": "nobody@acme.example"}, "Client Not Found", id="no such address"),
    ],
)
def test_the_details_of_nobody(office: Office, asked: dict[str, str], message: str) -> None:
    assert office.no("GetClientsDetails", **asked) == message


# --- Changes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", [{"clientid": 1}, {"clientemail": "office@acme.example"}])
def test_a_client_is_changed(office: Office, which: dict[str, Any]) -> None:
    new = {"companyname": "Acme Inc", "email": "new@acme.example", "status": "inactive"}

    assert office.good("UpdateClient", **which, **new, **ADDRESS) == {"clientid": "1"}

    account = office.store.accounts.get(1)
    assert account is not None
    assert (account.company, account.email) == ("Acme Inc", "new@acme.example")
    assert account.status is AccountStatus.INACTIVE
    assert account.allow_single_sign_on


@pytest.mark.parametrize(
    ("sent", "allowed"),
    [
        pytest.param("0", False, id="off"),
        pytest.param("false", False, id="off, in JavaScript"),
        pytest.param("", False, id="off, as PHP writes false"),
        pytest.param("1", True, id="on"),
        pytest.param("true", True, id="on, in JavaScript"),
    ],
)
def test_the_switch_for_single_sign_on_is_turned(office: Office, sent: str, allowed: bool) -> None:
    office.good("UpdateClient", clientid=1, allowSingleSignOn=not allowed)

    office.good("UpdateClient", clientid=1, allowSingleSignOn=sent)

    account = office.store.accounts.get(1)
    assert account is not None
    assert account.allow_single_sign_on is allowed
    assert office.good("GetClientsDetails", clientid=1)["allowSingleSignOn"] == int(allowed)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        pytest.param({"clientid": "9"}, "Client ID Not Found", id="no such client"),
        pytest.param({"clientid": ""}, "Client ID Not Found", id="none"),
        pytest.param({"clientemail": "twice@acme.example"}, "Client ID Not Found", id="of two"),
        pytest.param({"clientid": "1", "status": "x"}, "Invalid Status", id="status"),
        pytest.param(
            {"clientid": "1", "email": "x"},
            "The email address you entered was not valid",
            id="e-mail",
        ),
        pytest.param(
            {"clientid": "1", "companyname": "New", "allowSingleSignOn": "2"},
            "allowsinglesignon is neither true nor false",
            id="neither on nor off",
        ),
        pytest.param(
            {"clientid": "1", "password2": PASSWORD},
            "A password is its user's, and is not changed by this action",
            id="a password",
        ),
    ],
)
def test_a_change_that_must_not_be(office: Office, asked: dict[str, str], message: str) -> None:
    for _ in range(2):
        number = customer(office.store, "Two").number
        office.good("UpdateClient", clientid=number, email="twice@acme.example")
    before = [*office.store.accounts.listed()]

    assert office.no("UpdateClient", **asked) == message
    assert [*office.store.accounts.listed()] == before


def test_who_acts_for_a_closed_client_alone_is_out_at_once(office: Office) -> None:
    sue = person(office.store, "sue")
    member(office.store, office.acme, sue)
    for status in (ServiceStatus.ACTIVE, ServiceStatus.PENDING, ServiceStatus.FRAUD):
        office.service(status=status)

    assert office.good("CloseClient", clientid=1) == {"clientid": 1}

    account = office.store.accounts.get(1)
    assert account is not None
    assert account.status is AccountStatus.CLOSED
    assert signed_in(office.store) == set()
    assert [it.status for it in office.store.services.listed()] == [
        ServiceStatus.TERMINATED,
        ServiceStatus.CANCELLED,
        ServiceStatus.FRAUD,
    ]


def test_a_client_is_deleted_with_what_it_has(office: Office) -> None:
    office.service()

    assert office.good("DeleteClient", clientid=1) == {"clientid": 1}
    assert [*office.store.accounts.listed()] == []
    assert [*office.store.services.listed()] == []


@pytest.mark.parametrize("action", ["CloseClient", "DeleteClient"])
@pytest.mark.parametrize("asked", [{}, {"clientid": "2"}, {"clientid": "1%00"}])
def test_nobody_is_neither_closed_nor_deleted(
    office: Office, action: str, asked: dict[str, str]
) -> None:
    assert office.no(action, **asked) == "Client ID Not Found"
    assert [*office.store.accounts.listed()] == [office.acme]
