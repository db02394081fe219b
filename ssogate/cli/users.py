"""`ssogate user`: the people whom the gate knows."""

from __future__ import annotations

import time
from pathlib import Path

import click

from ssogate.cli.console import (
    Mistake,
    config_option,
    counted,
    json_option,
    known_user,
    moment,
    opened,
    say,
    say_facts,
    say_json,
    say_table,
    split_groups,
)
from ssogate.directory import add_user, change_user
from ssogate.model import User


@click.group()
def user() -> None:
    """Add, show, change and delete users.

    \b
    Examples:
      ssogate user add sue --email sue@example.com --groups staff
      ssogate user deactivate john
    """


@user.command()
@click.argument("name")
@click.option("--email", required=True, help="The e-mail address.")
@click.option("--name", "full_name", default="", help="The full name.")
@click.option("--groups", default="", metavar="A,B", help="The groups that the user is in.")
@config_option
def add(name: str, email: str, full_name: str, groups: str, config: Path) -> None:
    """Add the user NAME, who can then sign in by any way in.

    \b
    Example:
      ssogate user add sue --email sue@example.com --name 'Sue Jones' --groups staff,members
    """
    with opened(config) as gate:
        try:
            added = add_user(
                gate.store.users,
                name,
                name=full_name,
                email=email,
                groups=split_groups(groups),
                now=int(time.time()),
            )
        except ValueError as error:
            raise Mistake(str(error)) from error
    say(f"added {added.identity.username}")


@user.command(name="list")
@json_option
@config_option
def list_users(as_json: bool, config: Path) -> None:
    """List all users.

    \b
    Examples:
      ssogate user list
      ssogate user list --json | jq -r '.[] | select(.active) | .email'
    """
    with opened(config) as gate:
        users = gate.store.users.listed()
    if as_json:
        say_json([_facts(known) for known in users])
        return
    headings = ("USER", "NAME", "E-MAIL", "GROUPS", "STATE", "FROM")
    say_table(headings, map(_row, users))


@user.command()
@click.argument("name")
@json_option
@config_option
def show(name: str, as_json: bool, config: Path) -> None:
    """Show the user NAME.

    \b
    Example:
      ssogate user show sue
    """
    with opened(config) as gate:
        known = known_user(gate, name)
        sessions = len(gate.store.sessions.listed(known.identity.subject))
    if as_json:
        say_json({**_facts(known), "sessions": sessions})
        return
    who = known.identity
    username, full_name, email, groups, state, source = _row(known)
    compared = "" if who.canonical == username else f" (compared as {who.canonical})"
    facts = {"user": username + compared, "name": full_name, "e-mail": email, "groups": groups}
    facts |= {"state": state, "from": source, "subject": who.subject}
    facts |= {"created": moment(known.created_at), "changed": moment(known.updated_at)}
    say_facts({**facts, "sessions": str(sessions)})


@user.command()
@click.argument("name")
@config_option
def deactivate(name: str, config: Path) -> None:
    """Let NAME in no more, and end all sessions of NAME at once.

    \b
    Example:
      ssogate user deactivate john
    """
    with opened(config) as gate:
        known = known_user(gate, name)
        ended = len(gate.store.sessions.listed(known.identity.subject))
        change_user(gate.store, known.identity.canonical, active=False, now=int(time.time()))
    say(f"deactivated {known.identity.username}, ended {counted(ended, 'session')}")


@user.command()
@click.argument("name")
@config_option
def activate(name: str, config: Path) -> None:
    """Let NAME in again.

    \b
    Example:
      ssogate user activate john
    """
    with opened(config) as gate:
        known = known_user(gate, name)
        change_user(gate.store, known.identity.canonical, active=True, now=int(time.time()))
    say(f"activated {known.identity.username}")


@user.command()
@click.argument("name")
@click.argument("groups", metavar="A,B")
@config_option
def groups(name: str, groups: str, config: Path) -> None:
    """Put NAME in these groups, and in no others. It counts from the next request on.

    \b
    Examples:
      ssogate user groups sue staff,members
      ssogate user groups sue ''
    """
    with opened(config) as gate:
        known = known_user(gate, name)
        try:
            chosen = split_groups(groups)
            changed = change_user(
                gate.store, known.identity.canonical, groups=chosen, now=int(time.time())
            )
        except ValueError as error:
            raise Mistake(str(error)) from error
    say(f"{known.identity.username} is in: {_joined(changed) or 'no group'}")


@user.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
def delete(name: str, yes: bool, config: Path) -> None:
    """Forget NAME, and end all sessions of NAME.

    A way in that creates users may create NAME anew; `user deactivate` keeps NAME out.

    \b
    Example:
      ssogate user delete john
    """
    with opened(config) as gate:
        known = known_user(gate, name)
        username = known.identity.username
        if not yes:
            click.confirm(f"Forget {username} and end the sessions?", abort=True)
        gate.store.users.delete(known.identity.subject)
    say(f"deleted {username}")


def _row(known: User) -> tuple[str, str, str, str, str, str]:
    who = known.identity
    state = "active" if known.active else "inactive"
    return who.username, who.name, who.email, _joined(known), state, known.source or "operator"


def _facts(known: User) -> dict[str, object]:
    who = known.identity
    return {
        "username": who.username,
        "canonical": who.canonical,
        "subject": who.subject,
        "name": who.name,
        "email": who.email,
        "groups": sorted(who.groups),
        "active": known.active,
        "source": known.source,
        "created_at": known.created_at,
        "updated_at": known.updated_at,
    }


def _joined(known: User) -> str:
    return ",".join(sorted(known.identity.groups))
