"""Servers, how the gate signs in to them, and which administrators may (seed 002)."""

from __future__ import annotations

from dataclasses import replace

from ssogate.crypto import Sealer
from ssogate.directory import fields, sealing
from ssogate.directory.activity import By
from ssogate.directory.records import Kind
from ssogate.errors import Conflict
from ssogate.model import Access, Administrator, Server, Service
from ssogate.storage import Store


def _checked(store: Store, server: Server, now: int) -> Server:
    name = fields.exact("name", server.name, needed=True)
    if name.isdecimal() or name.startswith("ext:"):  # so that a name cannot pass for another's
        raise ValueError("name: must not be a number, nor begin with ext:")
    return replace(
        server,
        name=name,
        module=_module(store, server),
        hosts=fields.hosts(server.hosts),
        port=fields.port(server.port),
        username=fields.exact("username", server.username),
        owner=fields.exact("owner", server.owner),
        role_groups=fields.groups(server.role_groups),
        external_id=fields.exact("external id", server.external_id),
    )


def _module(store: Store, server: Server) -> str:
    """Services have the module of their server, and its secrets are for no other."""
    old = store.servers.get(server.number)
    if old and old.module != server.module and any(store.services.listed(server=old.number)):
        raise Conflict(f"server {old.number} ({old.name}) has services of the module {old.module}")
    return fields.module(server.module)


def _verb(old: Server, new: Server) -> str:
    if (old.access, old.role_groups) != (new.access, new.role_groups):
        return "access-changed"
    return "changed" if _secrets(old) == _secrets(new) else "credentials-set"


def _secrets(server: Server) -> tuple[str, ...]:
    return server.username, server.sealed_password, server.sealed_access_hash


SERVERS: Kind[Server] = Kind(
    noun="server",
    table=lambda store: store.servers,
    called=lambda server: server.name,
    checked=_checked,
    verb=_verb,
)


def set_server_secrets(
    store: Store,
    number: int,
    *,
    password: str | None = None,
    access_hash: str | None = None,
    sealer: Sealer,
    by: By,
    now: int,
) -> Server:
    """Store what the gate signs in to a server with, sealed for that server and that purpose. An
    empty text takes a secret away, None leaves it."""

    def sealed(purpose: str, text: str | None, stored: str) -> str:
        if text is None:
            return stored
        return sealer.seal(text, context=sealing.context("server", number, purpose)) if text else ""

    def changed(server: Server) -> Server:
        return replace(
            server,
            sealed_password=sealed("password", password, server.sealed_password),
            sealed_access_hash=sealed("access_hash", access_hash, server.sealed_access_hash),
        )

    return SERVERS.change(store, number, changed, by=by, now=now)


def may_open_server(administrator: Administrator, server: Server) -> bool:
    """Whether an administrator may sign in to a server: a restricted one is open to its role
    groups only."""
    if server.access is Access.UNRESTRICTED:
        return True
    return not server.role_groups.isdisjoint(administrator.role_groups)


def reaches(server: Server, service: Service) -> bool:
    """Whether the credentials of a server reach a service there: a reseller's reach his own."""
    if service.server != server.number:
        return False
    return server.owner in ("", service.owner)
