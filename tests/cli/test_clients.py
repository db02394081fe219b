"""`ssogate client`."""

from __future__ import annotations

import json
import re

import pytest

from ssogate.crypto.random_secrets import matches
from ssogate.model import Client, GrantType
from tests.cli.conftest import Site
from tests.cli.making import contents

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
