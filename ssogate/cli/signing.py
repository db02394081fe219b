"""`ssogate keys rotate|list|drop`: the keys that the OpenID Connect provider signs tokens with."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from ssogate.cli.console import (
    Mistake,
    changing,
    config_option,
    json_option,
    moment,
    opened,
    say,
    say_json,
    say_table,
)
from ssogate.cli.sealing import keys
from ssogate.crypto.jwk import Algorithm
from ssogate.directory.signing_keys import REREAD, RIPENS, SigningKeys, drop, rotate, states
from ssogate.gate import Gate, signing_keys

__all__ = ["keys"]


@keys.command(name="rotate")
@click.option("--alg", type=click.Choice(get_args(Algorithm)), help="Only this algorithm's key.")
@config_option
def rotate_signing(config: Path, alg: Algorithm | None) -> None:
    """Make another key to sign tokens with.

    It is published at once and signs a minute later; the one before it stays published for
    `key_overlap`, so that nobody's login fails. The gate does it by itself every `key_lifetime`.

    \b
    Examples:
      ssogate keys rotate
      ssogate keys rotate --alg ES256
    """
    with changing(config) as (gate, by, now):
        kept = _of(gate)
        if alg and alg not in kept.algorithms:
            raise Mistake(f"provider.algorithms has no {alg}")
        for each in (alg,) if alg else kept.algorithms:
            made = rotate(gate.store, kept.sealer, each, kept.overlap, by=by, now=now)
            if made:
                say(f"{each} {made.kid} signs in {RIPENS} seconds")


@keys.command(name="list")
@json_option
@config_option
def list_signing(config: Path, as_json: bool) -> None:
    """Show the keys that tokens are signed with: which signs, which will, which did.

    \b
    Example:
      ssogate keys list
    """
    with opened(config) as gate:
        kept = _of(gate)
        now = gate.clock()
        found = states(gate.store.sealed_keys.published(int(now)), kept.overlap, now)
    if as_json:
        told = [
            {
                "kid": key.kid,
                "alg": key.alg,
                "state": state.value,
                "created_at": key.created_at,
                "retires_at": key.retires_at,
            }
            for key, state in found
        ]
        say_json(told)
        return
    say_table(
        ("KID", "ALG", "STATE", "MADE", "PUBLISHED UNTIL"),
        (
            (
                key.kid,
                key.alg,
                state,
                moment(key.created_at),
                moment(key.retires_at) if key.retires_at else "",
            )
            for key, state in found
        ),
    )


@keys.command(name="drop")
@click.argument("kid")
@config_option
def drop_signing(config: Path, kid: str) -> None:
    """Forget a key that somebody has stolen: no token that it has signed is believed any more.

    Another one signs at once. Clients that keep a copy of the published keys believe the dropped
    one until they ask again.

    \b
    Example:
      ssogate keys drop nGp0b3o1yVzKpTHv9x3Qm2kLZ0d5bYt8sWcRfEaJ7uI
    """
    with changing(config) as (gate, by, now):
        kept = _of(gate)
        drop(gate.store, kept.sealer, kid, kept.algorithms, kept.overlap, by=by, now=now)
    say(f"dropped {kid}: running gates follow within {REREAD} seconds")


def _of(gate: Gate) -> SigningKeys:
    kept = signing_keys(gate)
    if kept is None:
        raise Mistake("the gate is no OpenID Connect provider: gateway.yaml has no `provider`")
    return kept
