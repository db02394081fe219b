"""What an API is told of a token, and how a client gives one back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ssogate.model import ClientAuthentication
from ssogate.provider.addresses import INTROSPECTION, REVOCATION
from ssogate.storage import SQLiteStore
from tests.directory.making import actions
from tests.provider.making_openid import SECRET
from tests.provider.making_tokens import API, OTHER_API, Programs, basic, refused
from tests.storage.making import NOW

NOTHING = {"active": False}
OFFLINE = ("openid", "offline_access")


def test_a_client_is_told_of_its_own_tokens(programs: Programs) -> None:
    told = programs.tokens(*OFFLINE)

    assert programs.introspect(told["access_token"]) == {
        "active": True,
        "iss": "https://app.example",
        "sub": programs.joe.identity.subject,
        "client_id": "WIKI",
        "scope": "offline_access openid",
        "token_type": "Bearer",
        "iat": NOW,
        "exp": NOW + 3600,
    }
    refresh = programs.introspect(told["refresh_token"])
    assert (refresh["active"], refresh["exp"]) == (True, NOW + 10**6)
    assert "token_type" not in refresh


@pytest.mark.parametrize(
    ("resources", "active"),
    [
        pytest.param((API,), True, id="it may speak for the API"),
        pytest.param((OTHER_API,), False, id="for another"),
        pytest.param((), False, id="for none"),
    ],
)
def test_an_api_is_told_of_tokens_for_it(
    programs: Programs, resources: tuple[str, ...], active: bool
) -> None:
    programs.machine("API", resources=resources)
    programs.change(resources=(API,))
    code = programs.code("openid", "api:read", "offline_access", resources=(API,))
    told = programs.redeem(code).get_json()

    found = programs.introspect(told["access_token"], "API")

    assert found["active"] is active
    assert (found == NOTHING) is not active
    assert programs.introspect(told["refresh_token"], "API") == NOTHING


def test_what_was_taken_from_the_client_is_not_told_of_its_tokens(store: SQLiteStore) -> None:
    programs, both = Programs(store, resources={API: {}, OTHER_API: {}}), (API, OTHER_API)
    for api in both:
        programs.machine(api, resources=(api,))
    programs.change(resources=both)
    code = programs.code("openid", "email", resources=both)
    token = programs.redeem(code).get_json()["access_token"]
    programs.change(resources=(API,), scopes=frozenset({"openid"}))

    for asking in ("WIKI", API):
        told = programs.introspect(token, asking)
        assert (told["aud"], told["scope"]) == ([API], "openid")
    assert programs.introspect(token, OTHER_API) == NOTHING
    programs.change(resources=())
    assert programs.introspect(token) == programs.introspect(token, API) == NOTHING


def test_of_anothers_token_nothing_is_told(programs: Programs) -> None:
    programs.add_client("SHOP", resources=(API,))

    assert programs.introspect(programs.tokens()["access_token"], "SHOP") == NOTHING


def _expired(programs: Programs, token: str) -> None:
    programs.clock.now = NOW + 3600


def _switched_off(programs: Programs, token: str) -> None:
    programs.store.users.update(replace(programs.joe, active=False))


def _not_in_the_group(programs: Programs, token: str) -> None:
    programs.change(groups=frozenset({"editors"}))


def _revoked(programs: Programs, token: str) -> None:
    assert programs.revoke(token).status_code == 200


@pytest.mark.parametrize(
    "happens", [_expired, _switched_off, _not_in_the_group, _revoked], ids=lambda f: f.__name__
)
def test_a_token_that_no_longer_counts_is_not_active(
    programs: Programs, happens: Callable[[Programs, str], None]
) -> None:
    programs.machine("API", resources=(API,))
    token = programs.redeem(programs.code(resources=(API,))).get_json()["access_token"]
    happens(programs, token)

    assert programs.introspect(token) == NOTHING
    assert programs.introspect(token, "API") == NOTHING


@pytest.mark.parametrize("token", ["x", "x\0", "é", "x" * 5000])
def test_a_made_up_token_is_not_active(programs: Programs, token: str) -> None:
    assert programs.introspect(token) == NOTHING


def test_a_public_client_may_not_ask(programs: Programs) -> None:
    programs.change(authentication=ClientAuthentication.NONE)
    form = {"token": "x", "client_id": "WIKI"}

    assert refused(programs.post(INTROSPECTION, form), "invalid_client")


@pytest.mark.parametrize("path", [INTROSPECTION, REVOCATION])
def test_who_asks_proves_to_be_a_client(programs: Programs, path: str) -> None:
    form = {"token": "x", "client_id": "WIKI", "client_secret": "wrong"}

    assert refused(programs.post(path, form), "invalid_client")
    assert refused(programs.post(path, {"token": "x"}), "invalid_client")
    wrong = programs.post(path, {"token": "x"}, Authorization=basic(secret="wrong"))
    assert refused(wrong, "invalid_client", 401)
    assert wrong.headers["WWW-Authenticate"] == 'Basic realm="oauth"'
    link = {"subscriber_unique_id": "WIKI", "token": SECRET}
    assert refused(programs.post(path, link), "invalid_client"), "it is no integration link"


@pytest.mark.parametrize("path", [INTROSPECTION, REVOCATION])
def test_a_token_stands_in_a_posted_body_once(programs: Programs, path: str) -> None:
    good = {"token": "x", **programs.pair}

    assert refused(programs.post(path, programs.pair), "invalid_request")
    assert refused(programs.post(path, [*good.items(), ("token", "y")]), "invalid_request")
    assert refused(programs.post(path, programs.pair, query="token=x"), "invalid_request")
    assert refused(programs.post(path, method="GET", query="token=x"), "invalid_request", 405)
    assert refused(programs.post(path, b"x" * 10_000_000), "invalid_request", 413)


# --- Revocation -------------------------------------------------------------------------------


def test_an_access_token_goes_alone(programs: Programs) -> None:
    told = programs.tokens(*OFFLINE)

    response = programs.revoke(told["access_token"], token_type_hint="refresh_token")

    assert response.status_code == 200
    assert not programs.counts(told["access_token"])
    assert programs.counts(told["refresh_token"])


def test_a_refresh_token_takes_its_family_along(programs: Programs) -> None:
    told = programs.tokens(*OFFLINE)

    programs.revoke(told["refresh_token"])

    assert not programs.counts(told["access_token"])
    assert not programs.counts(told["refresh_token"])
    assert actions(programs.store) == ["client.signed-in", "grant.revoked"]


@pytest.mark.parametrize("token", ["unknown", "x\0"])
def test_what_nobody_has_is_revoked_already(programs: Programs, token: str) -> None:
    assert programs.revoke(token).status_code == 200


def test_another_clients_token_stays(programs: Programs) -> None:
    programs.add_client("SHOP")
    told = programs.tokens(*OFFLINE)

    for name in ("access_token", "refresh_token"):
        assert programs.revoke(told[name], client_id="SHOP").status_code == 200
        assert programs.counts(told[name])


def test_a_public_client_may_give_its_tokens_back(programs: Programs) -> None:
    programs.change(authentication=ClientAuthentication.NONE)
    code = programs.code(*OFFLINE)
    told = programs.redeem(code, client_secret=None).get_json()

    response = programs.revoke(told["refresh_token"], client_secret=None)

    assert response.status_code == 200
    again = programs.refresh(told["refresh_token"], client_secret=None)
    assert refused(again, "invalid_grant")
