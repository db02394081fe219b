"""Secrets come by a prompt, a file or a pipe; never as arguments, which everybody on the machine
can read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from ssogate.cli.console import Mistake, say
from ssogate.crypto import Sealer
from ssogate.gate import Gate

MOST = 16_384  # bytes; an access hash of WHM has about 1000

F = TypeVar("F", bound=Callable[..., object])


def secret_options(command: F) -> F:
    """Give a command the options `password_file` and `from_stdin`."""
    file = click.option(
        "--password-file", type=click.Path(path_type=Path), help="Read the secret from this file."
    )
    stdin = click.option("--stdin", "from_stdin", is_flag=True, help="Read the secret from stdin.")
    return file(stdin(command))


def read_secret(file: Path | None, *, from_stdin: bool) -> str | None:
    """Read what the options of `secret_options` name, without the line break at its end; None if
    they name nothing."""
    if file is not None and from_stdin:
        raise click.UsageError("Give one of --password-file and --stdin.")
    if file is not None:
        try:
            with file.open("rb") as opened:
                return _text(opened.read(MOST + 1), str(file))
        except OSError as error:
            raise Mistake(f"{file}: cannot read it: {error.strerror}") from error
    return _text(sys.stdin.buffer.read(MOST + 1), "stdin") if from_stdin else None


def ask_secret(what: str) -> str:
    """Ask for a secret twice, without showing it."""
    answer: str = click.prompt(what, hide_input=True, confirmation_prompt=True)
    return answer


def sealer_of(gate: Gate) -> Sealer:
    """Give what secrets are sealed with, or say how to come by it."""
    if gate.sealer is None:
        raise Mistake(
            "secrets are stored sealed, and gateway.yaml has no sealing_keys: add"
            " `sealing_keys: [{file: var/sealing-key}]`, a file of 32 or more random characters"
        )
    return gate.sealer


def _text(read: bytes, where: str) -> str:
    if len(read) > MOST:
        raise Mistake(f"{where}: longer than {MOST} bytes")
    try:
        text = read.decode("utf-8")
    except UnicodeDecodeError:
        raise Mistake(f"{where}: is not UTF-8 text") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise Mistake(f"{where}: is empty")
    return text


def say_secret(identifier: str, secret: str) -> None:
    """Print a secret that the gate has drawn; nobody can ask for it again."""
    say(f"  identifier  {identifier}")
    say(f"  secret      {secret}")
    click.echo("note: the secret is not kept, so it is not shown again", err=True)
