"""`ssogate admin`: which users may operate the gate, and their role groups."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import click

from ssogate.cli.console import (
    changing,
    config_option,
    json_option,
    known_user,
    moment,
    opened,
    say,
    say_json,
    say_table,
    split_groups,
)
from ssogate.directory.administrators import (
    add_administrator,
    remove_administrator,
    set_role_groups,
)
from ssogate.model import Administrator, User

roles_option = click.option(
    "--roles", default="", metavar="A,B", help="The role groups, such as support,level2."
)


@click.group()
def admin() -> None:
    """Keep administrators: users who may operate the gate, signed in by password only.

    \b
    Examples:
      ssogate admin add sue --roles support
      ssogate admin roles sue support,level2
    """


@admin.command()
@click.argument("user")
@roles_option
@config_option
def add(user: str, roles: str, config: Path) -> None:
    """Make USER an administrator, and end the sessions that USER has.

    \b
    Example:
      ssogate admin add sue --roles support,level2
    """
    with changing(config) as (gate, by, now):
        known = known_user(gate, user).identity
        add_administrator(gate.store, known.subject, split_groups(roles), by=by, now=now)
        has_password = bool(gate.store.secrets.password(known.subject))
    say(f"{known.username} is an administrator")
    if not has_password:
        click.echo(f"next: ssogate user password {known.username}", err=True)


@admin.command(name="list")
@json_option
@config_option
def list_administrators(as_json: bool, config: Path) -> None:
    """List administrators.

    \b
    Examples:
      ssogate admin list
      ssogate admin list --json
    """
    with opened(config) as gate:
        listed = [
            (gate.store.users.of(it.subject), it) for it in gate.store.administrators.listed()
        ]
    known = sorted(_facts(user, it) for user, it in listed if user)
    if as_json:
        say_json([fact._asdict() for fact in known])
        return
    say_table(
        ("USER", "ROLE GROUPS", "STATE", "SINCE"),
        ((it.username, ",".join(it.role_groups), it.state, moment(it.since)) for it in known),
    )


@admin.command()
@click.argument("user")
@click.argument("roles", metavar="A,B")
@config_option
def roles(user: str, roles: str, config: Path) -> None:
    """Put the administrator USER in these role groups, and in no others.

    \b
    Example:
      ssogate admin roles sue support,level2
    """
    with changing(config) as (gate, by, now):
        known = known_user(gate, user).identity
        chosen = split_groups(roles)
        changed = set_role_groups(gate.store, known.subject, chosen, by=by, now=now)
    say(f"{known.username} is in: {','.join(sorted(changed.role_groups)) or 'no role group'}")


@admin.command()
@click.argument("user")
@config_option
def remove(user: str, config: Path) -> None:
    """Let USER be an administrator no more, but still a user.

    \b
    Example:
      ssogate admin remove sue
    """
    with changing(config) as (gate, by, now):
        known = known_user(gate, user).identity
        remove_administrator(gate.store, known.subject, by=by, now=now)
    say(f"{known.username} is no administrator any more")


class _Facts(NamedTuple):
    username: str
    role_groups: list[str]
    state: str
    since: int


def _facts(user: User, known: Administrator) -> _Facts:
    state = "active" if user.welcome else "inactive"
    return _Facts(user.identity.username, sorted(known.role_groups), state, known.created_at)
