"""A client that proves itself by its key: for us, now, once."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from itertools import count
from typing import Any

import jwt
import pytest

from ssogate.crypto.jwk import Algorithm, SigningKey, generate
from ssogate.model import ClientAuthentication
from ssogate.provider.addresses import INTROSPECTION, TOKEN
from ssogate.provider.clients.assertion import ASSERTION_TYPE, claimed_client
from tests.provider.making_openid import ISSUER, SECRET
from tests.provider.making_tokens import Programs, basic, refused
from tests.storage.making import NOW

KEY, ANOTHER = generate("ES256"), generate("ES256")
_numbers = count(1)


def jwks(*keys: SigningKey) -> str:
    return json.dumps({"keys": [key.public.jwk() for key in keys]})


def assertion(key: SigningKey = KEY, *, typ: str = "JWT", **changed: Any) -> str:
    claims = {
        "iss": "MACHINE",
        "sub": "MACHINE",
        "aud": ISSUER,
        "exp": NOW + 60,
        "iat": NOW,
        "jti": f"jti-{next(_numbers)}",
        **changed,
    }
    return key.sign({name: value for name, value in claims.items() if value is not None}, typ=typ)


@pytest.fixture
def machine(programs: Programs) -> Programs:
    programs.machine(authentication=ClientAuthentication.PRIVATE_KEY, jwks=jwks(KEY))
    return programs


def asked(programs: Programs, text: str, **fields: str | None) -> Any:
    usual = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": text,
    }
    return programs.post(TOKEN, {**usual, **fields})


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({}, id="the issuer's name"),
        pytest.param({"aud": f"{ISSUER}{TOKEN}"}, id="the token endpoint"),
        pytest.param({"aud": [ISSUER]}, id="a list of one"),
        pytest.param({"iat": None}, id="without iat"),
        pytest.param({"typ": "client-authentication+jwt"}, id="typed"),
        pytest.param({"exp": NOW + 300}, id="five minutes"),
    ],
)
def test_a_client_proves_itself_by_its_key(machine: Programs, changed: dict[str, Any]) -> None:
    assert asked(machine, assertion(**changed)).status_code == 200
    assert asked(machine, assertion(), client_id="MACHINE").status_code == 200


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_a_key_may_be_of_any_kind_of_ours(programs: Programs, alg: Algorithm) -> None:
    key = generate(alg)
    private = ClientAuthentication.PRIVATE_KEY
    programs.machine(authentication=private, jwks=jwks(ANOTHER, key))

    assert asked(programs, assertion(key)).status_code == 200


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"key": ANOTHER}, id="another key"),
        pytest.param({"aud": "https://other.example"}, id="for another provider"),
        pytest.param({"aud": f"{ISSUER}/"}, id="a slash more"),
        pytest.param({"aud": [ISSUER, "https://other.example"]}, id="for others too"),
        pytest.param({"aud": []}, id="for nobody"),
        pytest.param({"aud": None}, id="for whom?"),
        pytest.param({"iss": "WIKI"}, id="another issuer"),
        pytest.param({"sub": "WIKI"}, id="another subject"),
        pytest.param({"sub": None}, id="no subject"),
        pytest.param({"iss": None}, id="no issuer"),
        pytest.param({"exp": None}, id="no end"),
        pytest.param({"exp": NOW - 61}, id="expired"),
        pytest.param({"exp": NOW + 361}, id="good for too long"),
        pytest.param({"exp": "soon"}, id="no time"),
        pytest.param({"nbf": NOW + 61}, id="not yet"),
        pytest.param({"iat": NOW + 61}, id="made in the future"),
        pytest.param({"jti": None}, id="no jti"),
        pytest.param({"jti": ""}, id="an empty jti"),
        pytest.param({"jti": 7}, id="a number as jti"),
        pytest.param({"jti": "x" * 257}, id="a long jti"),
        pytest.param({"typ": "at+jwt"}, id="another kind of token"),
    ],
)
def test_an_assertion_that_does_not_fit_proves_nothing(
    machine: Programs, changed: dict[str, Any]
) -> None:
    assert refused(asked(machine, assertion(**changed)), "invalid_client")
    named = asked(machine, assertion(**changed), client_id="MACHINE")
    assert refused(named, "invalid_client")


def _none(_: str) -> str:
    head = jwt.encode({}, "", algorithm="none", headers={"kid": KEY.kid}).split(".")[0]
    return f"{head}.{assertion().split('.')[1]}."


def _hmac(_: str) -> str:
    """The public key, which everybody knows, as a shared secret. PyJWT would not sign by it."""
    head = urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": KEY.kid}).encode()).decode()
    signed = f"{head.rstrip('=')}.{assertion().split('.')[1]}"
    secret = json.dumps(KEY.public.jwk()).encode()
    mac = urlsafe_b64encode(hmac.digest(secret, signed.encode(), "sha256")).decode()
    return f"{signed}.{mac.rstrip('=')}"


def _crit(_: str) -> str:
    raw = jwt.PyJWS().encode(
        b"{}", KEY.key, algorithm="ES256", headers={"kid": KEY.kid, "crit": ["x"], "x": 1}
    )
    return raw


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(_none, id="alg none"),
        pytest.param(_hmac, id="the public key as a secret"),
        pytest.param(_crit, id="an unknown crit"),
        pytest.param(lambda text: text[:-4] + "AAAA", id="another signature"),
        pytest.param(lambda text: text + ".", id="a part more"),
        pytest.param(lambda text: text.replace(".", "\0"), id="zero bytes"),
        pytest.param(lambda text: "a." + "b" * 30_000 + ".c", id="too long"),
        pytest.param(lambda text: "e30.e30.e30", id="empty"),
        pytest.param(lambda text: "é.é.é", id="not ASCII"),
    ],
)
def test_what_no_client_signed_proves_nothing(
    machine: Programs, forge: Callable[[str], str]
) -> None:
    for fields in ({}, {"client_id": "MACHINE"}):
        assert refused(asked(machine, forge(assertion()), **fields), "invalid_client")


def test_an_assertion_is_good_once(machine: Programs) -> None:
    text = assertion()

    assert asked(machine, text).status_code == 200
    assert refused(asked(machine, text), "invalid_client")
    machine.clock.now += 119
    assert refused(asked(machine, text), "invalid_client")


def test_one_client_cannot_use_up_what_another_one_says(machine: Programs) -> None:
    private = ClientAuthentication.PRIVATE_KEY
    machine.machine("OTHER", authentication=private, jwks=jwks(ANOTHER))
    other = assertion(ANOTHER, iss="OTHER", sub="OTHER", jti="same")

    assert asked(machine, other).status_code == 200
    assert asked(machine, assertion(jti="same")).status_code == 200


def test_an_assertion_that_was_refused_is_not_used_up(machine: Programs) -> None:
    machine.clock.now -= 400
    early = assertion(iat=None)

    assert refused(asked(machine, early), "invalid_client")
    machine.clock.now += 400
    assert asked(machine, early).status_code == 200


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        pytest.param({"client_secret": SECRET}, "invalid_request", id="a secret too"),
        pytest.param(
            {"client_id": "WIKI", "client_secret": SECRET}, "invalid_request", id="another client"
        ),
        pytest.param({"client_id": "WIKI"}, "invalid_client", id="another client's name"),
        pytest.param({"client_assertion_type": None}, "invalid_request", id="no type"),
        pytest.param({"client_assertion_type": "x"}, "invalid_request", id="another type"),
        pytest.param({"client_assertion": None}, "invalid_request", id="a type alone"),
    ],
)
def test_an_assertion_stands_alone(
    machine: Programs, fields: dict[str, str | None], error: str
) -> None:
    assert refused(asked(machine, assertion(), **fields), error)


def test_an_assertion_and_basic_are_two(machine: Programs) -> None:
    form = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion()}
    form |= {"grant_type": "client_credentials"}

    response = machine.post(TOKEN, form, Authorization=basic("MACHINE"))

    assert refused(response, "invalid_request")


def test_a_client_has_one_way_and_no_other(machine: Programs) -> None:
    """The machine has a secret, too, which does not count; the wiki has a key."""
    form = {"grant_type": "client_credentials", "client_id": "MACHINE", "client_secret": SECRET}
    assert refused(machine.post(TOKEN, form), "invalid_client")
    assert refused(machine.post(TOKEN, {**form, "client_secret": None}), "invalid_client")
    machine.change(jwks=jwks(KEY))
    assert refused(asked(machine, assertion(iss="WIKI", sub="WIKI")), "invalid_client")
    machine.change(authentication=ClientAuthentication.NONE)
    assert refused(asked(machine, assertion(iss="WIKI", sub="WIKI")), "invalid_client")


def test_it_is_taken_at_every_endpoint(machine: Programs) -> None:
    form = {
        "token": "x",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion(),
    }

    assert machine.post(INTROSPECTION, form).get_json() == {"active": False}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"keys": []}', "{" * 30_000])
def test_without_a_key_set_there_is_no_proof(programs: Programs, text: str) -> None:
    programs.machine(authentication=ClientAuthentication.PRIVATE_KEY, jwks=text)

    assert refused(asked(programs, assertion()), "invalid_client")


@pytest.mark.parametrize("text", ["", "a", "a.b", "a.e30.c", "a.WzFd.c", "é.é.é", "x" * 20_000])
def test_what_names_no_client_is_nobodys(text: str) -> None:
    assert claimed_client(text) == ""
