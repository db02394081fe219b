"""Clients that register themselves, and look after themselves."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request, Response

from ssogate.config import Secret
from ssogate.crypto import jwk
from ssogate.crypto.random_secrets import digest, matches
from ssogate.directory.clients import CLIENTS, reset_client_secret
from ssogate.directory.consents import consented, give_consent
from ssogate.directory.grants import begin_grant
from ssogate.model import Client, ClientAuthentication, Code
from ssogate.provider.clients import registration
from ssogate.provider.clients.registration import Registration
from ssogate.provider.settings import RegistrationSettings
from ssogate.storage import SQLiteStore
from tests.directory.making import SUE
from tests.provider.making_openid import ISSUER, Provided
from tests.storage.granting import grant
from tests.storage.making import NOW, Hands

PATH = "/oauth/register.php"
INITIAL = "an initial token of the tests, long enough"
BACK = "https://shop.example/back"
SHOP: dict[str, Any] = {"redirect_uris": [BACK], "client_name": "The shop"}
KEY = jwk.generate("ES256").public.jwk()


def switched_on(token: str) -> RegistrationSettings:
    return RegistrationSettings.model_validate(
        {"initial_token": {"env": "INITIAL"}},
        context={"environ": {"INITIAL": token}, "base": "."},
    )


class Desk:
    """Where clients register."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.store = SQLiteStore(folder / "gate.db", clock=Hands())
        self.provided = Provided(self.store, registration=switched_on(INITIAL), **settings)

    def send(
        self,
        method: str = "POST",
        body: object = None,
        *,
        token: str = INITIAL,
        client: str = "",
        **environ: Any,
    ) -> Response:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        raw = b"" if body is None else raw
        builder = EnvironBuilder(
            PATH,
            ISSUER,
            method=method,
            query_string={"client_id": client} if client else "",
            input_stream=BytesIO(raw),
            content_length=len(raw),
            content_type=environ.pop("content_type", "application/json"),
            headers=[("Authorization", f"Bearer {token}")] if token else [],
            environ_overrides={"REMOTE_ADDR": "192.0.2.9", **environ},
        )
        reply = Registration(self.provided.issuer).endpoints()[PATH](Request(builder.get_environ()))
        assert isinstance(reply, Response)
        assert reply.headers["Cache-Control"] == "no-store"
        return reply

    def register(self, **metadata: object) -> dict[str, Any]:
        return told(self.send(body=SHOP | metadata), 201)

    def refused(self, code: str, **metadata: object) -> str:
        """Give why a registration is refused."""
        before = [*self.store.clients.listed()]
        found = told(self.send(body=SHOP | metadata), 400)
        assert found.keys() == {"error", "error_description"}
        assert found["error"] == code
        assert found["error_description"].isascii()
        assert not {'"', "\\"} & set(found["error_description"])
        assert [*self.store.clients.listed()] == before
        return str(found["error_description"])

    def client(self, answer: dict[str, Any]) -> Client:
        found = self.store.clients.named(answer["client_id"])
        assert found
        return found

    def change(self, client: Client, **fields: Any) -> None:
        how = partial(replace, **fields)
        CLIENTS.change(self.store, client.number, how, by=SUE, now=NOW)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def told(response: Response, status: int = 200) -> dict[str, Any]:
    assert response.status_code == status, response.get_data(as_text=True)
    found = json.loads(response.get_data(as_text=True))
    assert isinstance(found, dict)
    return found


# --- To register ---------------------------------------------------------------------------------


def test_a_client_registers_and_is_told_once_what_it_is(desk: Desk) -> None:
    found = desk.register()

    client = desk.client(found)
    uri = found.pop("registration_client_uri")
    assert uri == f"{ISSUER}{PATH}?client_id={client.identifier}"
    secret, token = found.pop("client_secret"), found.pop("registration_access_token")
    assert matches(secret, client.secret_digest)
    assert matches(token, client.registration_digest)
    assert found == {
        "client_id": client.identifier,
        "client_id_issued_at": NOW,
        "client_secret_expires_at": 0,
        "client_name": "The shop",
        "redirect_uris": [BACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_basic",
        "scope": "email openid profile",
        "application_type": "web",
        "subject_type": "public",
        "id_token_signed_response_alg": "RS256",
    }
    lines = [*desk.store.activity.listed()]
    assert [(it.action, it.actor, it.client) for it in lines] == [
        ("client.added", "registration", "192.0.2.9")
    ]
    assert secret not in repr((lines, client))
    assert token not in repr((lines, client))


def test_a_client_is_what_it_says_of_itself(desk: Desk) -> None:
    found = desk.register(
        token_endpoint_auth_method="private_key_jwt",
        jwks={"keys": [KEY]},
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
        scope="openid groups",
        logo_uri="/_sso/theme/shop.png",
        post_logout_redirect_uris=["https://shop.example/out"],
        backchannel_logout_uri="https://shop.example/logout",
        client_uri="https://shop.example/",
        tos_uri={"not": "known here"},
    )

    client = desk.client(found)
    assert client.authentication is ClientAuthentication.PRIVATE_KEY
    assert "client_secret" not in found
    assert found["jwks"] == {"keys": [KEY]}
    assert client.scopes == {"openid", "groups"}
    assert client.logo_uri == found["logo_uri"] == "/_sso/theme/shop.png"
    assert found["post_logout_redirect_uris"] == ["https://shop.example/out"]
    assert found["backchannel_logout_uri"] == client.backchannel_logout_uri
    assert (client.trusted, client.pkce, client.native) == (False, True, False)
    assert "tos_uri" not in found


def test_an_app_is_public_and_native(desk: Desk) -> None:
    uris = ["http://127.0.0.1/cb", "com.example.app:/cb", "https://app.shop.example/cb"]

    found = desk.register(
        redirect_uris=uris,
        application_type="native",
        token_endpoint_auth_method="none",
        grant_types=["authorization_code", "refresh_token"],
    )

    client = desk.client(found)
    assert (client.native, client.pkce, client.secret_digest) == (True, True, "")
    assert client.scopes == {"openid", "profile", "email", "offline_access"}
    assert "client_secret" not in found


def test_nobody_says_of_itself_that_it_is_trusted(desk: Desk) -> None:
    assert desk.client(desk.register(trusted=True, pkce=False)).trusted is False


def test_another_sites_picture_is_not_kept(desk: Desk) -> None:
    found = desk.register(logo_uri="https://evil.example/pixel.png")

    assert "logo_uri" not in found
    assert desk.client(found).logo_uri == ""


@pytest.mark.parametrize("token", ["", "x", f"{INITIAL}x", INITIAL[:-1], INITIAL.upper(), "ä"])
def test_without_the_initial_token_nobody_registers(desk: Desk, token: str) -> None:
    reply = desk.send(body=SHOP, token=token)

    assert told(reply, 401)["error"] == "invalid_token"
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")
    assert [it.name for it in desk.store.clients.listed()] == ["The Wiki"]


def test_where_it_is_not_switched_on_there_is_no_such_address(tmp_path: Path) -> None:
    provided = Provided(SQLiteStore(tmp_path / "gate.db", clock=Hands()))

    assert Registration(provided.issuer).endpoints() == {}


def test_a_token_that_can_be_guessed_opens_no_registration() -> None:
    with pytest.raises(ValidationError, match="shorter than 32 characters"):
        switched_on("x" * 31)


@pytest.mark.parametrize(
    ("uri", "kind"),
    [
        pytest.param("http://shop.example/", "web", id="http"),
        pytest.param("http://127.0.0.1/", "web", id="loopback, web"),
        pytest.param("https://localhost/", "web", id="this machine by name"),
        pytest.param("https://a.localhost/", "web", id="this machine by a name below"),
        pytest.param("https://192.0.2.1/", "web", id="address"),
        pytest.param("https://0x7f000001/", "web", id="address in hex"),
        pytest.param("https://2130706433/", "web", id="address in one number"),
        pytest.param("https://[2001:db8::1]/", "web", id="IPv6"),
        pytest.param("com.example.app:/cb", "web", id="an app's own, web"),
        pytest.param("app:/cb", "native", id="an app's own that is anybody's"),
        pytest.param("http://shop.example/", "native", id="http, native"),
        pytest.param("http://192.168.0.1/", "native", id="a network's address"),
        pytest.param("https://10.0.0.1/", "native", id="a network's address by https"),
        pytest.param("https://shop.example/#x", "web", id="fragment"),
        pytest.param("https://user@shop.example/", "web", id="user"),
        pytest.param("javascript:alert(1)", "native", id="javascript"),
        pytest.param("data:text/html,x", "native", id="data"),
        pytest.param("/back", "web", id="relative"),
        pytest.param("", "web", id="empty"),
        pytest.param("https://ä.example/", "web", id="not ASCII"),
    ],
)
@pytest.mark.parametrize("member", ["redirect_uris", "post_logout_redirect_uris"])
def test_nobody_is_sent_to_such_an_address(desk: Desk, uri: str, kind: str, member: str) -> None:
    desk.refused("invalid_redirect_uri", application_type=kind, **{member: [uri]})


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param(f"{ISSUER}/transfer?to=mallory", id="the public address"),
        pytest.param("https://APP.example:8443/", id="another port"),
        pytest.param("https://app.example./", id="a dot at the end"),
        pytest.param("https://a.below.example/", id="below a pattern"),
    ],
)
@pytest.mark.parametrize("member", ["redirect_uris", "post_logout_redirect_uris"])
def test_no_stranger_has_people_sent_to_a_host_of_the_gate(
    desk: Desk, uri: str, member: str
) -> None:
    first = desk.register()
    desk.provided.issuer = replace(desk.provided.issuer, hosts=frozenset({"*.below.example"}))

    desk.refused("invalid_redirect_uri", **{member: [uri]})
    reply = own(desk, first, "PUT", SHOP | {member: [uri]})
    assert told(reply, 400)["error"] == "invalid_redirect_uri"


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("http://shop.example/logout", id="http"),
        pytest.param("https://other.example/logout", id="another host"),
        pytest.param("https://shop.example.evil.example/", id="a host that looks like it"),
        pytest.param("https://shop.example@169.254.169.254/", id="user"),
        pytest.param("https://169.254.169.254/", id="address"),
        pytest.param("https://shop.example/#x", id="fragment"),
        pytest.param("app.shop:/x", id="no URL"),
    ],
)
def test_the_gate_sends_requests_to_no_such_address(desk: Desk, uri: str) -> None:
    desk.refused("invalid_client_metadata", backchannel_logout_uri=uri)


def test_the_gate_sends_requests_to_no_app_on_its_own_machine(desk: Desk) -> None:
    uri = "https://127.0.0.1/logout"
    desk.refused(
        "invalid_redirect_uri",
        application_type="native",
        redirect_uris=["https://127.0.0.1/cb"],
        backchannel_logout_uri=uri,
    )
    desk.refused(
        "invalid_client_metadata",
        application_type="native",
        redirect_uris=["http://127.0.0.1/cb"],
        backchannel_logout_uri=uri,
    )


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        pytest.param({"jwks_uri": "https://shop.example/jwks"}, "jwks_uri", id="jwks_uri"),
        pytest.param({"software_statement": "a.b.c"}, "software_statement", id="statement"),
        pytest.param({"sector_identifier_uri": BACK}, "sector_identifier_uri", id="sector"),
        pytest.param({"request_uris": [BACK]}, "request_uris", id="request_uris"),
        pytest.param({"token_endpoint_auth_method": "client_secret_jwt"}, "is none of", id="proof"),
        pytest.param({"token_endpoint_auth_method": "private_key_jwt"}, "jwks", id="no keys"),
        pytest.param({"jwks": {"keys": [KEY]}}, "jwks", id="keys for nothing"),
        pytest.param({"jwks": [KEY]}, "jwks", id="no JWKS"),
        pytest.param({"grant_types": ["client_credentials"]}, "grant_types", id="grant"),
        pytest.param({"grant_types": ["refresh_token"]}, "grant_types", id="only refresh"),
        pytest.param({"grant_types": "authorization_code"}, "grant_types", id="no list"),
        pytest.param({"grant_types": [1]}, "grant_types", id="a list of numbers"),
        pytest.param({"response_types": ["code", "token"]}, "response_types", id="implicit"),
        pytest.param({"scope": "openid root"}, "root", id="unknown scope"),
        pytest.param({"scope": "openid clientarea:sso"}, "invalid", id="WHMCS's scope"),
        pytest.param({"scope": "profile"}, "openid", id="no openid"),
        pytest.param({"scope": ["openid"]}, "scope", id="scopes as a list"),
        pytest.param({"application_type": "tv"}, "application_type", id="application"),
        pytest.param({"subject_type": "pairwise"}, "pairwise", id="no salt"),
        pytest.param({"id_token_signed_response_alg": "none"}, "algorithm", id="alg none"),
        pytest.param({"id_token_signed_response_alg": "EdDSA"}, "algorithm", id="not offered"),
        pytest.param({"client_name": "a\u202eb"}, "name", id="an invisible sign"),
        pytest.param({"client_name": 7}, "client_name", id="a number as a name"),
        pytest.param({"client_name": "x" * 300}, "name", id="long name"),
    ],
)
def test_what_a_client_cannot_be(desk: Desk, metadata: dict[str, Any], words: str) -> None:
    assert words in desk.refused("invalid_client_metadata", **metadata)


@pytest.mark.parametrize("uris", [[], None, "https://shop.example/", [BACK] * 21], ids=repr)
def test_a_client_has_some_redirect_uris(desk: Desk, uris: object) -> None:
    assert told(desk.send(body={"redirect_uris": uris}), 400)["error"].startswith("invalid_")
    assert told(desk.send(body={}), 400)["error"] == "invalid_redirect_uri"


@pytest.mark.parametrize(
    ("body", "more"),
    [
        pytest.param(b"", {}, id="nothing"),
        pytest.param(b"[]", {}, id="a list"),
        pytest.param(b'{"a": 1, "a": 1}', {}, id="a name twice"),
        pytest.param(b"{" * 9999, {}, id="deep"),
        pytest.param(b"\xff", {}, id="not UTF-8"),
        pytest.param(json.dumps(SHOP).encode() + b" " * 16_384, {}, id="long"),
        pytest.param(
            json.dumps(SHOP).encode(),
            {"content_type": "application/x-www-form-urlencoded"},
            id="a form",
        ),
    ],
)
def test_a_body_that_is_no_json_object_of_some_size(
    desk: Desk, body: bytes, more: dict[str, Any]
) -> None:
    assert told(desk.send(body=body, **more), 400)["error"] == "invalid_client_metadata"


def test_a_body_in_chunks_is_bounded_too(desk: Desk) -> None:
    chunks: dict[str, Any] = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    long = json.dumps(SHOP).encode() + b" " * 16_384

    def send(body: bytes) -> Response:
        return desk.send(body=body, CONTENT_LENGTH="", **chunks)

    assert send(json.dumps(SHOP).encode()).status_code == 201
    assert send(long).status_code == 400


class Broken(BytesIO):
    """What a server gives for a body that it cannot take apart."""

    def read(self, size: int | None = -1) -> bytes:
        raise OSError("an invalid chunk")


@pytest.mark.parametrize(
    "environ",
    [
        pytest.param({"CONTENT_LENGTH": "9999"}, id="cut short"),
        pytest.param({"wsgi.input": Broken()}, id="broken"),
    ],
)
def test_half_a_body_registers_nobody(desk: Desk, environ: dict[str, Any]) -> None:
    assert told(desk.send(body=SHOP, **environ), 400)["error"] == "invalid_request"
    assert len([*desk.store.clients.listed()]) == 1


def test_so_many_clients_register_in_a_minute(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "A_MINUTE", 2)
    desk.register()
    desk.register()

    assert desk.send(body=SHOP).status_code == 429
    desk.provided.clock.now += 60
    desk.register()


def test_so_many_clients_register_at_all(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "MAX_CLIENTS", 2)
    first = desk.register()
    desk.register()

    assert desk.send(body=SHOP).status_code == 503
    desk.send("DELETE", client=first["client_id"], token=first["registration_access_token"])
    desk.register()


# --- To look after oneself -----------------------------------------------------------------------


def test_a_client_reads_what_it_is_but_not_its_secret(desk: Desk) -> None:
    first = desk.register()

    found = told(own(desk, first, "GET"))

    assert first.pop("client_secret")
    assert first.pop("client_secret_expires_at") == 0
    assert found == first


def test_a_client_puts_all_that_it_says_in_the_place_of_all_that_it_said(desk: Desk) -> None:
    first = desk.register(post_logout_redirect_uris=["https://shop.example/out"])
    desk.change(desk.client(first), groups=frozenset({"staff"}), trusted=True)

    found = told(own(desk, first, "PUT", {"redirect_uris": ["https://new.example/"]}))

    client = desk.client(first)
    assert found["redirect_uris"] == ["https://new.example/"]
    assert (client.name, client.post_logout_redirect_uris) == ("new.example", ())
    assert matches(first["client_secret"], client.secret_digest)
    assert client.groups == {"staff"}, "who may sign in to it is the operator's"
    assert not client.trusted, "an operator trusted what it was"
    assert [it.actor for it in desk.store.activity.listed()][-1] == f"client:{client.identifier}"


def test_a_public_client_that_becomes_another_is_given_a_secret(desk: Desk) -> None:
    first = desk.register(token_endpoint_auth_method="none")

    found = told(own(desk, first, "PUT", SHOP))

    assert matches(found["client_secret"], desk.client(first).secret_digest)


@pytest.mark.parametrize("old", [False, True])
def test_a_client_that_names_its_secret_names_the_right_one(desk: Desk, old: bool) -> None:
    first = desk.register()
    if old:
        number = desk.client(first).number
        reset_client_secret(
            desk.store, number, overlap=60, random=lambda n: b"x" * n, by=SUE, now=NOW
        )

    assert own(desk, first, "PUT", SHOP | {"client_secret": first["client_secret"]}).status == (
        "200 OK"
    )
    desk.provided.clock.now += 60
    still = own(desk, first, "PUT", SHOP | {"client_secret": first["client_secret"]})
    assert still.status_code == (400 if old else 200)


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"client_id": "WIKI"}, id="another's client_id"),
        pytest.param({"client_id": None}, id="no client_id"),
        pytest.param({"client_secret": "x"}, id="another secret"),
        pytest.param({"client_secret": 7}, id="a number for a secret"),
        pytest.param({"registration_access_token": "x"}, id="a token"),
        pytest.param({"client_secret_expires_at": 0}, id="what is ours"),
        pytest.param({"redirect_uris": ["javascript:x"]}, id="a bad address"),
    ],
)
def test_a_change_that_must_not_be(desk: Desk, more: dict[str, Any]) -> None:
    first = desk.register()
    before = desk.client(first)

    assert own(desk, first, "PUT", SHOP | more).status_code == 400
    assert desk.client(first) == before


@pytest.mark.parametrize(
    ("more", "another"),
    [
        pytest.param({"client_name": "Your bank"}, True, id="another name"),
        pytest.param({"redirect_uris": ["https://evil.example/"]}, True, id="another host"),
        pytest.param({"redirect_uris": [BACK, "https://evil.example/"]}, True, id="one more host"),
        pytest.param(
            {"application_type": "native", "redirect_uris": [BACK, "com.evil:/x"]},
            True,
            id="an app's scheme",
        ),
        pytest.param({"redirect_uris": [f"{BACK}/2"]}, False, id="another path"),
        pytest.param({"scope": "openid"}, False, id="fewer scopes"),
        pytest.param({}, False, id="nothing"),
    ],
)
def test_who_becomes_another_starts_anew_with_people(
    desk: Desk, more: dict[str, Any], another: bool
) -> None:
    """They agreed to something else, by its name and by the host that their answer went to."""
    first, store, joe = desk.register(), desk.store, desk.provided.joe.identity.subject
    identifiers, scopes = (first["client_id"], "WIKI"), frozenset({"openid", "email"})
    for identifier in identifiers:
        give_consent(store, joe, identifier, scopes, by=SUE, now=NOW)
        given = grant(desk.provided.joe, of=identifier, session=None)
        begin_grant(store, given, Code(digest(identifier), 0, BACK, "", NOW + 60))

    told(own(desk, first, "PUT", SHOP | more))

    known = [consented(store, joe, identifier) for identifier in identifiers]
    assert known == [frozenset() if another else scopes, scopes]
    ended = [store.grants.listed(client=it)[0].revoked_at is not None for it in identifiers]
    assert ended == [another, False]
    lines = [it.text for it in store.activity.listed() if it.action == "consent.withdrawn"]
    assert lines == ([f"client {first['client_id']}: 1 consents"] if another else [])


def test_what_an_operator_has_taken_does_not_come_back(desk: Desk) -> None:
    first = desk.register(scope="openid email groups")
    desk.change(desk.client(first), scopes=frozenset({"openid", "groups"}))

    found = told(own(desk, first, "PUT", SHOP | {"scope": "openid email groups offline_access"}))

    assert found["scope"] == "groups openid"
    assert desk.client(first).scopes == {"openid", "groups"}


@pytest.mark.parametrize(
    ("was", "more"),
    [
        pytest.param("pairwise", {"subject_type": "public"}, id="the real names"),
        pytest.param("pairwise", {}, id="the real names, left out"),
        pytest.param("public", {"subject_type": "pairwise"}, id="other names"),
        pytest.param(
            "pairwise",
            {"subject_type": "pairwise", "redirect_uris": ["https://wiki.example/"]},
            id="the names that another host knows",
        ),
    ],
)
def test_a_client_knows_people_by_the_same_names_for_good(
    tmp_path: Path, was: str, more: dict[str, Any]
) -> None:
    desk = Desk(tmp_path, pairwise_salt=Secret("salt " * 8))
    first = desk.register(subject_type=was)
    before = desk.client(first)

    reply = own(desk, first, "PUT", SHOP | more)

    assert told(reply, 400)["error"] == "invalid_client_metadata"
    assert desk.client(first) == before
    told(own(desk, first, "PUT", SHOP | {"subject_type": was, "redirect_uris": [f"{BACK}/2"]}))


def test_a_client_goes_as_it_came(desk: Desk) -> None:
    first = desk.register()

    reply = own(desk, first, "DELETE")

    assert (reply.status_code, reply.data) == (204, b"")
    assert desk.store.clients.named(first["client_id"]) is None
    assert own(desk, first, "GET").status_code == 401


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("whose", ["another's", "initial", "none", "of no client", "of the wiki"])
def test_whoever_has_not_the_clients_token_learns_and_does_nothing(
    desk: Desk, method: str, whose: str
) -> None:
    first, other = desk.register(), desk.register()
    before = [*desk.store.clients.listed()]
    client = {"of no client": "NOBODY.1", "of the wiki": "WIKI"}.get(whose, first["client_id"])
    token = {"initial": INITIAL, "none": ""}.get(whose, other["registration_access_token"])

    reply = desk.send(method, SHOP | {"client_id": client}, client=client, token=token)

    assert told(reply, 401) == told(desk.send("GET", client="", token=""), 401)
    assert [*desk.store.clients.listed()] == before


def test_one_client_is_named_once(desk: Desk) -> None:
    first = desk.register()
    twice = f"client_id={first['client_id']}&client_id={first['client_id']}"

    reply = desk.send("GET", token=first["registration_access_token"], QUERY_STRING=twice)

    assert reply.status_code == 401


@pytest.mark.parametrize("client", ["\0", "ü", "a\nb"], ids=repr)
def test_what_no_client_is_called_is_not_looked_up(desk: Desk, client: str) -> None:
    assert desk.send("GET", client=client).status_code == 401


def test_other_methods_are_refused(desk: Desk) -> None:
    assert desk.send("PATCH", body=SHOP).headers["Allow"] == "GET, POST, PUT, DELETE"


def own(
    desk: Desk, answer: dict[str, Any], method: str, metadata: dict[str, Any] | None = None
) -> Response:
    """Do something with a client by its own token."""
    client, token = answer["client_id"], answer["registration_access_token"]
    body = None if metadata is None else {"client_id": client} | metadata
    return desk.send(method, body, client=client, token=token)
