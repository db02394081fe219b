"""`ssogate client`: OAuth clients, which WHMCS calls credentials."""

from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from pydantic import TypeAdapter, ValidationError

from ssogate.cli.client_options import client_options, named_fields, several
from ssogate.cli.console import changing, config_option, json_option, opened, say
from ssogate.cli.records import (
    confirmed,
    find,
    given,
    say_record,
    say_records,
    yes_option,
)
from ssogate.cli.secret import say_secret
from ssogate.config import Duration
from ssogate.directory.clients import CLIENTS, add_client
from ssogate.directory.clients import reset_client_secret as reset
from ssogate.gate import Gate, client_offer
from ssogate.model import Client, ClientAuthentication, GrantType
from ssogate.provider.addresses import DISCOVERY
from ssogate.storage import Store

GRANTS = {
    "authorization_code": GrantType.AUTHORIZATION_CODE,
    "device_code": GrantType.DEVICE_CODE,
    "client_credentials": GrantType.CLIENT_CREDENTIALS,
    "single_sign_on": GrantType.SINGLE_SIGN_ON,
}

_OF_PEOPLE = (GrantType.AUTHORIZATION_CODE, GrantType.DEVICE_CODE)
_FOR_PEOPLE = frozenset({"openid", "profile", "email"})

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


def _say_created(gate: Gate, client: Client, secret: str) -> None:
    """Print what a person needs who sets the other program up."""
    say(f"created {CLIENTS.name(client)}")
    if secret:
        say_secret(client.identifier, secret)
    else:
        say(f"  identifier  {client.identifier}")
    settings = gate.loaded.settings
    if client.grant is GrantType.SINGLE_SIGN_ON:
        return
    if settings.provider is None:
        click.echo("note: gateway.yaml has no `provider`, so nobody can use it yet", err=True)
        return
    origin = settings.public_url.origin
    say(f"  issuer      {settings.provider.issuer or origin}")
    say(f"  discovery   {origin}{DISCOVERY[1]}")


@click.group()
def client() -> None:
    """Keep OAuth clients: programs that ask for tokens.

    CLIENT is an identifier, a number, or an external id such as ext:7.

    \b
    Examples:
      ssogate client create authorization_code --name Wiki \\
          --redirect-uri https://wiki.example/callback
      ssogate client create authorization_code --name App --public --native \\
          --redirect-uri http://127.0.0.1/callback
      ssogate client create client_credentials --name Backup --scope files:read \\
          --resource https://files.example/
      ssogate client create single_sign_on --service 4 --scope clientarea:product_details
    """


@client.command()
@click.argument("grant", type=click.Choice([*GRANTS]))
@client_options
@config_option
def create(grant: str, config: Path, **values: Any) -> None:
    """Create a client, which asks for tokens by GRANT. The secret is shown once.

    Without --scope, one for people (authorization_code, device_code) may ask for
    'openid profile email'.

    \b
    Example:
      ssogate client create authorization_code --name Wiki \\
          --redirect-uri https://wiki.example/callback --group staff
    """
    asks_by = GRANTS[grant]
    scopes = _FOR_PEOPLE if asks_by in _OF_PEOPLE else frozenset[str]()
    blank = Client(0, "", "", asks_by, "", None, scopes, "", "", (), 0, 0)
    with changing(config) as (gate, by, now):
        drawn = client_offer(gate.loaded).checked(
            replace(blank, **named_fields(gate.store, **values))
        )
        added, secret = add_client(gate.store, drawn, random=secrets.token_bytes, by=by, now=now)
        _say_created(gate, added, secret)


@client.command(name="list")
@click.option("--grant", type=click.Choice([*GRANTS]), help="Only those with this grant.")
@json_option
@config_option
def list_clients(grant: str | None, as_json: bool, config: Path) -> None:
    """List clients, without their secrets.

    \b
    Example:
      ssogate client list --grant single_sign_on
    """
    where = {"grant": GRANTS[grant]} if grant else {}
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
@client_options
@several("--add-redirect-uri", "added", "One more redirect URI.")
@several("--remove-redirect-uri", "removed", "A redirect URI that is one no more.")
@config_option
def update(
    client: str, config: Path, added: tuple[str, ...], removed: tuple[str, ...], **values: Any
) -> None:
    """Change a client. What may be given several times takes the place of all that were, but for
    redirect URIs that are added or removed; an empty text takes all away.

    \b
    Examples:
      ssogate client update 1 --add-redirect-uri https://wiki.example/callback
      ssogate client update 1 --group staff --no-trusted
    """
    with changing(config) as (gate, by, now):
        named = named_fields(gate.store, **values)
        if not (added or removed):
            named = given(**named)
        offer = client_offer(gate.loaded)

        def changed(old: Client) -> Client:
            new = replace(old, **named)
            return offer.checked(replace(new, redirect_uris=_edited(new, added, removed)), old)

        number = found(gate.store, client).number
        after = CLIENTS.change(gate.store, number, changed, by=by, now=now)
    say(f"changed {CLIENTS.name(after)}")
    if after.authentication is ClientAuthentication.SECRET and not after.secret_digest:
        click.echo("note: it has no secret; `ssogate client reset-secret` gives it one", err=True)


def _edited(client: Client, added: tuple[str, ...], removed: tuple[str, ...]) -> tuple[str, ...]:
    """Give a client's redirect URIs with some more and some less."""
    uris = client.redirect_uris
    for uri in removed:
        if uri not in uris:
            raise ValueError(f"{CLIENTS.name(client)} has no redirect URI {uri}")
    return (*(uri for uri in uris if uri not in removed), *added)


@client.command()
@click.argument("client")
@click.option(
    "--overlap", default="0s", show_default=True, help="How long the old secret still holds: 24h."
)
@yes_option
@config_option
def reset_secret(client: str, overlap: str, yes: bool, config: Path) -> None:
    """Give a client another secret, which is shown once. The old one is dead at once, or after
    --overlap, 30d at most.

    \b
    Examples:
      ssogate client reset-secret 1
      ssogate client reset-secret 1 --overlap 24h
    """
    seconds = _seconds(overlap)
    with changing(config) as (gate, by, now):
        known = found(gate.store, client)
        end = f"in {overlap}" if seconds else "now"
        confirmed(f"End the secret of {CLIENTS.name(known)} {end}?", yes=yes)
        _, secret = reset(
            gate.store, known.number, overlap=seconds, random=secrets.token_bytes, by=by, now=now
        )
    say_secret(known.identifier, secret)


def _seconds(text: str) -> int:
    try:
        return round(TypeAdapter[float](Duration).validate_python(text))
    except ValidationError:
        raise click.BadParameter(
            "write a number with a unit, such as 90m, 24h or 7d", param_hint="--overlap"
        ) from None


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
