"""Refresh tokens: each is exchanged once, and whoever brings an old one ends the family."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from ssogate.directory.grants import GRACE, revoke_all
from ssogate.model import ClientAuthentication, GrantType
from tests.directory.making import SUE, actions
from tests.provider.making_tokens import API, Programs, refused
from tests.storage.making import NOW

OFFLINE = ("openid", "email", "offline_access")


def test_a_refresh_token_gives_new_tokens(programs: Programs) -> None:
    first = programs.tokens(*OFFLINE)
    programs.clock.now += 1000

    response = programs.refresh(first["refresh_token"])

    assert response.status_code == 200
    told = response.get_json()
    assert told["refresh_token"] != first["refresh_token"]
    assert told["scope"] == "email offline_access openid"
    assert told["expires_in"] == 3600
    assert programs.counts(told["access_token"])
    assert programs.counts(first["access_token"])
    old, new = (programs.claims(it["id_token"]) for it in (first, told))
    same = ("iss", "sub", "aud", "auth_time", "sid", "email")
    assert [old[name] for name in same] == [new[name] for name in same]
    assert new["iat"] == NOW + 1000
    assert "nonce" not in new
    assert actions(programs.store) == ["client.signed-in"], "that was one sign-in"


def test_it_outlives_the_session(programs: Programs) -> None:
    told = programs.tokens(*OFFLINE)
    programs.store.sessions.delete(programs.session.record.key)

    assert programs.refresh(told["refresh_token"]).status_code == 200


def test_the_scope_may_be_narrower_for_one_access_token(programs: Programs) -> None:
    told = programs.tokens(*OFFLINE)

    narrow = programs.refresh(told["refresh_token"], scope="openid").get_json()
    assert narrow["scope"] == "openid"
    assert "email" not in programs.claims(narrow["id_token"])
    bare = programs.refresh(narrow["refresh_token"], scope="email").get_json()
    assert "id_token" not in bare
    wide = programs.refresh(bare["refresh_token"]).get_json()
    assert wide["scope"] == "email offline_access openid"


def test_what_was_taken_from_the_client_is_not_granted_any_more(programs: Programs) -> None:
    programs.change(resources=(API,))
    code = programs.code(*OFFLINE, resources=(API,))
    token = programs.redeem(code).get_json()["refresh_token"]
    programs.change(scopes=frozenset({"openid", "offline_access"}), resources=())

    assert refused(programs.refresh(token, scope="openid email"), "invalid_scope")
    assert refused(programs.refresh(token, resource=API), "invalid_target")
    told = programs.refresh(token).get_json()
    assert told["scope"] == "offline_access openid"
    assert "aud" not in programs.introspect(told["access_token"])


def test_a_client_that_lost_offline_access_refreshes_nothing(programs: Programs) -> None:
    told = programs.tokens(*OFFLINE)
    programs.change(scopes=frozenset({"openid"}))

    assert refused(programs.refresh(told["refresh_token"]), "invalid_grant")
    assert programs.introspect(told["refresh_token"]) == {"active": False}
    assert programs.introspect(told["access_token"])["scope"] == "openid"
    programs.change(scopes=frozenset(OFFLINE))
    assert programs.refresh(told["refresh_token"]).status_code == 200, "it was not wasted"


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        pytest.param({"scope": "openid profile"}, "invalid_scope", id="a scope more"),
        pytest.param({"scope": "openid\0"}, "invalid_scope", id="no scope"),
        pytest.param({"resource": API}, "invalid_target", id="a resource more"),
        pytest.param({"refresh_token": None}, "invalid_request", id="no token"),
        pytest.param({"refresh_token": "x\0"}, "invalid_grant", id="unknown"),
        pytest.param({"client_id": "SHOP"}, "invalid_grant", id="another client's"),
        pytest.param({"client_secret": "x"}, "invalid_client", id="wrong secret"),
    ],
)
def test_what_does_not_fit_gives_nothing_and_wastes_no_token(
    programs: Programs, wrong: dict[str, str | None], error: str
) -> None:
    programs.add_client("SHOP")
    token = programs.tokens(*OFFLINE)["refresh_token"]

    assert refused(programs.refresh(token, **wrong), error)
    programs.clock.now += GRACE + 1
    assert programs.refresh(token).status_code == 200


def test_an_access_token_is_no_refresh_token(programs: Programs) -> None:
    told = programs.tokens(*OFFLINE)

    assert refused(programs.refresh(told["access_token"]), "invalid_grant")
    assert refused(programs.refresh(told["id_token"]), "invalid_grant")


def test_within_the_grace_it_gives_the_same_successor(programs: Programs) -> None:
    token = programs.tokens(*OFFLINE)["refresh_token"]

    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda _: programs.refresh(token).get_json(), range(4)))

    assert len({it["refresh_token"] for it in told}) == 1
    assert len({it["access_token"] for it in told}) == 4
    assert all(programs.counts(it["access_token"]) for it in told)


def test_reuse_after_the_grace_ends_the_family(programs: Programs) -> None:
    first = programs.tokens(*OFFLINE)
    second = programs.refresh(first["refresh_token"]).get_json()
    programs.clock.now += GRACE + 1

    assert refused(programs.refresh(first["refresh_token"]), "invalid_grant")

    assert refused(programs.refresh(second["refresh_token"]), "invalid_grant")
    for token in (first["access_token"], second["access_token"]):
        assert not programs.counts(token)
    assert actions(programs.store) == ["client.signed-in", "token.reused"]


def test_a_public_clients_refresh_tokens_rotate_too(programs: Programs) -> None:
    programs.change(authentication=ClientAuthentication.NONE)
    code = programs.code(*OFFLINE)
    told = programs.redeem(code, client_secret=None).get_json()

    again = programs.refresh(told["refresh_token"], client_secret=None).get_json()

    assert again["refresh_token"] != told["refresh_token"]
    programs.clock.now += GRACE + 1
    late = programs.refresh(told["refresh_token"], client_secret=None)
    assert refused(late, "invalid_grant")


def test_who_may_no_longer_come_in_gets_nothing(programs: Programs) -> None:
    token = programs.tokens(*OFFLINE)["refresh_token"]

    programs.store.users.update(replace(programs.joe, active=False))
    assert refused(programs.refresh(token), "invalid_grant")
    programs.store.users.update(programs.joe)
    programs.change(groups=frozenset({"editors"}))
    assert refused(programs.refresh(token), "invalid_grant")
    programs.change(groups=frozenset(), grant=GrantType.CLIENT_CREDENTIALS)
    assert refused(programs.refresh(token), "unauthorized_client")
    programs.change(grant=GrantType.AUTHORIZATION_CODE)
    assert programs.refresh(token).status_code == 200


def test_a_revoked_grant_gives_nothing(programs: Programs) -> None:
    token = programs.tokens(*OFFLINE)["refresh_token"]
    revoke_all(programs.store, subject=programs.joe.identity.subject, by=SUE, now=NOW)

    assert refused(programs.refresh(token), "invalid_grant")


def test_a_refresh_token_that_nobody_uses_ends(programs: Programs) -> None:
    told = programs.tokens(*OFFLINE, until=NOW + 10**9)
    programs.clock.now += 30 * 86_400

    assert refused(programs.refresh(told["refresh_token"]), "invalid_grant")
