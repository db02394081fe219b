from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Site
from tests.cli.making import contents, with_sealing_key


@pytest.fixture
def web1(site: Site) -> Site:
    with_sealing_key(site)
    arguments = ["--module", "cpanel", "--host", "WEB1.example.com", "--host", "192.0.2.7"]
    done = site.run("server", "add", "web1", *arguments, "--username", "root", "--id", "7")
    assert done.stdout == "added server 1 (web1)\n"
    assert done.stderr == "next: ssogate server credentials 1\n"
    return site


def shown(site: Site, server: str = "web1") -> dict[str, object]:
    facts: dict[str, object] = json.loads(site.good("server", "show", server, "--json"))
    return facts


def administrator(site: Site, name: str, roles: str) -> None:
    site.good("user", "add", name, "--email", f"{name}@example.com")
    site.good("admin", "add", name, "--roles", roles)


def test_lists_servers_in_a_table(web1: Site) -> None:
    assert web1.good("server", "list").splitlines() == [
        "NUMBER  SERVER  MODULE  HOSTS                       ACCESS        ROLE GROUPS  USER NAME"
        "  OWNER  ID",
        "1       web1    cpanel  web1.example.com,192.0.2.7  unrestricted               root     "
        "         7",
    ]


@pytest.mark.parametrize("name", ["1", "web1", "ext:7"])
def test_shows_a_server_by_number_name_or_external_id(web1: Site, name: str) -> None:
    facts = shown(web1, name)

    assert facts["hosts"] == ["web1.example.com", "192.0.2.7"]
    assert facts["secure"] is True
    assert facts["password"] == ""


def test_changes_what_is_given_and_nothing_else(web1: Site) -> None:
    before = shown(web1)

    web1.good("server", "change", "web1", "--host", "new.example", "--port", "2087")

    after = shown(web1)
    assert {name for name in before if before[name] != after[name]} == {"hosts", "port"}
    assert after["hosts"] == ["new.example"]


@pytest.mark.parametrize(
    ("arguments", "stdin", "what"),
    [
        pytest.param(["--stdin"], "hunter2", "password", id="stdin"),
        pytest.param(["--password-file", "secret.txt"], None, "password", id="file"),
        pytest.param([], "hunter2\nhunter2\n", "password", id="prompt"),
        pytest.param(["--access-hash", "--stdin"], "hunter2\n", "access_hash", id="access hash"),
    ],
)
def test_credentials_are_sealed_and_never_shown(
    web1: Site, arguments: list[str], stdin: str | None, what: str
) -> None:
    web1.write("secret.txt", "hunter2\n")

    said = web1.good("server", "credentials", "web1", *arguments, stdin=stdin)

    gate = web1.gate()
    server = gate.store.servers.get(1)
    assert server
    assert gate.sealer
    sealed = {"password": server.sealed_password, "access_hash": server.sealed_access_hash}
    assert gate.sealer.open(sealed[what], context=f"server:1:{what}") == "hunter2"
    assert sum(map(bool, sealed.values())) == 1
    everything = said + web1.good("server", "show", "web1") + web1.good("activity", "list")
    assert "hunter2" not in everything
    assert sealed[what] not in everything
    assert shown(web1)[what] == "set"
    flags = ["--access-hash"] if what == "access_hash" else []
    web1.good("server", "credentials", "web1", "--remove", *flags)
    assert shown(web1)[what] == ""


def test_a_server_may_be_added_with_its_password(web1: Site) -> None:
    arguments = ["--module", "plesk", "--host", "web2.example.com", "--stdin"]

    web1.good("server", "add", "web2", *arguments, stdin="hunter2\n")

    assert shown(web1, "web2")["password"] == "set"


def test_a_server_whose_password_cannot_be_sealed_is_not_added(site: Site) -> None:
    arguments = ["--module", "plesk", "--host", "web2.example.com", "--stdin"]

    refused = site.run("server", "add", "web2", *arguments, stdin="hunter2\n")

    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "gateway.yaml has no sealing_keys: add" in refused.stderr
    assert json.loads(site.good("server", "list", "--json")) == []
    assert json.loads(site.good("activity", "list", "--json")) == []


def test_it_tells_that_sealing_keys_lack_before_it_asks(site: Site) -> None:
    site.good("server", "add", "web1", "--module", "cpanel", "--host", "web1.example.com")

    refused = site.run("server", "credentials", "web1")

    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "sealing_keys" in refused.stderr


def test_access_is_restricted_to_role_groups(web1: Site) -> None:
    """The example of seed 002, through the command line."""
    for name in ("web2", "web3"):
        web1.good("server", "add", name, "--module", "cpanel", "--host", f"{name}.example.com")
    administrator(web1, "ann", "group1")
    administrator(web1, "ben", "group2")

    for server, role in (("web1", "group1"), ("web2", "group2"), ("web3", "group1")):
        web1.good("server", "access", server, "--restrict", role)

    opens = {server: shown(web1, server)["open_to"] for server in ("web1", "web2", "web3")}
    assert opens == {"web1": ["ann"], "web2": ["ben"], "web3": ["ann"]}
    web1.good("server", "access", "web2", "--unrestrict")
    assert shown(web1, "web2")["open_to"] == ["ann", "ben"]
    assert shown(web1, "web2")["role_groups"] == []


def test_a_role_group_without_administrators_is_warned_of(web1: Site) -> None:
    administrator(web1, "ann", "support")

    done = web1.run("server", "access", "web1", "--restrict", "support,level2")

    assert done.exit_code == 0
    assert done.stdout == "server 1 (web1) is restricted, open to: ann\n"
    assert done.stderr == "note: no administrator is in the role group level2\n"


def test_deleting_asks_first(web1: Site) -> None:
    assert web1.run("server", "delete", "web1", stdin="n\n").exit_code == 1
    assert shown(web1)

    web1.good("server", "delete", "web1", "--yes")
    assert json.loads(web1.good("server", "list", "--json")) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["add", "web2", "--host", "h"], "Missing option '--module'", id="module"),
        pytest.param(["add", "web2", "--module", "m"], "from 1 to 20 host names", id="hosts"),
        pytest.param(
            ["add", "web2", "--module", "m", "--host", "https://h/"], "hosts: 'https:", id="host"
        ),
        pytest.param(["add", "web1", "--module", "m", "--host", "h"], "already", id="taken"),
        pytest.param(["add", "12", "--module", "m", "--host", "h"], "a number", id="number"),
        pytest.param(["show", "web9"], "there is no server web9: give a number, a", id="show"),
        pytest.param(["change", "web1"], "Say what to change", id="no change"),
        pytest.param(["change", "web1", "--port", "0"], "1<=x<=65535", id="port"),
        pytest.param(["access", "web1"], "Give one of --restrict and", id="no access"),
        pytest.param(["access", "web1", "--restrict", " , "], "names of role", id="no group"),
        pytest.param(
            ["access", "web1", "--restrict", "a", "--unrestrict"], "Give one of", id="both"
        ),
        pytest.param(["credentials", "web9", "--stdin"], "there is no server web9", id="unknown"),
        pytest.param(["credentials", "web1", "--stdin"], "stdin: is empty", id="empty"),
        pytest.param(
            ["credentials", "web1", "--password-file", "nowhere"], "cannot read it", id="file"
        ),
        pytest.param(
            ["credentials", "web1", "--password-file", "binary"], "is not UTF-8", id="binary"
        ),
        pytest.param(["credentials", "web1", "--password-file", "long"], "longer than", id="long"),
        pytest.param(
            ["credentials", "web1", "--stdin", "--password-file", "long"], "Give one", id="two"
        ),
        pytest.param(["delete", "web9", "--yes"], "there is no server web9", id="delete"),
    ],
)
def test_tells_a_mistake(web1: Site, arguments: list[str], message: str) -> None:
    (web1.folder / "binary").write_bytes(b"\xff\xfe")
    web1.write("long", "x" * 20_000)
    before = contents(web1)

    result = web1.run("server", *arguments, stdin="")

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert contents(web1) == before
