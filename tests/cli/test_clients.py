"""`ssogate client`."""

from __future__ import annotations

import json
import re

import pytest

from ssogate.crypto import jwk
from ssogate.crypto.random_secrets import matches
from ssogate.model import Client, ClientAuthentication, GrantType
from tests.cli.conftest import Site
from tests.cli.making import contents, with_sealing_key

WIKI = ("authorization_code", "--name", "Wiki", "--scope", "openid email", "--redirect-uri")


def created(site: Site, *options: str) -> tuple[str, str]:
    """Create a client; give identifier and secret."""
    told = site.good("client", "create", *options)
    found = re.search(r"identifier +(\S+)\n +secret +(\S{88})\n", told)
    assert found is not None
    return found[1], found[2]


def stored(site: Site, number: int = 1) -> Client:
    found = site.gate().store.clients.get(number)
    assert found is not None
    return found


def with_service(site: Site) -> None:
    site.good("account", "add", "Acme Ltd")
    site.good("service", "add", "1", "Hosting L", "--id", "S-4")


def test_a_client_for_a_service(site: Site) -> None:
    with_service(site)

    identifier, secret = created(
        site, "single_sign_on", "--service", "ext:S-4", "--scope", "clientarea:profile"
    )

    known = stored(site)
    assert identifier.startswith("ACME-LTD.")
    assert known.identifier == identifier
    assert (known.grant, known.service) == (GrantType.SINGLE_SIGN_ON, 1)
    assert known.scopes == {"clientarea:sso", "clientarea:profile"}
    assert matches(secret, known.secret_digest)


def test_a_clients_secret_is_shown_once(site: Site) -> None:
    identifier, secret = created(site, *WIKI, "https://wiki.example/cb")

    assert secret not in "\n".join(contents(site))
    for command in (("list",), ("list", "--json"), ("show", "1"), ("show", "1", "--json")):
        told = site.good("client", *command)
        assert identifier in told
        assert secret not in told
        assert stored(site).secret_digest not in told
    assert json.loads(site.good("client", "show", identifier, "--json"))["secret"] == "set"


@pytest.mark.parametrize("named", ["identifier", "1", "ext:W"])
def test_a_client_is_updated_by_any_of_its_names(site: Site, named: str) -> None:
    identifier, _ = created(site, *WIKI, "https://wiki.example/cb", "--id", "W")
    before = stored(site)
    which = identifier if named == "identifier" else named

    new = ("--name", "New", "--redirect-uri", "https://a.example/", "--redirect-uri", "app:/cb")
    site.good("client", "update", which, *new)

    after = stored(site)
    assert (after.name, after.redirect_uris) == ("New", ("https://a.example/", "app:/cb"))
    assert (after.scopes, after.secret_digest) == (before.scopes, before.secret_digest)


def test_a_reset_shows_the_new_secret(site: Site) -> None:
    identifier, old = created(site, *WIKI, "https://wiki.example/cb")

    told = site.good("client", "reset-secret", identifier, "--yes")

    assert not matches(old, stored(site).secret_digest)
    assert matches(told.split()[-1], stored(site).secret_digest)


def test_clients_are_listed_by_grant(site: Site) -> None:
    with_service(site)
    created(site, *WIKI, "https://wiki.example/cb")
    created(site, "single_sign_on", "--service", "1", "--scope", "clientarea:tickets")

    told = site.good("client", "list", "--grant", "single_sign_on", "--json")

    assert [it["number"] for it in json.loads(told)] == [2]


def test_a_client_is_deleted(site: Site) -> None:
    created(site, *WIKI, "https://wiki.example/cb")

    assert site.run("client", "delete", "1", stdin="n\n").exit_code == 1
    assert stored(site)
    site.good("client", "delete", "1", "--yes")
    assert json.loads(site.good("client", "list", "--json")) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(("create", "password"), "Invalid value for", id="grant"),
        pytest.param(
            (*("create", "authorization_code", "--name", "x", "--scope"), "openid emial"),
            'Did you mean "email"?',
            id="a slip in a scope",
        ),
        pytest.param(
            (*("create", "authorization_code", "--name", "x", "--public", "--jwks"), "k"),
            "Give one of",
            id="two proofs",
        ),
        pytest.param(
            ("reset-secret", "1", "--overlap", "24"), "a number with a unit", id="overlap"
        ),
        pytest.param(("create", "single_sign_on"), "A service ID is required", id="no service"),
        pytest.param(
            ("create", "single_sign_on", "--service", "9"), "there is no service 9", id="service"
        ),
        pytest.param((*("create", *WIKI), "javascript:x"), "redirect URIs: ", id="redirect URI"),
        pytest.param(("show", "X.1"), "there is no client X.1", id="no such client"),
        pytest.param(("update", "1"), "Say what to change", id="nothing to change"),
        pytest.param(("update", "1", "--name", "x"), "there is no client 1", id="update"),
        pytest.param(("reset-secret", "1"), "there is no client 1", id="reset"),
        pytest.param(("delete", "1"), "there is no client 1", id="delete"),
    ],
)
def test_a_mistake_is_told(site: Site, arguments: tuple[str, ...], message: str) -> None:
    result = site.run("client", *arguments)

    assert result.exit_code == 2
    assert message in result.stderr


# --- Clients of people ---------------------------------------------------------------------------


def with_provider(site: Site) -> None:
    with_sealing_key(site)
    files = '{"https://files.example/": {scopes: ["files:read"]}}'
    site.edit("upstreams:", f"provider: {{resources: {files}}}\nupstreams:")


def test_whoever_sets_the_other_program_up_is_told_all_it_takes(site: Site) -> None:
    with_provider(site)

    told = site.good("client", "create", *WIKI[:3], "--redirect-uri", "https://wiki.example/cb")

    assert stored(site).scopes == {"openid", "profile", "email"}
    assert stored(site).identifier in told
    assert "  issuer      https://app.example\n" in told
    assert "https://app.example/.well-known/openid-configuration" in told


def test_a_gate_that_is_no_provider_yet_says_so(site: Site) -> None:
    result = site.run("client", "create", *WIKI, "https://wiki.example/cb")

    assert "no `provider`" in result.stderr
    assert "issuer" not in result.stdout


def test_a_client_is_all_that_options_say(site: Site) -> None:
    with_provider(site)
    key = jwk.generate("ES256").public
    site.write("keys.json", jwk.jwks([key]).decode())

    told = site.good(
        *("client", "create", *WIKI, "https://wiki.example/cb", "--no-pkce", "--trusted"),
        *("--jwks", "keys.json", "--group", "staff", "--group", "members"),
        *("--resource", "https://files.example/", "--algorithm", "RS256"),
        *("--post-logout-redirect-uri", "https://wiki.example/out"),
        *("--back-channel-logout-uri", "https://wiki.example/back"),
    )

    wiki = stored(site)
    assert "secret" not in told
    assert (wiki.pkce, wiki.trusted, wiki.native) == (False, True, False)
    assert wiki.authentication is ClientAuthentication.PRIVATE_KEY
    assert key.kid in wiki.jwks
    assert wiki.groups == {"staff", "members"}
    assert wiki.resources == ("https://files.example/",)
    assert (wiki.algorithm, wiki.backchannel_logout_uri) == ("RS256", "https://wiki.example/back")
    assert wiki.post_logout_redirect_uris == ("https://wiki.example/out",)


def test_an_app_and_a_device_can_keep_no_secret(site: Site) -> None:
    app = ("--public", "--native", "--redirect-uri", "http://127.0.0.1/cb")
    told = site.good("client", "create", "authorization_code", "--name", "App", *app)
    site.good("client", "create", "device_code", "--name", "TV", "--public")

    assert "secret" not in told
    assert (stored(site).native, stored(site).secret_digest) == (True, "")
    assert stored(site, 2).grant is GrantType.DEVICE_CODE
    assert '"number": 2' in site.good("client", "list", "--grant", "device_code", "--json")


def test_a_client_for_itself_asks_for_what_an_api_has(site: Site) -> None:
    with_provider(site)

    created(site, "client_credentials", "--name", "Backup", "--scope", "files:read")

    assert stored(site).scopes == {"files:read"}


def test_redirect_uris_are_added_and_removed_one_by_one(site: Site) -> None:
    created(site, *WIKI, "https://a.example/", "--redirect-uri", "https://b.example/")

    edit = ("--add-redirect-uri", "https://c.example/", "--remove-redirect-uri")
    site.good("client", "update", "1", *edit, "https://a.example/")
    missing = site.run("client", "update", "1", *edit, "https://a.example/")

    assert stored(site).redirect_uris == ("https://b.example/", "https://c.example/")
    assert "has no redirect URI https://a.example/" in missing.stderr


def test_an_empty_text_takes_all_away(site: Site) -> None:
    created(site, *WIKI, "https://a.example/", "--group", "staff")

    site.good("client", "update", "1", "--redirect-uri", "", "--group", "")

    assert (stored(site).redirect_uris, stored(site).groups) == ((), frozenset())


def test_a_client_becomes_public_and_gets_a_secret_again(site: Site) -> None:
    created(site, *WIKI, "https://a.example/")

    site.good("client", "update", "1", "--public")
    assert stored(site).authentication is ClientAuthentication.NONE
    result = site.run("client", "update", "1", "--confidential")

    assert "reset-secret" in result.stderr
    told = site.good("client", "reset-secret", "1", "--yes")
    assert matches(told.split()[-1], stored(site).secret_digest)


def test_a_reset_leaves_the_old_secret_for_a_while(site: Site) -> None:
    _, old = created(site, *WIKI, "https://a.example/")

    site.good("client", "reset-secret", "1", "--yes", "--overlap", "24h")

    wiki = stored(site)
    assert matches(old, wiki.old_secret_digest)
    assert wiki.old_secret_until == wiki.updated_at + 86_400
