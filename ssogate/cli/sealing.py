"""`ssogate keys`: the keys that second factors, credentials and signing keys are sealed with."""

from __future__ import annotations

from pathlib import Path

import click

from ssogate.cli.console import Mistake, answer, changing, config_option, counted, opened, say
from ssogate.cli.secret import sealer_of
from ssogate.crypto import SealBroken
from ssogate.directory.sealing import census, reseal


@click.group()
def keys() -> None:
    """Look after the sealing keys: what they seal, and the change to a new one; and after the keys
    that sign the provider's tokens.

    To change the sealing key: put a new one first in `sealing_keys`, restart the gate, seal
    everything with it, then take the old one away.

    \b
    Examples:
      (umask 077; openssl rand -base64 32 > var/sealing-key-2)
      ssogate keys reseal
      ssogate keys check
    """


@keys.command()
@config_option
def check(config: Path) -> None:
    """Count what is sealed by which key. The status is 1 if something cannot be opened.

    \b
    Example:
      ssogate keys check
    """
    with opened(config) as gate:
        found = census(gate.store, sealer_of(gate))
    say(f"{counted(found.current, 'value')} sealed with the newest key, {found.older} with others")
    for context in found.broken:
        say(f"cannot be opened by any key: {context}")
    answer(not found.broken)


@keys.command(name="reseal")
@config_option
def reseal_all(config: Path) -> None:
    """Seal everything with the newest key, so that older ones can go.

    \b
    Example:
      ssogate keys reseal
    """
    with changing(config) as (gate, by, now):
        try:
            renewed = reseal(gate.store, sealer_of(gate), by=by, now=now)
        except SealBroken as error:
            raise Mistake(
                f"{error}: `ssogate keys check` says which; nothing was changed"
            ) from error
    say(f"sealed {counted(renewed, 'value')} anew")
