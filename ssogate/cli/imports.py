"""`ssogate import`: people, accounts, servers and the rest, from files."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from ssogate.cli.console import (
    NO,
    changing,
    config_option,
    counted,
    nearby,
    printable,
    say,
    say_table,
)
from ssogate.directory.imports import KINDS, Import, Outcome, Refused, Staging, sources
from ssogate.directory.imports.readers import Advance


@click.command(name="import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--kind", type=click.Choice([*KINDS]), help="What the files hold, whatever their name."
)
@click.option("--dry-run", is_flag=True, help="Say what would happen, and change nothing.")
@click.option(
    "--replace-passwords",
    is_flag=True,
    help="Take the files' password hashes for users who have another password, too, and end their"
    " sessions. Without it, a password that is known stays: it may be newer than the file.",
)
@config_option
def import_files(
    paths: Sequence[Path], kind: str | None, dry_run: bool, replace_passwords: bool, config: Path
) -> None:
    """Bring in what the files or folders PATHS hold, all of it or nothing.

    A file is CSV (with a header line), JSON Lines, JSON or YAML, called after what is in it:
    users.csv, users-2.csv, accounts.jsonl; JSON and YAML may hold lists by kind instead. Every row
    has an `id`, by which a second import finds it again; what it does not say stays as it is.

    \b
    Examples:
      ssogate import examples/directory --dry-run
      ssogate import people.csv --kind users
    """
    with changing(config) as (gate, by, now), Staging() as staging:
        files = sources(paths, kind or "")
        task = Import(
            staging, gate.store, sealer=gate.sealer, replace_passwords=replace_passwords, now=now
        )
        try:
            with _progress("reading", sum(file.path.stat().st_size for file in files)) as advance:
                staging.read(files, advance)
            with _progress("comparing", staging.count()) as advance:
                task.compare(advance)
            with _progress("writing", staging.count()) as advance:
                outcome = task.write(advance, dry_run=dry_run, by=by)
        except Refused as refused:
            _tell_problems(refused)
            raise click.exceptions.Exit(NO) from None
    _say_outcome(outcome, dry_run=dry_run)


@contextmanager
def _progress(label: str, length: int) -> Iterator[Advance]:
    """Show how far it is to whoever looks on."""
    if not sys.stderr.isatty():
        yield lambda more: None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield bar.update


def _tell_problems(refused: Refused) -> None:
    for problem in refused.problems:
        click.echo(printable(nearby(str(problem))), err=True)
    more = refused.count - len(refused.problems)
    if more:
        click.echo(f"... and {more} more", err=True)
    click.echo(f"{counted(refused.count, 'problem')}; nothing was imported", err=True)


def _say_outcome(outcome: Outcome, *, dry_run: bool) -> None:
    rows = [
        (kind, str(tally.new), str(tally.changed), str(tally.unchanged))
        for kind, tally in outcome.tallies.items()
    ]
    say_table(("KIND", "NEW", "CHANGED", "UNCHANGED"), rows)
    if outcome.kept_passwords:
        kept = counted(outcome.kept_passwords, "user")
        say(f"{kept} kept another password than the files give (see --replace-passwords)")
    if dry_run:
        say("a dry run: nothing was changed")
    elif not outcome:
        say("nothing is new: nothing was changed")
