"""WHMCS's `$params` from the directory's records. Here, and nowhere else, sealed secrets are opened
for a module."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from ssogate.crypto import SealBroken, Sealer
from ssogate.directory import sealing
from ssogate.errors import ActionFailed
from ssogate.launch.module import Metadata, ModuleParams
from ssogate.launch.settings import ProductSettings
from ssogate.model import Account, Server, Service


def server_params(
    server: Server, metadata: Metadata, sealer: Sealer | None, *, client: str
) -> ModuleParams:
    """What a module is told of a server. Raises `ActionFailed` if its secrets cannot be opened."""

    def opened(what: str, sealed: str) -> str:
        return _opened(sealer, sealed, sealing.context("server", server.number, what))

    return ModuleParams(
        serverid=server.number,
        moduletype=server.module,
        server=True,
        serverip=next(filter(_is_address, server.hosts), ""),
        serverhostname=server.hosts[0],
        serverusername=server.username,
        serverpassword=opened("password", server.sealed_password),
        serveraccesshash=opened("access_hash", server.sealed_access_hash),
        serversecure=server.secure,
        serverport=port_of(server, metadata),
        serverhttpprefix="https" if server.secure else "http",
        action="AdminSingleSignOn",
        clientip=client,
    )


def service_params(
    params: ModuleParams,
    service: Service,
    account: Account,
    product: ProductSettings,
    sealer: Sealer | None,
    *,
    app: str,
) -> ModuleParams:
    """Add what a module is told of a service on that server. Raises `ActionFailed` likewise."""
    context = sealing.context("service", service.number, "password")
    return replace(
        params,
        serviceid=service.number,
        userid=account.number,
        pid=product.pid,
        domain=service.domain,
        username=service.username,
        password=_opened(sealer, service.sealed_password, context),
        producttype=product.type,
        configoption=product.options,
        clientsdetails={
            "userid": str(account.number),
            "companyname": account.company,
            "email": account.email,
            "status": str(account.status),
        },
        action="ServiceSingleSignOn",
        app=app,
    )


def port_of(server: Server, metadata: Metadata) -> int:
    """Give the port of a server's panel. Raises `ActionFailed` if nobody knows it."""
    usual = metadata.port if server.secure else metadata.plain_port
    port = server.port or usual
    if port is None:
        raise ActionFailed(f"server {server.number} has no port, and its panel none without TLS")
    return port


def _opened(sealer: Sealer | None, sealed: str, context: str) -> str:
    if not sealed:
        return ""
    if sealer is None:
        raise ActionFailed(f"{context}: there are no sealing_keys")
    try:
        return sealer.open(sealed, context=context)
    except SealBroken as error:
        raise ActionFailed(f"{context}: {error}") from error


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
