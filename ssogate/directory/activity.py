"""The activity log: who did what, in lines that cannot be changed or lost without being noticed.

Strategy: each line's digest covers the digest of the line before, so that one digest, noted
elsewhere, vouches for everything up to it. Whoever may write to the database could reckon the
whole chain anew; only a digest noted elsewhere tells of that, and of lines cut off at the end.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from ssogate.http import environ as env
from ssogate.model import Activity, Client, Visitor
from ssogate.storage import Store

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

START = "0" * 64
"""What stands in for the digest of the line before the first."""

MAX_TEXT = 2000  # characters: what strangers had a part in must not fill the disk

_ENCODER = json.JSONEncoder(separators=(",", ":"))

D = TypeVar("D")


@dataclass(frozen=True, slots=True)
class By:
    """Who does something, and the address it comes from."""

    actor: str
    client: str = ""


def by_visitor(visitor: Visitor, request: Request) -> By:
    """Give the person who has sent a request, and from which address."""
    return By(f"user:{visitor.user.identity.canonical}", env.address(request.environ))


def by_client(client: Client, request: Request) -> By:
    """Give the client that has sent a request, and from which address."""
    return By(f"client:{client.identifier}", env.address(request.environ))


def note(store: Store, by: By, action: str, text: str, now: int) -> Activity:
    """Write a line. Call it in the transaction that does what the line says, so that neither is
    there without the other. Raises `StoreFailure`."""
    with store.transaction():  # no other line can come between
        last = store.activity.last()
        number, previous = (last.number + 1, last.digest) if last else (1, START)
        actor, client, told = _line(by.actor), _line(by.client), _line(text)
        line = Activity(number, now, actor, client, action, told, digest="")
        line = replace(line, digest=digest(previous, line))
        store.activity.put(line)
    return line


def digest(previous: str, line: Activity) -> str:
    """Give the digest that `line` must have if `previous` is that of the line before."""
    told = [line.number, line.at, line.actor, line.client, line.action, line.text]
    text = previous + _ENCODER.encode(told)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reading of the whole log found."""

    intact: int
    """How many lines are right, from the first on."""
    digest: str
    """Of the last of them: note it elsewhere, and everything up to it can be proven."""
    fault: str = ""
    """What is wrong with the line that follows; empty when nothing is."""


def verify(lines: Iterable[Activity], expected: str = "") -> Verdict:
    """Read the log from its first line to the first that is wrong.

    `expected`, a digest that was noted earlier, must be that of some line.
    """
    intact, previous, met = 0, START, expected in ("", START)
    rest = iter(lines)
    for line in rest:
        if line.number != intact + 1 or digest(previous, line) != line.digest:
            return Verdict(intact, previous, _fault(previous, intact + 1, chain([line], rest)))
        intact, previous, met = line.number, line.digest, met or line.digest == expected
    fault = "" if met else "no line has the expected digest: the end is cut off, or all is forged"
    return Verdict(intact, previous, fault)


def difference(old: D, new: D) -> str:
    """Tell in words how a record changed. Of a field that its `repr` hides, only that it did."""
    told = []
    for field in fields(old):  # type: ignore[arg-type]
        was, is_now = getattr(old, field.name), getattr(new, field.name)
        if was != is_now and field.name not in _UNTOLD:
            name = field.name.removeprefix("sealed_").removesuffix("_digest").replace("_", " ")
            hidden = f"{name} {'set' if is_now else 'removed'}"
            told.append(f"{name}: {_shown(was)} → {_shown(is_now)}" if field.repr else hidden)
    return ", ".join(told)


_UNTOLD = frozenset({"updated_at"})  # the line has a time of its own


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, frozenset | tuple):
        value = ", ".join(sorted(map(str, value)))
    return "none" if value in ("", None) else str(value)


def _fault(previous: str, number: int, rest: Iterator[Activity]) -> str:
    """What happened to the line of this number: is it among those that are left?"""
    first = next(rest)
    for line in chain([first], rest):
        if digest(previous, replace(line, number=number)) == line.digest:
            return f"line {number} is out of order"
    return f"line {number} {'is missing' if first.number > number else 'was changed'}"


def _line(text: str) -> str:
    """Give one line of text that can be stored anywhere and cannot pass for several."""
    shown = (
        text
        if text.isprintable()
        else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    )
    return shown if len(shown) <= MAX_TEXT else f"{shown[:MAX_TEXT]}…"
