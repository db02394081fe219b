"""CreateSsoToken and ValidateLogin."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ssogate.crypto.random_secrets import digest
from ssogate.directory import ACCOUNTS, DOMAINS, change_user
from ssogate.directory.accounts import remove_member
from ssogate.directory.sso_tokens import KIND, grant_of
from ssogate.errors import AccountInactive, SignInBusy, TooManyTries, WrongPassword
from ssogate.model import Account, AccountStatus, Domain, DomainStatus, User
from tests.api.making import Office, refused
from tests.directory.making import SUE, customer, member, person
from tests.storage.making import NOW


def user(office: Office, name: str, *accounts: Account, owner: bool = False) -> User:
    """A user, with a number, who acts for these accounts."""
    made = person(office.store, name, signed_in=False)
    for account in accounts:
        member(office.store, account, made, owner=owner)
    return office.store.users.of(made.identity.subject) or made


def target(office: Office, answer: dict[str, Any]) -> str:
    ticket = office.store.tickets.get(digest(answer["access_token"]), KIND)
    assert ticket is not None
    return grant_of(ticket).target.text


def subject(office: Office, answer: dict[str, Any]) -> str:
    ticket = office.store.tickets.get(digest(answer["access_token"]), KIND)
    assert ticket is not None
    return ticket.subject


def test_a_token_is_for_the_clients_owner(office: Office) -> None:
    found = office.good("CreateSsoToken", client_id=1)

    token = "0" * 39 + "1"
    assert found == {
        "access_token": token,
        "redirect_url": f"https://app.example/oauth/singlesignon.php?access_token={token}",
    }
    assert subject(office, found) == office.joe.identity.subject
    assert target(office, found) == "/clientarea.php"
    assert [action for action, _ in office.lines] == ["sso-token.made"], "one line tells all"
    assert token not in repr([*office.store.activity.listed()])


@pytest.mark.parametrize(
    ("asked", "leads_to"),
    [
        pytest.param(
            {"destination": "clientarea:profile"}, "/clientarea.php?action=details", id="one"
        ),
        pytest.param(
            {"destination": "clientarea:product_details", "service_id": "1"},
            "/clientarea.php?action=productdetails&id=1",
            id="of a service",
        ),
        pytest.param(
            {"destination": "clientarea:domain_details", "domain_id": "1"},
            "/clientarea.php?action=domaindetails&id=1",
            id="of a domain",
        ),
        pytest.param(
            {"destination": "sso:custom_redirect", "sso_redirect_path": "viewinvoice.php?id=3"},
            "/viewinvoice.php?id=3",
            id="of the caller's choice",
        ),
        pytest.param({"service_id": "", "domain_id": ""}, "/clientarea.php", id="empty ids"),
    ],
)
def test_a_token_leads_where_the_call_says(
    office: Office, asked: dict[str, str], leads_to: str
) -> None:
    office.service()
    drawn = Domain(0, office.acme.number, "acme.example", DomainStatus.ACTIVE)
    DOMAINS.add(office.store, drawn, by=SUE, now=NOW)

    assert target(office, office.good("CreateSsoToken", client_id="1", **asked)) == leads_to


def test_a_user_is_named_with_or_without_the_client(office: Office) -> None:
    sue = user(office, "sue", office.acme)

    for asked in ({"client_id": 1, "user_id": sue.number}, {"user_id": sue.number}):
        found = office.good("CreateSsoToken", **asked)
        assert subject(office, found) == sue.identity.subject


def test_a_user_of_several_clients_comes_for_the_own_one_that_is_open(office: Office) -> None:
    closed, other, own = (customer(office.store, name) for name in ("Closed", "Other", "Own"))
    sue = user(office, "sue", closed, own, owner=True)
    member(office.store, other, sue)
    ACCOUNTS.change(
        office.store, closed.number, lambda it: replace(it, status=CLOSED), by=SUE, now=NOW
    )

    found = office.good("CreateSsoToken", user_id=sue.number)

    ticket = office.store.tickets.get(digest(found["access_token"]), KIND)
    assert ticket is not None
    assert grant_of(ticket).account == own.number


CLOSED = AccountStatus.CLOSED


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        pytest.param({}, "A valid client_id or user_id is required", id="nobody"),
        pytest.param({"client_id": ""}, "A valid client_id or user_id is required", id="empty"),
        pytest.param({"client_id": "99"}, "Invalid client_id", id="no such client"),
        pytest.param({"client_id": "0"}, "Invalid client_id", id="client 0"),
        pytest.param({"client_id": "-1"}, "Invalid client_id", id="negative"),
        pytest.param({"client_id": "１"}, "Invalid client_id", id="another digit"),
        pytest.param({"client_id": "1 "}, "Invalid client_id", id="a space"),
        pytest.param({"client_id": "01"}, "Invalid client_id", id="another spelling"),
        pytest.param({"client_id": "1e0"}, "Invalid client_id", id="exponent"),
        pytest.param({"client_id": "9" * 40}, "Invalid client_id", id="huge"),
        pytest.param({"user_id": "99"}, "Invalid user_id", id="no such user"),
        pytest.param({"user_id": "x"}, "Invalid user_id", id="no number"),
        pytest.param({"client_id": "1", "user_id": "99"}, "Invalid user_id", id="both"),
        pytest.param(
            {"client_id": "1", "user_id": "2"}, "Invalid user_id for client", id="another's user"
        ),
        pytest.param({"user_id": "2"}, "Invalid user_id for client", id="a user of no client"),
        pytest.param(
            {"client_id": "1", "destination": "clientarea:homepage"},
            "Invalid destination",
            id="unknown destination",
        ),
        pytest.param(
            {"client_id": "1", "destination": "CLIENTAREA:PROFILE"},
            "Invalid destination",
            id="destination in another case",
        ),
        pytest.param(
            {"client_id": "1", "service_id": "99"},
            "Token could not be provisioned: the service is not the account's",
            id="no such service",
        ),
        pytest.param(
            {"client_id": "1", "service_id": "1"},
            "Token could not be provisioned: the service is not the account's",
            id="another's service",
        ),
        pytest.param(
            {"client_id": "1", "domain_id": "x"},
            "Token could not be provisioned: the domain is not the account's",
            id="no domain",
        ),
        pytest.param(
            {"client_id": "1", "destination": "clientarea:product_details"},
            "Token could not be provisioned: clientarea:product_details needs a service_id",
            id="a service is needed",
        ),
    ],
)
def test_a_token_that_must_not_be(office: Office, asked: dict[str, str], message: str) -> None:
    other = customer(office.store, "Other")
    user(office, "sue")
    office.service(other.number)

    assert office.no("CreateSsoToken", **asked) == message
    assert office.lines[-1] == ("api.createssotoken", f"{', '.join(asked) or 'nothing'}: {message}")
    assert len(office.lines) == 1


@pytest.mark.parametrize("path", ["//evil", "https://evil", "../x", "%2e%2e/x", "\\evil", ""])
def test_a_path_that_leads_elsewhere_is_refused(office: Office, path: str) -> None:
    message = office.no(
        "CreateSsoToken", client_id=1, destination="sso:custom_redirect", sso_redirect_path=path
    )

    assert message.startswith("Token could not be provisioned: ")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            {"allow_single_sign_on": False},
            "SSO authentication blocked for client 1",
            id="switched off",
        ),
        pytest.param(
            {"status": CLOSED},
            "Token could not be provisioned: the account is Closed",
            id="closed",
        ),
    ],
)
def test_an_account_that_lets_nobody_in(
    office: Office, change: dict[str, Any], message: str
) -> None:
    ACCOUNTS.change(office.store, 1, lambda old: replace(old, **change), by=SUE, now=NOW)

    assert office.no("CreateSsoToken", client_id=1) == message


def test_a_client_without_an_owner_has_nobody_to_sign_in(office: Office) -> None:
    remove_member(office.store, 1, office.joe.identity.subject, by=SUE, now=NOW)

    message = office.no("CreateSsoToken", client_id=1)

    assert message == "Token could not be provisioned: the client has no owner"


def test_a_user_who_is_not_welcome_gets_no_token(office: Office) -> None:
    change_user(office.store, "joe", active=False, by=SUE, now=NOW)

    assert office.no("CreateSsoToken", client_id=1).startswith("Token could not be provisioned")


@pytest.mark.parametrize(
    ("destination", "may"),
    [
        pytest.param("clientarea:tickets", True, id="allowed"),
        pytest.param("", True, id="none, as always"),
        pytest.param("clientarea:sso", True, id="the base, as always"),
        pytest.param("clientarea:invoices", False, id="another"),
        pytest.param("sso:custom_redirect", False, id="of the caller's choice"),
    ],
)
def test_a_program_may_be_held_to_some_destinations(
    office: Office, destination: str, may: bool
) -> None:
    office.credential, office.secret = office.program("all", scopes=["clientarea:tickets"])
    asked = {"client_id": 1, "destination": destination, "sso_redirect_path": "x.php"}

    if may:
        assert office.good("CreateSsoToken", **asked)
    else:
        assert office.no("CreateSsoToken", **asked) == "Invalid destination"


# --- ValidateLogin -------------------------------------------------------------------------------

LOGIN = {"email": "joe@example.com", "password2": "the right one"}


def test_a_right_password_is_told(office: Office) -> None:
    asked: list[tuple[str, str]] = []

    def check(name: str, password: str) -> str:
        asked.append((name, password))
        return "Joe"

    office.check_password = check

    assert office.good("ValidateLogin", **LOGIN) == {
        "userid": office.joe.number,
        "twoFactorEnabled": False,
    }
    assert asked == [("joe@example.com", "the right one")]
    assert office.lines == [("api.validatelogin", "email, password2: success")]


def test_a_second_factor_is_told(office: Office) -> None:
    office.check_password = lambda *_: "joe"
    office.store.secrets.set_second_factor(office.joe.identity.subject, "s1.x", (), NOW)

    assert office.good("ValidateLogin", **LOGIN)["twoFactorEnabled"] is True


@pytest.mark.parametrize("error", [WrongPassword, AccountInactive])
def test_a_wrong_password_and_an_inactive_user_are_told_alike(
    office: Office, error: type[Exception]
) -> None:
    def check(*_: object) -> str:
        raise error("joe, and why")

    office.check_password = check

    assert office.no("ValidateLogin", **LOGIN) == "Email or Password Invalid"


@pytest.mark.parametrize(
    ("error", "status"),
    [pytest.param(TooManyTries, 429, id="many"), pytest.param(SignInBusy, 503, id="busy")],
)
def test_who_must_wait_is_told_so(office: Office, error: type[Exception], status: int) -> None:
    def check(*_: object) -> str:
        raise error("joe, and why")

    office.check_password = check

    assert "joe" not in refused(office.send("ValidateLogin", **LOGIN), status)
    assert office.lines[-1][0] == "api.validatelogin"


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(None, id="nobody has a password here"),
        pytest.param(lambda *_: "ann", id="somebody who has not been here yet"),
    ],
)
def test_nobody_here_is_wrong(office: Office, check: Any) -> None:
    office.check_password = check

    assert office.no("ValidateLogin", **LOGIN) == "Email or Password Invalid"


def test_no_address_is_wrong_without_a_look(office: Office) -> None:
    office.check_password = lambda *_: pytest.fail("it was looked at")

    assert office.no("ValidateLogin", password2="x") == "Email or Password Invalid"
