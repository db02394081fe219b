"""`ssogate session`: who is signed in. A session is named by the start of its stored key, which is
a hash: it opens nothing."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path

import click

from ssogate.cli.console import (
    Mistake,
    answer,
    changing,
    config_option,
    counted,
    json_option,
    known_user,
    moment,
    opened,
    say,
    say_json,
    say_table,
)
from ssogate.directory.activity import note
from ssogate.gate import Gate
from ssogate.model import Identity, SessionRecord

SHOWN = 12  # hex digits of a key: two sessions share them once in 2**48
FEWEST = 4  # that name a session to be ended; fewer are a slip

Owned = tuple[SessionRecord, Identity]


@click.group()
def session() -> None:
    """List and end sessions.

    \b
    Examples:
      ssogate session list --user john
      ssogate session end 3f2a9c04d1be
    """


@session.command(name="list")
@click.option("--user", "name", help="Only this user's.")
@json_option
@config_option
def list_sessions(name: str | None, as_json: bool, config: Path) -> None:
    """List sessions, the newest first.

    \b
    Examples:
      ssogate session list
      ssogate session list --user john --json
    """
    with opened(config) as gate:
        found = _listed(gate, name)
        idle, now = gate.loaded.settings.sessions.idle, time.time()
    if as_json:
        say_json([_facts(owned, idle, now) for owned in found])
        return
    headings = ("KEY", "USER", "METHOD", "OPENED", "LAST SEEN", "EXPIRES", "STATE")
    say_table(headings, (_row(owned, idle, now) for owned in found))


@session.command()
@click.argument("key", required=False)
@click.option("--user", "name", help="All sessions of this user.")
@click.option("--all", "every", is_flag=True, help="All sessions there are.")
@config_option
def end(key: str | None, name: str | None, every: bool, config: Path) -> None:
    """End the session whose key starts with KEY, or all of a user's, or all.

    \b
    Examples:
      ssogate session end 3f2a9c04d1be
      ssogate session end --user john
      ssogate session end --all
    """
    if sum((key is not None, name is not None, every)) != 1:
        raise click.UsageError("Name one of: KEY, --user or --all.")
    with changing(config) as (gate, by, now):
        found = _listed(gate, name)
        if key is not None:
            found = _with_key(found, key)
        with gate.store.transaction():
            ended = sum(gate.store.sessions.delete(record.key) for record, _ in found)
            whose = ", ".join(sorted({identity.username for _, identity in found})[:10])
            note(gate.store, by, "session.ended", f"{counted(ended, 'session')} of {whose}", now)
    say(f"ended {counted(ended, 'session')}")
    answer(ended > 0 or key is None)


def _listed(gate: Gate, name: str | None) -> Sequence[Owned]:
    subject = None if name is None else known_user(gate, name).identity.subject
    return gate.store.sessions.listed(subject)


def _with_key(found: Sequence[Owned], key: str) -> list[Owned]:
    if not re.fullmatch(f"[0-9a-f]{{{FEWEST},64}}", key):
        raise Mistake(f"KEY is {FEWEST} or more hex digits, as `ssogate session list` shows them")
    matching = [owned for owned in found if owned[0].key.startswith(key)]
    if len(matching) > 1:
        raise Mistake(f"{len(matching)} sessions have a key that starts so: give more digits")
    return matching


def _state(record: SessionRecord, idle: float, now: float) -> str:
    """How the keeper would find it."""
    if now >= record.expires_at:
        return "expired"
    return "idle" if now - record.seen_at >= idle else "live"


def _row(owned: Owned, idle: float, now: float) -> tuple[str, ...]:
    record, identity = owned
    times = (record.opened_at, record.seen_at, record.expires_at)
    state = _state(record, idle, now)
    key = record.key[:SHOWN]
    return key, identity.username, record.method, *map(moment, times), state


def _facts(owned: Owned, idle: float, now: float) -> dict[str, object]:
    record, identity = owned
    return {
        "key": record.key[:SHOWN],
        "username": identity.username,
        "subject": record.subject,
        "method": record.method,
        "opened_at": record.opened_at,
        "seen_at": record.seen_at,
        "expires_at": record.expires_at,
        "state": _state(record, idle, now),
    }
