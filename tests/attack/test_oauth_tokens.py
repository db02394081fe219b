"""OAuth's token endpoint: a client proves itself in one way, and reaches nothing beyond the account
of its service."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from ssogate.directory import SERVICES
from ssogate.directory.sso_tokens import set_single_sign_on
from ssogate.model import GrantType, Membership
from tests.attack.office import (
    BAD_NUMBERS,
    CLIENT_SCOPES,
    SUE,
    TOKEN,
    Customer,
    Office,
    now,
    told,
)
from tests.attack.stage import SCRIPT
from tests.servers import Answer

pytestmark = pytest.mark.server

SINGLE = {"grant_type": "single_sign_on"}


@pytest.fixture(scope="module")
def joe(office: Office) -> Customer:
    return office.customer()


@pytest.fixture(scope="module")
def ann(office: Office) -> Customer:
    return office.customer()


def basic(identifier: str, secret: str) -> str:
    return f"Authorization: Basic {b64encode(f'{identifier}:{secret}'.encode()).decode()}"


def refused(answer: Answer, status: int = 400) -> str:
    """Give the code of an OAuth refusal, which says nothing else."""
    found = told(answer)
    assert answer.status == status, answer
    assert answer.header("Pragma") == "no-cache"
    assert found.keys() == {"error", "error_description"}
    assert re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]*", found["error_description"])
    return str(found["error"])


def test_a_client_that_proves_itself_gets_a_token(office: Office, joe: Customer) -> None:
    client = office.client(joe)
    by_form = office.post({**SINGLE, **client.client_pair}, to=TOKEN)
    by_basic = office.post(SINGLE, basic(client.identifier, client.secret), to=TOKEN)

    for answer in (by_form, by_basic):
        url = urlsplit(told(answer)["redirect_url"])
        came = office.house.browser().ask(f"{url.path}?{url.query}")
        assert came.status == 303


def test_two_client_authentications_are_refused(office: Office, joe: Customer) -> None:
    client, other = office.client(joe), office.client(joe)
    right = basic(client.identifier, client.secret)
    for posted in (client.client_pair, other.client_pair, {"client_id": other.identifier}):
        answer = office.post({**SINGLE, **posted}, right, to=TOKEN)
        assert refused(answer) == "invalid_request"
    both = {"subscriber_unique_id": client.identifier, "token": client.secret}
    answer = office.post({**both, **other.client_pair}, to=TOKEN)
    assert refused(answer) == "invalid_request"
    twice = office.post(SINGLE, right, basic(other.identifier, other.secret), to=TOKEN)
    assert twice.status in (400, 401)
    assert "access_token" not in twice.text


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda p: {**p, "client_secret": "x"}, id="wrong secret"),
        pytest.param(lambda p: {**p, "client_secret": p["client_secret"][:-1]}, id="cut short"),
        pytest.param(lambda p: {**p, "client_secret": p["client_secret"].swapcase()}, id="case"),
        pytest.param(lambda p: {**p, "client_secret": ""}, id="empty secret"),
        pytest.param(lambda p: {**p, "client_id": p["client_id"][:-1]}, id="unknown client"),
        pytest.param(lambda p: {**p, "client_id": p["client_id"].lower()}, id="id in lower case"),
        pytest.param(lambda p: {**p, "client_id": "%"}, id="a pattern"),
        pytest.param(lambda p: {**p, "client_id": "x\0"}, id="NUL"),
        pytest.param(lambda p: {**p, "client_id": "é"}, id="beyond ASCII"),
    ],
)
def test_a_wrong_proof_is_refused_by_the_book(
    office: Office, joe: Customer, change: Callable[[dict[str, str]], dict[str, str]]
) -> None:
    wrong = change(office.client(joe).client_pair)
    by_form = office.post({**SINGLE, **wrong}, to=TOKEN)
    by_basic = office.post(SINGLE, basic(*wrong.values()), to=TOKEN)

    assert refused(by_form) == "invalid_client"
    assert by_form.header("WWW-Authenticate") is None
    assert refused(by_basic, 401) == "invalid_client"
    assert (by_basic.header("WWW-Authenticate") or "").startswith("Basic ")


def test_credentials_of_one_kind_are_none_of_another(office: Office, joe: Customer) -> None:
    """G6: an API credential is no client, and a client no API credential."""
    client, program = office.client(joe), office.credential("GetServers")

    assert refused(office.post({**SINGLE, **program.client_pair}, to=TOKEN)) == "invalid_client"
    answer = office.post({**client.pair, "action": "GetServers"})
    assert (answer.status, told(answer)["message"]) == (403, "Invalid or missing credentials")


def test_a_secret_that_is_reset_is_dead_at_once_in_each_worker(
    office: Office, joe: Customer
) -> None:
    client = office.client(joe)
    old = {**SINGLE, **client.client_pair}
    assert {office.post(old, to=TOKEN).status for _ in range(6)} == {200}
    reset = office.call("UpdateOAuthCredential", credentialId=client.number, resetSecret="true")
    new = {**old, "client_secret": reset["newClientSecret"]}

    assert {refused(office.post(old, to=TOKEN)) for _ in range(6)} == {"invalid_client"}
    assert {office.post(new, to=TOKEN).status for _ in range(6)} == {200}
    office.call("DeleteOAuthCredential", credentialId=client.number)
    assert {refused(office.post(new, to=TOKEN)) for _ in range(6)} == {"invalid_client"}


def test_a_client_reaches_nothing_beyond_its_account(
    office: Office, joe: Customer, ann: Customer
) -> None:
    client = office.client(joe, scopes=frozenset({*CLIENT_SCOPES, "clientarea:domain_details"}))
    right = {**SINGLE, **client.client_pair}
    beyond = {
        "another's service": {
            "scope": "clientarea:product_details",
            "service_id": str(ann.service.number),
        },
        "another's domain": {
            "scope": "clientarea:domain_details",
            "domain_id": str(ann.domain.number),
        },
        "another's service beside": {"service_id": str(ann.service.number)},
        **{
            f"the number {number[:9]!r}": {
                "scope": "clientarea:product_details",
                "service_id": number,
            }
            for number in BAD_NUMBERS
        },
    }
    for name, more in beyond.items():
        answer = office.post({**right, **more}, to=TOKEN)
        assert refused(answer) == "invalid_request", name
    more = {"account": str(ann.account.number), "user_id": str(ann.user.number)}
    found = told(office.post({**right, **more}, to=TOKEN))
    browser = office.house.browser()
    browser.ask(f"{urlsplit(found['redirect_url']).path}?access_token={found['access_token']}")
    assert browser.who == joe.user.identity.canonical


@pytest.mark.parametrize(
    "scope",
    [
        "clientarea:emails",
        "sso:custom_redirect",
        "clientarea:homepage",
        "clientarea:profile clientarea:emails",
        "clientarea:profile clientarea:product_details",
        "openid",
        "CLIENTAREA:PROFILE",
        "clientarea:profile,clientarea:sso",
        SCRIPT,
    ],
)
def test_a_client_asks_for_its_own_scopes(office: Office, joe: Customer, scope: str) -> None:
    sent = {**SINGLE, **office.client(joe).client_pair, "scope": scope}

    assert refused(office.post({**sent, "sso_redirect_path": "x"}, to=TOKEN)) == "invalid_scope"


def test_a_client_without_somebody_to_sign_in_gets_nothing(office: Office) -> None:
    def switched_off(customer: Customer) -> None:
        set_single_sign_on(office.store, customer.account.number, False, by=SUE, now=now())

    def closed(customer: Customer) -> None:
        office.call("CloseClient", clientid=customer.account.number)

    def ownerless(customer: Customer) -> None:
        member = Membership(customer.account.number, customer.subject, False, frozenset())
        office.store.memberships.put(member)

    def without_a_service(customer: Customer) -> None:
        SERVICES.delete(office.store, customer.service.number, by=SUE, now=now())

    for happens in (switched_off, closed, ownerless, without_a_service):
        customer = office.customer()
        client = office.client(customer)
        happens(customer)
        answer = office.post({**SINGLE, **client.client_pair}, to=TOKEN)
        assert answer.status == 400, happens
        assert told(answer)["error"] in ("unauthorized_client", "invalid_client"), happens


def test_a_client_of_another_grant_gets_no_token(office: Office, joe: Customer) -> None:
    client = office.client(joe)
    known = office.store.clients.get(client.number)
    assert known
    # With a service, which the rules would not let it have.
    office.store.clients.update(replace(known, grant=GrantType.AUTHORIZATION_CODE))

    answer = office.post({**SINGLE, **client.client_pair}, to=TOKEN)

    assert refused(answer) == "unauthorized_client"


@pytest.mark.parametrize("grant", ["password", "client_credentials", "SINGLE_SIGN_ON", SCRIPT])
def test_another_grant_is_not_known(office: Office, joe: Customer, grant: str) -> None:
    sent = {**office.client(joe).client_pair, "grant_type": grant}

    assert refused(office.post(sent, to=TOKEN)) == "unsupported_grant_type"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS"])
def test_the_token_endpoint_is_asked_by_post(office: Office, joe: Customer, method: str) -> None:
    sent = {**SINGLE, **office.client(joe).client_pair}

    answer = office.send(b"", to=f"{TOKEN}?{urlencode(sent)}", method=method)

    assert (answer.status, answer.header("Allow")) == (405, "POST")
    assert "access_token" not in answer.text


def test_an_integration_link_leads_a_panels_user_to_the_service(
    office: Office, joe: Customer
) -> None:
    client = office.client(joe)
    sent = {
        "app": "Billing",
        "user": "root",
        "subscriber_unique_id": client.identifier,
        "token": client.secret,
    }
    to = f"{TOKEN}?scope=clientarea%3Aproduct_details"

    found = told(office.post(sent, to=to))
    wrong = office.post({**sent, "token": "x"}, to=to)

    url = urlsplit(found["redirect_url"])
    assert dict(parse_qsl(url.query)) == {"access_token": found["access_token"]}
    came = office.house.browser().ask(f"{url.path}?{url.query}")
    number = joe.service.number
    assert came.header("Location") == f"/clientarea.php?action=productdetails&id={number}"
    assert refused(wrong) == "invalid_client"
    assert "retry" not in told(wrong)
