"""`ssogate service` and `ssogate domain`: what accounts have."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Site
from tests.cli.making import contents, with_sealing_key


@pytest.fixture
def acme(site: Site) -> Site:
    with_sealing_key(site)
    for name in ("Acme", "Other"):
        site.good("account", "add", name)
    site.good("server", "add", "web1", "--module", "cpanel", "--host", "web1.example.com")
    site.good("server", "add", "web2", "--module", "plesk", "--host", "web2.example.com")
    arguments = ["--server", "web1", "--username", "acme", "--domain", "Acme.Example"]
    said = site.good("service", "add", "1", "Hosting L", *arguments, "--id", "S-1")
    assert said == "added service 1 (Hosting L of account 1)\n"
    site.good("domain", "add", "1", "Bücher.example")
    return site


def shown(site: Site, service: str = "1") -> dict[str, object]:
    facts: dict[str, object] = json.loads(site.good("service", "show", service, "--json"))
    return facts


def test_lists_services_in_a_table(acme: Site) -> None:
    assert acme.good("service", "list").splitlines() == [
        "NUMBER  ACCOUNT  PRODUCT    STATUS  MODULE  SERVER  DOMAIN        USER NAME  ID",
        "1       1        Hosting L  Active  cpanel  1       acme.example  acme       S-1",
    ]


@pytest.mark.parametrize(
    ("where", "numbers"),
    [
        pytest.param([], [1, 2], id="all"),
        pytest.param(["--account", "2"], [2], id="account"),
        pytest.param(["--server", "web1"], [1], id="server"),
        pytest.param(["--status", "pending"], [2], id="status"),
        pytest.param(["--account", "2", "--server", "web1"], [], id="both"),
    ],
)
def test_lists_some_services(acme: Site, where: list[str], numbers: list[int]) -> None:
    acme.good("service", "add", "2", "Mail", "--status", "Pending")

    listed = json.loads(acme.good("service", "list", *where, "--json"))

    assert [it["number"] for it in listed] == numbers


def test_changes_what_is_given_and_nothing_else(acme: Site) -> None:
    before = shown(acme)

    acme.good("service", "change", "ext:S-1", "--status", "Suspended", "--account", "2")

    after = shown(acme)
    assert {name for name in before if before[name] != after[name]} == {"status", "account"}


def test_a_service_moves_to_another_server_and_its_module(acme: Site) -> None:
    refused = acme.run("service", "change", "1", "--server", "web2")
    assert refused.exit_code == 2
    assert "server 2 (web2) has the module plesk" in refused.stderr

    acme.good("service", "change", "1", "--server", "web2", "--module", "")
    assert (shown(acme)["server"], shown(acme)["module"]) == (2, "plesk")

    acme.good("service", "change", "1", "--server", "")
    assert (shown(acme)["server"], shown(acme)["module"]) == (None, "plesk")


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        pytest.param(["--stdin"], "hunter2\n", id="stdin"),
        pytest.param(["--password-file", "secret.txt"], None, id="file"),
        pytest.param([], "hunter2\nhunter2\n", id="prompt"),
    ],
)
def test_a_password_is_sealed_and_never_shown(
    acme: Site, arguments: list[str], stdin: str | None
) -> None:
    acme.write("secret.txt", "hunter2\r\n")

    said = acme.good("service", "password", "1", *arguments, stdin=stdin)

    gate = acme.gate()
    service = gate.store.services.get(1)
    assert service
    assert gate.sealer
    assert gate.sealer.open(service.sealed_password, context="service:1:password") == "hunter2"
    everything = said + acme.good("service", "show", "1") + acme.good("activity", "list")
    assert "hunter2" not in everything
    assert service.sealed_password not in everything
    assert shown(acme)["password"] == "set"
    acme.good("service", "password", "1", "--remove")
    assert shown(acme)["password"] == ""


def test_lists_domains(acme: Site) -> None:
    acme.good("domain", "add", "2", "other.example", "--status", "Expired", "--id", "D-2")

    assert acme.good("domain", "list").splitlines() == [
        "NUMBER  ACCOUNT  DOMAIN                 STATUS   ID",
        "1       1        xn--bcher-kva.example  Active",
        "2       2        other.example          Expired  D-2",
    ]
    (other,) = json.loads(acme.good("domain", "list", "--account", "2", "--json"))
    assert other["name"] == "other.example"


@pytest.mark.parametrize("name", ["1", "BÜCHER.example", "xn--bcher-kva.example."])
def test_changes_a_domain_by_any_spelling(acme: Site, name: str) -> None:
    acme.good("domain", "change", name, "--status", "transferred away", "--id", "D-1")

    (known,) = json.loads(acme.good("domain", "list", "--json"))
    assert (known["status"], known["external_id"]) == ("Transferred Away", "D-1")


@pytest.mark.parametrize("command", ["service", "domain"])
def test_deleting_asks_first(acme: Site, command: str) -> None:
    assert acme.run(command, "delete", "1", stdin="n\n").exit_code == 1
    assert json.loads(acme.good(command, "list", "--json"))

    acme.good(command, "delete", "1", "--yes")
    assert json.loads(acme.good(command, "list", "--json")) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["service", "add", "7", "x"], "there is no account 7", id="account"),
        pytest.param(["service", "add", "1", ""], "product: must not be empty", id="product"),
        pytest.param(
            ["service", "add", "1", "x", "--server", "web9"],
            "there is no server web9: give a number, a name",
            id="server",
        ),
        pytest.param(
            ["service", "add", "1", "x", "--module", "Plesk"], "module: 'Plesk'", id="module"
        ),
        pytest.param(
            ["service", "change", "1", "--status", "On"], "is none of: Pending, Active", id="status"
        ),
        pytest.param(["service", "change", "1"], "Say what to change", id="no change"),
        pytest.param(["service", "show", "x"], "`ssogate service list`", id="show"),
        pytest.param(["service", "delete", "7", "--yes"], "there is no service 7", id="delete"),
        pytest.param(["service", "password", "7", "--stdin"], "no service 7", id="password"),
        pytest.param(["domain", "add", "1", "a b"], "domain: 'a b' is no", id="domain"),
        pytest.param(["domain", "add", "7", "a.example"], "no account 7", id="domain of none"),
        pytest.param(["domain", "change", "a.example", "--id", "x"], "no domain", id="unknown"),
        pytest.param(["domain", "change", "a b", "--id", "x"], "no domain a b", id="no name"),
        pytest.param(["domain", "change", "1"], "Say what to change", id="domain: no change"),
    ],
)
def test_tells_a_mistake(acme: Site, arguments: list[str], message: str) -> None:
    before = contents(acme)

    result = acme.run(*arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert contents(acme) == before


def test_two_domains_of_one_name_are_told_apart_by_number(acme: Site) -> None:
    acme.good("domain", "add", "2", "bücher.example", "--status", "Pending")

    refused = acme.run("domain", "delete", "bücher.example", "--yes")

    assert refused.exit_code == 2
    assert "there are several domains" in refused.stderr
    assert len(json.loads(acme.good("domain", "list", "--json"))) == 2
