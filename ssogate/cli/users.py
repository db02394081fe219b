"""`ssogate user`: the people whom the gate knows."""

from __future__ import annotations

from pathlib import Path

import click

from ssogate.cli.console import (
    changing,
    config_option,
    counted,
    json_option,
    known_user,
    moment,
    opened,
    say,
    say_facts,
    say_json,
    say_json_list,
    say_table,
    split_groups,
)
from ssogate.cli.records import cell, confirmed, given, yes_option
from ssogate.cli.secret import ask_secret, read_secret, secret_options
from ssogate.directory import add_user, change_user, set_password
from ssogate.directory.users import (
    MINIMUM_LENGTH,
    OPERATOR,
    clear_password,
    delete_user,
    drop_second_factor,
)
from ssogate.gate import Gate
from ssogate.model import User


@click.group()
def user() -> None:
    """Add, show, change and delete users.

    \b
    Examples:
      ssogate user add sue --email sue@example.com --groups staff
      ssogate user password sue
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
    with changing(config) as (gate, by, now):
        chosen = split_groups(groups)
        added = add_user(
            gate.store, name, name=full_name, email=email, groups=chosen, by=by, now=now
        )
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
    headings = ("USER", "NAME", "E-MAIL", "GROUPS", "STATE", "FROM")
    with opened(config) as gate:
        users = gate.store.users.listed()
        if as_json:
            say_json_list(map(_facts, users))
        else:
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
        more = _more(gate, known.identity.subject)
    if as_json:
        say_json({**_facts(known), **more})
        return
    who = known.identity
    username, full_name, email, groups, state, source = _row(known)
    compared = "" if who.canonical == username else f" (compared as {who.canonical})"
    facts = {"user": username + compared, "name": full_name, "e-mail": email, "groups": groups}
    facts |= {"state": state, "from": source, "subject": who.subject}
    facts |= {"created": moment(known.created_at), "changed": moment(known.updated_at)}
    told = {name.replace("_", " "): cell(value) for name, value in more.items()}
    say_facts({**facts, **told})


@user.command()
@click.argument("name")
@click.option("--email", help="The new e-mail address; '' for none.")
@click.option("--name", "full_name", help="The new full name.")
@config_option
def change(name: str, email: str | None, full_name: str | None, config: Path) -> None:
    """Change the e-mail address or the full name of NAME.

    A way in that updates users does so anew at the next sign-in.

    \b
    Example:
      ssogate user change sue --email sue@new.example --name 'Sue Smith'
    """
    new = given(email=email, name=full_name)
    with changing(config) as (gate, by, now):
        known = known_user(gate, name).identity
        change_user(gate.store, known.canonical, **new, by=by, now=now)
    say(f"changed {known.username}")


@user.command()
@click.argument("name")
@secret_options
@click.option("--remove", is_flag=True, help="Take the password away.")
@config_option
def password(
    name: str, password_file: Path | None, from_stdin: bool, remove: bool, config: Path
) -> None:
    """Give NAME a new password, and end all sessions of NAME.

    It is asked for twice, or read from elsewhere; a command's arguments are no place for it.

    \b
    Examples:
      ssogate user password sue
      ssogate user password sue --stdin < secret.txt
      ssogate user password sue --remove
    """
    with changing(config) as (gate, by, now):
        known = known_user(gate, name).identity
        if remove:
            clear_password(gate.store, known.subject, by=by, now=now)
        else:
            text = read_secret(password_file, from_stdin=from_stdin)
            if text is None:
                text = ask_secret(f"New password of {known.username}")
            way = gate.loaded.password
            minimum = way.minimum_length if way else MINIMUM_LENGTH
            set_password(gate.store, known.subject, text, minimum=minimum, by=by, now=now)
    say(f"{'removed' if remove else 'set'} the password of {known.username}, ended all sessions")


@user.command(name="drop-second-factor")
@click.argument("name")
@yes_option
@config_option
def drop_factor(name: str, yes: bool, config: Path) -> None:
    """Forget the second factor of NAME, who has lost it, and the recovery codes.

    Be sure that it is NAME who asks.

    \b
    Example:
      ssogate user drop-second-factor sue
    """
    with changing(config) as (gate, by, now):
        known = known_user(gate, name).identity
        confirmed(f"Let {known.username} in by password alone?", yes=yes)
        drop_second_factor(gate.store, known.subject, by=by, now=now)
    say(f"{known.username} has no second factor")


@user.command()
@click.argument("name")
@config_option
def deactivate(name: str, config: Path) -> None:
    """Let NAME in no more, and end all sessions of NAME at once.

    \b
    Example:
      ssogate user deactivate john
    """
    with changing(config) as (gate, by, now):
        known = known_user(gate, name)
        ended = len(gate.store.sessions.listed(known.identity.subject))
        change_user(gate.store, known.identity.canonical, active=False, by=by, now=now)
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
    with changing(config) as (gate, by, now):
        known = known_user(gate, name)
        change_user(gate.store, known.identity.canonical, active=True, by=by, now=now)
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
    with changing(config) as (gate, by, now):
        known = known_user(gate, name)
        chosen = split_groups(groups)
        changed = change_user(gate.store, known.identity.canonical, groups=chosen, by=by, now=now)
    say(f"{known.identity.username} is in: {_joined(changed) or 'no group'}")


@user.command()
@click.argument("name")
@yes_option
@config_option
def delete(name: str, yes: bool, config: Path) -> None:
    """Forget NAME, and end all sessions of NAME.

    A way in that creates users may create NAME anew; `user deactivate` keeps NAME out.

    \b
    Example:
      ssogate user delete john
    """
    with changing(config) as (gate, by, now):
        known = known_user(gate, name).identity
        confirmed(f"Forget {known.username} and end the sessions?", yes=yes)
        delete_user(gate.store, known.subject, by=by, now=now)
    say(f"deleted {known.username}")


def _row(known: User) -> tuple[str, str, str, str, str, str]:
    who = known.identity
    state = "inactive" if not known.active else "closed" if known.closed else "active"
    return who.username, who.name, who.email, _joined(known), state, known.source or OPERATOR


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
        "closed": known.closed,
        "source": known.source,
        "external_id": known.external_id,
        "created_at": known.created_at,
        "updated_at": known.updated_at,
    }


def _more(gate: Gate, subject: str) -> dict[str, object]:
    """What hangs on a user. Of secrets, whether there are any."""
    store = gate.store
    return {
        "sessions": len(store.sessions.listed(subject)),
        "accounts": [it.account for it in store.memberships.listed(subject=subject)],
        "administrator": store.administrators.get(subject) is not None,
        "password": bool(store.secrets.password(subject)),
        "second_factor": bool(store.secrets.second_factor(subject)),
    }


def _joined(known: User) -> str:
    return ",".join(sorted(known.identity.groups))
