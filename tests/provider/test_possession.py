"""Tokens that are bound to a key (RFC 9449): from the code to the userinfo endpoint, and what a
thief of each of them can do with it: nothing."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from itertools import count
from pathlib import Path
from typing import Any

import jwt
import pytest
from sqlalchemy import text

from ssogate.crypto.jwk import SigningKey, generate
from ssogate.model import ClientAuthentication
from ssogate.provider.addresses import PUSHED_AUTHORIZATION, TOKEN, USERINFO
from ssogate.storage import SQLiteStore
from tests.provider.making_openid import ISSUER, SECRET, answered, asked
from tests.provider.making_tokens import API, OTHER_API, Programs
from tests.storage.making import Hands

OWN, THIEFS = generate("ES256"), generate("EdDSA")


class Holding(Programs):
    """The wiki has a key."""

    numbers = count(1)

    def proof(
        self, path: str, method: str = "POST", *, key: SigningKey = OWN, token: str = "", **how: Any
    ) -> str:
        ath = urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
        claims = {
            "jti": f"number-{next(self.numbers)}",
            "htm": method,
            "htu": f"{ISSUER}{path}",
            "iat": int(self.clock()),
            **({"ath": ath} if token else {}),
            **how,
        }
        headers = {"typ": "dpop+jwt", "jwk": key.public.jwk()}
        return jwt.encode(claims, key.key, key.alg, headers=headers)

    def bound(self, *scopes: str, key: SigningKey = OWN) -> dict[str, Any]:
        """Sign in and redeem the code with a proof."""
        reply = self.redeem_with(self.code(*scopes), DPoP=self.proof(TOKEN, key=key))
        assert reply.status_code == 200, reply.get_data(as_text=True)
        found: dict[str, Any] = reply.get_json()
        return found

    def redeem_with(self, code: str, **headers: str) -> Any:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": "https://wiki.example/back",
            "code_verifier": "v" * 43,
            **self.pair,
        }
        return self.post(TOKEN, form, **headers)

    def refreshed(self, token: str, **headers: str) -> Any:
        form = {"grant_type": "refresh_token", "refresh_token": token, **self.pair}
        return self.post(TOKEN, form, **headers)

    def asks_who(self, token: str, *, scheme: str = "DPoP", proof: str | None = None) -> Any:
        shown = self.proof(USERINFO, "GET", token=token) if proof is None else proof
        bound = {"DPoP": shown} if shown else {}
        headers: dict[str, Any] = {"Authorization": f"{scheme} {token}", **bound}
        return self.post(USERINFO, method="GET", **headers)


@pytest.fixture
def wiki(tmp_path: Path) -> Holding:
    return Holding(SQLiteStore(tmp_path / "gate.db", clock=Hands()))


def test_with_a_proof_a_token_is_bound_to_its_key(wiki: Holding) -> None:
    told = wiki.bound()
    assert told["token_type"] == "DPoP"
    about = wiki.introspect(told["access_token"])
    assert (about["cnf"], about["token_type"]) == ({"jkt": OWN.kid}, "DPoP")
    assert wiki.asks_who(told["access_token"]).get_json()["sub"] == wiki.joe.identity.subject


def test_without_a_proof_nothing_is_bound(wiki: Holding) -> None:
    told = wiki.tokens()
    assert told["token_type"] == "Bearer"
    assert "cnf" not in wiki.introspect(told["access_token"])


def test_a_readable_token_says_its_key(wiki: Holding) -> None:
    wiki.machine(resources=(OTHER_API,))
    form = {"grant_type": "client_credentials", "client_id": "MACHINE", "client_secret": SECRET}
    reply = wiki.post(TOKEN, form, DPoP=wiki.proof(TOKEN)).get_json()
    claims = jwt.decode(reply["access_token"], options={"verify_signature": False})
    assert claims["cnf"] == {"jkt": OWN.kid}


def test_a_stolen_token_is_worth_nothing(wiki: Holding) -> None:
    token = wiki.bound()["access_token"]
    thiefs = wiki.proof(USERINFO, "GET", key=THIEFS, token=token)
    for reply in (
        wiki.asks_who(token, scheme="Bearer", proof=""),
        wiki.asks_who(token, scheme="Bearer"),
        wiki.asks_who(token, proof=""),
        wiki.asks_who(token, proof=thiefs),
        wiki.post(USERINFO, {"access_token": token}),
    ):
        assert reply.status_code == 401
        assert "DPoP algs=" in ", ".join(reply.headers.getlist("WWW-Authenticate"))
    assert wiki.asks_who(token).status_code == 200


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"path": TOKEN}, id="of-another-address"),
        pytest.param({"method": "POST"}, id="of-another-method"),
        pytest.param({"token": "another"}, id="of-another-token"),
        pytest.param({"token": ""}, id="of-no-token"),
        pytest.param({"iat": 1}, id="old"),
    ],
)
def test_a_proof_of_something_else_is_none(wiki: Holding, changed: dict[str, Any]) -> None:
    token = wiki.bound()["access_token"]
    usual = {"path": USERINFO, "method": "GET", "token": token}
    reply = wiki.asks_who(token, proof=wiki.proof(**{**usual, **changed}))
    assert reply.status_code == 401
    assert reply.get_json()["error"] == "invalid_dpop_proof"


def test_a_proof_is_good_once(wiki: Holding) -> None:
    token = wiki.bound()["access_token"]
    proof = wiki.proof(USERINFO, "GET", token=token)
    assert wiki.asks_who(token, proof=proof).status_code == 200
    assert wiki.asks_who(token, proof=proof).status_code == 401
    proof = wiki.proof(TOKEN)
    assert wiki.redeem_with(wiki.code(), DPoP=proof).status_code == 200
    again = wiki.redeem_with(wiki.code(), DPoP=proof)
    assert (again.status_code, again.get_json()["error"]) == (400, "invalid_dpop_proof")


def test_a_token_of_any_bearer_s_is_none_of_a_key_s(wiki: Holding) -> None:
    token = wiki.tokens()["access_token"]
    assert wiki.asks_who(token).status_code == 401
    assert wiki.asks_who(token, proof="").status_code == 401
    assert wiki.asks_who(token, scheme="Bearer", proof="").status_code == 200


def test_a_public_client_s_refresh_token_is_bound_too(wiki: Holding) -> None:
    wiki.change(authentication=ClientAuthentication.NONE)
    form = {"client_id": "WIKI"}
    first = wiki.post(
        TOKEN,
        {
            "grant_type": "authorization_code",
            "code": wiki.code("openid", "offline_access"),
            "redirect_uri": "https://wiki.example/back",
            "code_verifier": "v" * 43,
            **form,
        },
        DPoP=wiki.proof(TOKEN),
    ).get_json()
    again = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"], **form}
    assert wiki.post(TOKEN, again).get_json()["error"] == "invalid_grant"
    stolen = wiki.post(TOKEN, again, DPoP=wiki.proof(TOKEN, key=THIEFS))
    assert stolen.get_json()["error"] == "invalid_grant"
    next_one = wiki.post(TOKEN, again, DPoP=wiki.proof(TOKEN)).get_json()
    assert next_one["token_type"] == "DPoP"
    last = {**again, "refresh_token": next_one["refresh_token"]}
    assert wiki.post(TOKEN, last).get_json()["error"] == "invalid_grant"


def test_a_client_with_a_secret_may_change_its_key(wiki: Holding) -> None:
    first = wiki.bound("openid", "offline_access")
    other = wiki.refreshed(first["refresh_token"], DPoP=wiki.proof(TOKEN, key=THIEFS)).get_json()
    assert wiki.introspect(other["access_token"])["cnf"] == {"jkt": THIEFS.kid}


def test_a_code_may_be_for_one_key(wiki: Holding) -> None:
    wiki.change(trusted=True)

    def code() -> str:
        query = asked(dpop_jkt=OWN.kid)
        return answered(wiki.visit(query=query, session=wiki.session))["code"]

    given = code()
    for headers in ({}, {"DPoP": wiki.proof(TOKEN, key=THIEFS)}):
        assert wiki.redeem_with(given, **headers).get_json()["error"] == "invalid_grant"
    assert wiki.redeem_with(given, DPoP=wiki.proof(TOKEN)).status_code == 200


def test_a_pushed_request_is_for_the_key_that_pushed_it(wiki: Holding) -> None:
    wiki.change(trusted=True)
    form = asked([("client_secret", SECRET)])
    proof = wiki.proof(PUSHED_AUTHORIZATION)
    uri = wiki.post(PUSHED_AUTHORIZATION, form, DPoP=proof).get_json()["request_uri"]
    query = {"client_id": "WIKI", "request_uri": uri}
    code = answered(wiki.visit(query=query, session=wiki.session))["code"]
    assert wiki.redeem_with(code).get_json()["error"] == "invalid_grant"
    assert wiki.redeem_with(code, DPoP=wiki.proof(TOKEN)).status_code == 200
    other = [*form, ("dpop_jkt", THIEFS.kid)]
    reply = wiki.post(PUSHED_AUTHORIZATION, other, DPoP=wiki.proof(PUSHED_AUTHORIZATION))
    assert reply.get_json()["error"] == "invalid_dpop_proof"


def test_no_odd_thumbprint_is_asked_for(wiki: Holding) -> None:
    told = answered(wiki.visit(query=asked(dpop_jkt="short"), session=wiki.session))
    assert told["error"] == "invalid_request"


def test_two_proofs_are_none(wiki: Holding) -> None:
    both = f"{wiki.proof(TOKEN)}, {wiki.proof(TOKEN)}"
    assert wiki.redeem_with(wiki.code(), DPoP=both).get_json()["error"] == "invalid_dpop_proof"


def test_a_bound_token_for_an_api_is_told_to_the_api(wiki: Holding) -> None:
    wiki.machine(resources=(API,))
    form = {"grant_type": "client_credentials", "client_id": "MACHINE", "client_secret": SECRET}
    reply = wiki.post(TOKEN, {**form, "resource": API}, DPoP=wiki.proof(TOKEN)).get_json()
    assert wiki.introspect(reply["access_token"], "MACHINE")["cnf"] == {"jkt": OWN.kid}


def test_a_proof_beside_a_wrong_code_leaves_nothing(wiki: Holding) -> None:
    proof = wiki.proof(TOKEN)
    assert wiki.redeem_with("made-up", DPoP=proof).get_json()["error"] == "invalid_grant"
    assert wiki.asks_who("made-up").status_code == 401
    assert not wiki.store.database.rows(text("SELECT * FROM spent"))
    assert wiki.redeem_with(wiki.code(), DPoP=proof).status_code == 200
