"""`ssogate server`: the machines with the control panels, and who may sign in to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from ssogate.cli.console import (
    changing,
    config_option,
    json_option,
    opened,
    printable,
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
    yes_option,
)
from ssogate.cli.secret import ask_secret, read_secret, sealer_of, secret_options
from ssogate.directory import SERVERS, By, may_open_server
from ssogate.directory.administrators import empty_role_groups
from ssogate.directory.servers import set_server_secrets
from ssogate.gate import Gate
from ssogate.model import Access, Server
from ssogate.storage import Store

COLUMNS = {
    "NUMBER": "number",
    "SERVER": "name",
    "MODULE": "module",
    "HOSTS": "hosts",
    "ACCESS": "access",
    "ROLE GROUPS": "role_groups",
    "USER NAME": "username",
    "OWNER": "owner",
    "ID": "external_id",
}

found = partial(find, SERVERS, named=str)


def _server_options(command: Callable[..., Any]) -> Callable[..., Any]:
    options = (
        click.option("--host", "hosts", multiple=True, help="A host name; the first is called."),
        click.option("--port", type=click.IntRange(1, 65535), help="If not the module's own."),
        click.option("--tls/--insecure-no-tls", "secure", default=None, help="TLS is the default."),
        click.option("--username", help="Whom the gate signs in as."),
        click.option("--owner", help="If that is a reseller: the panel's name of him."),
        id_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


def _named(hosts: tuple[str, ...], **values: Any) -> dict[str, Any]:
    """What the options name, by a server's fields."""
    found = {**values, "hosts": hosts or None}
    return {name: value for name, value in found.items() if value is not None}


@click.group()
def server() -> None:
    """Keep servers: how the gate signs in to them, and which administrators may.

    SERVER is a name, a number, or an external id such as ext:7.

    \b
    Examples:
      ssogate server add web1 --module cpanel --host web1.example.com --username root
      ssogate server credentials web1 --access-hash
      ssogate server access web1 --restrict support,level2
    """


@server.command()
@click.argument("name")
@click.option("--module", required=True, help="How to sign in to it, such as cpanel.")
@_server_options
@secret_options
@config_option
def add(
    name: str,
    module: str,
    password_file: Path | None,
    from_stdin: bool,
    config: Path,
    **values: Any,
) -> None:
    """Add the server NAME. All administrators may sign in to it until its access is restricted.

    \b
    Examples:
      ssogate server add web1 --module cpanel --host web1.example.com --username root
      ssogate server add web2 --module plesk --host web2.example.com --username admin \\
          --password-file web2.secret
    """
    drawn = replace(Server(0, name, module, ()), **_named(**values))
    password = read_secret(password_file, from_stdin=from_stdin)
    with changing(config) as (gate, by, now), gate.store.transaction():
        added = SERVERS.add(gate.store, drawn, by=by, now=now)
        if password is not None:
            _seal(gate, added.number, password=password, by=by, now=now)
    say(f"added {SERVERS.name(added)}")
    if password is None:
        click.echo(f"next: ssogate server credentials {added.number}", err=True)


@server.command(name="list")
@json_option
@config_option
def list_servers(as_json: bool, config: Path) -> None:
    """List servers.

    \b
    Examples:
      ssogate server list
      ssogate server list --json
    """
    with opened(config) as gate:
        say_records(gate.store.servers.listed(), COLUMNS, as_json=as_json)


@server.command()
@click.argument("server")
@json_option
@config_option
def show(server: str, as_json: bool, config: Path) -> None:
    """Show a server, and which administrators may sign in to it. Of its secrets it says only
    whether there are any.

    \b
    Example:
      ssogate server show web1
    """
    with opened(config) as gate:
        known = found(gate.store, server)
        say_record(known, {"open_to": _open_to(gate.store, known)}, as_json=as_json)


@server.command()
@click.argument("server")
@click.option("--name", help="The new name.")
@click.option("--module", help="The new module.")
@_server_options
@config_option
def change(server: str, config: Path, **values: Any) -> None:
    """Change a server. The host names that are given take the place of all that were.

    \b
    Example:
      ssogate server change web1 --host web1.example.com --host panel.example.com
    """
    new = given(**_named(**values))
    with changing(config) as (gate, by, now):
        number = found(gate.store, server).number
        changed = SERVERS.change(
            gate.store, number, lambda old: replace(old, **new), by=by, now=now
        )
    say(f"changed {SERVERS.name(changed)}")


@server.command()
@click.argument("server")
@click.option("--access-hash", is_flag=True, help="The access hash or API token, not the password.")
@click.option("--remove", is_flag=True, help="Forget it.")
@secret_options
@config_option
def credentials(
    *,
    server: str,
    access_hash: bool,
    remove: bool,
    password_file: Path | None,
    from_stdin: bool,
    config: Path,
) -> None:
    """Store the password of a server, or its access hash, sealed. It is asked for, or read from
    elsewhere.

    \b
    Examples:
      ssogate server credentials web1
      ssogate server credentials web1 --access-hash --password-file whm-token
      pass show web1 | ssogate server credentials web1 --stdin
    """
    what = "access_hash" if access_hash else "password"
    with changing(config) as (gate, by, now):
        known = found(gate.store, server)
        sealer_of(gate)  # tell that it lacks before asking
        text = "" if remove else read_secret(password_file, from_stdin=from_stdin)
        if text is None:
            text = ask_secret(f"{what.replace('_', ' ').capitalize()} of {known.name}")
        _seal(gate, known.number, by=by, now=now, **{what: text})
    done = "removed" if remove else "stored"
    say(f"{done} the {what.replace('_', ' ')} of {SERVERS.name(known)}")


@server.command()
@click.argument("server")
@click.option("--restrict", metavar="A,B", help="To administrators of these role groups.")
@click.option("--unrestrict", is_flag=True, help="To all administrators.")
@config_option
def access(server: str, restrict: str | None, unrestrict: bool, config: Path) -> None:
    """Say which administrators may sign in to a server. It counts at the next request.

    \b
    Examples:
      ssogate server access web1 --restrict support,level2
      ssogate server access web1 --unrestrict
    """
    if unrestrict == (restrict is not None):
        raise click.UsageError("Give one of --restrict and --unrestrict.")
    groups = frozenset(split_groups(restrict or ""))
    if not unrestrict and not groups:
        raise click.UsageError("--restrict takes the names of role groups: A,B.")
    allowed = Access.UNRESTRICTED if unrestrict else Access.RESTRICTED
    with changing(config) as (gate, by, now):
        changed = SERVERS.change(
            gate.store,
            found(gate.store, server).number,
            lambda old: replace(old, access=allowed, role_groups=groups),
            by=by,
            now=now,
        )
        people, nobody = _open_to(gate.store, changed), empty_role_groups(gate.store, changed)
    say(f"{SERVERS.name(changed)} is {allowed}, open to: {', '.join(people) or 'nobody'}")
    for group in sorted(nobody):
        click.echo(f"note: no administrator is in the role group {printable(group)}", err=True)


@server.command()
@click.argument("server")
@yes_option
@config_option
def delete(server: str, yes: bool, config: Path) -> None:
    """Forget a server that no service is on.

    \b
    Example:
      ssogate server delete web1
    """
    with changing(config) as (gate, by, now):
        known = found(gate.store, server)
        confirmed(f"Forget {SERVERS.name(known)} and its credentials?", yes=yes)
        SERVERS.delete(gate.store, known.number, by=by, now=now)
    say(f"deleted {SERVERS.name(known)}")


def _seal(gate: Gate, number: int, *, by: By, now: int, **secret: str) -> None:
    set_server_secrets(gate.store, number, **secret, sealer=sealer_of(gate), by=by, now=now)


def _open_to(store: Store, server: Server) -> list[str]:
    known = [it for it in store.administrators.listed() if may_open_server(it, server)]
    users = (store.users.of(it.subject) for it in known)
    return sorted(user.identity.username for user in users if user)
