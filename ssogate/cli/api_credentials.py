"""`ssogate api-credential` and `ssogate api-role`: the programs that may call the API."""

from __future__ import annotations

import secrets
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from ssogate.api import ACTIONS
from ssogate.cli.console import (
    Mistake,
    changing,
    config_option,
    json_option,
    opened,
    printable,
    say,
    split_groups,
)
from ssogate.cli.records import confirmed, say_records, yes_option
from ssogate.cli.secret import say_secret
from ssogate.directory.clients import (
    API_CREDENTIALS,
    API_ROLES,
    add_api_credential,
    delete_api_role,
    reset_api_secret,
)
from ssogate.model import ApiCredential, ApiRole
from ssogate.storage import Store

CREDENTIAL_COLUMNS = {
    "IDENTIFIER": "identifier",
    "DESCRIPTION": "description",
    "ROLES": "roles",
    "NETWORKS": "networks",
    "DESTINATIONS": "scopes",
    "ACTIVE": "active",
}
ROLE_COLUMNS = {"ROLE": "name", "ACTIONS": "actions"}


def found(store: Store, identifier: str) -> ApiCredential:
    """Find a credential by its identifier, or fail."""
    credential = store.api_credentials.named(identifier)
    if credential is None:
        raise Mistake(
            f"there is no API credential {printable(identifier)}:"
            " `ssogate api-credential list` shows what there is"
        )
    return credential


@click.group(name="api-credential")
def api_credential() -> None:
    """Keep the credentials by which programs call the API.

    A credential may call what its roles allow (`ssogate api-role`), from the addresses that `api`
    in gateway.yaml lists and from its own networks.

    \b
    Examples:
      ssogate api-role add sign-in CreateSsoToken
      ssogate api-credential add 'The shop' --roles sign-in --networks 192.0.2.7
      ssogate api-credential deactivate 0123456789abcdef0123456789abcdef
    """


@api_credential.command()
@click.argument("description")
@click.option("--roles", default="", metavar="A,B", help="What it may call.")
@click.option("--networks", default="", metavar="A,B", help="From where, besides gateway.yaml's.")
@click.option("--destinations", default="", metavar="A,B", help="Its tokens lead there only.")
@config_option
def add(description: str, roles: str, networks: str, destinations: str, config: Path) -> None:
    """Add a credential for the program that DESCRIPTION is about. The secret is shown once.

    \b
    Examples:
      ssogate api-credential add 'The shop' --roles sign-in --networks 192.0.2.7
      ssogate api-credential add Help --roles sign-in --destinations clientarea:tickets
    """
    drawn = ApiCredential(
        number=0,
        identifier="",
        secret_digest="",
        description=description,
        roles=frozenset(split_groups(roles)),
        networks=split_groups(networks),
        scopes=frozenset(split_groups(destinations)),
        active=True,
        created_at=0,
    )
    with changing(config) as (gate, by, now):
        added, secret = add_api_credential(
            gate.store, drawn, random=secrets.token_bytes, by=by, now=now
        )
    say(f"added {API_CREDENTIALS.name(added)}")
    say_secret(added.identifier, secret)


@api_credential.command(name="list")
@json_option
@config_option
def list_credentials(as_json: bool, config: Path) -> None:
    """List credentials, without their secrets.

    \b
    Example:
      ssogate api-credential list
    """
    with opened(config) as gate:
        known = gate.store.api_credentials.listed()
        say_records(known, CREDENTIAL_COLUMNS, as_json=as_json)


@api_credential.command()
@click.argument("identifier")
@click.argument("roles", metavar="A,B")
@config_option
def roles(identifier: str, roles: str, config: Path) -> None:
    """Give a credential these roles and no others; '' for none. It counts at the next call.

    \b
    Example:
      ssogate api-credential roles 0123456789abcdef0123456789abcdef sign-in,accounts
    """
    _change(config, identifier, roles=frozenset(split_groups(roles)))


@api_credential.command()
@click.argument("identifier")
@click.argument("networks", metavar="A,B")
@config_option
def networks(identifier: str, networks: str, config: Path) -> None:
    """Let a credential call from these networks, besides those of gateway.yaml; '' for none.

    \b
    Example:
      ssogate api-credential networks 0123456789abcdef0123456789abcdef 192.0.2.7,2001:db8::/48
    """
    _change(config, identifier, networks=split_groups(networks))


@api_credential.command()
@click.argument("identifier")
@click.option("--undo", is_flag=True, help="Let it call again.")
@config_option
def deactivate(identifier: str, undo: bool, config: Path) -> None:
    """Let a credential call no more. It counts at the next call.

    \b
    Example:
      ssogate api-credential deactivate 0123456789abcdef0123456789abcdef
    """
    _change(config, identifier, active=undo)


@api_credential.command()
@click.argument("identifier")
@yes_option
@config_option
def reset(identifier: str, yes: bool, config: Path) -> None:
    """Give a credential another secret, which is shown once. The old one is dead at once.

    \b
    Example:
      ssogate api-credential reset 0123456789abcdef0123456789abcdef
    """
    with changing(config) as (gate, by, now):
        known = found(gate.store, identifier)
        confirmed(f"End the secret of {API_CREDENTIALS.name(known)}?", yes=yes)
        _, secret = reset_api_secret(
            gate.store, known.number, random=secrets.token_bytes, by=by, now=now
        )
    say_secret(known.identifier, secret)


@api_credential.command()
@click.argument("identifier")
@yes_option
@config_option
def delete(identifier: str, yes: bool, config: Path) -> None:
    """Forget a credential.

    \b
    Example:
      ssogate api-credential delete 0123456789abcdef0123456789abcdef
    """
    with changing(config) as (gate, by, now):
        known = found(gate.store, identifier)
        confirmed(f"Forget {API_CREDENTIALS.name(known)}?", yes=yes)
        API_CREDENTIALS.delete(gate.store, known.number, by=by, now=now)
    say(f"deleted {API_CREDENTIALS.name(known)}")


def _change(config: Path, identifier: str, **new: Any) -> None:
    with changing(config) as (gate, by, now):
        number = found(gate.store, identifier).number
        change = partial(replace, **new)
        changed = API_CREDENTIALS.change(gate.store, number, change, by=by, now=now)
    say(f"changed {API_CREDENTIALS.name(changed)}")


# --- Roles ---------------------------------------------------------------------------------------


@click.group(name="api-role")
def api_role() -> None:
    """Keep roles: names for what an API credential may call.

    \b
    Examples:
      ssogate api-role add sign-in CreateSsoToken
      ssogate api-role add accounts AddClient GetClients UpdateClient
    """


@api_role.command(name="add")
@click.argument("name")
@click.argument("actions", nargs=-1, required=True)
@config_option
def add_role(name: str, actions: tuple[str, ...], config: Path) -> None:
    """Add the role NAME, which allows ACTIONS.

    \b
    Example:
      ssogate api-role add sign-in CreateSsoToken
    """
    known = {action.lower() for action in ACTIONS}
    for action in actions:
        if action.lower() not in known:
            raise Mistake(
                f"there is no action {printable(action)}, only: {', '.join(sorted(ACTIONS))}"
            )
    drawn = ApiRole(0, name, frozenset(action.lower() for action in actions))
    with changing(config) as (gate, by, now):
        added = API_ROLES.add(gate.store, drawn, by=by, now=now)
    say(f"added {API_ROLES.name(added)}")


@api_role.command(name="list")
@json_option
@config_option
def list_roles(as_json: bool, config: Path) -> None:
    """List roles.

    \b
    Example:
      ssogate api-role list
    """
    with opened(config) as gate:
        say_records(gate.store.api_roles.listed(), ROLE_COLUMNS, as_json=as_json)


@api_role.command(name="delete")
@click.argument("name")
@config_option
def delete_role(name: str, config: Path) -> None:
    """Forget a role that no credential has.

    \b
    Example:
      ssogate api-role delete sign-in
    """
    with changing(config) as (gate, by, now):
        known = gate.store.api_roles.named(name)
        if known is None:
            raise Mistake(f"there is no API role {printable(name)}")
        delete_api_role(gate.store, known.number, by=by, now=now)
    say(f"deleted {API_ROLES.name(known)}")
