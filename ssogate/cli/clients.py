"""`ssogate client`: OAuth clients, which WHMCS calls credentials."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from ssogate.cli import services
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
from ssogate.cli.secret import say_secret
from ssogate.directory.clients import CLIENTS, add_client
from ssogate.directory.clients import reset_client_secret as reset
from ssogate.model import Client, GrantType
from ssogate.storage import Store

COLUMNS = {
    "NUMBER": "number",
    "IDENTIFIER": "identifier",
    "NAME": "name",
    "GRANT": "grant",
    "SERVICE": "service",
    "SCOPES": "scopes",
    "ID": "external_id",
}


def found(store: Store, text: str) -> Client:
    """Find a client by its identifier, its number or its external id, or fail."""
    return store.clients.named(text) or find(CLIENTS, store, text)


def _client_options(command: Callable[..., Any]) -> Callable[..., Any]:
    options = (
        click.option("--name", help="What people read of it."),
        click.option("--service", help="The service that a single_sign_on client is for."),
        click.option("--scope", metavar="'A B'", help="What it may ask for, at most."),
        click.option("--description", help="What it is for."),
        click.option("--logo-uri", help="A picture: a URL, or a path of this site."),
        click.option("--redirect-uri", "redirect_uris", multiple=True, help="Where codes go."),
        id_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


def _named(
    store: Store,
    *,
    service: str | None,
    scope: str | None,
    redirect_uris: tuple[str, ...],
    **texts: str | None,
) -> dict[str, Any]:
    """Give a client's fields that the options name."""
    named: dict[str, Any] = {name: text for name, text in texts.items() if text is not None}
    if service is not None:
        named["service"] = services.found(store, service).number
    if scope is not None:
        named["scopes"] = frozenset(scope.split())
    if redirect_uris:
        named["redirect_uris"] = redirect_uris
    return named


@click.group()
def client() -> None:
    """Keep OAuth clients: programs that ask for tokens.

    CLIENT is an identifier, a number, or an external id such as ext:7.

    \b
    Examples:
      ssogate client create single_sign_on --service 4 --scope clientarea:product_details
      ssogate client create authorization_code --name Wiki --scope 'openid email' \\
          --redirect-uri https://wiki.example/callback
    """


@client.command()
@click.argument("grant", type=click.Choice([grant.value for grant in GrantType]))
@_client_options
@config_option
def create(grant: str, config: Path, **values: Any) -> None:
    """Create a client, which asks for tokens by GRANT. The secret is shown once.

    \b
    Example:
      ssogate client create single_sign_on --service 4 --scope clientarea:product_details
    """
    blank = Client(0, "", "", GrantType(grant), "", None, frozenset(), "", "", (), 0, 0)
    with changing(config) as (gate, by, now):
        drawn = replace(blank, **_named(gate.store, **values))
        added, secret = add_client(gate.store, drawn, random=secrets.token_bytes, by=by, now=now)
    say(f"created {CLIENTS.name(added)}")
    say_secret(added.identifier, secret)


@client.command(name="list")
@word_option("--grant", GrantType, help="Only those with this grant.")
@json_option
@config_option
def list_clients(grant: GrantType | None, as_json: bool, config: Path) -> None:
    """List clients, without their secrets.

    \b
    Example:
      ssogate client list --grant single_sign_on
    """
    where = {"grant": grant} if grant else {}
    with opened(config) as gate:
        say_records(gate.store.clients.listed(**where), COLUMNS, as_json=as_json)


@client.command()
@click.argument("client")
@json_option
@config_option
def show(client: str, as_json: bool, config: Path) -> None:
    """Show a client, without its secret.

    \b
    Example:
      ssogate client show 1
    """
    with opened(config) as gate:
        say_record(found(gate.store, client), {}, as_json=as_json)


@client.command()
@click.argument("client")
@_client_options
@config_option
def update(client: str, config: Path, **values: Any) -> None:
    """Change a client. Scopes and redirect URIs take the place of all that were.

    \b
    Example:
      ssogate client update 1 --redirect-uri https://wiki.example/callback
    """
    with changing(config) as (gate, by, now):
        new = given(**_named(gate.store, **values))
        number = found(gate.store, client).number
        changed = CLIENTS.change(gate.store, number, partial(replace, **new), by=by, now=now)
    say(f"changed {CLIENTS.name(changed)}")


@client.command()
@click.argument("client")
@yes_option
@config_option
def reset_secret(client: str, yes: bool, config: Path) -> None:
    """Give a client another secret, which is shown once. The old one is dead at once.

    \b
    Example:
      ssogate client reset-secret 1
    """
    with changing(config) as (gate, by, now):
        known = found(gate.store, client)
        confirmed(f"End the secret of {CLIENTS.name(known)}?", yes=yes)
        _, secret = reset(gate.store, known.number, random=secrets.token_bytes, by=by, now=now)
    say_secret(known.identifier, secret)


@client.command()
@click.argument("client")
@yes_option
@config_option
def delete(client: str, yes: bool, config: Path) -> None:
    """Forget a client.

    \b
    Example:
      ssogate client delete 1
    """
    with changing(config) as (gate, by, now):
        known = found(gate.store, client)
        confirmed(f"Forget {CLIENTS.name(known)}?", yes=yes)
        CLIENTS.delete(gate.store, known.number, by=by, now=now)
    say(f"deleted {CLIENTS.name(known)}")
