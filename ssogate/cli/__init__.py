"""Ask the gate what it would do, and operate it: the command `ssogate`.

Exit status: 0 all is well, 1 the answer is no (denied, a broken link), 2 a mistake in the command
or in the configuration. Knows every room; decides nothing itself, but asks what serves requests.
"""

import click

from ssogate import __version__
from ssogate.cli.accounts import account
from ssogate.cli.activity import activity
from ssogate.cli.administrators import admin
from ssogate.cli.api_credentials import api_credential, api_role
from ssogate.cli.check import check
from ssogate.cli.clients import client
from ssogate.cli.console import Gateway, printable_streams
from ssogate.cli.domains import domain
from ssogate.cli.explain import explain
from ssogate.cli.imports import import_files
from ssogate.cli.launch import launch
from ssogate.cli.link import link
from ssogate.cli.reference import command as reference
from ssogate.cli.schema import schema
from ssogate.cli.serve import serve
from ssogate.cli.servers import server
from ssogate.cli.services import service
from ssogate.cli.sessions import session
from ssogate.cli.signing import keys
from ssogate.cli.users import user

__all__ = ["main"]


@click.group(cls=Gateway, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="ssogate %(version)s")
def main() -> None:
    """A single sign-on gateway: serve it, check it, ask it, operate it.

    Every command reads gateway.yaml in this folder, or what --config or SSOGATE_CONFIG names.
    Exit status: 0 all is well, 1 the answer is no, 2 a mistake in the command or the configuration.

    \b
    Examples:
      ssogate check
      ssogate serve --bind 127.0.0.1:8000
      ssogate explain /staff/rota --as john --groups members
    """
    printable_streams()


COMMANDS: tuple[click.Command, ...] = (
    serve,
    check,
    explain,
    launch,
    link,
    user,
    session,
    account,
    service,
    domain,
    server,
    admin,
    api_role,
    api_credential,
    client,
    activity,
    import_files,
    keys,
    schema,
    reference,
)
for command in COMMANDS:
    main.add_command(command)
