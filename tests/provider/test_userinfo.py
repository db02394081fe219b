"""What the bearer of a token is told of whoever gave it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ssogate.crypto.random_secrets import digest
from ssogate.errors import StoreFailure
from ssogate.provider.addresses import AUTHORIZE, USERINFO
from ssogate.storage import SQLiteStore
from tests.provider.making_openid import ISSUER, answered, asked
from tests.provider.making_tokens import API, OTHER_API, Programs
from tests.storage.making import NOW, user


def test_the_scopes_say_what_is_told(programs: Programs) -> None:
    response = programs.userinfo(programs.tokens("openid", "profile", "email")["access_token"])

    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert response.get_json() == {
        "sub": programs.joe.identity.subject,
        "name": "joe Doe",
        "given_name": "joe",
        "family_name": "Doe",
        "preferred_username": "Joe",
        "email": "joe@example.com",
        "email_verified": False,
    }


@pytest.mark.parametrize(
    ("source", "believed", "verified"),
    [
        pytest.param("forum", ("forum",), True, id="a sender's"),
        pytest.param("forum", ("(operator)", "(api)"), False, id="another sender's"),
        pytest.param("", ("(operator)",), True, id="an operator's"),
        pytest.param("", ("forum",), False, id="not an operator's"),
        pytest.param("", (), False, id="nobody's"),
    ],
)
def test_an_address_is_verified_if_its_source_is_believed(
    store: SQLiteStore, source: str, believed: tuple[str, ...], verified: bool
) -> None:
    programs = Programs(store, verified_emails=believed)
    someone = user("someone", source=source)
    assert store.users.add(someone)

    told = programs.tokens("openid", "email", "offline_access", who=someone)

    assert programs.claims(told["id_token"])["email_verified"] is verified
    assert programs.userinfo(told["access_token"]).get_json()["email_verified"] is verified


def test_the_subject_is_the_id_tokens(programs: Programs) -> None:
    told = programs.tokens("openid")

    sub = programs.claims(told["id_token"])["sub"]
    assert programs.userinfo(told["access_token"]).get_json() == {"sub": sub}


ASKED = '{"userinfo": {"email": {"essential": true}, "name": null}}'


def test_the_claims_parameter_adds_what_the_person_agreed_to(programs: Programs) -> None:
    agreed = frozenset({"openid", "email"})

    told = programs.tokens("openid", claims=ASKED, agreed=agreed)
    claims = programs.userinfo(told["access_token"]).get_json()

    assert claims["email"] == "joe@example.com"
    assert "name" not in claims


@pytest.mark.parametrize("scopes", [("openid",), ("openid", "email")])
def test_what_was_taken_from_the_client_is_told_no_more(
    programs: Programs, scopes: tuple[str, ...]
) -> None:
    agreed = frozenset({"openid", "email"})
    token = programs.tokens(*scopes, claims=ASKED, agreed=agreed)["access_token"]
    programs.change(scopes=frozenset({"openid"}))
    assert programs.userinfo(token).get_json() == {"sub": programs.joe.identity.subject}

    programs.change(scopes=frozenset({"email"}))
    assert programs.userinfo(token).status_code == 403


def test_what_the_client_may_ask_for_by_now_was_not_agreed_to(programs: Programs) -> None:
    agreed = frozenset({"openid", "offline_access"})
    programs.change(scopes=agreed)
    both = '{"userinfo": {"email": null}, "id_token": {"email": null}}'
    told = programs.tokens(*agreed, claims=both, agreed=agreed)
    programs.change(scopes=agreed | {"email"})

    assert "email" not in programs.userinfo(told["access_token"]).get_json()
    again = programs.refresh(told["refresh_token"]).get_json()
    assert "email" not in programs.userinfo(again["access_token"]).get_json()
    assert "email" not in programs.claims(again["id_token"])


@pytest.mark.parametrize("then", [frozenset({"email"}), frozenset()], ids=["then", "only now"])
def test_what_was_agreed_to_is_what_the_client_could_ask_for_then(
    programs: Programs, then: frozenset[str]
) -> None:
    few = frozenset({"openid", "offline_access"})
    programs.change(trusted=True, scopes=few | then)
    query = asked(scope=" ".join(few), claims=ASKED)
    code = answered(programs.visit(AUTHORIZE, query, session=programs.session))["code"]
    programs.change(scopes=few | {"email"})

    token = programs.redeem(code).get_json()["access_token"]

    assert ("email" in programs.userinfo(token).get_json()) == bool(then)


def test_what_is_told_is_of_now(programs: Programs) -> None:
    token = programs.tokens("openid", "email")["access_token"]
    moved = replace(programs.joe.identity, email="new@example.com")
    programs.store.users.update(replace(programs.joe, identity=moved))

    assert programs.userinfo(token).get_json()["email"] == "new@example.com"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_header_is_taken_in_any_case(programs: Programs, scheme: str, method: str) -> None:
    token = programs.tokens()["access_token"]

    response = programs.userinfo(token, method=method, Authorization=f"{scheme} {token}")

    assert response.status_code == 200


def test_head_is_answered_without_a_body(programs: Programs) -> None:
    assert programs.userinfo(programs.tokens()["access_token"], method="HEAD").status_code == 200


def test_a_posted_form_is_taken(programs: Programs) -> None:
    token = programs.tokens()["access_token"]

    assert programs.post(USERINFO, {"access_token": token}).status_code == 200


def test_a_token_in_the_url_is_taken_only_where_the_settings_say_so(store: SQLiteStore) -> None:
    strict, lax = Programs(store), None
    token = strict.tokens()["access_token"]
    response = strict.post(USERINFO, method="GET", query=f"access_token={token}")
    assert response.status_code == 400
    assert 'error="invalid_request"' in response.headers["WWW-Authenticate"]

    lax = replace(
        strict.issuer, settings=strict.settings.model_copy(update={"userinfo_query_token": True})
    )
    strict.issuer = lax
    strict.table = strict.endpoints()
    response = strict.post(USERINFO, method="GET", query=f"access_token={token}")
    assert response.status_code == 200


def test_two_tokens_at_once_are_refused(programs: Programs) -> None:
    token = programs.tokens()["access_token"]
    form = {"access_token": token}

    for response in (
        programs.post(USERINFO, form, Authorization=f"Bearer {token}"),
        programs.post(USERINFO, [*form.items(), *form.items()]),
        programs.userinfo(token, query=f"access_token={token}"),
    ):
        assert response.status_code == 400
        assert 'error="invalid_request"' in response.headers["WWW-Authenticate"]


@pytest.mark.parametrize("header", ["", "Basic abc", "Bearer", "Bearer ", "Digest abc"])
def test_who_sends_no_token_is_told_no_error(programs: Programs, header: str) -> None:
    response = programs.userinfo("", Authorization=header)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="oauth"'
    assert response.get_data() == b""


def _expired(programs: Programs) -> None:
    programs.clock.now = NOW + 3600


def _session_ended(programs: Programs) -> None:
    programs.store.sessions.delete(programs.session.record.key)


def _switched_off(programs: Programs) -> None:
    programs.store.users.update(replace(programs.joe, active=False))


def _not_in_the_group(programs: Programs) -> None:
    programs.change(groups=frozenset({"editors"}))


@pytest.mark.parametrize(
    "happens",
    [_expired, _session_ended, _switched_off, _not_in_the_group],
    ids=lambda f: f.__name__,
)
def test_a_token_that_no_longer_counts_tells_nothing(
    programs: Programs, happens: Callable[[Programs], None]
) -> None:
    token = programs.tokens()["access_token"]
    happens(programs)

    assert unbelieved(programs, token)


def unbelieved(programs: Programs, token: str) -> bool:
    response = programs.userinfo(token)
    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]
    assert response.get_json().keys() == {"error", "error_description"}
    return True


@pytest.mark.parametrize("token", ["x", "x\0", "a b", "é", "x" * 5000])
def test_a_made_up_token_tells_nothing(programs: Programs, token: str) -> None:
    assert unbelieved(programs, token)


def test_other_tokens_tell_nothing(programs: Programs) -> None:
    told = programs.tokens("openid", "offline_access")

    assert unbelieved(programs, told["refresh_token"])
    assert unbelieved(programs, told["id_token"])


@pytest.mark.parametrize("api", [API, OTHER_API])
def test_an_api_cannot_ask_in_the_clients_name(programs: Programs, api: str) -> None:
    programs.change(resources=(api,))
    code = programs.code("openid", "email", resources=(api,))

    assert unbelieved(programs, programs.redeem(code).get_json()["access_token"])


def test_a_token_that_is_bound_to_a_key_is_no_bearer_token(programs: Programs) -> None:
    token = programs.tokens()["access_token"]
    held = programs.store.tokens.find(digest(token))
    assert held
    programs.store.tokens.put(replace(held.of, key=digest("bound"), jkt="thumbprint"))

    assert unbelieved(programs, "bound")


def test_without_openid_there_is_no_userinfo(programs: Programs) -> None:
    refresh = programs.tokens("openid", "email", "offline_access")["refresh_token"]
    narrow = programs.refresh(refresh, scope="email").get_json()["access_token"]

    response = programs.userinfo(narrow)

    assert response.status_code == 403
    told = response.headers["WWW-Authenticate"]
    assert 'error="insufficient_scope"' in told
    assert 'scope="openid"' in told


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_not_answered(programs: Programs, method: str) -> None:
    response = programs.userinfo("x", method=method)

    assert response.status_code == 405
    assert response.headers["Allow"] == "GET, HEAD, POST"


def test_a_store_that_fails_tells_nothing(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(key: str) -> None:
        raise StoreFailure("busy")

    monkeypatch.setattr(programs.store.tokens, "find", busy)
    response = programs.userinfo("x")

    assert response.status_code == 503
    assert "WWW-Authenticate" not in response.headers


def test_scripts_of_any_site_may_ask_but_without_cookies(programs: Programs) -> None:
    token = programs.tokens()["access_token"]

    response = programs.userinfo(token, Origin="https://spa.example")

    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in response.headers
    assert ISSUER not in response.headers["Access-Control-Allow-Origin"]
