"""`ssogate activity`: who did what, and whether the log of it is whole."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import click

from ssogate.cli.console import (
    answer,
    config_option,
    counted,
    json_option,
    moment,
    opened,
    say,
    say_json,
    say_table,
)
from ssogate.directory import verify

MOST = 100_000  # lines of one list


@click.group()
def activity() -> None:
    """Read the activity log, and prove that nobody has changed it.

    \b
    Examples:
      ssogate activity list --containing sue
      ssogate activity verify
    """


@activity.command(name="list")
@click.option(
    "--latest", type=click.IntRange(1, MOST), default=50, show_default=True, help="How many lines."
)
@click.option("--containing", default="", metavar="TEXT", help="Only lines that hold this text.")
@json_option
@config_option
def list_activity(latest: int, containing: str, as_json: bool, config: Path) -> None:
    """List the latest lines of the log, the newest first.

    \b
    Examples:
      ssogate activity list
      ssogate activity list --latest 500 --containing account.closed --json
    """
    with opened(config) as gate:
        lines = gate.store.activity.latest(latest, containing=containing)
    if as_json:
        say_json([asdict(line) for line in lines])
        return
    rows = (
        (str(line.number), moment(line.at), line.actor, line.client, line.action, line.text)
        for line in lines
    )
    say_table(("LINE", "AT", "WHO", "FROM", "ACTION", "WHAT"), rows)


@activity.command(name="verify")
@click.option(
    "--expect", default="", metavar="DIGEST", help="A digest that was noted earlier must be there."
)
@json_option
@config_option
def verify_activity(expect: str, as_json: bool, config: Path) -> None:
    """Read the whole log and say whether a line was changed, removed or moved.

    Note the digest elsewhere. Who can write to the database could forge the whole log, or cut off
    its end; --expect with a digest that was noted earlier finds that, too. The exit status is 0 if
    the log is whole, else 1.

    \b
    Examples:
      ssogate activity verify
      ssogate activity verify --expect "$(cat noted)"
    """
    if expect and not re.fullmatch("[0-9a-f]{64}", expect):
        raise click.UsageError("DIGEST is 64 hex digits, as `ssogate activity verify` prints them.")
    with opened(config) as gate:
        verdict = verify(gate.store.activity.listed(), expect)
    if as_json:
        say_json(asdict(verdict))
    elif verdict.fault:
        say(f"{verdict.fault}; whole up to line {verdict.intact}")
    else:
        say(f"{counted(verdict.intact, 'line')}, all whole; digest of the last:")
        say(verdict.digest)
    answer(not verdict.fault)
