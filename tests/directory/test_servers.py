"""Servers: what may be stored of one, how its secrets are kept, and who may sign in to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ssogate.crypto import SealBroken, Sealer
from ssogate.directory import SERVERS, SERVICES, may_open_server
from ssogate.directory.servers import reaches, set_server_secrets
from ssogate.errors import Conflict
from ssogate.model import Access, Administrator, Server, Service, ServiceStatus
from ssogate.storage import SQLiteStore
from tests.directory.making import SUE, actions, customer, texts
from tests.storage.making import NOW

WEB1 = Server(0, "web1", "cpanel", ("web1.example.com",), username="root")
SEALER = Sealer([b"k" * 32])


def added(store: SQLiteStore, name: str = "web1", **fields: object) -> Server:
    drawn = replace(WEB1, name=name, **fields)  # type: ignore[arg-type]
    return SERVERS.add(store, drawn, by=SUE, now=NOW)


def test_host_names_are_stored_in_ascii_and_once(store: SQLiteStore) -> None:
    hosts = ("WEB1.Example.com.", "web1.example.com", "bücher.example", "192.0.2.7")

    web1 = added(store, hosts=hosts)

    assert web1.hosts == ("web1.example.com", "xn--bcher-kva.example", "192.0.2.7")
    assert store.servers.get(web1.number) == web1
    assert texts(store) == [("server.added", "server 1 (web1)")]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"name": ""}, "name: must not be empty", id="no name"),
        pytest.param({"name": "7"}, "name: must not be a number", id="a number"),
        pytest.param({"name": "٧"}, "name: must not be a number", id="an Arabic number"),
        pytest.param({"name": "ext:7"}, "nor begin with ext:", id="an external id"),
        pytest.param({"name": "web\u200b"}, "name: holds the invisible", id="invisible"),
        pytest.param({"module": ""}, "module: '' is not", id="no module"),
        pytest.param({"module": "a" * 33}, "module: 'a+' is not", id="long module"),
        pytest.param({"module": "-a"}, "module: '-a' is not", id="module with a dash ahead"),
        pytest.param({"module": "a\n"}, r"module: 'a\\n' is not", id="module and a line break"),
        pytest.param({"hosts": ()}, "hosts: a server has from 1", id="no host"),
        pytest.param({"hosts": tuple(f"h{n}.example" for n in range(21))}, "to 20", id="many"),
        pytest.param({"hosts": ("a b",)}, "hosts: 'a b' is no domain name", id="space"),
        pytest.param({"hosts": ("https://a",)}, "hosts: 'https://a' is no", id="URL"),
        pytest.param({"hosts": ("a:2087",)}, "hosts: 'a:2087' is no", id="port in the host"),
        pytest.param({"hosts": ("a@b",)}, "hosts: 'a@b' is no", id="user in the host"),
        pytest.param({"hosts": ("0x7f.1",)}, "hosts: ", id="an address in another spelling"),
        pytest.param({"hosts": ("2130706433",)}, "hosts: ", id="an address as one number"),
        pytest.param({"hosts": ("a.0x7f",)}, "hosts: ", id="an address to a browser"),
        pytest.param({"port": 0}, "port: ", id="port 0"),
        pytest.param({"port": 65536}, "port: ", id="large port"),
        pytest.param({"username": "root "}, "username: must not begin or end", id="user name"),
        pytest.param({"role_groups": frozenset({"a,b"})}, "comma", id="role group"),
    ],
)
def test_a_bad_field_adds_and_changes_nothing(
    store: SQLiteStore, fields: dict[str, object], message: str
) -> None:
    good = added(store, "good")
    bad = replace(good, **fields)  # type: ignore[arg-type]

    with pytest.raises(ValueError, match=message):
        SERVERS.add(store, bad, by=SUE, now=NOW)
    with pytest.raises(ValueError, match=message):
        SERVERS.change(store, good.number, lambda _: bad, by=SUE, now=NOW)

    assert [*store.servers.listed()] == [good]
    assert actions(store) == ["server.added"]


def test_a_name_is_given_once(store: SQLiteStore) -> None:
    added(store)

    with pytest.raises(Conflict):
        added(store)


def test_a_server_that_services_are_on_stays_and_keeps_its_module(store: SQLiteStore) -> None:
    """Its services' passwords are for that module."""
    web1 = added(store)
    drawn = Service(0, customer(store).number, "Hosting", ServiceStatus.ACTIVE, server=web1.number)
    SERVICES.add(store, drawn, by=SUE, now=NOW)
    before = actions(store)

    with pytest.raises(Conflict, match="has services of the module cpanel"):
        SERVERS.change(store, 1, lambda old: replace(old, module="plesk"), by=SUE, now=NOW)
    with pytest.raises(Conflict):
        SERVERS.delete(store, 1, by=SUE, now=NOW)

    assert [*store.servers.listed()] == [web1]
    assert actions(store) == before


def test_a_server_without_services_may_have_another_module(store: SQLiteStore) -> None:
    added(store)

    changed = SERVERS.change(store, 1, lambda old: replace(old, module="plesk"), by=SUE, now=NOW)

    assert changed.module == "plesk"
    assert texts(store)[-1] == ("server.changed", "server 1 (web1): module: cpanel → plesk")


# --- Secrets -------------------------------------------------------------------------------------


def test_secrets_are_sealed_for_one_server_and_one_purpose(store: SQLiteStore) -> None:
    added(store)
    secrets = {"password": "hunter2", "access_hash": "0123abcd"}

    web1 = set_server_secrets(store, 1, **secrets, sealer=SEALER, by=SUE, now=NOW)

    assert SEALER.open(web1.sealed_password, context="server:1:password") == "hunter2"
    assert SEALER.open(web1.sealed_access_hash, context="server:1:access_hash") == "0123abcd"
    for context in ("server:2:password", "server:1:access_hash"):
        with pytest.raises(SealBroken):
            SEALER.open(web1.sealed_password, context=context)
    assert texts(store)[-1] == (
        "server.credentials-set",
        "server 1 (web1): password set, access hash set",
    )
    assert "hunter2" not in repr([*store.activity.listed(), web1])
    assert "s1." not in repr([*store.activity.listed(), web1])


def test_a_secret_that_is_not_named_stays(store: SQLiteStore) -> None:
    added(store)
    secrets = {"password": "hunter2", "access_hash": "0123abcd"}
    before = set_server_secrets(store, 1, **secrets, sealer=SEALER, by=SUE, now=NOW)

    after = set_server_secrets(store, 1, password="", sealer=SEALER, by=SUE, now=NOW)

    assert after.sealed_password == ""
    assert after.sealed_access_hash == before.sealed_access_hash
    assert texts(store)[-1] == ("server.credentials-set", "server 1 (web1): password removed")


# --- Who may sign in -----------------------------------------------------------------------------


def restricted(*role_groups: str) -> Server:
    return replace(WEB1, access=Access.RESTRICTED, role_groups=frozenset(role_groups))


@pytest.mark.parametrize(
    ("role_group", "opens"),
    [
        pytest.param("group 1", ["server 1", "server 3"], id="group 1"),
        pytest.param("group 2", ["server 2"], id="group 2"),
    ],
)
def test_role_groups_open_their_servers(role_group: str, opens: list[str]) -> None:
    """The example of seed 002."""
    servers = {
        "server 1": restricted("group 1"),
        "server 2": restricted("group 2"),
        "server 3": restricted("group 1"),
    }
    administrator = Administrator("s", frozenset({role_group}), NOW)

    assert [name for name, it in servers.items() if may_open_server(administrator, it)] == opens


@pytest.mark.parametrize(
    ("server", "role_groups", "may"),
    [
        pytest.param(WEB1, [], True, id="unrestricted, in no group"),
        pytest.param(replace(WEB1, role_groups=frozenset("a")), ["b"], True, id="unrestricted"),
        pytest.param(restricted(), ["a"], False, id="restricted to nobody"),
        pytest.param(restricted(), [], False, id="restricted to nobody, in no group"),
        pytest.param(restricted("a"), [], False, id="restricted, in no group"),
        pytest.param(restricted("a"), ["A"], False, id="another spelling"),
        pytest.param(restricted("a", "b"), ["b", "c"], True, id="one of two"),
    ],
)
def test_who_may_open_a_server(server: Server, role_groups: list[str], may: bool) -> None:
    assert may_open_server(Administrator("s", frozenset(role_groups), NOW), server) is may


def test_a_change_of_access_is_told_as_such(store: SQLiteStore) -> None:
    added(store)

    SERVERS.change(
        store,
        1,
        lambda old: replace(old, access=Access.RESTRICTED, role_groups=frozenset({"b", "a"})),
        by=SUE,
        now=NOW,
    )

    assert texts(store)[-1] == (
        "server.access-changed",
        "server 1 (web1): access: unrestricted → restricted, role groups: none → a, b",
    )


@pytest.mark.parametrize(
    ("owner_of_credentials", "owner_of_service", "on", "does"),
    [
        pytest.param("", "", 1, True, id="root reaches root's"),
        pytest.param("", "reseller", 1, True, id="root reaches a reseller's"),
        pytest.param("reseller", "reseller", 1, True, id="a reseller reaches his own"),
        pytest.param("reseller", "", 1, False, id="a reseller does not reach root's"),
        pytest.param("reseller", "other", 1, False, id="a reseller does not reach another's"),
        pytest.param("", "", 2, False, id="another server"),
        pytest.param("", "", None, False, id="no server"),
    ],
)
def test_what_a_servers_credentials_reach(
    owner_of_credentials: str, owner_of_service: str, on: int | None, does: bool
) -> None:
    server = replace(WEB1, number=1, owner=owner_of_credentials)
    service = Service(1, 1, "Hosting", ServiceStatus.ACTIVE, server=on, owner=owner_of_service)

    assert reaches(server, service) is does
