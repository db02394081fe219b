"""`ssogate launch`: sign somebody in to a panel as the gate would, and see what was said."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from ssogate.cli import servers, services
from ssogate.cli.console import (
    Mistake,
    answer,
    config_option,
    json_option,
    known_user,
    opened,
    operator,
    say,
    say_facts,
    say_json,
)
from ssogate.directory.activity import By
from ssogate.errors import ActionFailed, GateError
from ssogate.gate import open_launch
from ssogate.launch.masking import ModuleCall


@click.command()
@click.argument("service", required=False)
@click.option("--as", "username", required=True, metavar="USER", help="Who wants in.")
@click.option("--server", help="An administrator's launch of this server, instead of a service.")
@click.option("--app", default="", help="A quick shortcut, such as Email_Accounts.")
@click.option("--address", default="", help="The visitor's address: some panels ask for it.")
@json_option
@config_option
def launch(
    *,
    service: str | None,
    username: str,
    server: str | None,
    app: str,
    address: str,
    as_json: bool,
    config: Path,
) -> None:
    """Sign a user in to the panel of SERVICE, as a click would: the same checks, the same call.

    Prints the address, which whoever opens it is signed in by, and the module log with secrets
    masked. Exit status 1 if the gate would refuse, or the panel did.

    \b
    Examples:
      ssogate launch 3 --as ann
      ssogate launch 3 --as ann --app Email_Accounts
      ssogate launch --server web1 --as root --json
    """
    if (service is None) == (server is None):
        raise Mistake("name a SERVICE, or a --server")
    calls: list[ModuleCall] = []
    why = ""
    with opened(config) as gate:
        launcher = open_launch(gate, calls.append)
        if launcher is None:
            raise Mistake("there is no `launch:` in gateway.yaml, so nobody is signed in anywhere")
        subject = known_user(gate, username).identity.subject
        by = By(f"cli:{operator()}", address)
        try:
            if server is None:
                number = services.found(gate.store, service or "").number
                url = launcher.service(number, subject, app=app, by=by)
            else:
                url = launcher.server(servers.found(gate.store, server).number, subject, by=by)
        except GateError as error:
            url, why = "", _reason(error)
    _tell(url, why, calls, as_json=as_json)
    answer(bool(url))


def _tell(url: str, why: str, calls: list[ModuleCall], *, as_json: bool) -> None:
    if as_json:
        say_json({"url": url, "error": why, "calls": [asdict(call) for call in calls]})
        return
    say(url or f"refused: {why}")
    for call in calls:
        say()
        say_facts(asdict(call))


def _reason(error: GateError) -> str:
    """All of it: an operator asks."""
    said = error.said if isinstance(error, ActionFailed) else ""
    return " ".join(dict.fromkeys(filter(None, (error.public, said, error.detail))))
