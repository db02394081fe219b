"""The sign-in of the Basic profile in every way that the provider offers: however a client proves
itself, whatever signs, and wherever a request begins."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from base64 import urlsafe_b64encode
from pathlib import Path

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from tests.conformance.conftest import ALGORITHMS, INITIAL_TOKEN, Gate
from tests.conformance.person import SECONDS, Person
from tests.conformance.relying_party import CALLBACK, Credentials, Json, RelyingParty

pytestmark = pytest.mark.server

METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt", "none")
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
SCOPE = "openid email offline_access"
KEY = generate_private_key(SECP256R1())


def credentials(
    gate: Gate, folder: Path, method: str, *options: str, grant: str = "authorization_code"
) -> Credentials:
    """Create a client that proves itself by `method`."""
    file = folder / "jwks.json"
    file.touch(0o600)
    jwk = jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
    file.write_text(json.dumps({"keys": [{**jwk, "kid": "own", "alg": "ES256", "use": "sig"}]}))
    proof = {"private_key_jwt": ("--jwks", str(file)), "none": ("--public",)}.get(method, ())
    return gate.credentials(*proof, *options, grant=grant, method=method, key=KEY)


def test_all_methods_are_tried_here(rp: RelyingParty) -> None:
    assert rp.metadata["token_endpoint_auth_methods_supported"] == [*METHODS]


@pytest.mark.parametrize("method", METHODS)
def test_a_client_signs_people_in_however_it_proves_itself(
    gate: Gate, tmp_path: Path, sue: Person, method: str
) -> None:
    own = credentials(gate, tmp_path, method)
    party = RelyingParty(gate.discovery_url, own, SCOPE, pkce=True)

    signed = party.sign_in(sue)
    fresh = party.refresh(signed.tokens["refresh_token"]).json()

    assert party.judged(fresh["id_token"])["sub"] == signed.claims["sub"]
    assert party.about(fresh["access_token"])["email"] == signed.claims["email"]
    if method != "none":
        assert party.knows(fresh["access_token"])
    assert party.post("revocation", token=fresh["refresh_token"]).status_code == 200
    assert party.userinfo(fresh["access_token"]).status_code == 401


@pytest.mark.parametrize("method", METHODS)
def test_a_client_proves_itself_in_its_own_way_alone(
    gate: Gate, tmp_path: Path, sue: Person, method: str
) -> None:
    own = credentials(gate, tmp_path, method)
    party = RelyingParty(gate.discovery_url, own, SCOPE, pkce=True)
    answer = party.ask(sue)

    by_secret = {"client_secret_basic", "client_secret_post"}
    for other in METHODS:
        if other == method or {other, method} <= by_secret:
            continue
        made = Credentials(own.client_id, own.secret or "s" * 43, other, KEY)
        refused = RelyingParty(gate.discovery_url, made, SCOPE, pkce=True).redeem(answer)
        assert refused.status_code in (400, 401), other
        assert refused.json()["error"] == "invalid_client", other
    assert party.verified(answer, party.redeem(answer)).claims["sub"], "it has spoilt nothing"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_id_tokens_are_signed_as_the_client_wants_them(
    gate: Gate, sue: Person, algorithm: str
) -> None:
    own = gate.credentials("--algorithm", algorithm)
    party = RelyingParty(gate.discovery_url, own, algorithm=algorithm, pkce=True)

    signed = party.sign_in(sue)

    assert signed.header["alg"] == algorithm
    assert party.about(signed.access)["sub"] == signed.claims["sub"]


@pytest.mark.parametrize("method", METHODS)
def test_a_request_may_be_pushed_before(
    gate: Gate, tmp_path: Path, sue: Person, method: str
) -> None:
    own = credentials(gate, tmp_path, method)
    party = RelyingParty(gate.discovery_url, own, SCOPE, pkce=True)
    asked = party.request()
    pushed = party.post("pushed_authorization_request", **dict(asked.sent))
    assert pushed.status_code == 201
    told = pushed.json()
    assert told["expires_in"] > 0

    brief = party.request(request_uri=told["request_uri"], state="of the address", scope="openid")
    answer = party.answered(asked, sue.go(brief.url))
    signed = party.verified(answer, party.redeem(answer))

    assert signed.claims["email"], "nothing counts but what was pushed"
    again = sue.go(brief.url)
    assert again.status == 400, "it was used"


def proof(url: str, token: str = "") -> dict[str, str]:
    """Prove that we have the key, for one POST request (RFC 9449, section 4.2)."""
    made: Json = {"htm": "POST", "htu": url, "iat": int(time.time()), "jti": secrets.token_hex(16)}
    if token:
        digest = hashlib.sha256(token.encode()).digest()
        made["ath"] = urlsafe_b64encode(digest).rstrip(b"=").decode()
    jwk = jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
    return {"DPoP": jwt.encode(made, KEY, "ES256", headers={"typ": "dpop+jwt", "jwk": jwk})}


def test_tokens_may_be_bound_to_a_key(gate: Gate, tmp_path: Path, sue: Person) -> None:
    own = credentials(gate, tmp_path, "none")
    party = RelyingParty(gate.discovery_url, own, SCOPE, pkce=True)
    assert "ES256" in party.metadata["dpop_signing_alg_values_supported"]
    endpoint, userinfo = (party.metadata[f"{it}_endpoint"] for it in ("token", "userinfo"))
    answer = party.ask(sue)
    form = {"grant_type": "authorization_code", "client_id": own.client_id}
    form |= {"code": answer.parameters["code"], "redirect_uri": CALLBACK}
    form |= {"code_verifier": answer.asked.verifier}

    response = requests.post(endpoint, form, headers=proof(endpoint), timeout=SECONDS)
    tokens: Json = response.json()
    assert tokens["token_type"] == "DPoP"
    access = tokens["access_token"]
    shown = {"Authorization": f"DPoP {access}", **proof(userinfo, access)}
    about = requests.post(userinfo, headers=shown, timeout=SECONDS)
    assert about.json()["sub"] == party.judged(tokens["id_token"])["sub"]

    assert requests.post(userinfo, headers=shown, timeout=SECONDS).status_code == 401, "once"
    assert party.userinfo(access).status_code == 401, "a thief has no key"
    assert party.refresh(tokens["refresh_token"]).status_code == 400
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    form |= {"client_id": own.client_id}
    fresh = requests.post(endpoint, form, headers=proof(endpoint), timeout=SECONDS)
    assert fresh.json()["token_type"] == "DPoP"


@pytest.mark.parametrize("method", METHODS)
def test_a_device_without_a_browser_signs_somebody_in(
    gate: Gate, tmp_path: Path, sue: Person, method: str
) -> None:
    own = credentials(gate, tmp_path, method, grant="device_code")
    party = RelyingParty(gate.discovery_url, own, SCOPE)
    told: Json = party.post("device_authorization", scope=SCOPE).json()
    poll = {"grant_type": DEVICE_GRANT, "device_code": told["device_code"]}

    assert party.post("token", **poll).json()["error"] == "authorization_pending"
    assert sue.go(told["verification_uri"]).seen == ("password",)
    page = sue.go(told["verification_uri_complete"])
    assert page.forms[-1].fields["user_code"] == told["user_code"]
    assert party.post("token", **poll).json()["error"] == "slow_down"
    done = sue.press(page)
    assert (done.status, done.seen) == (200, ("consent",))
    gate.later(5)
    tokens = party.post("token", **poll).json()

    assert party.judged(tokens["id_token"])["sub"] == party.about(tokens["access_token"])["sub"]
    assert party.post("token", **poll).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("method", METHODS)
def test_a_client_registers_itself_signs_people_in_and_goes(
    gate: Gate, rp: RelyingParty, sue: Person, method: str
) -> None:
    jwk = jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
    keys = {"jwks": {"keys": [{**jwk, "kid": "own"}]}} if method == "private_key_jwt" else {}
    wanted: Json = {
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": method,
        **keys,
    }
    endpoint = rp.metadata["registration_endpoint"]
    headers = {"Authorization": f"Bearer {INITIAL_TOKEN}"}
    made = requests.post(endpoint, json=wanted, headers=headers, timeout=SECONDS)
    assert made.status_code == 201, made.text
    told: Json = made.json()
    assert told["redirect_uris"] == [CALLBACK]
    # Of the two ways to send a secret, the provider takes both and names one.
    assert told["token_endpoint_auth_method"] == method.replace("_post", "_basic")

    own = Credentials(told["client_id"], told.get("client_secret", ""), method, KEY)
    party = RelyingParty(gate.discovery_url, own, SCOPE, pkce=True)
    signed = party.sign_in(sue)
    assert signed.claims["aud"] == told["client_id"]

    headers = {"Authorization": f"Bearer {told['registration_access_token']}"}
    uri = told["registration_client_uri"]
    assert requests.get(uri, headers=headers, timeout=SECONDS).json()["redirect_uris"] == [CALLBACK]
    assert requests.delete(uri, headers=headers, timeout=SECONDS).status_code == 204
    assert requests.get(uri, headers=headers, timeout=SECONDS).status_code == 401
    assert party.userinfo(signed.access).status_code == 401
    assert party.refresh(signed.tokens["refresh_token"]).json()["error"] == "invalid_client"


def test_nobody_registers_without_the_initial_token(rp: RelyingParty) -> None:
    endpoint, wanted = rp.metadata["registration_endpoint"], {"redirect_uris": [CALLBACK]}
    for headers in ({}, {"Authorization": f"Bearer {INITIAL_TOKEN}x"}):
        refused = requests.post(endpoint, json=wanted, headers=headers, timeout=SECONDS)
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_token")
