"""`ssogate explain`: what becomes of a request, and why. Asks the functions that serve requests."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from ssogate import policy
from ssogate.cli.beyond import beyond
from ssogate.cli.console import (
    Mistake,
    answer,
    config_option,
    find_user,
    json_option,
    nearby,
    opened,
    printable,
    say,
    say_json,
    split_groups,
)
from ssogate.doors import doors
from ssogate.errors import GateError
from ssogate.gate import Gate
from ssogate.http.environ import parse_address
from ssogate.http.site import OWN
from ssogate.model import Address, Identity, Outcome
from ssogate.names import canonical_name, group_name
from ssogate.settings import Loaded

_URL = re.compile(r"https?://(?P<host>[^/?#]*)(?P<raw>.*)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the command line describes it."""

    method: str
    host: str
    """With a port, as a Host header has it."""
    raw: str
    """The request target as a server would hand it over: bytes as latin-1."""


@click.command()
@click.argument("url")
@click.option("--as", "name", metavar="USER", help="Who asks; nobody signed in, if not given.")
@click.option("--groups", metavar="A,B", help="As if USER were in these groups.")
@click.option("--method", default="GET", show_default=True)
@click.option("--from", "source", metavar="ADDRESS", help="Where the visitor is; else unknown.")
@json_option
@config_option
def explain(
    *,
    url: str,
    name: str | None,
    groups: str | None,
    method: str,
    source: str | None,
    as_json: bool,
    config: Path,
) -> None:
    """Say whether a request is let through, and why.

    URL is a whole address, or a path of the site. With --groups, USER need not exist. The exit
    status is 0 if the request is let through, else 1.

    \b
    Examples:
      ssogate explain /staff/rota
      ssogate explain /staff/rota --as john
      ssogate explain https://app.example.com/reports --as new --groups staff --from 10.0.0.7
    """
    address = _address(source)
    with opened(config) as gate:
        asked = _asked(url, method, gate.loaded)
        found = _answered(gate, asked, _identity(gate, name, groups), address)
    if as_json:
        say_json(found.facts)
    else:
        for line in found.lines:
            say(nearby(line))
    answer(found.opens)


@dataclass(frozen=True, slots=True)
class Found:
    """What becomes of the request, for a person and for a program."""

    opens: bool
    lines: Sequence[str]
    facts: Mapping[str, object]


def _answered(
    gate: Gate, asked: Asked, identity: Identity | None, address: Address | None
) -> Found:
    try:
        target = gate.loaded.site.target(asked.method, asked.raw, asked.host)
    except GateError as error:
        line = f"refused before any rule is asked: {error.code}, {error.detail}"
        return Found(False, [line], {"outcome": "refused", "code": error.code})
    line = f"{target.path} is the gate's own: no rule is asked"
    if target.path_info in doors(gate).endpoints:
        return Found(True, [line], {"outcome": "own"})
    if target.path_info.startswith(OWN):
        return Found(False, [line, "  there is nothing (404)"], {"outcome": "no_route"})
    explanation = policy.explain(gate.loaded.policy, target, identity, address)
    behind = beyond(gate.loaded, target, identity)
    return Found(
        explanation.decision.outcome is Outcome.ALLOW,
        [*explanation.lines(), *behind.lines()],
        {**_facts(explanation), **behind.facts()},
    )


# --- The request --------------------------------------------------------------------------------


def _asked(url: str, method: str, loaded: Loaded) -> Asked:
    found = _URL.fullmatch(url)
    if found:
        host, raw = found["host"], found["raw"]
        raw = raw if raw.startswith("/") else f"/{raw}"
    elif url.startswith("/"):
        host, raw = loaded.settings.public_url.host, url
    else:
        raise Mistake("URL is a path such as /staff/, or a whole address, http(s)://…")
    return Asked(method, host, raw.encode("utf-8", "surrogateescape").decode("latin-1"))


def _address(text: str | None) -> Address | None:
    address = parse_address(text or "")
    if text and address is None:
        raise Mistake(f"{printable(text)} is no address; write 192.0.2.7 or 2001:db8::7")
    return address


def _identity(gate: Gate, name: str | None, groups: str | None) -> Identity | None:
    if name is None:
        if groups is not None:
            raise Mistake("--groups goes with --as")
        return None
    known = find_user(gate, name)
    chosen = _groups(groups)
    if known is None and chosen is None:
        hint = "give --groups to ask for one who might come"
        raise Mistake(f"there is no user {printable(name)}: {hint}")
    if known is None:
        canonical = canonical_name(name)
        return Identity("", name, canonical, groups=chosen or frozenset())
    if not known.active:
        note = "is deactivated, so is nobody to the gate"
        click.echo(f"note: {printable(known.identity.username)} {note}", err=True)
        return None
    return known.identity if chosen is None else replace(known.identity, groups=chosen)


def _groups(text: str | None) -> frozenset[str] | None:
    if text is None:
        return None
    try:
        return frozenset(map(group_name, split_groups(text)))
    except ValueError as error:
        raise Mistake(str(error)) from error


def _facts(explanation: policy.Explanation) -> dict[str, object]:
    target, decision = explanation.target, explanation.decision
    return {
        "outcome": decision.outcome.value,
        "rule": decision.rule,
        "reason": decision.reason,
        "method": target.method,
        "host": target.host,
        "target": target.path,
        "user": explanation.identity.username if explanation.identity else None,
        "steps": [
            {
                "reading": "/" + "/".join(step.reading),
                "outcome": step.decision.outcome.value,
                "rule": step.rule.name if step.rule else "",
                "place": nearby(step.rule.place) if step.rule else "",
                "pattern": step.pattern,
                "missing": step.missing,
            }
            for step in explanation.steps
        ],
    }
