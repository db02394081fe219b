"""`ssogate domain`: the domain names that the accounts have."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from ssogate.cli import accounts
from ssogate.cli.console import changing, config_option, json_option, opened, say
from ssogate.cli.records import (
    confirmed,
    find,
    given,
    id_option,
    say_records,
    word_option,
    yes_option,
)
from ssogate.directory import DOMAINS, fields
from ssogate.model import Domain, DomainStatus

COLUMNS = {
    "NUMBER": "number",
    "ACCOUNT": "account",
    "DOMAIN": "name",
    "STATUS": "status",
    "ID": "external_id",
}

found = partial(find, DOMAINS, named=fields.domain)


@click.group()
def domain() -> None:
    """Keep domains.

    DOMAIN is a name, a number, or an external id such as ext:D-9.

    \b
    Examples:
      ssogate domain add 1 acme.example
      ssogate domain change acme.example --status Expired
    """


@domain.command()
@click.argument("account")
@click.argument("name")
@word_option("--status", DomainStatus, default=DomainStatus.ACTIVE, help="Its status.")
@id_option
@config_option
def add(
    account: str, name: str, status: DomainStatus, external_id: str | None, config: Path
) -> None:
    """Add the domain NAME for ACCOUNT. It is stored in lower case and in A-labels.

    \b
    Example:
      ssogate domain add 1 bücher.example
    """
    with changing(config) as (gate, by, now):
        owner = accounts.found(gate.store, account)
        drawn = Domain(0, owner.number, name, status, external_id or "")
        added = DOMAINS.add(gate.store, drawn, by=by, now=now)
    say(f"added {DOMAINS.name(added)}")


@domain.command(name="list")
@click.option("--account", help="Only those of this account.")
@json_option
@config_option
def list_domains(account: str | None, as_json: bool, config: Path) -> None:
    """List domains.

    \b
    Examples:
      ssogate domain list
      ssogate domain list --account 1 --json
    """
    with opened(config) as gate:
        where = {"account": accounts.found(gate.store, account).number} if account else {}
        say_records(gate.store.domains.listed(**where), COLUMNS, as_json=as_json)


@domain.command()
@click.argument("domain")
@click.option("--account", help="The account that has it from now on.")
@word_option("--status", DomainStatus, help="The new status.")
@id_option
@config_option
def change(
    domain: str,
    account: str | None,
    status: DomainStatus | None,
    external_id: str | None,
    config: Path,
) -> None:
    """Change a domain.

    \b
    Examples:
      ssogate domain change acme.example --status 'Transferred Away'
      ssogate domain change 9 --account 2
    """
    with changing(config) as (gate, by, now):
        new = given(
            account=accounts.found(gate.store, account).number if account else None,
            status=status,
            external_id=external_id,
        )
        number = found(gate.store, domain).number
        changed = DOMAINS.change(
            gate.store, number, lambda old: replace(old, **new), by=by, now=now
        )
    say(f"changed {DOMAINS.name(changed)}")


@domain.command()
@click.argument("domain")
@yes_option
@config_option
def delete(domain: str, yes: bool, config: Path) -> None:
    """Forget a domain.

    \b
    Example:
      ssogate domain delete acme.example
    """
    with changing(config) as (gate, by, now):
        known = found(gate.store, domain)
        confirmed(f"Forget {DOMAINS.name(known)}?", yes=yes)
        DOMAINS.delete(gate.store, known.number, by=by, now=now)
    say(f"deleted {DOMAINS.name(known)}")
