"""`ssogate service`: what the accounts have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from ssogate.cli import accounts, servers
from ssogate.cli.console import changing, config_option, json_option, opened, say
from ssogate.cli.records import (
    confirmed,
    find,
    given,
    id_option,
    say_record,
    say_records,
    word_option,
    yes_option,
)
from ssogate.cli.secret import ask_secret, read_secret, sealer_of, secret_options
from ssogate.directory import SERVICES
from ssogate.directory.services import set_service_password
from ssogate.model import Service, ServiceStatus
from ssogate.storage import Store

COLUMNS = {
    "NUMBER": "number",
    "ACCOUNT": "account",
    "PRODUCT": "product",
    "STATUS": "status",
    "MODULE": "module",
    "SERVER": "server",
    "DOMAIN": "domain",
    "USER NAME": "username",
    "ID": "external_id",
}

found = partial(find, SERVICES)


def _panel_options(command: Callable[..., Any]) -> Callable[..., Any]:
    options = (
        click.option("--server", metavar="SERVER", help="The server that it is on; '' for none."),
        click.option("--module", help="How to sign in to it; the server's, if it is on one."),
        click.option("--domain", help="Its domain name."),
        click.option("--username", help="Its name in the panel."),
        click.option("--owner", help="The panel's name of the reseller who owns it."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group()
def service() -> None:
    """Keep services: the products that accounts have.

    SERVICE is a number, or an external id such as ext:S-4.

    \b
    Examples:
      ssogate service add 1 'Hosting L' --server web1 --username acme --domain acme.example
      ssogate service change 4 --status Suspended
    """


@service.command()
@click.argument("account")
@click.argument("product")
@word_option("--status", ServiceStatus, default=ServiceStatus.ACTIVE, help="Its status.")
@_panel_options
@id_option
@config_option
def add(
    account: str,
    product: str,
    status: ServiceStatus,
    server: str | None,
    config: Path,
    **texts: str | None,
) -> None:
    """Add a service for ACCOUNT.

    \b
    Example:
      ssogate service add 1 'Hosting L' --server web1 --username acme --domain acme.example
    """
    named = {name: text for name, text in texts.items() if text is not None}
    with changing(config) as (gate, by, now):
        owner = accounts.found(gate.store, account)
        drawn = Service(
            0,
            owner.number,
            product,
            status,
            server=_server(gate.store, server),
            **named,
        )
        added = SERVICES.add(gate.store, drawn, by=by, now=now)
    say(f"added {SERVICES.name(added)}")


@service.command(name="list")
@click.option("--account", help="Only those of this account.")
@click.option("--server", metavar="SERVER", help="Only those on this server.")
@word_option("--status", ServiceStatus, help="Only those of this status.")
@json_option
@config_option
def list_services(
    account: str | None,
    server: str | None,
    status: ServiceStatus | None,
    as_json: bool,
    config: Path,
) -> None:
    """List services.

    \b
    Examples:
      ssogate service list --account 1
      ssogate service list --server web1 --status Active --json
    """
    where: dict[str, object] = {"status": status} if status else {}
    with opened(config) as gate:
        if account:
            where["account"] = accounts.found(gate.store, account).number
        if server:
            where["server"] = _server(gate.store, server)
        say_records(gate.store.services.listed(**where), COLUMNS, as_json=as_json)


@service.command()
@click.argument("service")
@json_option
@config_option
def show(service: str, as_json: bool, config: Path) -> None:
    """Show a service. Of its password it says only whether there is one.

    \b
    Example:
      ssogate service show 4
    """
    with opened(config) as gate:
        say_record(found(gate.store, service), {}, as_json=as_json)


@service.command()
@click.argument("service")
@click.option("--account", help="The account that has it from now on.")
@click.option("--product", help="The new product.")
@word_option("--status", ServiceStatus, help="The new status; only Active ones can be opened.")
@_panel_options
@id_option
@config_option
def change(
    service: str,
    account: str | None,
    server: str | None,
    status: ServiceStatus | None,
    config: Path,
    **texts: str | None,
) -> None:
    """Change a service. It counts at the next request.

    \b
    Examples:
      ssogate service change 4 --status Suspended
      ssogate service change ext:S-4 --server web2 --module ''
    """
    with changing(config) as (gate, by, now):
        new = given(
            account=accounts.found(gate.store, account).number if account else None,
            status=status,
            server=server,
            **texts,
        )
        if server is not None:
            new["server"] = _server(gate.store, server)
        changed = SERVICES.change(
            gate.store,
            found(gate.store, service).number,
            lambda old: replace(old, **new),
            by=by,
            now=now,
        )
    say(f"changed {SERVICES.name(changed)}")


@service.command()
@click.argument("service")
@secret_options
@click.option("--remove", is_flag=True, help="Forget the password.")
@config_option
def password(
    service: str, password_file: Path | None, from_stdin: bool, remove: bool, config: Path
) -> None:
    """Store the password of the panel's user, sealed. It is asked for, or read from elsewhere.

    \b
    Examples:
      ssogate service password 4
      ssogate service password 4 --stdin < secret.txt
    """
    with changing(config) as (gate, by, now):
        known, sealer = found(gate.store, service), sealer_of(gate)
        text = "" if remove else read_secret(password_file, from_stdin=from_stdin)
        if text is None:
            text = ask_secret(f"Password of {known.username or SERVICES.name(known)}")
        set_service_password(gate.store, known.number, text, sealer=sealer, by=by, now=now)
    say(f"{'removed' if remove else 'stored'} the password of {SERVICES.name(known)}")


@service.command()
@click.argument("service")
@yes_option
@config_option
def delete(service: str, yes: bool, config: Path) -> None:
    """Forget a service. Nothing happens on its server.

    \b
    Example:
      ssogate service delete 4
    """
    with changing(config) as (gate, by, now):
        known = found(gate.store, service)
        confirmed(f"Forget {SERVICES.name(known)}?", yes=yes)
        SERVICES.delete(gate.store, known.number, by=by, now=now)
    say(f"deleted {SERVICES.name(known)}")


def _server(store: Store, text: str | None) -> int | None:
    return servers.found(store, text).number if text else None
