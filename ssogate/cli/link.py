"""`ssogate link`: make a signed link as a sender would, or take one apart (`--debug`)."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from ssogate.cli.console import Mistake, answer, config_option, opened, printable
from ssogate.cli.debug_link import debug
from ssogate.gate import Gate
from ssogate.login.signed_link import SignedLinkSettings, diagnose, make_query, sign
from ssogate.login.signed_link.diagnose import MAX_URL, path_of
from ssogate.login.signed_link.link import REQUIRED
from ssogate.settings import Loaded


@click.command()
@click.option("--sender", metavar="NAME", help="Whose link; need not be said if there is one.")
@click.option("--username", help="Who is to be signed in.")
@click.option("--name", help="The user's full name.")
@click.option("--email", help="The user's e-mail address.")
@click.option("--groups", metavar="A,B", help="The groups that the link gives.")
@click.option("--redirect", metavar="PATH", help="Where on this site the link leads.")
@click.option("--redirecttype", metavar="TYPE", help="A row of the sender's `redirects`, …")
@click.option("--redirectid", metavar="ID", help="… and the id for it.")
@click.option("--time", "signed_at", type=click.IntRange(0), help="Unix seconds; now by default.")
@click.option("--no-timestamp", is_flag=True, help="Leave the time out.")
@click.option("--logout", is_flag=True, help="End all sessions of a user (to be sent by POST).")
@click.option("--debug", "broken", metavar="URL", help="Take URL apart; - reads it from stdin.")
@config_option
def link(
    *,
    sender: str | None,
    signed_at: int | None,
    no_timestamp: bool,
    logout: bool,
    broken: str | None,
    config: Path,
    **fields: str | None,
) -> None:
    """Make a signed link, or say what is wrong with one.

    --debug uses up no link. The exit status is 0 if the gate would take the link, else 1. A link
    signs whoever has it in: read it from stdin, so that your shell keeps no copy.

    \b
    Examples:
      ssogate link --username john --name 'John Smith' --email john@example.com
      ssogate link --sender members --username john --logout
      ssogate link --debug - < link.txt
    """
    with opened(config) as gate:
        if broken is not None:
            _only_debugging(fields)
            url = _url(broken)
            settings = _sender(gate.loaded, sender, path_of(url))
            answer(debug(gate, url, settings, time.time()))
        settings = _sender(gate.loaded, sender)
        if not no_timestamp:
            fields["t"] = str(int(time.time()) if signed_at is None else signed_at)
        url = _made(gate.loaded, settings, fields, logout=logout)
        _warn(gate, settings, url)
    click.echo(url)


def _url(given: str) -> str:
    if given != "-":
        return given.strip()
    return sys.stdin.buffer.read(MAX_URL + 1).decode("utf-8", "replace").strip()


def _only_debugging(fields: dict[str, str | None]) -> None:
    given = [name for name, value in fields.items() if value is not None]
    if given:
        raise click.UsageError(f"--debug takes a link apart, --{given[0]} makes one: give one.")


def _sender(loaded: Loaded, name: str | None, path: str = "") -> SignedLinkSettings:
    """The sender that is named, or else the one whose path it is, or else the only one."""
    senders = loaded.senders
    names = ", ".join(sender.name for sender in senders)
    if not senders:
        raise Mistake("gateway.yaml has no sender of signed links: add one below `login:`")
    if name is None:
        found = [sender for sender in senders if sender.path == path] or senders
    else:
        found = [sender for sender in senders if sender.name == name]
    if not found:
        raise Mistake(f"there is no sender {printable(name or '')}: known are {names}")
    if len(found) > 1:
        raise Mistake(f"there are several senders: give --sender, one of {names}")
    return found[0]


def _made(
    loaded: Loaded, settings: SignedLinkSettings, fields: dict[str, str | None], *, logout: bool
) -> str:
    mode = "logout" if logout else "login"
    missing = [f"--{name}" for name in REQUIRED[mode] if not fields[name]]
    if missing:
        raise click.UsageError(f"A link needs {', '.join(missing)}.")
    given = {name: value for name, value in fields.items() if value is not None}
    base = loaded.settings.public_url.origin + settings.path
    return sign(
        base,
        make_query(given),
        settings.secrets[0].bytes,
        algorithm=settings.algorithm,
        mode=mode,
    )


def _warn(gate: Gate, settings: SignedLinkSettings, url: str) -> None:
    """Say so if the gate would not take what was just made."""
    groups = gate.loaded.policy.groups
    for finding in diagnose(url, settings, now=time.time(), policy_groups=groups).findings:
        if not finding.ok:
            click.echo(f"note: {finding.title}: {finding.detail}", err=True)
