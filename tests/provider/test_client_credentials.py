"""A client acts for itself, and never for a person."""

from __future__ import annotations

from typing import Any

import pytest

from ssogate.crypto.random_secrets import digest
from ssogate.model import ClientAuthentication, GrantType
from tests.directory.making import texts
from tests.provider.making_tokens import API, OTHER_API, Programs, refused
from tests.storage.making import NOW

MACHINE = {"client_id": "MACHINE", "grant_type": "client_credentials"}


def test_a_client_gets_a_token_of_its_own(programs: Programs) -> None:
    programs.machine()

    told = programs.ask(**MACHINE).get_json()

    token = told.pop("access_token")
    assert told == {"token_type": "Bearer", "expires_in": 3600, "scope": "api:read other"}
    held = programs.store.tokens.find(digest(token))
    assert held
    assert (held.of.grant, held.of.client) == (None, "MACHINE")
    assert programs.introspect(token, "MACHINE")["sub"] == "MACHINE"
    assert texts(programs.store) == []


def test_it_tells_nothing_of_people(programs: Programs) -> None:
    programs.machine()
    token = programs.ask(**MACHINE).get_json()["access_token"]

    assert programs.userinfo(token).status_code == 401


@pytest.mark.parametrize("scope", ["openid", "email", "offline_access", "api:write", "nonsense"])
def test_a_scope_is_one_of_its_own_and_none_about_people(programs: Programs, scope: str) -> None:
    programs.machine(scopes=frozenset({"openid", "email", "offline_access", "api:read"}))

    assert refused(programs.ask(**MACHINE, scope=f"api:read {scope}"), "invalid_scope")
    assert programs.ask(**MACHINE).get_json()["scope"] == "api:read"


def test_a_token_is_for_the_resources_that_the_client_may_have(programs: Programs) -> None:
    programs.machine(resources=(API, OTHER_API))

    read = programs.ask(**MACHINE, resource=API).get_json()
    assert read["scope"] == "api:read"
    assert programs.introspect(read["access_token"], "MACHINE")["aud"] == [API]
    other = programs.ask(**MACHINE, resource=OTHER_API).get_json()
    claims = programs.claims(other["access_token"], typ="at+jwt", audience=OTHER_API)
    assert (claims["sub"], claims["client_id"], claims["exp"]) == ("MACHINE", "MACHINE", NOW + 60)
    assert refused(programs.ask(**MACHINE), "invalid_target")


@pytest.mark.parametrize("resource", [API, "urn:x", "https://api.example", "\0"])
def test_no_other_resource_is_for_it(programs: Programs, resource: str) -> None:
    programs.machine(resources=(OTHER_API,))

    assert refused(programs.ask(**MACHINE, resource=resource), "invalid_target")


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"grant": GrantType.AUTHORIZATION_CODE}, id="it signs people in"),
        pytest.param({"grant": GrantType.SINGLE_SIGN_ON}, id="it is a panel"),
        pytest.param({"authentication": ClientAuthentication.NONE}, id="it proves nothing"),
    ],
)
def test_only_a_client_of_this_grant_that_proves_itself_gets_one(
    programs: Programs, fields: dict[str, Any]
) -> None:
    programs.machine(**fields)
    secret = {"client_secret": None} if "authentication" in fields else {}

    assert refused(programs.ask(**{**MACHINE, **secret}), "unauthorized_client")


def test_there_is_nothing_to_refresh(programs: Programs) -> None:
    programs.machine()
    token = programs.ask(**MACHINE).get_json()["access_token"]

    again = programs.ask(client_id="MACHINE", grant_type="refresh_token", refresh_token=token)
    assert refused(again, "unauthorized_client")
