"""What a client may ask for, and who learns of a refusal (SECURITY-TESTS, rows F3 and F4)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssogate.model import Client, GrantType
from ssogate.oauth.authorization import MAX_VALUE, asked_for, client_named
from ssogate.oauth.claims_request import Wanted
from ssogate.oauth.errors import AuthorizationError, ErrorCode, ReplyTo, ResponseMode
from ssogate.oauth.pkce import challenge_of
from tests.oauth.making import CLIENT, PLAIN, REDIRECT_URI, TERMS, Pairs, pairs, request

EVIL = "https://evil.example/"


def refusal(more: Pairs = (), client: Client | None = CLIENT, **changed: Any) -> AuthorizationError:
    with pytest.raises(AuthorizationError) as refused:
        request(more, client=client, **changed)
    return refused.value


def test_a_plain_request_is_read_whole() -> None:
    found = request()

    assert found.client_id == "cpanel"
    assert found.reply_to == ReplyTo(REDIRECT_URI, ResponseMode.QUERY, PLAIN["state"])
    assert found.scopes == {"openid", "email"}
    assert found.code_challenge == challenge_of("v" * 43)
    assert (found.nonce, found.max_age) == ("", None)
    assert not found.prompt
    assert found.resources == ()


def test_every_parameter_of_openid_connect_is_read() -> None:
    found = request(
        (("resource", "https://api.example/"), ("resource", "urn:example:files")),
        response_mode="form_post",
        nonce="n",
        prompt="login consent",
        max_age="0",
        claims='{"id_token": {"auth_time": {"essential": true}}, "userinfo": {"email": null}}',
        acr_values="2 1",
        login_hint="ann@example.com",
        id_token_hint="a.b.c",
        display="popup",
        ui_locales="de-CH en",
    )

    assert found.reply_to.mode is ResponseMode.FORM_POST
    assert found.nonce == "n"
    assert found.prompt == {"login", "consent"}
    assert found.max_age == 0
    assert found.claims.id_token == {"auth_time": Wanted(essential=True)}
    assert found.claims.userinfo == {"email": Wanted()}
    assert found.id_token_hint == "a.b.c"
    assert found.resources == ("https://api.example/", "urn:example:files")
    assert "ann@" not in repr(found)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"unheard_of": "x"}, id="unknown parameter"),
        pytest.param({"state": None}, id="no state"),
        pytest.param({"request": "", "request_uri": "", "prompt": "", "max_age": ""}, id="empty"),
        pytest.param({"scope": "openid unheard_of email"}, id="unknown scope"),
        pytest.param({"scope": "email openid email"}, id="scope twice, in another order"),
        pytest.param({"response_mode": "fragment"}, id="fragment"),
        pytest.param({"max_age": "999999999"}, id="a long max_age"),
        pytest.param({"id_token_hint": "h" * 16_384}, id="a long hint"),
    ],
)
def test_takes(changed: dict[str, Any]) -> None:
    found = request(**changed)

    assert found.scopes == {"openid", "email"}
    assert not found.prompt
    assert found.max_age in (None, 999_999_999)


@pytest.mark.parametrize(
    ("more", "changed"),
    [
        pytest.param((), {"client_id": None}, id="no client"),
        pytest.param((), {"client_id": ""}, id="empty client"),
        pytest.param((), {"client_id": "other"}, id="another client than was looked up"),
        pytest.param((("client_id", "cpanel"),), {}, id="client twice"),
        pytest.param((("client_id", "other"),), {}, id="two clients"),
        pytest.param((), {"redirect_uri": None}, id="no redirect URI"),
        pytest.param((), {"redirect_uri": ""}, id="empty redirect URI"),
        pytest.param((), {"redirect_uri": EVIL}, id="not registered"),
        pytest.param((), {"redirect_uri": EVIL, "response_type": "token"}, id="and a bad type"),
        pytest.param((), {"redirect_uri": EVIL, "scope": "x"}, id="and a bad scope"),
        pytest.param((), {"redirect_uri": REDIRECT_URI + "&x=1"}, id="near miss"),
        pytest.param((("redirect_uri", REDIRECT_URI),), {}, id="redirect URI twice"),
        pytest.param((("redirect_uri", EVIL),), {}, id="two redirect URIs, good one first"),
        pytest.param((("redirect_uri", REDIRECT_URI),), {"redirect_uri": EVIL}, id="bad one first"),
    ],
)
def test_nothing_is_redirected_before_client_and_redirect_uri_are_verified(
    more: Pairs, changed: dict[str, Any]
) -> None:
    refused = refusal(more, **changed)

    assert refused.reply_to is None
    assert refused.reply_to is None
    assert "evil" not in str(refused)


def test_an_unknown_client_is_never_redirected() -> None:
    assert refusal(client=None).reply_to is None


def test_the_loopback_port_is_free_for_native_clients_only() -> None:
    client = replace(CLIENT, redirect_uris=("http://127.0.0.1/cb",))
    asked = "http://127.0.0.1:49152/cb"

    found = request(client=client, terms=replace(TERMS, native=True), redirect_uri=asked)

    assert found.reply_to.redirect_uri == asked
    assert refusal(client=client, redirect_uri=asked).reply_to is None


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        pytest.param({"request": "x"}, "request_not_supported", id="request object"),
        pytest.param({"request": "x" * 9999}, "request_not_supported", id="long request object"),
        pytest.param(
            {"request_uri": "https://evil.example"}, "request_uri_not_supported", id="request_uri"
        ),
        pytest.param({"registration": "{}"}, "registration_not_supported", id="registration"),
        pytest.param({"response_type": None}, "invalid_request", id="no response_type"),
        pytest.param({"response_type": "token"}, "unsupported_response_type", id="implicit"),
        pytest.param({"response_type": "code id_token"}, "unsupported_response_type", id="hybrid"),
        pytest.param({"response_type": "CODE"}, "unsupported_response_type", id="case"),
        pytest.param({"response_mode": "jwt"}, "invalid_request", id="response_mode"),
        pytest.param({"scope": None}, "invalid_scope", id="no scope"),
        pytest.param({"scope": "email"}, "invalid_scope", id="without openid"),
        pytest.param({"scope": "openid groups"}, "invalid_scope", id="not the client's scope"),
        pytest.param({"scope": 'openid "email"'}, "invalid_scope", id="quotes"),
        pytest.param({"scope": "openid  email"}, "invalid_scope", id="two spaces"),
        pytest.param({"scope": "openid\temail"}, "invalid_scope", id="tab"),
        pytest.param(
            {"code_challenge": None, "code_challenge_method": None}, "invalid_request", id="no PKCE"
        ),
        pytest.param({"code_challenge_method": None}, "invalid_request", id="plain, unsaid"),
        pytest.param({"code_challenge_method": "plain"}, "invalid_request", id="plain"),
        pytest.param({"code_challenge_method": "s256"}, "invalid_request", id="case of S256"),
        pytest.param({"code_challenge": None}, "invalid_request", id="a method alone"),
        pytest.param({"code_challenge": "x" * 43}, "invalid_request", id="no challenge"),
        pytest.param({"prompt": "none login"}, "invalid_request", id="none and another"),
        pytest.param({"prompt": "create"}, "invalid_request", id="unknown prompt"),
        pytest.param({"max_age": "-1"}, "invalid_request", id="negative"),
        pytest.param({"max_age": "1e3"}, "invalid_request", id="no digits"),
        pytest.param({"max_age": "1" * 10}, "invalid_request", id="too many digits"),
        pytest.param({"max_age": "٣"}, "invalid_request", id="other digits"),
        pytest.param({"claims": "["}, "invalid_request", id="claims are no JSON"),
        pytest.param({"claims": '{"id_token": 1}'}, "invalid_request", id="claims of no shape"),
        pytest.param({"claims": " " * 8191 + "{}"}, "invalid_request", id="claims too long"),
        pytest.param({"display": "holo"}, "invalid_request", id="unknown display"),
        pytest.param({"resource": "https://evil.example"}, "invalid_target", id="resource"),
        pytest.param({"nonce": "n\0"}, "invalid_request", id="nonce with a zero byte"),
        pytest.param({"nonce": "n" * 2049}, "invalid_request", id="nonce too long"),
        pytest.param({"id_token_hint": "h" * 16_385}, "invalid_request", id="hint too long"),
    ],
)
def test_the_client_is_told(changed: dict[str, Any], code: str) -> None:
    refused = refusal(**changed)

    assert refused.error == ErrorCode(code)
    assert refused.reply_to is not None
    assert refused.reply_to == ReplyTo(REDIRECT_URI, ResponseMode.QUERY, PLAIN["state"])


@pytest.mark.parametrize("name", ["scope", "nonce", "code_challenge", "prompt", "unheard_of"])
def test_a_parameter_that_stands_twice_is_refused(name: str) -> None:
    value = PLAIN.get(name, "login")

    refused = refusal(((name, value), (name, value)))

    assert refused.error is ErrorCode.INVALID_REQUEST
    assert refused.reply_to is not None


@pytest.mark.parametrize(
    ("more", "changed", "expected"),
    [
        pytest.param((("state", "other"),), {}, ("query", ""), id="two states: none is given back"),
        pytest.param((), {"state": "s" * 2049}, ("query", ""), id="a state that is too long"),
        pytest.param((), {"response_mode": "odd"}, ("query", PLAIN["state"]), id="unknown mode"),
        pytest.param(
            (("response_mode", "fragment"),),
            {"response_mode": "fragment"},
            ("query", PLAIN["state"]),
            id="two modes",
        ),
        pytest.param(
            (),
            {"response_mode": "form_post", "scope": None},
            ("form_post", PLAIN["state"]),
            id="refused by the mode that was asked for",
        ),
    ],
)
def test_a_refusal_travels_as_far_as_the_request_was_clear(
    more: Pairs, changed: dict[str, Any], expected: tuple[str, str]
) -> None:
    reply_to = refusal(more, **changed).reply_to

    assert reply_to is not None
    assert (reply_to.mode, reply_to.state) == expected


def test_a_client_that_need_not_use_pkce_may() -> None:
    terms = replace(TERMS, pkce=False)

    assert request(terms=terms).code_challenge
    assert not request(terms=terms, code_challenge=None, code_challenge_method=None).code_challenge
    with pytest.raises(AuthorizationError):
        request(terms=terms, code_challenge_method="plain")
    with pytest.raises(AuthorizationError):
        request(terms=terms, code_challenge=None)
    with pytest.raises(AuthorizationError):
        request(terms=terms, code_challenge_method=None)


def test_a_client_of_another_grant_gets_no_codes() -> None:
    other = replace(CLIENT, grant=GrantType.SINGLE_SIGN_ON)

    assert refusal(client=other).error is ErrorCode.UNAUTHORIZED_CLIENT


def test_one_bad_resource_spoils_the_others() -> None:
    both = (("resource", "https://api.example/"), ("resource", "https://api.example/x"))

    assert refusal(both).error is ErrorCode.INVALID_TARGET


def test_all_of_the_clients_scopes_may_be_asked_for() -> None:
    assert request(scope="openid profile email").scopes == CLIENT.scopes


def test_a_state_may_be_as_long_as_the_limit() -> None:
    assert request(state="s" * MAX_VALUE).reply_to.state == "s" * MAX_VALUE


def test_later_refusals_go_to_the_same_place() -> None:
    found = request(prompt="none")

    refused = found.refusal(ErrorCode.LOGIN_REQUIRED, "Nobody is signed in.")

    assert (refused.error, refused.reply_to) == ("login_required", found.reply_to)


def test_the_client_is_named_once() -> None:
    assert client_named(asked_for(pairs())) == "cpanel"
    with pytest.raises(AuthorizationError):
        client_named(asked_for((("client_id", "c" * 2049),)))


NAMES = st.sampled_from([*PLAIN, "response_mode", "prompt", "max_age", "claims", "resource"])
VALUES = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=30),
    st.sampled_from([*PLAIN.values(), "none login", "form_post", '{"id_token":{}}', EVIL]),
)


@given(changed=st.dictionaries(NAMES, VALUES))
def test_whatever_is_asked_the_answer_goes_to_a_registered_uri(changed: dict[str, str]) -> None:
    description, reply_to = "", None
    try:
        reply_to = request(**cast(Any, changed)).reply_to
    except AuthorizationError as refused:
        description, reply_to = refused.description, refused.reply_to

    assert reply_to is None or reply_to.redirect_uri in CLIENT.redirect_uris
    assert description.isascii()
    assert not set('"\\') & set(description)


def test_no_reply_address_is_made_up_of_two() -> None:
    """A scope that is refused, and a redirect URI of another client."""
    client = replace(CLIENT, redirect_uris=("https://third.example/cb",))

    assert refusal(client=client, scope="nonsense").reply_to is None
