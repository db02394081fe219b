"""The rules of API roles, API credentials and OAuth clients."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

import pytest

from ssogate.crypto import jwk
from ssogate.crypto.random_secrets import digest, matches
from ssogate.directory import ACCOUNTS, SERVICES
from ssogate.directory.client_rules import Offer, client_keys
from ssogate.directory.clients import (
    API_CREDENTIALS,
    API_ROLES,
    CLIENTS,
    add_api_credential,
    add_client,
    delete_api_role,
    reset_api_secret,
    reset_client_secret,
)
from ssogate.errors import Conflict
from ssogate.model import (
    AccountStatus,
    ApiCredential,
    ApiRole,
    Client,
    ClientAuthentication,
    GrantType,
    Service,
    ServiceStatus,
)
from ssogate.storage import SQLiteStore
from tests.directory.making import SUE, actions, customer, texts
from tests.storage.making import NOW

RANDOM = Random(1).randbytes
SHOP = ApiCredential(0, "", "", "The shop", frozenset(), (), frozenset(), True, 0)
WIKI = Client(
    number=0,
    identifier="",
    secret_digest="",
    grant=GrantType.AUTHORIZATION_CODE,
    name="Wiki",
    service=None,
    scopes=frozenset({"openid"}),
    description="",
    logo_uri="",
    redirect_uris=("https://wiki.example/callback",),
    created_at=0,
    updated_at=0,
)
PANEL = replace(
    WIKI,
    grant=GrantType.SINGLE_SIGN_ON,
    name="",
    service=1,
    scopes=frozenset({"clientarea:profile"}),
    redirect_uris=(),
)

PUBLIC, BY_KEY = ClientAuthentication.NONE, ClientAuthentication.PRIVATE_KEY
READ = frozenset({"files:read"})
KEY = jwk.generate("ES256").public.jwk()


def jwks_of(*keys: dict[str, str]) -> str:
    return json.dumps({"keys": keys})


KEYS = jwks_of(KEY)


def role(store: SQLiteStore, name: str, *allowed: str) -> ApiRole:
    drawn = ApiRole(0, name, frozenset(allowed or {"getclients"}))
    return API_ROLES.add(store, drawn, by=SUE, now=NOW)


def credential(store: SQLiteStore, **fields: Any) -> tuple[ApiCredential, str]:
    drawn = replace(SHOP, **fields)
    return add_api_credential(store, drawn, random=RANDOM, by=SUE, now=NOW)


def client(store: SQLiteStore, drawn: Client = WIKI, **fields: Any) -> tuple[Client, str]:
    return add_client(store, replace(drawn, **fields), random=RANDOM, by=SUE, now=NOW)


def service(store: SQLiteStore, company: str = "Acme Ltd") -> Service:
    account = customer(store, company)
    drawn = Service(0, account.number, "Hosting", ServiceStatus.ACTIVE)
    return SERVICES.add(store, drawn, by=SUE, now=NOW)


# --- Roles ---------------------------------------------------------------------------------------


def test_a_role_keeps_its_actions_in_lower_case(store: SQLiteStore) -> None:
    added = role(store, "sign-in", "CreateSsoToken")

    assert store.api_roles.named("sign-in") == added
    assert added.actions == {"createssotoken"}
    assert texts(store) == [("api-role.added", "api-role 1 (sign-in)")]


@pytest.mark.parametrize(
    ("name", "allowed", "message"),
    [
        pytest.param("", {"a"}, "must not be empty", id="no name"),
        pytest.param("a,b", {"a"}, "comma", id="a comma in the name"),
        pytest.param("a", set(), "a role allows one at least", id="no action"),
        pytest.param("a", {"a,b"}, "'a,b' is not the name", id="a comma in an action"),
        pytest.param("a", {""}, "'' is not the name", id="an empty action"),
        pytest.param("a", {"a" * 65}, "is not the name of an action", id="a long action"),
    ],
)
def test_a_role_that_must_not_be(
    store: SQLiteStore, name: str, allowed: set[str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        API_ROLES.add(store, ApiRole(0, name, frozenset(allowed)), by=SUE, now=NOW)
    assert actions(store) == []


def test_a_name_is_given_to_one_role(store: SQLiteStore) -> None:
    role(store, "a")

    with pytest.raises(Conflict):
        role(store, "a")


def test_a_role_stays_while_a_credential_has_it(store: SQLiteStore) -> None:
    kept = role(store, "a")
    shop, _ = credential(store, roles=frozenset({"a"}))

    with pytest.raises(Conflict, match=shop.identifier):
        delete_api_role(store, kept.number, by=SUE, now=NOW)
    API_CREDENTIALS.delete(store, shop.number, by=SUE, now=NOW)
    delete_api_role(store, kept.number, by=SUE, now=NOW)

    assert [*store.api_roles.listed()] == []


# --- API credentials -----------------------------------------------------------------------------


def test_a_credentials_secret_is_given_once_and_stored_as_a_digest(store: SQLiteStore) -> None:
    shop, secret = credential(store)

    assert len(shop.identifier) == 32
    assert len(secret) == 64
    assert store.api_credentials.named(shop.identifier) == shop
    assert shop.secret_digest == digest(secret)
    assert shop.created_at == NOW
    told = repr([*store.activity.listed(), shop])
    assert secret not in told
    assert shop.secret_digest not in told


def test_no_two_credentials_are_alike(store: SQLiteStore) -> None:
    (one, its), (other, others) = credential(store), credential(store)

    assert one.identifier != other.identifier
    assert its != others


def test_a_credential_has_known_roles_networks_and_destinations(store: SQLiteStore) -> None:
    role(store, "a")

    shop, _ = credential(
        store,
        roles=frozenset({"a"}),
        networks=("192.0.2.7", "2001:DB8::/32", "192.0.2.7/32"),
        scopes=frozenset({"clientarea:tickets", "sso:custom_redirect"}),
    )

    assert shop.networks == ("192.0.2.7/32", "2001:db8::/32")
    assert store.api_credentials.get(shop.number) == shop


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"roles": frozenset({"x"})}, "no API role 'x'", id="role"),
        pytest.param({"networks": ("192.0.2.7/24",)}, "192.0.2.0/24", id="host bits"),
        pytest.param({"networks": ("shop.example",)}, "write an address", id="a name"),
        pytest.param({"scopes": frozenset({"x"})}, "'x' is no destination", id="destination"),
        pytest.param({"description": "a\u200b"}, "invisible", id="description"),
    ],
)
def test_a_credential_that_must_not_be(
    store: SQLiteStore, fields: dict[str, Any], message: str
) -> None:
    good, _ = credential(store)

    with pytest.raises((ValueError, Conflict), match=message):
        credential(store, **fields)
    with pytest.raises((ValueError, Conflict), match=message):
        API_CREDENTIALS.change(store, 1, lambda old: replace(old, **fields), by=SUE, now=NOW)
    assert [*store.api_credentials.listed()] == [good]


def test_a_reset_ends_the_old_secret_of_a_credential(store: SQLiteStore) -> None:
    shop, old = credential(store)

    changed, new = reset_api_secret(store, shop.number, random=RANDOM, by=SUE, now=NOW)

    assert matches(new, changed.secret_digest)
    assert not matches(old, changed.secret_digest)
    assert store.api_credentials.named(shop.identifier) == changed
    assert texts(store)[-1] == (
        "api-credential.secret-reset",
        f"api-credential 1 ({shop.identifier}): secret set",
    )


# --- OAuth clients -------------------------------------------------------------------------------


def test_a_clients_secret_is_given_once_and_stored_as_a_digest(store: SQLiteStore) -> None:
    wiki, secret = client(store)

    assert store.clients.named(wiki.identifier) == wiki
    assert wiki.secret_digest == digest(secret)
    assert len(secret) == 88
    assert (wiki.created_at, wiki.updated_at) == (NOW, NOW)
    assert secret not in repr([*store.activity.listed(), wiki])


@pytest.mark.parametrize(
    ("company", "slug"),
    [
        pytest.param("Acme Ltd", "ACME-LTD", id="words"),
        pytest.param("ä & ö", "CLIENT", id="none that fit"),
        pytest.param("a" * 40, "A" * 32, id="long"),
        pytest.param(f"{'a' * 31} b", "A" * 31, id="cut at a dash"),
        pytest.param("x.<y>", "X-Y", id="signs"),
    ],
)
def test_an_identifier_says_whose_it_is(store: SQLiteStore, company: str, slug: str) -> None:
    wiki, _ = client(store, name=company)
    panel, _ = client(store, PANEL, service=service(store, company).number)

    assert wiki.identifier.rpartition(".")[0] == slug
    assert panel.identifier.rpartition(".")[0] == slug


def test_the_base_scope_is_implied_for_a_service(store: SQLiteStore) -> None:
    panel, _ = client(store, PANEL, service=service(store).number)

    assert panel.scopes == {"clientarea:sso", "clientarea:profile"}


def test_a_client_without_a_service_belongs_to_none(store: SQLiteStore) -> None:
    wiki, _ = client(store, service=service(store).number)

    assert wiki.service is None


@pytest.mark.parametrize(
    "uris",
    [
        pytest.param(("https://a.example:2083/cb?x=1,2",), id="web"),
        pytest.param(("http://127.0.0.1/cb",), id="loopback"),
        pytest.param(("com.example.app:/cb",), id="a program's own"),
        pytest.param((), id="none"),
    ],
)
def test_redirect_uris_are_kept_as_they_are(store: SQLiteStore, uris: tuple[str, ...]) -> None:
    wiki, _ = client(store, redirect_uris=uris)

    assert wiki.redirect_uris == uris
    assert store.clients.get(wiki.number) == wiki


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("/callback", id="relative"),
        pytest.param("//a.example", id="without a scheme"),
        pytest.param("", id="empty"),
        pytest.param("https://a.example/#x", id="fragment"),
        pytest.param("https://a.example/\nhttps://b.example/", id="two lines"),
        pytest.param("https://a.example/ b", id="space"),
        pytest.param("https://ok@evil.example/", id="user"),
        pytest.param("https://", id="no host"),
        pytest.param("https:/a.example", id="one slash"),
        pytest.param("HTTPS:evil", id="upper case, no slash"),
        pytest.param("https://a.example\\@evil", id="backslash"),
        pytest.param("app:\\\\x", id="backslash, own scheme"),
        pytest.param("https://ä.example/", id="not ASCII"),
        pytest.param("javascript:alert(1)", id="javascript"),
        pytest.param("JavaScript:alert(1)", id="JavaScript"),
        pytest.param("data:text/html,x", id="data"),
        pytest.param("file:///etc/passwd", id="file"),
        pytest.param(f"https://a.example/{'a' * 2048}", id="long"),
    ],
)
def test_an_uri_that_no_code_is_sent_to(store: SQLiteStore, uri: str) -> None:
    with pytest.raises(ValueError, match=r"^redirect URIs: "):
        client(store, redirect_uris=(uri,))
    assert actions(store) == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"name": " "}, "A name for the Client Credential", id="no name"),
        pytest.param({"name": "a\u202e"}, "name: holds the invisible", id="name"),
        pytest.param({"scopes": frozenset()}, "At least one valid scope", id="no scope"),
        pytest.param({"scopes": frozenset({"openid", "a,b"})}, "scope .* is invalid", id="scope"),
        pytest.param({"scopes": frozenset({"profile"})}, '"openid" is required', id="no openid"),
        pytest.param(
            {"redirect_uris": tuple(f"https://a.example/{n}" for n in range(21))},
            "has 20 at most",
            id="many",
        ),
        pytest.param({"logo_uri": "javascript:x"}, "logo URI: is neither", id="logo"),
        pytest.param({"logo_uri": "//evil.example/x"}, "logo URI: is neither", id="logo elsewhere"),
        pytest.param({"description": "a\nb"}, "description: holds", id="description"),
        pytest.param({"grant": GrantType.SINGLE_SIGN_ON}, "A service ID is required", id="grant"),
        pytest.param(
            {"grant": GrantType.CLIENT_CREDENTIALS}, '"openid" is invalid', id="people, for itself"
        ),
        pytest.param(
            {"grant": GrantType.CLIENT_CREDENTIALS, "scopes": READ, "authentication": PUBLIC},
            "none is not for the grant type client_credentials",
            id="for itself, by nothing",
        ),
        pytest.param({"authentication": BY_KEY}, "^jwks: ", id="no keys"),
        pytest.param({"jwks": KEYS}, "^jwks: ", id="keys for nothing"),
        pytest.param({"authentication": BY_KEY, "jwks": "[]"}, "^jwks: ", id="no JWKS"),
        pytest.param(
            {"authentication": BY_KEY, "jwks": '{"keys": []}'}, "^jwks: .* 1 to 10", id="empty"
        ),
        pytest.param(
            {"authentication": BY_KEY, "jwks": '{"keys": ["x"]}'}, "is no key", id="no key"
        ),
        pytest.param(
            {"authentication": BY_KEY, "jwks": jwks_of(KEY | {"d": "x"})}, "private", id="private"
        ),
        pytest.param(
            {"authentication": BY_KEY, "jwks": jwks_of(KEY, KEY)}, "same kid", id="one key twice"
        ),
        pytest.param(
            {"authentication": BY_KEY, "jwks": jwks_of(*[KEY] * 11)}, "1 to 10 keys", id="11 keys"
        ),
        pytest.param(
            {"authentication": BY_KEY, "jwks": jwks_of(KEY) + " " * 16_384}, "16384", id="long keys"
        ),
        pytest.param({"pairwise": True, "redirect_uris": ()}, "exactly one host", id="no sector"),
        pytest.param(
            {"pairwise": True, "redirect_uris": ("https://a.example/", "https://b.example/")},
            "exactly one host",
            id="two sectors",
        ),
        pytest.param({"algorithm": "none"}, "^algorithm: ", id="algorithm none"),
        pytest.param({"algorithm": "HS256"}, "^algorithm: ", id="a shared key"),
        pytest.param({"groups": frozenset({"a,b"})}, "comma", id="group"),
        pytest.param({"resources": ("files",)}, "^resources: ", id="relative resource"),
        pytest.param({"resources": ("https://a.example/#x",)}, "^resources: ", id="fragment"),
        pytest.param({"resources": ("https://a.example/\nx",)}, "^resources: ", id="two resources"),
        *(
            pytest.param({field: value([uri])}, message, id=f"{field}: {uri}")
            for field, message, value in (
                ("post_logout_redirect_uris", "^post-logout redirect URIs: ", tuple),
                ("backchannel_logout_uri", "^back-channel logout URI: ", "".join),
            )
            for uri in (
                "http://wiki.example/out",
                "HTTP://wiki.example/out",
                "http://127.0.0.1.evil.example/",
                "https://wiki.example/out#x",
                "https://user@wiki.example/out",
                "javascript:alert(1)",
                "/out",
            )
        ),
        pytest.param({"backchannel_logout_uri": "app.wiki:/out"}, "is no URL", id="app's own"),
    ],
)
def test_a_client_that_must_not_be(
    store: SQLiteStore, fields: dict[str, Any], message: str
) -> None:
    good, _ = client(store)

    with pytest.raises(ValueError, match=message):
        client(store, **fields)
    with pytest.raises(ValueError, match=message):
        CLIENTS.change(store, 1, lambda old: replace(old, **fields), by=SUE, now=NOW)
    assert [*store.clients.listed()] == [good]


@pytest.mark.parametrize(
    ("number", "message"),
    [
        pytest.param(None, "A service ID is required", id="none"),
        pytest.param(99, "A valid Service ID is required", id="unknown"),
        pytest.param(1, "not associated with valid Client", id="a closed account's"),
    ],
)
def test_a_service_that_no_client_is_for(
    store: SQLiteStore, number: int | None, message: str
) -> None:
    close(store, service(store).account)

    with pytest.raises(ValueError, match=message):
        client(store, PANEL, service=number)


def test_a_closed_accounts_client_may_be_changed_but_not_moved_there(store: SQLiteStore) -> None:
    mine, other = service(store), service(store, "Other")
    panel, old = client(store, PANEL, service=mine.number)
    close(store, mine.account)
    close(store, other.account)

    changed, _ = reset_client_secret(store, panel.number, random=RANDOM, by=SUE, now=NOW)

    assert not matches(old, changed.secret_digest)
    with pytest.raises(ValueError, match="not associated with valid Client"):
        CLIENTS.change(store, panel.number, partial(replace, service=other.number), by=SUE, now=NOW)


def close(store: SQLiteStore, account: int) -> None:
    ACCOUNTS.change(store, account, partial(replace, status=AccountStatus.CLOSED), by=SUE, now=NOW)


def test_a_reset_ends_the_old_secret_of_a_client(store: SQLiteStore) -> None:
    wiki, old = client(store)

    changed, new = reset_client_secret(store, wiki.number, random=RANDOM, by=SUE, now=NOW + 9)

    assert matches(new, changed.secret_digest)
    assert not matches(old, changed.secret_digest)
    assert (changed.created_at, changed.updated_at) == (NOW, NOW + 9)
    assert texts(store)[-1][0] == "client.secret-reset"
    assert new not in repr([*store.activity.listed()])


def test_a_client_goes_with_its_service(store: SQLiteStore) -> None:
    own = service(store)
    client(store, PANEL, service=own.number)

    SERVICES.delete(store, own.number, by=SUE, now=NOW)

    assert [*store.clients.listed()] == []


def test_a_client_speaks_for_the_account_that_its_service_had_at_first(store: SQLiteStore) -> None:
    mine, other = service(store), service(store, "Other")
    panel, _ = client(store, PANEL, service=mine.number)
    assert panel.account == mine.account

    moved = partial(replace, account=other.account)
    SERVICES.change(store, mine.number, moved, by=SUE, now=NOW)
    reset_client_secret(store, panel.number, random=RANDOM, by=SUE, now=NOW)
    forged = partial(replace, account=other.account, name="New")
    changed = CLIENTS.change(store, panel.number, forged, by=SUE, now=NOW)

    assert changed.account == mine.account
    there = partial(replace, service=other.number)
    assert CLIENTS.change(store, panel.number, there, by=SUE, now=NOW).account == other.account


# --- How a client proves itself ------------------------------------------------------------------


def test_a_public_client_has_no_secret_and_always_a_code_challenge(store: SQLiteStore) -> None:
    app, secret = client(store, authentication=PUBLIC, pkce=False)

    assert (secret, app.secret_digest, app.pkce) == ("", "", True)
    assert not matches("", app.secret_digest)
    with pytest.raises(ValueError, match="has no secret"):
        reset_client_secret(store, app.number, random=RANDOM, by=SUE, now=NOW)


def test_whoever_proves_itself_by_keys_has_no_secret(store: SQLiteStore) -> None:
    told = KEY | {"x5u": "https://evil.example/"}
    wiki, secret = client(store, authentication=BY_KEY, jwks=jwks_of(told), pkce=False)

    assert (secret, wiki.secret_digest, wiki.pkce) == ("", "", False)
    assert [key.jwk() for key in client_keys(wiki.jwks)] == [KEY]
    assert "evil" not in wiki.jwks, "only what makes a public key is kept"


def test_a_client_that_becomes_public_forgets_its_secrets(store: SQLiteStore) -> None:
    wiki, _ = client(store)
    reset_client_secret(store, wiki.number, overlap=60, random=RANDOM, by=SUE, now=NOW)

    public = partial(replace, authentication=PUBLIC)
    app = CLIENTS.change(store, wiki.number, public, by=SUE, now=NOW)

    assert (app.secret_digest, app.old_secret_digest, app.old_secret_until) == ("", "", 0)


def test_an_old_secret_holds_as_long_as_was_asked(store: SQLiteStore) -> None:
    wiki, first = client(store)

    changed, _ = reset_client_secret(
        store, wiki.number, overlap=3600, random=RANDOM, by=SUE, now=NOW
    )

    assert matches(first, changed.old_secret_digest)
    assert changed.old_secret_until == NOW + 3600


@pytest.mark.parametrize("overlap", [0, 60])
def test_a_reset_within_an_overlap_forgets_the_oldest_secret(
    store: SQLiteStore, overlap: int
) -> None:
    wiki, first = client(store)
    _, second = reset_client_secret(
        store, wiki.number, overlap=3600, random=RANDOM, by=SUE, now=NOW
    )

    changed, third = reset_client_secret(
        store, wiki.number, overlap=overlap, random=RANDOM, by=SUE, now=NOW
    )

    assert matches(third, changed.secret_digest)
    assert matches(second, changed.old_secret_digest) is (overlap > 0)
    assert not matches(first, changed.old_secret_digest)


@pytest.mark.parametrize("overlap", [-1, 30 * 86_400 + 1])
def test_an_overlap_has_bounds(store: SQLiteStore, overlap: int) -> None:
    wiki, _ = client(store)

    with pytest.raises(ValueError, match="from 0 to 30 days"):
        reset_client_secret(store, wiki.number, overlap=overlap, random=RANDOM, by=SUE, now=NOW)
    assert store.clients.get(wiki.number) == wiki


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("https://wiki.example/out?a=b", id="https"),
        pytest.param("http://localhost:8080/out", id="localhost"),
        pytest.param("http://[::1]/out", id="loopback"),
    ],
)
def test_people_and_tokens_of_a_logout_go_to_such_uris(store: SQLiteStore, uri: str) -> None:
    wiki, _ = client(store, post_logout_redirect_uris=(uri,), backchannel_logout_uri=uri)

    assert store.clients.get(wiki.number) == wiki


def test_a_native_client_is_come_back_to_by_a_scheme_of_its_own(store: SQLiteStore) -> None:
    app, _ = client(store, native=True, post_logout_redirect_uris=("com.example.app:/out",))

    assert app.post_logout_redirect_uris == ("com.example.app:/out",)


# --- What gateway.yaml has for clients -----------------------------------------------------------

OFFER = Offer(
    {"openid": frozenset({"sub"}), "profile": frozenset({"name"}), "files:read": frozenset()},
    ("https://files.example/",),
    ("RS256", "ES256"),
)
BACKUP = replace(WIKI, grant=GrantType.CLIENT_CREDENTIALS, scopes=READ, redirect_uris=())


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        pytest.param(replace(WIKI, scopes=WIKI.scopes | {"a"}), '"a" is invalid.$', id="scope"),
        pytest.param(
            replace(WIKI, scopes=frozenset({"openid", "profil"})),
            'Did you mean "profile"',
            id="a slip",
        ),
        pytest.param(
            replace(BACKUP, scopes=frozenset({"profile"})), '"profile" is invalid', id="of people"
        ),
        pytest.param(
            replace(BACKUP, resources=("https://file.example/",)),
            'Did you mean "https://files.example/"',
            id="resource",
        ),
        pytest.param(replace(WIKI, algorithm="EdDSA"), "algorithm: is none", id="algorithm"),
        pytest.param(replace(WIKI, pairwise=True), "pairwise_salt", id="no salt"),
    ],
)
def test_a_client_that_asks_for_what_there_is_not(drawn: Client, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OFFER.checked(drawn)


@pytest.mark.parametrize(
    "drawn",
    [
        pytest.param(WIKI, id="people"),
        pytest.param(replace(BACKUP, resources=("https://files.example/",)), id="for itself"),
        pytest.param(PANEL, id="a service's"),
    ],
)
def test_a_client_that_asks_for_what_there_is(drawn: Client) -> None:
    assert OFFER.checked(drawn) is drawn


def test_what_a_client_had_before_is_not_asked_for_again() -> None:
    before = replace(
        WIKI,
        scopes=frozenset({"openid", "gone"}),
        resources=("https://gone/",),
        algorithm="EdDSA",
        pairwise=True,
    )

    assert OFFER.checked(replace(before, name="New"), before).name == "New"
    with pytest.raises(ValueError, match='"gone" is invalid'):
        OFFER.checked(replace(before, grant=GrantType.DEVICE_CODE), before)
