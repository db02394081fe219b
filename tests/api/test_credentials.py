"""OAuth credentials by the API."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from ssogate.crypto.random_secrets import digest, matches
from ssogate.directory import ACCOUNTS
from ssogate.directory.client_rules import Offer
from ssogate.directory.clients import CLIENTS
from ssogate.model import AccountStatus, Client, ClientAuthentication, GrantType
from tests.api.making import Office, refused
from tests.directory.making import SUE, customer
from tests.storage.making import NOW

SSO = {"grantType": "single_sign_on", "scope": "clientarea:sso clientarea:profile"}
CODE = {"grantType": "authorization_code", "scope": "openid profile", "name": "Wiki"}


def created(office: Office, **asked: object) -> Client:
    found = office.good("CreateOAuthCredential", **asked)
    client = office.store.clients.get(found["credentialId"])
    assert client is not None
    return client


def test_a_single_sign_on_credential_belongs_to_a_service(office: Office) -> None:
    service = office.service()

    found = office.good("CreateOAuthCredential", **SSO, serviceId=service.number)

    client = office.store.clients.named(found["clientIdentifier"])
    assert client is not None
    assert found["credentialId"] == client.number
    assert re.fullmatch(r"ACME-LTD\.[0-9a-f]{32}", found["clientIdentifier"])
    assert len(base64.b64decode(found["clientSecret"], validate=True)) == 64
    assert client.secret_digest == digest(found["clientSecret"])
    assert (client.grant, client.service) == (GrantType.SINGLE_SIGN_ON, service.number)
    assert client.scopes == {"clientarea:sso", "clientarea:profile"}
    assert found["clientSecret"] not in repr([*office.store.activity.listed(), client])


def test_an_authorization_code_credential_has_a_name_and_redirect_uris(office: Office) -> None:
    uris = {"redirectUri[0]": "https://wiki.example:2083/a,b", "redirectUri[1]": "app.wiki:/cb"}

    client = created(office, **CODE, **uris, description="The wiki", logoUri="assets/wiki.png")

    assert client.redirect_uris == ("https://wiki.example:2083/a,b", "app.wiki:/cb")
    assert (client.name, client.description) == ("Wiki", "The wiki")
    assert (client.logo_uri, client.service) == ("assets/wiki.png", None)


@pytest.mark.parametrize(
    "pairs",
    [
        pytest.param([("redirectUri", "https://a.example/ https://b.example/")], id="one text"),
        pytest.param(
            [("redirectUri[]", "https://a.example/"), ("redirectUri[]", "https://b.example/")],
            id="a list of PHP's",
        ),
    ],
)
def test_redirect_uris_come_in_several_ways(office: Office, pairs: list[tuple[str, str]]) -> None:
    fields = {**office.login, **CODE, "action": "CreateOAuthCredential"}
    office.post([*fields.items(), *pairs])

    client = office.store.clients.get(1)
    assert client is not None
    assert client.redirect_uris == ("https://a.example/", "https://b.example/")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        pytest.param({}, "A valid grant type is required.", id="nothing"),
        pytest.param(
            {**SSO, "grantType": "password"},
            'The requested grant type "password" is invalid.',
            id="unknown grant",
        ),
        pytest.param(
            {**CODE, "name": " "}, "A name for the Client Credential is required.", id="no name"
        ),
        pytest.param(
            SSO, "A service ID is required for the single sign-on grant type.", id="no service"
        ),
        pytest.param({**SSO, "serviceId": "99"}, "A valid Service ID is required.", id="unknown"),
        pytest.param({**SSO, "serviceId": "1x"}, "A valid Service ID is required.", id="no number"),
        pytest.param(
            {**SSO, "serviceId": "1"},
            "Service ID not associated with valid Client.",
            id="a closed client's",
        ),
        pytest.param({**CODE, "scope": " "}, "At least one valid scope is required.", id="none"),
        pytest.param(
            {**CODE, "scope": "openid root"}, 'The requested scope "root" is invalid.', id="scope"
        ),
        pytest.param(
            {**CODE, "scope": "openid emial"},
            'The requested scope "emial" is invalid. Did you mean "email"?',
            id="a slip in a scope",
        ),
        pytest.param(
            {**CODE, "scope": "profile"},
            'The scope "openid" is required for the authorization code grant type.',
            id="no openid",
        ),
        pytest.param(
            {**CODE, "grantType": "client_credentials", "scope": "email"},
            'The requested scope "email" is invalid.',
            id="people, for itself",
        ),
        pytest.param(
            {**CODE, "redirectUri[1]": "https://a.example/", "redirectUri[2]": "javascript:x"},
            "redirect URIs: 'javascript:x' is no absolute URI without a fragment, or one of a"
            " browser's own",
            id="redirect URI",
        ),
        pytest.param(
            {**SSO, "serviceId": "2", "scope": "sso:custom_redirect"},
            'The requested scope "sso:custom_redirect" is invalid.',
            id="a path of its own choice",
        ),
    ],
)
def test_a_credential_that_must_not_be(office: Office, asked: dict[str, str], message: str) -> None:
    closed = customer(office.store, "Closed")
    office.service(closed.number)
    office.service()
    shut = partial(replace, status=AccountStatus.CLOSED)
    ACCOUNTS.change(office.store, closed.number, shut, by=SUE, now=NOW)

    assert office.no("CreateOAuthCredential", **asked) == message
    assert [*office.store.clients.listed()] == []


def test_credentials_are_listed_without_their_secrets(office: Office) -> None:
    service = office.service()
    client = created(office, **SSO, serviceId=service.number)

    found = office.good("ListOAuthCredentials")["clients"]

    assert found == [
        {
            "credentialId": 1,
            "name": "",
            "description": "",
            "grantTypes": "single_sign_on",
            "scope": "clientarea:profile clientarea:sso",
            "clientIdentifier": client.identifier,
            "clientSecret": "********",
            "uuid": None,
            "serviceId": 1,
            "logoUri": "",
            "redirectUri": [],
            "rsaKeyPairId": 0,
            "createdAt": "2027-01-15 08:00:00",
            "updatedAt": "2027-01-15 08:00:00",
        }
    ]


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        pytest.param({}, ["b", "a", ""], id="by number"),
        pytest.param({"sortOrder": "DESC"}, ["", "a", "b"], id="backwards"),
        pytest.param({"sortField": "name"}, ["", "a", "b"], id="by name"),
        pytest.param({"sortField": "secret_digest"}, ["b", "a", ""], id="by nothing of theirs"),
        pytest.param({"grantType": "single_sign_on"}, [""], id="of a grant"),
        pytest.param({"limit": "2"}, ["b", "a"], id="some"),
    ],
)
def test_a_list_is_sorted_and_limited(
    office: Office, asked: dict[str, str], names: list[str]
) -> None:
    for name in ("b", "a"):
        created(office, **{**CODE, "name": name})
    created(office, **SSO, serviceId=office.service().number)

    found = office.good("ListOAuthCredentials", **asked)["clients"]

    assert [client["name"] for client in found] == names


def test_a_list_of_an_unknown_grant_is_refused(office: Office) -> None:
    message = office.no("ListOAuthCredentials", grantType="x")

    assert message == 'The requested grant type "x" is invalid.'


@pytest.mark.parametrize("by_identifier", [False, True])
def test_what_a_call_names_is_changed_and_nothing_else(office: Office, by_identifier: bool) -> None:
    before = created(office, **CODE, redirectUri="https://a.example/")
    which = {"clientApiIdentifier": before.identifier} if by_identifier else {"credentialId": 1}

    found = office.good("UpdateOAuthCredential", **which, name="New", scope="openid")

    assert found == {"credentialId": 1}
    after = office.store.clients.get(1)
    assert after is not None
    assert (after.name, after.scopes) == ("New", frozenset({"openid"}))
    assert after.redirect_uris == before.redirect_uris
    assert after.secret_digest == before.secret_digest


@pytest.mark.parametrize("yes", ["1", "true"])
def test_a_secret_is_reset_and_the_old_one_dead(office: Office, yes: str) -> None:
    old = office.good("CreateOAuthCredential", **CODE)["clientSecret"]

    new = office.good("UpdateOAuthCredential", credentialId=1, resetSecret=yes)["newClientSecret"]

    client = office.store.clients.get(1)
    assert client is not None
    assert matches(new, client.secret_digest)
    assert not matches(old, client.secret_digest)
    assert new not in repr([*office.store.activity.listed()])
    assert "client.secret-reset" in dict(office.lines)


def test_redirect_uris_take_the_place_of_all_that_were(office: Office) -> None:
    created(office, **CODE, redirectUri="https://a.example/ https://b.example/")

    office.good(
        "UpdateOAuthCredential",
        credentialId=1,
        **{"redirectUri[0]": "https://b.example/", "redirectUri[1]": "https://c.example/"},
        description="New",
        logoUri="/_sso/theme/new.png",
    )

    (shown,) = office.good("ListOAuthCredentials")["clients"]
    assert shown["redirectUri"] == ["https://b.example/", "https://c.example/"]
    assert (shown["description"], shown["logoUri"]) == ("New", "/_sso/theme/new.png")
    assert (shown["name"], shown["scope"]) == ("Wiki", "openid profile")

    office.good("UpdateOAuthCredential", credentialId=1, redirectUri="")
    assert office.good("ListOAuthCredentials")["clients"][0]["redirectUri"] == []


def test_a_client_for_itself_and_a_device_may_have_what_apis_have(office: Office) -> None:
    office.offer = Offer({**Offer().scopes, "files:read": frozenset()})
    device = "urn:ietf:params:oauth:grant-type:device_code"

    backup = {"grantType": "client_credentials", "name": "Backup", "scope": "files:read"}
    assert created(office, **backup).grant is GrantType.CLIENT_CREDENTIALS
    screen = {"grantType": device, "name": "TV", "scope": "openid files:read"}
    assert created(office, **screen).grant is GrantType.DEVICE_CODE

    (found,) = office.good("ListOAuthCredentials", grantType=device)["clients"]
    assert (found["name"], found["grantTypes"]) == ("TV", device)


def test_what_gateway_yaml_has_no_more_stops_no_other_change(office: Office) -> None:
    office.offer = Offer({**Offer().scopes, "files:read": frozenset()})
    created(office, **CODE | {"scope": "openid files:read"})
    office.offer = None

    office.good("UpdateOAuthCredential", credentialId=1, name="New")

    message = office.no("CreateOAuthCredential", **CODE | {"scope": "openid files:read"})
    assert message == 'The requested scope "files:read" is invalid.'


def test_a_public_client_has_no_secret_to_reset(office: Office) -> None:
    client = created(office, **CODE)
    public = partial(replace, authentication=ClientAuthentication.NONE)
    CLIENTS.change(office.store, client.number, public, by=SUE, now=NOW)

    assert "has no secret" in office.no("UpdateOAuthCredential", credentialId=1, resetSecret="1")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        pytest.param({}, "A Credential ID or Client Identifier is required.", id="none"),
        pytest.param({"credentialId": "9"}, "Invalid Credential ID provided.", id="number"),
        pytest.param(
            {"clientApiIdentifier": "x"}, "Invalid Client Identifier provided.", id="identifier"
        ),
        pytest.param(
            {"credentialId": "1", "scope": "x"}, 'The requested scope "x" is invalid.', id="scope"
        ),
        pytest.param(
            {"credentialId": "1", "grantType": "x"},
            'The requested grant type "x" is invalid.',
            id="grant",
        ),
        pytest.param(
            {"credentialId": "1", "grantType": "single_sign_on"},
            "A service ID is required for the single sign-on grant type.",
            id="another grant without its service",
        ),
        pytest.param(
            {"credentialId": "1", "name": "New", "resetSecret": "perhaps"},
            "resetsecret is neither true nor false",
            id="neither yes nor no",
        ),
    ],
)
def test_a_change_that_must_not_be(office: Office, asked: dict[str, str], message: str) -> None:
    before = created(office, **CODE)

    assert office.no("UpdateOAuthCredential", **asked) == message
    assert [*office.store.clients.listed()] == [before]


def test_a_credential_is_deleted_once(office: Office) -> None:
    created(office, **CODE)

    assert office.good("DeleteOAuthCredential", credentialId=1) == {"credentialId": 1}
    assert office.no("DeleteOAuthCredential", credentialId=1) == "Invalid Credential ID provided."
    assert office.no("DeleteOAuthCredential") == "Invalid Credential ID provided."
    assert [*office.store.clients.listed()] == []


# --- A program that is held to some destinations -------------------------------------------------

TICKETS = "clientarea:tickets"


def held(office: Office) -> None:
    """From now on, another program calls."""
    office.credential, office.secret = office.program("all", scopes=(TICKETS,))


def for_service(office: Office, scope: str) -> dict[str, Any]:
    number = office.service().number
    return {"grantType": "single_sign_on", "serviceId": number, "scope": scope}


@pytest.mark.parametrize(
    ("scope", "message"),
    [
        pytest.param(TICKETS, None, id="its own"),
        pytest.param("clientarea:sso", None, id="the base"),
        pytest.param("clientarea:profile", "clientarea:profile", id="another"),
        pytest.param(f"{TICKETS} clientarea:profile", "clientarea:profile", id="another, too"),
    ],
)
def test_a_held_program_makes_credentials_within_its_destinations(
    office: Office, scope: str, message: str | None
) -> None:
    held(office)
    asked = for_service(office, scope)

    if message is None:
        assert created(office, **asked).scopes == {*scope.split(), "clientarea:sso"}
        return
    assert office.no("CreateOAuthCredential", **asked) == (
        f'The requested scope "{message}" is invalid.'
    )
    assert [*office.store.clients.listed()] == []


def test_a_held_program_makes_no_client_for_identities(office: Office) -> None:
    held(office)

    assert office.no("CreateOAuthCredential", **CODE).startswith("The requested scope")


def test_a_held_program_widens_no_credential(office: Office) -> None:
    held(office)
    before = created(office, **for_service(office, TICKETS))

    message = office.no("UpdateOAuthCredential", credentialId=1, scope="clientarea:profile")

    assert message == 'The requested scope "clientarea:profile" is invalid.'
    assert office.store.clients.get(1) == before


@pytest.mark.parametrize(
    ("action", "more"),
    [
        pytest.param("UpdateOAuthCredential", {"name": "Mine"}, id="named anew"),
        pytest.param("UpdateOAuthCredential", {"scope": TICKETS}, id="narrowed"),
        pytest.param("UpdateOAuthCredential", {"resetSecret": "1"}, id="another secret"),
        pytest.param("DeleteOAuthCredential", {}, id="deleted"),
    ],
)
def test_a_held_program_leaves_credentials_that_reach_further(
    office: Office, action: str, more: dict[str, str]
) -> None:
    before = created(office, **for_service(office, f"{TICKETS} clientarea:profile"))
    held(office)

    message = refused(office.send(action, credentialId=before.number, **more), 403)

    assert message.startswith("Invalid Permissions")
    assert office.store.clients.get(before.number) == before
