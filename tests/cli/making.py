"""What some commands need beside the usual folder."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.cli.conftest import Site


def contents(site: Site) -> list[str]:
    """All that the gate's database holds."""
    with closing(sqlite3.connect(site.folder / "var/ssogate.sqlite")) as database:
        return [*database.iterdump()]


def with_sealing_key(site: Site) -> None:
    """Let the gate seal secrets."""
    key = site.folder / "sealing-key"
    key.write_text("a key of at least thirty-two characters")
    key.chmod(0o600)
    site.edit("upstreams:", "sealing_keys: [{file: sealing-key}]\nupstreams:")
