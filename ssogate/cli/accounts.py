"""`ssogate account`: the customers, and who may act for them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from ssogate.cli.console import (
    changing,
    config_option,
    json_option,
    known_user,
    opened,
    say,
    split_groups,
)
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
from ssogate.directory import ACCOUNTS
from ssogate.directory.accounts import remove_member, set_member
from ssogate.directory.fields import word
from ssogate.model import Account, AccountStatus, Membership, Permission
from ssogate.storage import Store

COLUMNS = {
    "NUMBER": "number",
    "COMPANY": "company",
    "E-MAIL": "email",
    "STATUS": "status",
    "SSO": "allow_single_sign_on",
    "ID": "external_id",
}

found = partial(find, ACCOUNTS)

sso_option = click.option(
    "--sso/--no-sso",
    "allow_single_sign_on",
    default=None,
    help="Whether its people may be signed in by tokens and into panels.",
)


@click.group()
def account() -> None:
    """Keep accounts, which WHMCS calls clients, and their members.

    ACCOUNT is a number, or an external id such as ext:C-17.

    \b
    Examples:
      ssogate account add 'Acme Ltd' --email office@acme.example
      ssogate account member add 1 sue --owner
      ssogate account change 1 --status Closed
    """


@account.command()
@click.argument("company")
@click.option("--email", default="", help="The e-mail address.")
@word_option("--status", AccountStatus, default=AccountStatus.ACTIVE, help="Its status.")
@sso_option
@id_option
@config_option
def add(
    *,
    company: str,
    email: str,
    status: AccountStatus,
    allow_single_sign_on: bool | None,
    external_id: str | None,
    config: Path,
) -> None:
    """Add an account.

    \b
    Example:
      ssogate account add 'Acme Ltd' --email office@acme.example --id C-17
    """
    allowed = allow_single_sign_on is not False
    drawn = Account(0, company, email, status, allowed, 0, 0, external_id or "")
    with changing(config) as (gate, by, now):
        added = ACCOUNTS.add(gate.store, drawn, by=by, now=now)
    say(f"added {ACCOUNTS.name(added)}")


@account.command(name="list")
@word_option("--status", AccountStatus, help="Only those of this status.")
@json_option
@config_option
def list_accounts(status: AccountStatus | None, as_json: bool, config: Path) -> None:
    """List accounts.

    \b
    Examples:
      ssogate account list
      ssogate account list --status Closed --json
    """
    where = {"status": status} if status else {}
    with opened(config) as gate:
        say_records(gate.store.accounts.listed(**where), COLUMNS, as_json=as_json)


@account.command()
@click.argument("account")
@json_option
@config_option
def show(account: str, as_json: bool, config: Path) -> None:
    """Show an account with its members.

    \b
    Example:
      ssogate account show 1
    """
    with opened(config) as gate:
        known = found(gate.store, account)
        members = _members(gate.store, known)
    told = members if as_json else [f"{name} ({', '.join(may)})" for name, may in members.items()]
    say_record(known, {"members": told}, as_json=as_json)


@account.command()
@click.argument("account")
@click.option("--company", help="The new name.")
@click.option("--email", help="The new e-mail address.")
@word_option("--status", AccountStatus, help="The new status; Closed shuts every door at once.")
@sso_option
@id_option
@config_option
def change(account: str, config: Path, **fields: str | bool | None) -> None:
    """Change an account.

    Who acts for Closed accounts only may sign in no more, and is signed out at once.

    \b
    Examples:
      ssogate account change 1 --status Closed
      ssogate account change ext:C-17 --no-sso
    """
    new = given(**fields)
    with changing(config) as (gate, by, now):
        number = found(gate.store, account).number
        changed = ACCOUNTS.change(
            gate.store, number, lambda old: replace(old, **new), by=by, now=now
        )
    say(f"changed {ACCOUNTS.name(changed)}")


@account.command()
@click.argument("account")
@yes_option
@config_option
def delete(account: str, yes: bool, config: Path) -> None:
    """Forget an account with its services, domains and memberships. Its users stay.

    \b
    Example:
      ssogate account delete 1
    """
    with changing(config) as (gate, by, now):
        known = found(gate.store, account)
        confirmed(f"Forget {ACCOUNTS.name(known)} and all that it has?", yes=yes)
        ACCOUNTS.delete(gate.store, known.number, by=by, now=now)
    say(f"deleted {ACCOUNTS.name(known)}")


@account.group()
def member() -> None:
    """Say who may act for an account.

    \b
    Examples:
      ssogate account member add 1 sue --owner
      ssogate account member add 1 bob --permissions products,productsso
      ssogate account member remove 1 bob
    """


@member.command(name="add")
@click.argument("account")
@click.argument("user")
@click.option("--owner", is_flag=True, help="May do all; an account has one owner.")
@click.option(
    "--permissions",
    default="",
    metavar="A,B",
    help=f"What the user may do, of: {', '.join(Permission)}.",
)
@config_option
def add_member(account: str, user: str, owner: bool, permissions: str, config: Path) -> None:
    """Let USER act for ACCOUNT, with these permissions and no others.

    A new owner takes the place of the old one.

    \b
    Examples:
      ssogate account member add 1 sue --owner
      ssogate account member add 1 bob --permissions products,productsso
    """
    with changing(config) as (gate, by, now):
        granted = frozenset(word(Permission, name) for name in split_groups(permissions))
        known, person = found(gate.store, account), known_user(gate, user).identity
        membership = Membership(known.number, person.subject, owner, granted)
        set_member(gate.store, membership, by=by, now=now)
    say(f"{person.username} may do for {ACCOUNTS.name(known)}: {', '.join(_may(membership))}")


@member.command()
@click.argument("account")
@click.argument("user")
@config_option
def remove(account: str, user: str, config: Path) -> None:
    """Let USER act for ACCOUNT no more.

    \b
    Example:
      ssogate account member remove 1 bob
    """
    with changing(config) as (gate, by, now):
        known, person = found(gate.store, account), known_user(gate, user).identity
        remove_member(gate.store, known.number, person.subject, by=by, now=now)
    say(f"{person.username} is no member of {ACCOUNTS.name(known)} any more")


def _members(store: Store, account: Account) -> dict[str, list[str]]:
    members = store.memberships.listed(account=account.number)
    users = ((store.users.of(it.subject), it) for it in members)
    return {user.identity.username: [*_may(it)] for user, it in users if user}


def _may(membership: Membership) -> Iterable[str]:
    return ["owner"] if membership.owner else sorted(membership.permissions) or ["nothing"]
