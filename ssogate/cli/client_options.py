"""What there is to say of an OAuth client on the command line: one set of options to create and to
change it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ssogate.cli import services
from ssogate.cli.records import id_option
from ssogate.cli.secret import read_secret
from ssogate.crypto.jwk import ALGORITHMS
from ssogate.model import ClientAuthentication
from ssogate.storage import Store

_LISTS = {"redirect_uris", "post_logout_redirect_uris", "groups", "resources"}


def client_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say what a client is."""
    options = (
        click.option("--name", help="What people read of it."),
        click.option("--service", help="The service that a single_sign_on client is for."),
        click.option("--scope", metavar="'A B'", help="What it may ask for, at most."),
        click.option("--description", help="What it is for."),
        click.option("--logo-uri", help="A picture: a URL, or a path of this site."),
        several("--redirect-uri", "redirect_uris", "Where codes go."),
        several(
            "--post-logout-redirect-uri",
            "post_logout_redirect_uris",
            "Where people go after a logout that it began.",
        ),
        click.option(
            "--back-channel-logout-uri",
            "backchannel_logout_uri",
            help="Where the gate tells it of logouts.",
        ),
        click.option(
            "--public/--confidential",
            default=None,
            help="Whether it is an app that can keep no secret.",
        ),
        click.option(
            "--jwks",
            "jwks_file",
            type=click.Path(path_type=Path),
            help="Its public keys: it proves itself by private_key_jwt.",
        ),
        _switch("native", "Whether it runs on people's devices: its loopback port is free."),
        _switch("pkce", "Whether it must send a code challenge; a public client always must."),
        _switch("pairwise", "Whether it knows people by other names than other clients do."),
        _switch("trusted", "Whether people need not be asked for their consent."),
        several("--group", "groups", "Who may sign in to it; without any, everybody."),
        several("--resource", "resources", "An API that it may ask access tokens for."),
        click.option(
            "--algorithm", type=click.Choice(ALGORITHMS), help="What its ID tokens are signed with."
        ),
        id_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


def several(name: str, field: str, told: str) -> Callable[..., Any]:
    """An option that may be given several times."""
    return click.option(
        name, field, multiple=True, metavar=name.rpartition("-")[2].upper(), help=told
    )


def _switch(name: str, told: str) -> Callable[..., Any]:
    return click.option(f"--{name}/--no-{name}", default=None, help=told)


def named_fields(
    store: Store,
    *,
    service: str | None,
    scope: str | None,
    public: bool | None,
    jwks_file: Path | None,
    **values: Any,
) -> dict[str, Any]:
    """Give a client's fields that the options name. Of those that may be given several times, an
    empty one alone takes all away."""
    named = {name: value for name, value in values.items() if value not in (None, ())}
    for name in named.keys() & _LISTS:
        named[name] = tuple(filter(None, named[name]))
    if "groups" in named:
        named["groups"] = frozenset(named["groups"])
    if service is not None:
        named["service"] = services.found(store, service).number
    if scope is not None:
        named["scopes"] = frozenset(scope.split())
    return named | _proof(public, jwks_file)


def _proof(public: bool | None, jwks_file: Path | None) -> dict[str, Any]:
    """Give the fields that say how a client proves itself."""
    if jwks_file is not None:
        if public:
            raise click.UsageError("Give one of --public and --jwks.")
        keys = read_secret(jwks_file, from_stdin=False)
        return {"authentication": ClientAuthentication.PRIVATE_KEY, "jwks": keys}
    if public is None:
        return {}
    way = ClientAuthentication.NONE if public else ClientAuthentication.SECRET
    return {"authentication": way, "jwks": ""}
