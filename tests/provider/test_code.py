"""Codes become tokens once, for the client that asked, and for nobody else."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from ssogate.config import Secret
from ssogate.crypto.random_secrets import digest
from ssogate.model import ClientAuthentication, GrantType
from ssogate.oauth.claims import left_hash
from ssogate.provider.addresses import INTROSPECTION, TOKEN
from ssogate.storage import SQLiteStore
from tests.directory.making import actions, texts
from tests.provider.making_openid import BACK, SECRET, VERIFIER
from tests.provider.making_tokens import API, OTHER_API, Programs, basic, refused
from tests.storage.making import NOW


def test_a_code_gives_an_access_token_and_an_id_token(programs: Programs) -> None:
    response = programs.redeem(programs.code("openid", "profile", "email"))

    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    told = response.get_json()
    id_token = told.pop("id_token")
    access = told.pop("access_token")
    assert told == {"token_type": "Bearer", "expires_in": 3000, "scope": "email openid profile"}
    joe = programs.joe.identity
    assert programs.claims(id_token) == {
        "iss": "https://app.example",
        "sub": joe.subject,
        "aud": "WIKI",
        "iat": NOW,
        "exp": NOW + 3600,
        "auth_time": NOW - 100,
        "nonce": "n-1",
        "sid": "sid-1",
        "at_hash": left_hash(access, "RS256"),
        "name": "joe Doe",
        "given_name": "joe",
        "family_name": "Doe",
        "preferred_username": "Joe",
        "email": "joe@example.com",
        "email_verified": False,
    }
    assert programs.counts(access)


def test_a_sign_in_is_written_down_once(programs: Programs) -> None:
    programs.tokens()

    subject = programs.joe.identity.subject
    assert texts(programs.store) == [("client.signed-in", f"client WIKI, user {subject}")]
    (line,) = programs.store.activity.latest(1)
    assert (line.actor, line.client) == ("client:WIKI", "192.0.2.9")


@pytest.mark.parametrize("scopes", [("openid",), ("openid", "offline_access")])
def test_a_refresh_token_is_given_for_offline_access_alone(
    programs: Programs, scopes: tuple[str, ...]
) -> None:
    assert ("refresh_token" in programs.tokens(*scopes)) is ("offline_access" in scopes)


@pytest.mark.parametrize("alg", ["ES256", "EdDSA"])
def test_a_client_chooses_its_algorithm(store: SQLiteStore, alg: str) -> None:
    programs = Programs(store, algorithms=("RS256", "ES256", "EdDSA"))
    programs.change(algorithm=alg)

    told = programs.tokens()

    claims = programs.claims(told["id_token"])
    assert claims["at_hash"] == left_hash(told["access_token"], alg)  # type: ignore[arg-type]


def test_the_claims_parameter_adds_what_the_person_agreed_to(programs: Programs) -> None:
    asked = '{"id_token": {"email": null, "groups": null, "phone_number": null}, "userinfo": {}}'
    agreed = frozenset({"openid", "email"})

    claims = programs.claims(programs.tokens("openid", claims=asked, agreed=agreed)["id_token"])

    assert claims["email"] == "joe@example.com"
    assert not {"groups", "name", "phone_number"} & claims.keys()


def test_what_was_taken_from_the_client_before_it_came_is_not_given(programs: Programs) -> None:
    code = programs.code("openid", "email", "offline_access")
    programs.change(scopes=frozenset({"openid", "groups"}))

    told = programs.redeem(code).get_json()

    assert told["scope"] == "openid"
    assert "refresh_token" not in told
    assert "email" not in programs.claims(told["id_token"])


def test_a_client_that_may_not_be_told_who_it_is_any_more_gets_no_id_token(
    programs: Programs,
) -> None:
    code = programs.code("openid", "email")
    programs.change(scopes=frozenset({"email"}))

    assert "id_token" not in programs.redeem(code).get_json()


@pytest.mark.parametrize("uris", [("https://a.example/", "https://b.example/"), None])
def test_a_client_that_cannot_have_its_own_names_for_people_is_told_none(
    store: SQLiteStore, uris: tuple[str, ...] | None
) -> None:
    programs = Programs(store, **({"pairwise_salt": Secret("salt " * 8)} if uris else {}))
    told = programs.tokens("openid", "offline_access")
    code = programs.code()
    programs.change(pairwise=True, redirect_uris=uris or (BACK,))

    assert refused(programs.redeem(code), "unauthorized_client")
    assert refused(programs.refresh(told["refresh_token"]), "unauthorized_client")
    token = told["access_token"]
    asked = programs.post(INTROSPECTION, {"token": token}, Authorization=basic())
    assert refused(asked, "unauthorized_client")
    assert refused(programs.userinfo(token), "unauthorized_client")


def test_claims_are_mapped_as_the_settings_say(store: SQLiteStore) -> None:
    programs = Programs(
        store, scopes={"wiki": ["login"]}, claims={"login": "username", "iss": "email"}
    )
    programs.change(scopes=frozenset({"openid", "wiki"}))

    claims = programs.claims(programs.tokens("openid", "wiki")["id_token"])

    assert claims["login"] == "Joe"
    assert claims["iss"] == "https://app.example"


def test_a_client_may_know_people_by_names_of_its_own(store: SQLiteStore) -> None:
    salt = {"env": "SALT"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SALT", "salt " * 10)
        programs = Programs(store, pairwise_salt=salt)
    programs.change(pairwise=True)

    told = programs.tokens()

    sub = programs.claims(told["id_token"])["sub"]
    assert sub != programs.joe.identity.subject
    assert programs.userinfo(told["access_token"]).get_json()["sub"] == sub
    assert programs.introspect(told["access_token"])["sub"] == sub


# --- Codes that do not fit: rows F3 and F4 ----------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        pytest.param({"code": "code-2"}, "invalid_grant", id="unknown"),
        pytest.param({"code": "code-1\0"}, "invalid_grant", id="a zero byte"),
        pytest.param({"code": "é" * 1000}, "invalid_grant", id="long and not ASCII"),
        pytest.param({"code": None}, "invalid_request", id="no code"),
        pytest.param({"redirect_uri": None}, "invalid_request", id="no redirect URI"),
        pytest.param({"redirect_uri": f"{BACK}/"}, "invalid_grant", id="a slash more"),
        pytest.param({"redirect_uri": BACK.upper()}, "invalid_grant", id="another case"),
        pytest.param({"redirect_uri": f"{BACK}?"}, "invalid_grant", id="a query"),
        pytest.param({"code_verifier": None}, "invalid_grant", id="no verifier"),
        pytest.param({"code_verifier": "w" * 43}, "invalid_grant", id="another verifier"),
        pytest.param({"code_verifier": "v" * 42}, "invalid_grant", id="a short verifier"),
        pytest.param({"code_verifier": "v" * 43 + "\0"}, "invalid_grant", id="no verifier's"),
        pytest.param({"client_secret": "wrong"}, "invalid_client", id="wrong secret"),
        pytest.param({"resource": API}, "invalid_target", id="a resource not granted"),
        pytest.param({"grant_type": "password"}, "unsupported_grant_type", id="a password"),
        pytest.param({"grant_type": "CODE\0"}, "unsupported_grant_type", id="nonsense"),
        pytest.param({"grant_type": None}, "invalid_request", id="no grant type"),
        pytest.param(
            {"grant_type": "single_sign_on"}, "unsupported_grant_type", id="not configured"
        ),
    ],
)
def test_what_does_not_fit_gives_nothing_and_wastes_no_code(
    programs: Programs, wrong: dict[str, str | None], error: str
) -> None:
    code = programs.code()

    assert refused(programs.redeem(code, **wrong), error)

    assert actions(programs.store) == []
    assert programs.redeem(code).status_code == 200


def test_a_code_is_of_no_use_to_another_client(programs: Programs) -> None:
    programs.add_client("SHOP")
    code = programs.code()

    assert refused(programs.redeem(code, client_id="SHOP"), "invalid_grant")
    assert programs.redeem(code).status_code == 200
    assert refused(programs.redeem(code, client_id="SHOP"), "invalid_grant")
    assert "code.reused" not in actions(programs.store), "a stranger ends nothing"


def test_a_verifier_for_a_code_without_a_challenge_is_a_downgrade(programs: Programs) -> None:
    programs.change(pkce=False)
    code = programs.code(challenge="")

    assert refused(programs.redeem(code), "invalid_grant")
    assert programs.redeem(code, code_verifier=None).status_code == 200


@pytest.mark.parametrize(
    "fields", [{"pkce": True}, {"pkce": False, "authentication": ClientAuthentication.NONE}]
)
def test_who_must_have_a_challenge_gets_nothing_without(
    programs: Programs, fields: dict[str, object]
) -> None:
    code = programs.code(challenge="")
    programs.change(**fields)
    secret = None if "authentication" in fields else SECRET

    response = programs.redeem(code, code_verifier=None, client_secret=secret)

    assert refused(response, "invalid_grant")


def test_a_public_client_needs_its_verifier_alone(programs: Programs) -> None:
    programs.change(authentication=ClientAuthentication.NONE)
    code = programs.code()

    assert refused(programs.redeem(code), "invalid_client")
    assert programs.redeem(code, client_secret=None).status_code == 200


def test_a_code_is_good_for_a_minute(programs: Programs) -> None:
    code = programs.code()
    programs.clock.now += 60

    assert refused(programs.redeem(code), "invalid_grant")


def test_a_code_that_comes_again_ends_all_that_it_gave(programs: Programs) -> None:
    code = programs.code("openid", "offline_access")
    told = programs.redeem(code).get_json()

    assert refused(programs.redeem(code), "invalid_grant")

    assert not programs.counts(told["access_token"])
    assert refused(programs.refresh(told["refresh_token"]), "invalid_grant")
    assert refused(programs.redeem(code), "invalid_grant")
    assert actions(programs.store) == ["client.signed-in", "code.reused"]


def test_of_many_who_bring_a_code_at_once_one_gets_tokens_at_most(programs: Programs) -> None:
    code = programs.code()
    programs.issuer.keys.public()

    with ThreadPoolExecutor(6) as pool:
        responses = list(pool.map(lambda _: programs.redeem(code), range(6)))

    good = [response for response in responses if response.status_code == 200]
    assert len(good) == 1
    assert actions(programs.store).count("client.signed-in") == 1
    assert not programs.counts(good[0].get_json()["access_token"]), "the code was seen by others"


def _gone(programs: Programs) -> None:
    programs.store.sessions.delete(programs.session.record.key)


def _switched_off(programs: Programs) -> None:
    programs.store.users.update(replace(programs.joe, active=False))


def _not_in_the_group(programs: Programs) -> None:
    programs.change(groups=frozenset({"editors"}))


def _another_grant(programs: Programs) -> None:
    programs.change(grant=GrantType.CLIENT_CREDENTIALS)


@pytest.mark.parametrize(
    ("happens", "error"),
    [
        pytest.param(_gone, "invalid_grant", id="the session ended"),
        pytest.param(_switched_off, "invalid_grant", id="the user may not come in"),
        pytest.param(_not_in_the_group, "invalid_grant", id="not this application's user"),
        pytest.param(_another_grant, "unauthorized_client", id="the client gets no codes"),
    ],
)
def test_what_happens_meanwhile_counts(
    programs: Programs, happens: Callable[[Programs], None], error: str
) -> None:
    code = programs.code()
    happens(programs)

    assert refused(programs.redeem(code), error)
    assert actions(programs.store) == []


def test_whoever_is_in_one_of_the_clients_groups_may_sign_in(programs: Programs) -> None:
    programs.change(groups=frozenset({"staff", "editors"}))

    assert programs.tokens()


# --- How it is sent ---------------------------------------------------------------------------


def test_http_basic_and_multipart_are_taken(programs: Programs) -> None:
    fields = {
        "grant_type": "authorization_code",
        "code": programs.code(),
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
    }
    head = '--x\r\nContent-Disposition: form-data; name="'
    body = "".join(f'{head}{name}"\r\n\r\n{value}\r\n' for name, value in fields.items())

    response = programs.post(
        TOKEN,
        f"{body}--x--\r\n".encode(),
        content_type="multipart/form-data; boundary=x",
        Authorization=basic(),
    )

    assert response.status_code == 200


@pytest.mark.parametrize("query", ["x=y", "client_secret=s", "grant_type=authorization_code"])
def test_nothing_of_it_may_stand_in_the_url(programs: Programs, query: str) -> None:
    form = {
        "grant_type": "authorization_code",
        "client_id": "WIKI",
        "client_secret": SECRET,
        "code": programs.code(),
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
    }
    dropped = {name: value for name, value in form.items() if name not in query}

    assert programs.post(TOKEN, dropped, query=query).status_code == 400
    assert actions(programs.store) == []


@pytest.mark.parametrize("name", ["code", "redirect_uri", "client_id", "code_verifier", "scope"])
def test_nothing_but_a_resource_is_said_twice(programs: Programs, name: str) -> None:
    form = [(name, "x"), (name, "x"), ("grant_type", "authorization_code"), *programs.pair.items()]

    assert refused(programs.post(TOKEN, form), "invalid_request")


def test_ten_megabytes_are_not_read(programs: Programs) -> None:
    assert refused(programs.post(TOKEN, b"a" * 10_000_000), "invalid_request", 413)


def test_two_authentications_at_once_are_refused(programs: Programs) -> None:
    form = {"grant_type": "authorization_code", **programs.pair}

    assert refused(programs.post(TOKEN, form, Authorization=basic()), "invalid_request")


def test_no_secret_is_logged(programs: Programs, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    code = programs.code("openid", "offline_access")
    programs.redeem(code, code_verifier="w" * 43)
    told = programs.redeem(code).get_json()
    programs.redeem(code)
    programs.refresh(told["refresh_token"], scope="groups")

    assert "invalid_grant" in caplog.text
    for secret in (code, SECRET, VERIFIER, *(told[it] for it in told if it.endswith("_token"))):
        assert secret not in caplog.text


# --- Resources --------------------------------------------------------------------------------


def test_a_token_is_for_the_resources_that_were_granted(programs: Programs) -> None:
    scopes = ("openid", "api:read", "other")
    programs.change(resources=(API, OTHER_API), scopes=frozenset(scopes))

    told = programs.redeem(programs.code(*scopes, resources=(API,))).get_json()

    assert told["scope"] == "api:read openid"
    assert programs.introspect(told["access_token"])["aud"] == [API]
    assert "." not in told["access_token"]


def test_an_api_may_have_tokens_that_it_can_read(programs: Programs) -> None:
    scopes = ("openid", "other", "api:read")
    programs.change(scopes=frozenset(scopes), resources=(API, OTHER_API))
    code = programs.code(*scopes, resources=(API, OTHER_API))

    told = programs.redeem(code, resource=OTHER_API).get_json()

    assert told["expires_in"] == 60
    claims = programs.claims(told["access_token"], typ="at+jwt", audience=OTHER_API)
    assert claims.pop("jti")
    assert claims == {
        "iss": "https://app.example",
        "sub": programs.joe.identity.subject,
        "aud": OTHER_API,
        "client_id": "WIKI",
        "scope": "openid other",
        "iat": NOW,
        "exp": NOW + 60,
    }
    assert programs.introspect(told["access_token"])["active"]
    assert programs.store.tokens.find(digest(told["access_token"]))


def test_a_token_that_can_be_read_is_for_one_api(programs: Programs) -> None:
    programs.change(resources=(API, OTHER_API))
    code = programs.code("openid", resources=(API, OTHER_API))

    assert refused(programs.redeem(code), "invalid_target")
    assert programs.redeem(code, resource=API).status_code == 200


@pytest.mark.parametrize(
    "resource", ["https://gone.example", pytest.param(API, id="taken from the client since")]
)
def test_a_resource_that_is_no_more_is_not_granted(programs: Programs, resource: str) -> None:
    code = programs.code("openid", resources=(resource,))

    assert refused(programs.redeem(code, resource=resource), "invalid_target")
    assert "aud" not in programs.introspect(programs.redeem(code).get_json()["access_token"])
