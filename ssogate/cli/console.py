"""How every command speaks: one way to find the configuration, to fail, and to print.

What is printed may come from strangers (a link, a user's name), so nothing that could steer a
terminal gets through.
"""

from __future__ import annotations

import io
import json
import os
import pwd
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any, NoReturn

import click

from ssogate.directory import By
from ssogate.errors import (
    AccountNotFound,
    ConfigurationError,
    Conflict,
    Problem,
    StoreFailure,
)
from ssogate.gate import Gate, open_gate
from ssogate.model import User
from ssogate.names import canonical_name
from ssogate.settings import CONFIG_VARIABLE, DEFAULT_FILE, load

NO, MISTAKE = 1, 2
"""Exit statuses: the answer is no; the command or the configuration is wrong."""

LOOKAHEAD = 1000
"""Rows of a table that are read before the first is printed; they say how wide its columns are."""

config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=DEFAULT_FILE,
    envvar=CONFIG_VARIABLE,
    show_envvar=True,
    show_default=True,
    help="The gate's configuration.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="For programs: as JSON.")


class Mistake(click.ClickException):
    """A foreseeable failure, in one line that says what to do."""

    exit_code = MISTAKE


class Gateway(click.Group):
    """The command with all its commands; turns foreseeable failures into lines and a status."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            tell_problems(error.problems)
            ctx.exit(MISTAKE)
        except StoreFailure as error:
            raise Mistake(f"the store cannot do this: {printable(str(error))}") from error


@contextmanager
def opened(config: Path) -> Iterator[Gate]:
    """Open what a configuration describes. Raises `ConfigurationError`."""
    gate = open_gate(load(config, proxying=False))
    try:
        yield gate
    finally:
        gate.store.close()


@contextmanager
def changing(config: Path) -> Iterator[tuple[Gate, By, int]]:
    """Open what a configuration describes in order to change it; give who does it, and when. What
    the directory refuses is a mistake in the command."""
    with opened(config) as gate:
        try:
            yield gate, By(f"cli:{operator()}"), int(time.time())
        except (ValueError, Conflict, AccountNotFound) as error:
            raise Mistake(printable(str(error))) from error


def operator() -> str:
    """Give who runs the command, by the system's word and not the environment's."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # in a container, for example
        return str(number)


def find_user(gate: Gate, name: str) -> User | None:
    """Look a user up by any spelling of the name. Fails for a name that nobody can have."""
    try:
        return gate.store.users.get(canonical_name(name))
    except ValueError as error:
        raise Mistake(f"{printable(repr(name))}: {error}") from error


def known_user(gate: Gate, name: str) -> User:
    """Look a user up, or fail."""
    user = find_user(gate, name)
    if user is None:
        raise Mistake(f"there is no user {printable(name)}: `ssogate user list` shows who there is")
    return user


def split_groups(text: str) -> tuple[str, ...]:
    """Read `a,b`."""
    return tuple(filter(None, (name.strip() for name in text.split(","))))


# --- Output -------------------------------------------------------------------------------------


def printable(text: str) -> str:
    """Show what is not printable (control and direction marks, line breaks) by its code."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def printable_streams() -> None:
    """Let no output fail because a terminal lacks a character: show its code instead."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(text: str = "") -> None:
    """Print one line."""
    click.echo(printable(text))


def say_json(value: object) -> None:
    """Print JSON, in ASCII."""
    click.echo(json.dumps(value, indent=2))


def say_json_list(values: Iterable[object]) -> None:
    """Print a list as JSON, in ASCII, each value as it comes."""
    lead = "["
    for value in values:
        click.echo(f"{lead}\n  {json.dumps(value)}", nl=False)
        lead = ","
    click.echo("[]" if lead == "[" else "\n]")


def say_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print columns, as wide as the first rows need: of a million, few are held at a time."""
    cells_of = ([printable(cell) for cell in row] for row in rows)
    first = [headings, *islice(cells_of, LOOKAHEAD)]
    widths = [max(map(len, column)) for column in zip(*first, strict=True)]
    for row in chain(first, cells_of):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def say_facts(facts: Mapping[str, str]) -> None:
    """Print names and values, one a line."""
    width = max(map(len, facts))
    for name, value in facts.items():
        say(f"  {name.ljust(width)}  {value}".rstrip())


def moment(seconds: int) -> str:
    """Give Unix seconds as ISO 8601, UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def counted(number: int, noun: str) -> str:
    """Give `1 problem`, `2 problems`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def tell_problems(problems: Iterable[Problem]) -> None:
    """Print each on a line of its own to the error stream, then how many there are."""
    problems = [*problems]
    for problem in problems:
        click.echo(printable(nearby(str(problem))), err=True)
    warnings = sum(problem.warning for problem in problems)
    mistakes = len(problems) - warnings
    counts = [counted(mistakes, "problem")] if mistakes or not warnings else []
    counts += [counted(warnings, "warning")] if warnings else []
    click.echo(", ".join(counts), err=True)


def nearby(text: str) -> str:
    """Leave out the way to files below this folder: `policies/10.yaml:3` says enough."""
    return text.replace(f"{Path.cwd()}{os.sep}", "")


def answer(good: bool) -> NoReturn:
    """End with the status that says yes or no."""
    raise click.exceptions.Exit(0 if good else NO)
