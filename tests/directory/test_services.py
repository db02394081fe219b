"""Services: which server they may be on, and who may sign in to one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ssogate.crypto import SealBroken, Sealer
from ssogate.directory import ACCOUNTS, DOMAINS, SERVERS, SERVICES, change_user, usable_service
from ssogate.directory.services import set_service_password
from ssogate.errors import Conflict, LaunchRefused
from ssogate.model import (
    Account,
    AccountStatus,
    Domain,
    DomainStatus,
    Permission,
    Server,
    Service,
    ServiceStatus,
    User,
)
from ssogate.storage import SQLiteStore
from tests.directory.making import SUE, actions, customer, member, person, texts
from tests.storage.making import NOW

BOTH = (Permission.PRODUCTS, Permission.PRODUCT_SSO)
WEB1 = Server(0, "web1", "cpanel", ("web1.example.com",))
SEALER = Sealer([b"k" * 32])


def hosting(store: SQLiteStore, account: Account, **fields: object) -> Service:
    drawn = Service(0, account.number, "Hosting", ServiceStatus.ACTIVE)
    return SERVICES.add(store, replace(drawn, **fields), by=SUE, now=NOW)  # type: ignore[arg-type]


def test_a_service_on_a_server_has_its_module(store: SQLiteStore) -> None:
    web1 = SERVERS.add(store, WEB1, by=SUE, now=NOW)
    acme = customer(store)

    service = hosting(store, acme, server=web1.number, domain="BÜCHER.example.", username="acme")

    assert (service.module, service.domain) == ("cpanel", "xn--bcher-kva.example")
    assert store.services.get(service.number) == service
    assert texts(store)[-1] == ("service.added", "service 1 (Hosting of account 1)")


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        pytest.param({"product": ""}, ValueError, "product: must not be empty", id="product"),
        pytest.param({"module": "cPanel"}, ValueError, "module: 'cPanel' is not", id="module"),
        pytest.param({"module": "../x"}, ValueError, "module: '../x' is not", id="module path"),
        pytest.param(
            {"server": 1, "module": "plesk"},
            ValueError,
            r"module: server 1 \(web1\) has the module cpanel",
            id="another module than the server's",
        ),
        pytest.param({"server": 7}, Conflict, "there is no server 7", id="server"),
        pytest.param({"account": 7}, Conflict, "there is no account 7", id="account"),
        pytest.param({"domain": "a b"}, ValueError, "domain: 'a b' is no domain", id="domain"),
        pytest.param({"username": " a"}, ValueError, "username: must not begin", id="user name"),
        pytest.param({"owner": "a\0"}, ValueError, "owner: holds the invisible", id="owner"),
    ],
)
def test_a_bad_field_adds_and_changes_nothing(
    store: SQLiteStore, fields: dict[str, object], error: type[Exception], message: str
) -> None:
    SERVERS.add(store, WEB1, by=SUE, now=NOW)
    good = hosting(store, customer(store))
    bad = replace(good, **fields)  # type: ignore[arg-type]
    before = actions(store)

    with pytest.raises(error, match=message):
        SERVICES.add(store, bad, by=SUE, now=NOW)
    with pytest.raises(error, match=message):
        SERVICES.change(store, good.number, lambda _: bad, by=SUE, now=NOW)

    assert [*store.services.listed()] == [good]
    assert actions(store) == before


def test_a_password_is_sealed_for_its_service_alone(store: SQLiteStore) -> None:
    first, second = (hosting(store, customer(store, name)) for name in "ab")

    sealed = set_service_password(
        store, first.number, "hunter2", sealer=SEALER, by=SUE, now=NOW
    ).sealed_password

    assert SEALER.open(sealed, context=f"service:{first.number}:password") == "hunter2"
    with pytest.raises(SealBroken):
        SEALER.open(sealed, context=f"service:{second.number}:password")
    assert texts(store)[-1] == (
        "service.password-set",
        "service 1 (Hosting of account 1): password set",
    )
    assert "hunter2" not in repr([*store.activity.listed(), *store.services.listed()])
    gone = set_service_password(store, first.number, "", sealer=SEALER, by=SUE, now=NOW)
    assert gone.sealed_password == ""


# --- Who may sign in to one ----------------------------------------------------------------------


@pytest.fixture
def acme(store: SQLiteStore) -> Account:
    return customer(store)


@pytest.fixture
def service(store: SQLiteStore, acme: Account) -> Service:
    return hosting(store, acme)


@pytest.fixture
def joe(store: SQLiteStore, acme: Account) -> User:
    joe = person(store, "joe")
    member(store, acme, joe, *BOTH)
    return joe


def refusal(store: SQLiteStore, user: User, number: int) -> str:
    with pytest.raises(LaunchRefused) as caught:
        usable_service(store, user.identity.subject, number)
    return caught.value.detail


def test_products_and_productsso_open_a_service(
    store: SQLiteStore, service: Service, joe: User
) -> None:
    assert usable_service(store, joe.identity.subject, service.number)[0] == service


def test_an_owner_needs_no_permissions(store: SQLiteStore, acme: Account, service: Service) -> None:
    sue = person(store, "sue")
    member(store, acme, sue, owner=True)

    assert usable_service(store, sue.identity.subject, service.number)[0] == service


@pytest.mark.parametrize(
    "permissions",
    [
        pytest.param(set(), id="none"),
        pytest.param({Permission.PRODUCTS}, id="products alone"),
        pytest.param({Permission.PRODUCT_SSO}, id="productsso alone"),
        pytest.param(set(Permission) - {Permission.PRODUCT_SSO}, id="all but productsso"),
        pytest.param(set(Permission) - {Permission.PRODUCTS}, id="all but products"),
    ],
)
def test_a_permission_that_is_taken_away_counts_at_once(
    store: SQLiteStore,
    acme: Account,
    service: Service,
    joe: User,
    permissions: set[Permission],
) -> None:
    usable_service(store, joe.identity.subject, service.number)

    member(store, acme, joe, *permissions)

    assert "has not allowed you" in refusal(store, joe, service.number)


@pytest.mark.parametrize("status", [it for it in ServiceStatus if it is not ServiceStatus.ACTIVE])
def test_only_an_active_service_opens(
    store: SQLiteStore, service: Service, joe: User, status: ServiceStatus
) -> None:
    change = SERVICES.change
    change(store, service.number, lambda old: replace(old, status=status), by=SUE, now=NOW)

    assert refusal(store, joe, service.number) == "The service is not active."


def with_account(**fields: object) -> Callable[[SQLiteStore], object]:
    return lambda store: ACCOUNTS.change(
        store,
        1,
        lambda old: replace(old, **fields),  # type: ignore[arg-type]
        by=SUE,
        now=NOW,
    )


@pytest.mark.parametrize(
    ("deed", "message"),
    [
        pytest.param(with_account(allow_single_sign_on=False), "switched off", id="switch"),
        pytest.param(with_account(status=AccountStatus.CLOSED), "no such service", id="closed"),
        pytest.param(
            lambda store: change_user(store, "joe", active=False, by=SUE, now=NOW),
            "no such service",
            id="deactivated",
        ),
        pytest.param(
            lambda store: store.users.delete(store.users.get("joe").identity.subject),
            "no such service",
            id="deleted",
        ),
        pytest.param(lambda store: store.services.delete(1), "no such service", id="service gone"),
        pytest.param(lambda store: store.accounts.delete(1), "no such service", id="account gone"),
    ],
)
def test_who_may_not(
    store: SQLiteStore,
    service: Service,
    joe: User,
    deed: Callable[[SQLiteStore], object],
    message: str,
) -> None:
    deed(store)

    assert message in refusal(store, joe, service.number)


def test_a_closed_account_opens_nothing_to_who_is_welcome_by_another(
    store: SQLiteStore, service: Service, joe: User
) -> None:
    member(store, customer(store, "Other"), joe)
    with_account(status=AccountStatus.CLOSED)(store)

    assert "is closed" in refusal(store, joe, service.number)


def test_an_inactive_account_may_still_open_its_services(
    store: SQLiteStore, service: Service, joe: User
) -> None:
    with_account(status=AccountStatus.INACTIVE)(store)

    assert usable_service(store, joe.identity.subject, service.number)


def test_somebody_elses_service_looks_like_none(
    store: SQLiteStore, service: Service, joe: User
) -> None:
    stranger = person(store, "stranger")
    member(store, customer(store, "Other"), stranger, owner=True)

    assert refusal(store, stranger, service.number) == refusal(store, stranger, 999)


# --- Domains -------------------------------------------------------------------------------------


def test_a_domain_is_stored_in_ascii(store: SQLiteStore, acme: Account) -> None:
    drawn = Domain(0, acme.number, "Bücher.EXAMPLE.", DomainStatus.ACTIVE, "D-1")

    added = DOMAINS.add(store, drawn, by=SUE, now=NOW)

    assert added.name == "xn--bcher-kva.example"
    assert texts(store)[-1] == ("domain.added", "domain 1 (xn--bcher-kva.example)")


@pytest.mark.parametrize("name", ["", "a b", "a..b", "-a.example", "a\u200b.example", "a/b", "a@b"])
def test_a_bad_domain_is_refused(store: SQLiteStore, acme: Account, name: str) -> None:
    with pytest.raises(ValueError, match="domain: "):
        DOMAINS.add(store, Domain(0, acme.number, name, DomainStatus.ACTIVE), by=SUE, now=NOW)

    assert [*store.domains.listed()] == []
