from __future__ import annotations

import pytest

from tests.cli.conftest import Site
from tests.cli.making import contents, with_sealing_key


@pytest.fixture
def sealed(site: Site) -> Site:
    """Two credentials and a second factor, sealed."""
    with_sealing_key(site)
    site.good("server", "add", "web1", "--module", "cpanel", "--host", "web1.example.com")
    site.good("server", "credentials", "1", "--stdin", stdin="hidden")
    site.good("user", "add", "sue", "--email", "sue@example.com")
    gate = site.gate()
    user = gate.store.users.get("sue")
    assert user
    assert gate.sealer
    subject = user.identity.subject
    factor = gate.sealer.seal("ABC", context=f"totp:{subject}")
    gate.store.secrets.set_second_factor(subject, factor, ["k"], 1)
    gate.store.close()
    return site


def new_key(site: Site, *, old: bool = True) -> None:
    key = site.folder / "new-key"
    key.write_text("another key of at least thirty-two characters")
    key.chmod(0o600)
    rest = ", {file: sealing-key}" if old else ""
    site.edit("[{file: sealing-key}]", f"[{{file: new-key}}{rest}]")


def without_the_old(site: Site) -> None:
    site.edit("[{file: new-key}, {file: sealing-key}]", "[{file: new-key}]")


def test_everything_is_sealed_with_the_new_key(sealed: Site) -> None:
    new_key(sealed)
    assert "0 values sealed with the newest key, 2 with others" in sealed.good("keys", "check")

    assert sealed.good("keys", "reseal") == "sealed 2 values anew\n"

    without_the_old(sealed)
    assert "2 values sealed with the newest key, 0 with others" in sealed.good("keys", "check")
    assert sealed.good("keys", "reseal") == "sealed 0 values anew\n"
    assert sealed.gate().store.secrets.recovery_codes(_sue(sealed)) == 1
    assert "keys.resealed" in sealed.good("activity", "list")


def test_a_value_that_cannot_be_opened_stops_it_and_changes_nothing(sealed: Site) -> None:
    new_key(sealed, old=False)
    before = contents(sealed)

    result = sealed.run("keys", "reseal")

    assert result.exit_code == 2
    assert "nothing was changed" in result.stderr
    assert contents(sealed) == before
    told = sealed.run("keys", "check")
    assert told.exit_code == 1
    assert "server:1:password" in told.stdout
    assert f"totp:{_sue(sealed)}" in told.stdout


def test_without_keys_it_says_how_to_come_by_one(site: Site) -> None:
    result = site.run("keys", "check")

    assert result.exit_code == 2
    assert "sealing_keys" in result.stderr


def _sue(site: Site) -> str:
    user = site.gate().store.users.get("sue")
    assert user
    return user.identity.subject
