"""`ssogate api-credential` and `ssogate api-role`."""

from __future__ import annotations

import json
import re

import pytest

from ssogate.crypto.random_secrets import matches
from ssogate.model import ApiCredential
from tests.cli.conftest import Site
from tests.cli.making import contents


def added(site: Site, *options: str) -> tuple[str, str]:
    """Add a credential; give identifier and secret."""
    told = site.good("api-credential", "add", "The shop", *options)
    found = re.search(r"identifier +([0-9a-f]{32})\n +secret +([0-9a-f]{64})\n", told)
    assert found is not None
    return found[1], found[2]


def stored(site: Site, identifier: str) -> ApiCredential:
    found = site.gate().store.api_credentials.named(identifier)
    assert found is not None
    return found


def test_a_secret_is_shown_once_and_stored_as_a_digest(site: Site) -> None:
    identifier, secret = added(site)

    assert matches(secret, stored(site, identifier).secret_digest)
    assert secret not in "\n".join(contents(site))
    digest = stored(site, identifier).secret_digest
    for listed in (
        site.good("api-credential", "list"),
        site.good("api-credential", "list", "--json"),
    ):
        assert identifier in listed
        assert secret not in listed
        assert digest not in listed


def test_what_a_credential_may_is_said_when_it_is_added(site: Site) -> None:
    site.good("api-role", "add", "sign-in", "CreateSsoToken", "validatelogin")
    options = ("--roles", "sign-in", "--networks", "192.0.2.7", "--destinations")

    identifier, _ = added(site, *options, "clientarea:tickets,clientarea:invoices")

    known = stored(site, identifier)
    assert known.roles == {"sign-in"}
    assert known.networks == ("192.0.2.7/32",)
    assert known.scopes == {"clientarea:tickets", "clientarea:invoices"}
    assert known.active


def test_a_credential_is_changed(site: Site) -> None:
    site.good("api-role", "add", "a", "GetClients")
    identifier, _ = added(site)

    site.good("api-credential", "roles", identifier, "a")
    site.good("api-credential", "networks", identifier, "192.0.2.7,2001:db8::/48")
    site.good("api-credential", "deactivate", identifier)

    known = stored(site, identifier)
    assert known.roles == {"a"}
    assert known.networks == ("192.0.2.7/32", "2001:db8::/48")
    assert not known.active
    site.good("api-credential", "deactivate", identifier, "--undo")
    site.good("api-credential", "roles", identifier, "")
    assert stored(site, identifier).active
    assert stored(site, identifier).roles == frozenset()


def test_a_reset_shows_the_new_secret(site: Site) -> None:
    identifier, old = added(site)

    told = site.good("api-credential", "reset", identifier, "--yes")

    known = stored(site, identifier)
    assert not matches(old, known.secret_digest)
    assert matches(told.split()[-1], known.secret_digest)


@pytest.mark.parametrize("command", ["reset", "delete"])
def test_what_cannot_be_undone_is_asked_first(site: Site, command: str) -> None:
    identifier, secret = added(site)

    assert site.run("api-credential", command, identifier, stdin="n\n").exit_code == 1

    assert matches(secret, stored(site, identifier).secret_digest)


def test_a_credential_is_deleted(site: Site) -> None:
    identifier, _ = added(site)

    site.good("api-credential", "delete", identifier, "--yes")

    assert json.loads(site.good("api-credential", "list", "--json")) == []


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("roles", "x", "a"), id="roles"),
        pytest.param(("networks", "x", ""), id="networks"),
        pytest.param(("deactivate", "x"), id="deactivate"),
        pytest.param(("reset", "x"), id="reset"),
        pytest.param(("delete", "x"), id="delete"),
    ],
)
def test_an_unknown_credential_is_a_mistake(site: Site, arguments: tuple[str, ...]) -> None:
    result = site.run("api-credential", *arguments)

    assert result.exit_code == 2
    assert "there is no API credential x" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(("api-credential", "add", "x", "--roles", "y"), "no API role 'y'", id="role"),
        pytest.param(
            ("api-credential", "add", "x", "--networks", "y"), "write an address", id="network"
        ),
        pytest.param(
            ("api-credential", "add", "x", "--destinations", "y"), "no destination", id="scope"
        ),
        pytest.param(
            ("api-role", "add", "x", "Explode"), "there is no action Explode", id="action"
        ),
        pytest.param(("api-role", "add", "x"), "Missing argument", id="no action"),
        pytest.param(("api-role", "delete", "x"), "there is no API role x", id="no such role"),
    ],
)
def test_a_mistake_is_told(site: Site, arguments: tuple[str, ...], message: str) -> None:
    result = site.run(*arguments)

    assert result.exit_code == 2
    assert message in result.stderr


def test_roles_are_listed_and_deleted(site: Site) -> None:
    site.good("api-role", "add", "sign-in", "CreateSsoToken")

    assert json.loads(site.good("api-role", "list", "--json")) == [
        {"number": 1, "name": "sign-in", "actions": ["createssotoken"], "external_id": ""}
    ]
    assert "createssotoken" in site.good("api-role", "list")
    site.good("api-role", "delete", "sign-in")
    assert json.loads(site.good("api-role", "list", "--json")) == []


def test_a_role_in_use_is_not_deleted(site: Site) -> None:
    site.good("api-role", "add", "a", "GetClients")
    identifier, _ = added(site, "--roles", "a")

    result = site.run("api-role", "delete", "a")

    assert result.exit_code == 2
    assert identifier in result.stderr
