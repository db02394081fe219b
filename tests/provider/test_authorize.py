"""The authorization endpoint: whom it answers, who must sign in, and how an answer travels."""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from sqlalchemy import text as sql
from werkzeug.test import create_environ
from werkzeug.wrappers import Response

from ssogate.config import Secret
from ssogate.crypto.jwk import generate
from ssogate.directory.consents import give_consent
from ssogate.directory.grants import code_key
from ssogate.errors import Prefetched, SessionsUnavailable, StoreFailure
from ssogate.model import Client, GrantType, Session, User
from ssogate.oauth.errors import AuthorizationError
from ssogate.provider.addresses import AUTHORIZE, PUSHED_AUTHORIZATION
from ssogate.provider.issuer import sid_of
from tests.directory.making import SUE
from tests.provider.making_openid import (
    BACK,
    ISSUER,
    PLAIN,
    SECRET,
    Provided,
    answered,
    asked,
    sent_to_sign_in,
    told,
)
from tests.storage.making import NOW

SCRIPT = '"><script>alert(1)</script>'


@pytest.fixture
def trusted(provided: Provided) -> Provided:
    """The wiki is of the house: nobody is asked whether it may."""
    provided.change(trusted=True)
    return provided


def granted(provided: Provided, **changed: str | None) -> dict[str, str]:
    """What the wiki is told when Joe comes."""
    return answered(provided.visit(query=asked(**changed), session=provided.session))


def error_of(provided: Provided, session: Session | None = None, **changed: Any) -> str:
    found = answered(provided.visit(query=asked(**changed), session=session or provided.session))
    assert found.keys() == {"error", "error_description", "state", "iss"}
    assert found["error_description"].isascii()
    return found["error"]


def agree(provided: Provided, *people: User, client: str = "WIKI") -> None:
    scopes = frozenset({"openid", "email"})
    for one in people:
        give_consent(provided.store, one.identity.subject, client, scopes, by=SUE, now=NOW)


def hint(provided: Provided, **changed: Any) -> str:
    """An ID token of the gate's, about Joe and for the wiki."""
    claims = {
        "iss": ISSUER,
        "sub": provided.joe.identity.subject,
        "aud": "WIKI",
        "iat": NOW,
        "exp": NOW + 3600,
        **changed,
    }
    typ = claims.pop("typ", "JWT")
    return provided.issuer.keys.signing("RS256").sign(claims, typ=typ)


def come_back(provided: Provided, path: str, session: Session | None) -> Response:
    """Follow an address of ours, as after a sign-in."""
    split = urlsplit(path)
    assert split.path == AUTHORIZE
    return provided.visit(query=parse_qsl(split.query, strict_parsing=True), session=session)


def going_on(response: Response) -> dict[str, str]:
    """What the client is told by the page that goes on by itself."""
    assert response.status_code == 200
    assert "Location" not in response.headers
    seconds, _, location = response.headers["Refresh"].partition("; url=")
    assert seconds == "0"
    (link,) = re.findall(r'<a class="button" href="([^"]*)"', response.get_data(as_text=True))
    assert unescape(link) == location
    return told(location)


# --- A live session ---------------------------------------------------------------------------


def test_who_is_signed_in_comes_back_with_a_code_at_once(trusted: Provided) -> None:
    response = trusted.visit(query=asked(), session=trusted.session)

    found = answered(response)
    assert found.keys() == {"code", "state", "iss"}
    assert re.fullmatch(r"[0-9A-Za-z_\-]{43}", found["code"])
    assert (found["state"], found["iss"]) == ("a state & more", ISSUER)
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.get_data() == b""


def test_a_code_is_kept_as_a_digest_with_all_that_was_asked(trusted: Provided) -> None:
    claims = json.dumps({"userinfo": {"email": None}})

    code = granted(trusted, claims=claims)["code"]

    held = trusted.store.codes.find(code_key(trusted.store, code))
    assert held
    assert held.grant
    record = trusted.session.record
    assert held.of.redirect_uri == BACK
    assert held.of.code_challenge == PLAIN["code_challenge"]
    assert held.of.until == NOW + 60
    assert held.of.spent_at is None
    assert held.grant.client == "WIKI"
    assert held.grant.subject == trusted.joe.identity.subject
    assert held.grant.session == record.key
    assert held.grant.scopes == {"openid", "email"}
    assert held.grant.auth_time == record.opened_at
    assert (held.grant.nonce, held.grant.claims) == ("n-1", claims)
    assert held.grant.sid == sid_of(record.key)
    assert held.grant.until == record.expires_at
    dump = trusted.store.database.rows(sql("SELECT * FROM codes"))
    assert code not in str([tuple(row) for row in dump])


def test_every_request_gets_a_code_of_its_own(trusted: Provided) -> None:
    assert len({granted(trusted)["code"] for _ in range(3)}) == 3


def test_a_grant_that_may_go_on_without_a_session_has_none(trusted: Provided) -> None:
    code = granted(trusted, scope="openid offline_access")["code"]

    held = trusted.store.codes.find(code_key(trusted.store, code))
    assert held
    assert held.grant
    assert held.grant.session is None
    assert held.grant.until == NOW + int(trusted.settings.refresh_token_lifetime)


def test_a_request_may_be_posted(trusted: Provided) -> None:
    response = trusted.visit(form=asked(), session=trusted.session, Origin="https://wiki.example")

    assert "code" in answered(response)


def test_what_we_call_ours_is_no_parameter_of_the_client(trusted: Provided) -> None:
    more = [("ssogate_answer", "allow"), ("ssogate_answer", "deny"), ("ssogate_seal", "x")]

    response = trusted.visit(query=asked(more), session=trusted.session)

    assert "code" in answered(response)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"display": "touch"}, id="display"),
        pytest.param({"ui_locales": "de en"}, id="ui_locales"),
        pytest.param({"acr_values": "urn:x"}, id="acr_values"),
        pytest.param({"claims": '{"id_token":{"acr":{"value":"urn:x"}}}'}, id="acr"),
        pytest.param({"login_hint": "ann"}, id="login_hint"),
        pytest.param({"scope": "openid unheard_of"}, id="a scope that nobody knows"),
        pytest.param({"unheard_of": "x"}, id="a parameter that nobody knows"),
    ],
)
def test_what_is_a_hint_keeps_nobody_out(trusted: Provided, changed: dict[str, str]) -> None:
    assert "code" in granted(trusted, **changed)


# --- What is never redirected -----------------------------------------------------------------


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("https://wiki.example/back/", id="a slash"),
        pytest.param("https://wiki.example/Back", id="case of the path"),
        pytest.param("https://WIKI.example/back", id="case of the host"),
        pytest.param("HTTPS://wiki.example/back", id="case of the scheme"),
        pytest.param("https://wiki.example:443/back", id="the port"),
        pytest.param("https://wiki.example/./back", id="a dot"),
        pytest.param("https://wiki.example/%62ack", id="an escape"),
        pytest.param("https://wiki.example/x/%2e%2e/back", id="escaped dots"),
        pytest.param("https://wiki.example/back?", id="an empty query"),
        pytest.param("https://wiki.example/back?x=1", id="a query"),
        pytest.param("https://wiki.example/back#x", id="a fragment"),
        pytest.param("https://joe@wiki.example/back", id="a user part"),
        pytest.param("https://wiki.example\\@evil.example/back", id="a backslash"),
        pytest.param("https://wiki.example.evil.example/back", id="a longer host"),
        pytest.param("http://wiki.example/back", id="plain http"),
        pytest.param("//wiki.example/back", id="no scheme"),
        pytest.param("javascript:alert(1)", id="javascript"),
        pytest.param("data:text/html,x", id="data"),
        pytest.param("https://wiki.example/back\r\nX: y", id="a line break"),
    ],
)
@pytest.mark.parametrize("mode", ["query", "form_post"])
def test_an_address_that_is_nearly_the_clients_is_never_sent_to(
    trusted: Provided, uri: str, mode: str
) -> None:
    with pytest.raises(AuthorizationError) as caught:
        trusted.visit(query=asked(redirect_uri=uri, response_mode=mode), session=trusted.session)

    assert caught.value.status == 400
    assert caught.value.reply_to is None
    assert "evil" not in str(caught.value)


@pytest.mark.parametrize("uri", ["javascript:alert(1)", "data:text/html,x"])
def test_what_a_browser_would_run_is_no_address_even_if_it_is_stored(
    trusted: Provided, uri: str
) -> None:
    trusted.change(redirect_uris=(uri,))

    with pytest.raises(AuthorizationError):
        trusted.visit(query=asked(redirect_uri=uri), session=trusted.session)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"client_id": None}, id="no client"),
        pytest.param({"client_id": "SHOP"}, id="an unknown client"),
        pytest.param({"client_id": "wiki"}, id="case of the client"),
        pytest.param({"client_id": "WIKI\0"}, id="a zero byte"),
        pytest.param({"client_id": "WÏKI"}, id="no ASCII"),
        pytest.param({"redirect_uri": None}, id="no address"),
    ],
)
def test_without_client_and_address_only_the_person_is_told(
    trusted: Provided, changed: dict[str, str | None]
) -> None:
    with pytest.raises(AuthorizationError) as caught:
        trusted.visit(query=asked(**changed), session=trusted.session)

    assert caught.value.reply_to is None


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
def test_two_clients_or_addresses_are_none(trusted: Provided, name: str) -> None:
    with pytest.raises(AuthorizationError) as caught:
        trusted.visit(query=asked([(name, PLAIN[name])]), session=trusted.session)

    assert caught.value.reply_to is None


@pytest.mark.parametrize("name", ["state", "scope", "nonce", "code_challenge", "prompt", "x"])
def test_a_repeated_parameter_is_told_to_the_client(trusted: Provided, name: str) -> None:
    response = trusted.visit(
        query=asked([(name, "1"), (name, "2")], **{name: None}), session=trusted.session
    )

    assert answered(response)["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("query", "form", "method"),
    [
        pytest.param(asked(), asked(), "", id="a query and a form"),
        pytest.param([("x", "y")], asked(), "", id="a form and something in the query"),
        pytest.param(asked(), None, "HEAD", id="HEAD"),
        pytest.param(asked(), None, "PUT", id="PUT"),
    ],
)
def test_a_request_is_in_one_place_by_one_of_two_methods(
    trusted: Provided, query: Any, form: Any, method: str
) -> None:
    with pytest.raises(AuthorizationError) as caught:
        trusted.visit(query=query, form=form, method=method, session=trusted.session)

    assert caught.value.reply_to is None
    assert trusted.store.grants.listed() == []


def test_a_store_that_fails_is_a_page_and_no_redirect(
    trusted: Provided, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def failing(**_: object) -> Any:
        raise StoreFailure("the disk is full")
        yield

    monkeypatch.setattr(trusted.store, "transaction", failing)

    with pytest.raises(SessionsUnavailable) as caught:
        trusted.visit(query=asked(), session=trusted.session)

    assert caught.value.status == 503


STRANGER = {"registration_digest": "0" * 64}


@pytest.mark.parametrize(
    ("fields", "changed"),
    [
        pytest.param({}, {"response_mode": "form_post"}, id="a form"),
        pytest.param({}, {"response_mode": "form_post", "scope": "email"}, id="an error by a form"),
        pytest.param(STRANGER, {}, id="of who has registered itself"),
        pytest.param(STRANGER, {"prompt": "none"}, id="in silence"),
    ],
)
@pytest.mark.parametrize(
    "uri",
    [
        pytest.param(f"{ISSUER}/transfer?to=mallory", id="the public address"),
        pytest.param("https://app.example:8443/x", id="another port"),
        pytest.param("https://app.example./x", id="a dot at the end"),
        pytest.param("https://a.below.example/x", id="below a pattern"),
        pytest.param("https://further.example/x", id="a further host"),
    ],
)
def test_no_form_and_no_stranger_leads_to_a_host_of_the_gate(
    trusted: Provided, uri: str, fields: dict[str, Any], changed: dict[str, str]
) -> None:
    """An app behind the gate would take what comes for its own site's."""
    hosts = frozenset({"*.below.example", "further.example"})
    trusted.issuer = replace(trusted.issuer, hosts=hosts)
    trusted.change(redirect_uris=(uri,), **fields)

    with pytest.raises(AuthorizationError) as caught:
        trusted.visit(query=asked(redirect_uri=uri, **changed), session=trusted.session)

    assert caught.value.reply_to is None
    assert trusted.store.grants.listed() == []


def test_an_operators_client_may_be_an_app_behind_the_gate(trusted: Provided) -> None:
    uri = f"{ISSUER}/forum/back"
    trusted.change(redirect_uris=(uri,))

    response = trusted.visit(query=asked(redirect_uri=uri), session=trusted.session)

    assert response.headers["Location"].startswith(f"{uri}?code=")


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("https://wiki.example/[back]?to=[1]", id="brackets"),
        pytest.param("HTTPS://Wiki.example/back?", id="case, and an empty query"),
        pytest.param("https://wiki.example/%7ejoe/b%2Fck?a=%e4", id="escapes"),
        pytest.param("com.Example.App:/back", id="an app of its own"),
    ],
)
def test_the_answer_goes_to_the_address_as_it_was_registered(trusted: Provided, uri: str) -> None:
    trusted.change(redirect_uris=(uri,))

    response = trusted.visit(query=asked(redirect_uri=uri), session=trusted.session)

    sent = response.get_wsgi_headers(create_environ())["Location"]
    assert re.match(rf"{re.escape(uri)}[?&]?code=", sent)


def test_no_form_goes_to_a_stranger_who_may_send_it_on_to_us(trusted: Provided) -> None:
    trusted.change(**STRANGER)

    with pytest.raises(AuthorizationError) as caught:
        trusted.visit(query=asked(response_mode="form_post"), session=trusted.session)

    assert caught.value.reply_to is None


@pytest.mark.parametrize(
    ("who", "changed"),
    [
        pytest.param("nobody", {"scope": "email"}, id="nobody"),
        pytest.param("nobody", {"prompt": "none"}, id="nobody, in silence"),
        pytest.param("ann", {"scope": "email"}, id="somebody who does not know it"),
        pytest.param("ann", {"prompt": "none"}, id="in silence"),
        pytest.param("ann", {"id_token_hint": "x"}, id="a broken hint"),
        pytest.param("joe", {"scope": "email"}, id="somebody who knows it"),
        pytest.param("joe", {"scope": "openid groups", "prompt": "none"}, id="knows it, silently"),
    ],
)
@pytest.mark.parametrize("fields", [{}, STRANGER], ids=["an operator's", "a stranger"])
def test_a_refusal_redirects_nobody_to_a_stranger_that_he_does_not_know(
    provided: Provided, fields: dict[str, Any], who: str, changed: dict[str, str]
) -> None:
    provided.change(**fields)
    agree(provided, provided.joe)
    session = {"nobody": None, "ann": provided.anns, "joe": provided.session}[who]

    response = provided.visit(query=asked(**changed), session=session)

    if not fields or who == "joe":
        assert "error" in answered(response)
        return
    text = response.get_data(as_text=True)
    assert response.status_code == 200
    assert not {"Location", "Refresh"} & {*response.headers.keys()}
    assert "<strong>wiki.example</strong>" in text
    (link,) = re.findall(r'<a class="button" href="([^"]*)"', text)
    assert "error" in told(unescape(link))


def test_who_lets_a_stranger_in_goes_on_by_redirects(provided: Provided) -> None:
    provided.change(**STRANGER)
    agree(provided, provided.joe)

    assert "code" in granted(provided)


@pytest.mark.parametrize("header", ["Sec_Purpose", "Purpose", "X_Moz"])
def test_a_browser_that_looks_ahead_gets_nothing(trusted: Provided, header: str) -> None:
    with pytest.raises(Prefetched):
        trusted.visit(query=asked(), session=trusted.session, **{header: "prefetch"})

    assert trusted.store.grants.listed() == []


# --- What the client is told ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        pytest.param({"response_type": "token"}, "unsupported_response_type", id="implicit"),
        pytest.param({"response_type": None}, "invalid_request", id="no response type"),
        pytest.param({"scope": "email"}, "invalid_scope", id="no openid"),
        pytest.param({"code_challenge": None}, "invalid_request", id="no challenge"),
        pytest.param({"code_challenge_method": "plain"}, "invalid_request", id="plain"),
        pytest.param({"request": "e30.e30."}, "request_not_supported", id="request"),
        pytest.param({"request_uri": "https://x"}, "request_uri_not_supported", id="request_uri"),
        pytest.param({"prompt": "none login"}, "invalid_request", id="none and something"),
        pytest.param({"resource": "urn:x"}, "invalid_target", id="no such resource"),
        pytest.param({"claims": "{"}, "invalid_request", id="broken claims"),
        pytest.param(
            {"claims": '{"id_token":{"acr":{"essential":true,"values":["urn:x"]}}}'},
            "unmet_authentication_requirements",
            id="a level that there is not",
        ),
    ],
)
def test_a_request_that_cannot_be_granted_is_told_to_the_client(
    trusted: Provided, changed: dict[str, Any], error: str
) -> None:
    assert error_of(trusted, **changed) == error
    assert trusted.store.grants.listed() == []


def test_nothing_of_a_request_is_repeated_but_its_state(trusted: Provided) -> None:
    response = trusted.visit(
        query=asked(prompt="EVIL", nonce="EVIL", response_mode="fragment"), session=trusted.session
    )

    assert "EVIL" not in response.headers["Location"]


def test_a_client_that_gets_no_codes_is_told_so(provided: Provided) -> None:
    provided.change(grant=GrantType.CLIENT_CREDENTIALS)

    assert error_of(provided) == "unauthorized_client"


@pytest.mark.parametrize("prompt", [None, "none", "login"])
def test_who_is_in_none_of_a_clients_groups_may_not_use_it(
    trusted: Provided, prompt: str | None
) -> None:
    trusted.change(groups=frozenset({"admins"}))
    session = trusted.session
    if prompt == "login":
        back = sent_to_sign_in(trusted.visit(query=asked(prompt=prompt), session=session))
        again = come_back(trusted, back, trusted.opened(trusted.joe, at=NOW))
        assert going_on(again)["error"] == "access_denied"
    else:
        assert error_of(trusted, prompt=prompt) == "access_denied"
    assert trusted.store.grants.listed() == []


def test_who_is_in_one_of_a_clients_groups_may_use_it(trusted: Provided) -> None:
    trusted.change(groups=frozenset({"admins", "staff"}))

    assert "code" in granted(trusted)


# --- Who must sign in -------------------------------------------------------------------------


def test_who_is_not_signed_in_signs_in_and_comes_back(trusted: Provided) -> None:
    back = sent_to_sign_in(trusted.visit(query=asked()))

    trusted.clock.now += 30
    response = come_back(trusted, back, trusted.opened(trusted.joe, at=NOW + 20))

    assert going_on(response).keys() == {"code", "state", "iss"}
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Referrer-Policy"] == "no-referrer"


def test_nothing_is_written_for_who_is_not_signed_in(trusted: Provided) -> None:
    before = trusted.store.database.rows(sql("SELECT count(*) FROM tickets"))
    trusted.visit(query=asked())

    assert trusted.store.grants.listed() == []
    assert trusted.store.database.rows(sql("SELECT count(*) FROM tickets")) == before


def test_who_is_not_welcome_is_not_there(trusted: Provided) -> None:
    trusted.store.users.update(replace(trusted.joe, active=False))

    sent_to_sign_in(trusted.visit(query=asked(), session=trusted.session))


def test_another_sites_form_is_sent_on_to_where_our_cookies_come_along(trusted: Provided) -> None:
    response = trusted.visit(form=asked(prompt="none"), Origin="https://wiki.example")

    assert response.status_code == 303
    again = come_back(trusted, response.headers["Location"], trusted.session)
    assert "code" in answered(again)


@pytest.mark.parametrize("changed", [{"prompt": "login"}, {"max_age": "0"}])
def test_a_session_of_before_the_request_is_not_enough(
    trusted: Provided, changed: dict[str, str]
) -> None:
    back = sent_to_sign_in(trusted.visit(query=asked(**changed), session=trusted.session))

    trusted.clock.now += 30
    again = sent_to_sign_in(come_back(trusted, back, trusted.session))
    assert again == back, "the request was first seen when it was first seen"

    trusted.clock.now += 30
    response = come_back(trusted, back, trusted.opened(trusted.joe, at=NOW + 50))
    assert "code" in going_on(response)


@pytest.mark.parametrize(
    ("max_age", "enough"),
    [
        pytest.param("101", True, id="younger"),
        pytest.param("100", False, id="as old"),
        pytest.param("99", False, id="older"),
        pytest.param(None, True, id="no matter"),
    ],
)
def test_a_session_may_be_too_old(trusted: Provided, max_age: str | None, enough: bool) -> None:
    response = trusted.visit(query=asked(max_age=max_age), session=trusted.session)

    if enough:
        assert "code" in answered(response)
    else:
        sent_to_sign_in(response)


def test_a_sign_in_for_the_request_is_enough_however_long_the_way_back(trusted: Provided) -> None:
    back = sent_to_sign_in(trusted.visit(query=asked(max_age="1")))

    trusted.clock.now += 60
    response = come_back(trusted, back, trusted.opened(trusted.joe, at=NOW + 10))

    assert "code" in going_on(response)


def _changed(path: str, **changed: str) -> str:
    split = urlsplit(path)
    pairs = dict(parse_qsl(split.query, strict_parsing=True))
    return f"{split.path}?{urlencode({**pairs, **changed})}"


def _since(path: str) -> str:
    return dict(parse_qsl(urlsplit(path).query))["ssogate_since"]


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda back: _changed(back, scope="openid"), id="another scope"),
        pytest.param(lambda back: _changed(back, nonce="n-2"), id="another nonce"),
        pytest.param(lambda back: _changed(back, more="x"), id="one more parameter"),
        pytest.param(
            lambda back: _changed(back, ssogate_since=f"{NOW - 500}.{_since(back)[11:]}"),
            id="an earlier time",
        ),
        pytest.param(
            lambda back: _changed(back, ssogate_since=f"{NOW - 500}.{'A' * 43}"), id="made up"
        ),
        pytest.param(lambda back: _changed(back, ssogate_since=str(NOW - 500)), id="no mac"),
        pytest.param(lambda back: _changed(back, ssogate_since=f"{'9' * 5000}.x"), id="long"),
    ],
)
def test_a_mark_that_is_not_ours_for_this_request_is_none(trusted: Provided, forge: Any) -> None:
    back = sent_to_sign_in(trusted.visit(query=asked(prompt="login")))
    session = trusted.opened(trusted.joe, at=NOW)

    sent_to_sign_in(come_back(trusted, forge(back), session))
    assert "code" in going_on(come_back(trusted, back, session))


def test_a_mark_is_believed_for_a_quarter_of_an_hour(trusted: Provided) -> None:
    back = sent_to_sign_in(trusted.visit(query=asked(prompt="login")))
    session = trusted.opened(trusted.joe, at=NOW + 10)

    trusted.clock.now += 900
    assert "code" in going_on(come_back(trusted, back, session))

    trusted.clock.now += 1
    assert sent_to_sign_in(come_back(trusted, back, session)) != back


def test_a_mark_from_the_future_is_none(trusted: Provided) -> None:
    back = sent_to_sign_in(trusted.visit(query=asked(prompt="login")))
    trusted.clock.now -= 1

    sent_to_sign_in(come_back(trusted, back, trusted.opened(trusted.joe, at=NOW)))


def test_a_request_that_no_browser_could_keep_during_a_sign_in_is_refused(
    trusted: Provided,
) -> None:
    response = trusted.visit(query=asked(claims=json.dumps({"userinfo": {"x" * 2000: None}})))

    found = answered(response)
    assert found["error"] == "invalid_request"
    assert "pushed_authorization_request_endpoint" in found["error_description"]


def test_the_same_request_is_granted_to_who_is_signed_in(trusted: Provided) -> None:
    assert "code" in granted(trusted, claims=json.dumps({"userinfo": {"x" * 2000: None}}))


def test_a_session_that_ends_meanwhile_is_opened_anew(trusted: Provided) -> None:
    trusted.store.sessions.delete(trusted.session.record.key)

    sent_to_sign_in(trusted.visit(query=asked(), session=trusted.session))


# --- Whom the client means --------------------------------------------------------------------


def test_who_is_meant_comes_back_at_once(trusted: Provided) -> None:
    sub = trusted.joe.identity.subject
    claims = json.dumps({"id_token": {"sub": {"values": ["x", sub]}}})

    assert "code" in granted(trusted, id_token_hint=hint(trusted))
    assert "code" in granted(trusted, id_token_hint=hint(trusted, exp=NOW - 86_400))
    assert "code" in granted(trusted, claims=claims)


@pytest.mark.parametrize("how", ["hint", "claim"])
def test_who_is_not_meant_signs_in_as_who_is(trusted: Provided, how: str) -> None:
    changed = _meaning_joe(trusted, how)

    back = sent_to_sign_in(trusted.visit(query=asked(**changed), session=trusted.anns))

    somebody_else = come_back(trusted, back, trusted.opened(trusted.ann, at=NOW))
    assert going_on(somebody_else)["error"] == "login_required"
    assert "code" in going_on(come_back(trusted, back, trusted.opened(trusted.joe, at=NOW)))


def test_who_is_meant_in_one_way_only_is_not_meant(trusted: Provided) -> None:
    changed = {**_meaning_joe(trusted, "claim"), "id_token_hint": hint(trusted, sub="somebody")}

    assert error_of(trusted, prompt="none", **changed) == "login_required"


def _meaning_joe(provided: Provided, how: str) -> dict[str, Any]:
    if how == "hint":
        return {"id_token_hint": hint(provided)}
    sub = {"value": provided.joe.identity.subject}
    return {"claims": json.dumps({"id_token": {"sub": sub}})}


def _unsigned(provided: Provided) -> str:
    header = urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    return f"{header}.{hint(provided).split('.')[1]}."


def _foreign(provided: Provided) -> str:
    claims = {"iss": ISSUER, "sub": provided.joe.identity.subject, "aud": "WIKI", "exp": NOW + 60}
    return generate("ES256").sign(claims, typ="JWT")


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(lambda p: hint(p, exp=NOW - 31 * 86_400), id="long expired"),
        pytest.param(lambda p: hint(p, iss="https://evil.example"), id="another issuer"),
        pytest.param(lambda p: hint(p, aud="SHOP"), id="another client's"),
        pytest.param(lambda p: hint(p, typ="at+jwt"), id="an access token"),
        pytest.param(lambda p: hint(p, typ="logout+jwt"), id="a logout token"),
        pytest.param(lambda p: hint(p)[:-8] + "AAAAAAAA", id="another signature"),
        pytest.param(_unsigned, id="none"),
        pytest.param(_foreign, id="a foreign key"),
        pytest.param(lambda p: "nothing", id="no token"),
    ],
)
@pytest.mark.parametrize("signed_in", [True, False])
def test_a_broken_hint_is_a_broken_request(trusted: Provided, made: Any, signed_in: bool) -> None:
    response = trusted.visit(
        query=asked(id_token_hint=made(trusted)), session=trusted.session if signed_in else None
    )

    assert answered(response)["error"] == "invalid_request"


def test_a_pairwise_client_means_people_by_its_own_name_for_them(provided: Provided) -> None:
    settings = provided.settings.model_copy(update={"pairwise_salt": Secret("salt " * 8)})
    provided.issuer = replace(provided.issuer, settings=settings)
    wiki = provided.change(trusted=True, pairwise=True)
    subject = provided.joe.identity.subject
    sub = provided.issuer.sub(wiki, subject)
    assert sub != subject

    assert "code" in granted(provided, id_token_hint=hint(provided, sub=sub))
    known = asked(id_token_hint=hint(provided, sub=subject))
    sent_to_sign_in(provided.visit(query=known, session=provided.session))


def test_a_pairwise_client_without_a_salt_is_told_that_it_is_the_gates_fault(
    trusted: Provided,
) -> None:
    trusted.change(pairwise=True)

    assert error_of(trusted) == "server_error"
    assert trusted.store.grants.listed() == []


# --- prompt=none ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "changed", "error"),
    [
        pytest.param("nobody", {}, "login_required", id="nobody is there"),
        pytest.param("joe", {"max_age": "50"}, "login_required", id="too long ago"),
        pytest.param("ann", {"id_token_hint": "joe"}, "login_required", id="somebody else"),
        pytest.param("joe", {}, "login_required", id="not agreed to anything yet"),
        pytest.param("joe", {"scope": "openid groups"}, "consent_required", id="not to all of it"),
        pytest.param("ended", {}, "login_required", id="the session ends meanwhile"),
        pytest.param("joe", {"id_token_hint": "broken"}, "invalid_request", id="a broken hint"),
    ],
)
def test_who_may_not_be_shown_a_page_is_told_why(
    provided: Provided, who: str, changed: dict[str, str | None], error: str
) -> None:
    sessions = {"nobody": None, "ann": provided.anns}
    if changed.get("id_token_hint") == "joe":
        changed = {"id_token_hint": hint(provided)}
    if changed:
        agree(provided, provided.joe, provided.ann)
    if who == "ended":
        provided.change(trusted=True)
        provided.store.sessions.delete(provided.session.record.key)

    response = provided.visit(
        query=asked(prompt="none", **changed), session=sessions.get(who, provided.session)
    )

    assert answered(response)["error"] == error
    assert provided.store.grants.listed() == []


@pytest.mark.parametrize("prompt", ["none", None])
def test_a_client_that_nobody_let_in_learns_nothing_of_who_is_there(
    provided: Provided, prompt: str | None
) -> None:
    """Some page of its own might ask in silence, about one person after the other."""
    provided.add_client("SHOP", groups=frozenset({"admins"}))
    agree(provided, provided.joe)
    sub = provided.joe.identity.subject
    changed = {"client_id": "SHOP", "id_token_hint": hint(provided, aud="SHOP", sub=sub)}
    sessions = (provided.session, provided.anns, None)

    replies = [provided.visit(query=asked(prompt=prompt, **changed), session=s) for s in sessions]

    found = [reply.headers["Location"] for reply in replies]
    assert (len({*found}) == 1) is (prompt == "none")
    if prompt:
        assert answered(replies[0])["error"] == "login_required"


def test_without_a_page_who_needs_none_comes_back_with_a_code(trusted: Provided) -> None:
    assert "code" in granted(trusted, prompt="none", id_token_hint=hint(trusted))


# --- A request that the client has pushed -----------------------------------------------------


def push(provided: Provided, **changed: Any) -> list[tuple[str, str]]:
    """What the browser carries then."""
    secret = ("client_secret", SECRET)
    response = provided.visit(PUSHED_AUTHORIZATION, form=asked([secret], **changed))
    assert response.status_code == 201, response.get_data(as_text=True)
    return [("client_id", "WIKI"), ("request_uri", response.get_json()["request_uri"])]


def test_a_pushed_request_is_granted_once(trusted: Provided) -> None:
    carried = push(trusted)

    found = answered(trusted.visit(query=carried, session=trusted.session))
    assert found["state"] == PLAIN["state"]
    with pytest.raises(AuthorizationError) as caught:
        trusted.visit(query=carried, session=trusted.session)

    assert caught.value.reply_to is None
    assert len(trusted.store.grants.listed()) == 1


def test_a_pushed_request_outlives_a_sign_in_however_long_it_is(trusted: Provided) -> None:
    claims = json.dumps({"userinfo": {"x" * 2000: None}})
    back = sent_to_sign_in(trusted.visit(query=push(trusted, prompt="login", claims=claims)))

    sent_to_sign_in(come_back(trusted, back, trusted.session))
    response = come_back(trusted, back, trusted.opened(trusted.joe, at=NOW))

    assert "code" in going_on(response)
    (grant,) = trusted.store.grants.listed()
    assert grant.claims == claims


def test_what_a_browser_adds_to_a_pushed_request_does_not_count(trusted: Provided) -> None:
    more = [("redirect_uri", "https://evil.example/"), ("scope", "openid profile"), ("state", "x")]

    found = answered(trusted.visit(query=[*push(trusted), *more], session=trusted.session))

    assert found["state"] == PLAIN["state"]
    (grant,) = trusted.store.grants.listed()
    assert grant.scopes == {"openid", "email"}


def test_another_client_has_no_use_of_a_pushed_request(trusted: Provided) -> None:
    trusted.add_client("SHOP", trusted=True)
    _, uri = push(trusted)

    with pytest.raises(AuthorizationError):
        trusted.visit(query=[("client_id", "SHOP"), uri], session=trusted.session)

    assert trusted.store.grants.listed() == []


def test_a_pushed_request_that_is_not_granted_is_not_used_up(provided: Provided) -> None:
    carried = push(provided)

    page = provided.visit(query=carried, session=provided.session)
    assert "ssogate_seal" in page.get_data(as_text=True)
    sent_to_sign_in(provided.visit(query=carried))
    provided.change(trusted=True)

    assert "code" in answered(provided.visit(query=carried, session=provided.session))


# --- How the answer travels -------------------------------------------------------------------


def test_in_the_fragment(trusted: Provided) -> None:
    response = trusted.visit(query=asked(response_mode="fragment"), session=trusted.session)

    base, _, fragment = response.headers["Location"].partition("#")
    assert base == BACK
    assert dict(parse_qsl(fragment)).keys() == {"code", "state", "iss"}


def test_by_a_form_that_sends_itself(trusted: Provided) -> None:
    response = trusted.visit(
        query=asked(response_mode="form_post", state=SCRIPT), session=trusted.session
    )
    text = response.get_data(as_text=True)

    assert response.status_code == 200
    assert f'<form method="post" action="{BACK}">' in text
    fields = dict(re.findall(r'name="([^"]*)" value="([^"]*)"', text))
    fields = {name: unescape(value) for name, value in fields.items()}
    assert fields.keys() >= {"code", "state", "iss"}
    assert (fields["state"], fields["iss"]) == (SCRIPT, ISSUER)
    assert "alert(1)</script>" not in text
    (script,) = re.findall(r"<script>(.*?)</script>", text)
    hashed = b64encode(sha256(script.encode()).digest()).decode()
    policy = response.headers["Content-Security-Policy"]
    assert f"script-src 'sha256-{hashed}'" in policy
    assert "form-action https:;" in policy
    assert "'self'" not in policy
    assert "frame-ancestors 'none'" in policy
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert 'type="submit"' in text, "for browsers that run no script"


def test_an_error_by_a_form(trusted: Provided) -> None:
    response = trusted.visit(
        query=asked(response_mode="form_post", scope="email"), session=trusted.session
    )

    assert response.status_code == 200
    assert 'name="error" value="invalid_scope"' in response.get_data(as_text=True)


@pytest.mark.parametrize(
    ("uri", "source"),
    [
        pytest.param("https://wiki.example:2083/x?y=1", "https:", id="https"),
        pytest.param("http://127.0.0.1:8080/x", "http:", id="loopback"),
        pytest.param("com.example.app:/x", "com.example.app:", id="an app's scheme"),
    ],
)
def test_a_form_may_lead_to_what_is_no_less_safe_than_the_client(
    trusted: Provided, uri: str, source: str
) -> None:
    """Chrome would follow no redirect of the client's to another host of its own."""
    trusted.change(redirect_uris=(uri,))

    response = trusted.visit(
        query=asked(response_mode="form_post", redirect_uri=uri), session=trusted.session
    )

    assert f"form-action {source};" in response.headers["Content-Security-Policy"]


def test_the_page_that_goes_on_escapes_and_names_the_client(trusted: Provided) -> None:
    trusted.change(name=SCRIPT)
    back = sent_to_sign_in(trusted.visit(query=asked(state=SCRIPT)))

    response = come_back(trusted, back, trusted.opened(trusted.joe, at=NOW))

    assert "<script" not in response.get_data(as_text=True)
    assert going_on(response)["state"] == SCRIPT


def test_a_marked_request_that_needs_no_form_before_it_is_answered_all_the_same(
    trusted: Provided,
) -> None:
    """A mark that is too old still tells that a form of ours came before."""
    back = sent_to_sign_in(trusted.visit(query=asked()))
    trusted.clock.now += 5000
    session = trusted.opened(trusted.joe, at=NOW + 4999, ends=NOW + 9999)

    assert "code" in going_on(come_back(trusted, back, session))


def test_a_client_without_a_name_has_its_identifier(trusted: Provided) -> None:
    trusted.change(name="")
    back = sent_to_sign_in(trusted.visit(query=asked()))

    response = come_back(trusted, back, trusted.opened(trusted.joe, at=NOW))

    assert "On to WIKI" in response.get_data(as_text=True)


def test_the_log_says_who_went_where_and_no_code(
    trusted: Provided, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ssogate")

    code = granted(trusted)["code"]

    (line,) = (json.loads(it) for it in caplog.messages if '"authorized"' in it)
    assert (line["oauth_client"], line["user"]) == ("WIKI", "joe")
    assert code not in caplog.text
    assert "a state" not in caplog.text


def test_no_client_is_answered_at_anothers_address(trusted: Provided) -> None:
    shop: Client = trusted.add_client(
        "SHOP", redirect_uris=("https://shop.example/back",), trusted=True
    )

    with pytest.raises(AuthorizationError):
        trusted.visit(query=asked(client_id=shop.identifier), session=trusted.session)
