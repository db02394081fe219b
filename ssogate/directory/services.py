"""Services and domains, and the one place that says who may sign in to a service."""

from __future__ import annotations

from dataclasses import replace

from ssogate.crypto import Sealer
from ssogate.directory import fields, sealing
from ssogate.directory.accounts import ACCOUNTS
from ssogate.directory.activity import By
from ssogate.directory.records import Kind
from ssogate.directory.servers import SERVERS, may_open_server
from ssogate.errors import LaunchRefused
from ssogate.model import (
    Account,
    AccountStatus,
    Domain,
    Permission,
    Service,
    ServiceStatus,
    Standing,
)
from ssogate.storage import Store


def _checked(store: Store, service: Service, now: int) -> Service:
    ACCOUNTS.known(store, service.account)
    return replace(
        service,
        product=fields.text("product", service.product, needed=True),
        module=_module(store, service),
        domain=fields.domain(service.domain) if service.domain else "",
        username=fields.exact("username", service.username),
        owner=fields.exact("owner", service.owner),
        external_id=fields.exact("external id", service.external_id),
    )


def _module(store: Store, service: Service) -> str:
    """A service on a server is run by the server's module: another would be given its secrets."""
    if service.server is None:
        return fields.module(service.module) if service.module else ""
    server = SERVERS.known(store, service.server)
    if service.module not in ("", server.module):
        raise ValueError(f"module: {SERVERS.name(server)} has the module {server.module}")
    return server.module


def _verb(old: Service, new: Service) -> str:
    return "changed" if old.sealed_password == new.sealed_password else "password-set"


def _checked_domain(store: Store, domain: Domain, now: int) -> Domain:
    ACCOUNTS.known(store, domain.account)
    external_id = fields.exact("external id", domain.external_id)
    return replace(domain, name=fields.domain(domain.name), external_id=external_id)


SERVICES: Kind[Service] = Kind(
    noun="service",
    table=lambda store: store.services,
    called=lambda service: f"{service.product} of account {service.account}",
    checked=_checked,
    verb=_verb,
)
DOMAINS: Kind[Domain] = Kind(
    noun="domain",
    table=lambda store: store.domains,
    called=lambda domain: domain.name,
    checked=_checked_domain,
)


def set_service_password(
    store: Store, number: int, password: str, *, sealer: Sealer, by: By, now: int
) -> Service:
    """Store the password of the panel's user, sealed; an empty one takes it away."""
    context = sealing.context("service", number, "password")
    sealed = sealer.seal(password, context=context) if password else ""
    return SERVICES.change(
        store, number, lambda service: replace(service, sealed_password=sealed), by=by, now=now
    )


def usable_service(store: Store, subject: str, number: int) -> tuple[Service, Account]:
    """Give a service and its account if this user may sign in to it now (seed 002).

    That takes the permissions `products` and `productsso`, an Active service, and an account that
    is not Closed and has not switched single sign-on off; or an administrator to whom the server of
    the service is open. Raises `LaunchRefused`, in words for the user; of a service of somebody
    else it says no more than of one that does not exist.
    """
    service = store.services.get(number)
    standing = store.memberships.standing(service.account, subject) if service else None
    if service is None or standing is None or standing.user is None or not standing.user.welcome:
        raise LaunchRefused(_NONE)
    if not (standing.administrator and _is_open(store, subject, service)):
        _judge_member(standing)
    if service.status is not ServiceStatus.ACTIVE:
        raise LaunchRefused("The service is not active.")
    return service, standing.account


_NONE = "You have no such service."


def _is_open(store: Store, subject: str, service: Service) -> bool:
    """Whether an administrator may sign in to the server of a service."""
    administrator = store.administrators.get(subject)
    server = store.servers.get(service.server) if service.server else None
    return bool(administrator and server and may_open_server(administrator, server))


def _judge_member(standing: Standing) -> None:
    membership, account = standing.membership, standing.account
    if membership is None:
        raise LaunchRefused(_NONE)
    if not membership.may(Permission.PRODUCTS, Permission.PRODUCT_SSO):
        raise LaunchRefused(
            "The owner of the account has not allowed you to sign in to its services."
        )
    if account.status is AccountStatus.CLOSED:
        raise LaunchRefused("The account that the service belongs to is closed.")
    if not account.allow_single_sign_on:
        raise LaunchRefused("Single sign-on is switched off for the account of this service.")
