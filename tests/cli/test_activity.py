"""`ssogate activity`: the log is shown, and what was done to it is found."""

from __future__ import annotations

import getpass
import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing

import pytest

from ssogate.directory.activity import START
from tests.cli.conftest import Site


@pytest.fixture
def busy(site: Site) -> Site:
    for name in ("sue", "bob", "100%"):
        site.good("user", "add", name, "--email", "x@example.com")
    site.good("user", "deactivate", "bob")
    return site


def tamper(site: Site, *statements: str) -> None:
    """Do with the database what its owner can do."""
    with closing(sqlite3.connect(site.folder / "var/ssogate.sqlite")) as database:
        triggers = database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'activity'"
        ).fetchall()
        for (name,) in triggers:
            database.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            database.execute(statement)
        database.commit()


def digest(site: Site) -> str:
    _, noted = site.good("activity", "verify").splitlines()
    return noted


def test_lists_the_newest_first(busy: Site) -> None:
    headings, first, *rest = busy.good("activity", "list").splitlines()

    assert headings.split() == ["LINE", "AT", "WHO", "FROM", "ACTION", "WHAT"]
    assert first.split()[0] == "4"
    assert first.endswith("user.deactivated  user bob")
    assert len(rest) == 3


def test_tells_who_ran_the_command_whatever_the_environment_says(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getpass.getuser()
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "mallory")

    site.good("account", "add", "Acme")

    (line,) = json.loads(site.good("activity", "list", "--json"))
    assert line["actor"].startswith("cli:")
    assert line["actor"] != "cli:mallory" or real == "mallory"


@pytest.mark.parametrize(
    ("arguments", "numbers"),
    [
        pytest.param([], [4, 3, 2, 1], id="all"),
        pytest.param(["--latest", "2"], [4, 3], id="latest"),
        pytest.param(["--containing", "bob"], [4, 2], id="text"),
        pytest.param(["--containing", "user.deactivated"], [4], id="action"),
        pytest.param(["--containing", "%"], [3], id="no wildcard"),
        pytest.param(["--containing", "bob", "--latest", "1"], [4], id="both"),
        pytest.param(["--containing", "nothing"], [], id="none"),
    ],
)
def test_lists_some_lines(busy: Site, arguments: Sequence[str], numbers: list[int]) -> None:
    lines = json.loads(busy.good("activity", "list", *arguments, "--json"))

    assert [line["number"] for line in lines] == numbers


def test_an_empty_log_is_whole(site: Site) -> None:
    assert site.good("activity", "verify") == f"0 lines, all whole; digest of the last:\n{START}\n"


def test_a_whole_log_gives_the_digest_to_be_noted(busy: Site) -> None:
    noted = digest(busy)
    busy.good("user", "activate", "bob")

    assert digest(busy) != noted
    assert busy.good("activity", "verify", "--expect", noted).startswith("5 lines, all whole")


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        pytest.param(
            ["UPDATE activity SET text = 'user ann' WHERE number = 2"],
            "line 2 was changed; whole up to line 1",
            id="changed",
        ),
        pytest.param(
            ["DELETE FROM activity WHERE number = 3"],
            "line 3 is missing; whole up to line 2",
            id="missing",
        ),
        pytest.param(
            [
                "UPDATE activity SET number = 9 WHERE number = 2",
                "UPDATE activity SET number = 2 WHERE number = 3",
                "UPDATE activity SET number = 3 WHERE number = 9",
            ],
            "line 2 is out of order; whole up to line 1",
            id="re-ordered",
        ),
    ],
)
def test_tells_the_first_line_that_is_wrong(
    busy: Site, statements: list[str], message: str
) -> None:
    tamper(busy, *statements)

    result = busy.run("activity", "verify")

    assert (result.exit_code, result.stdout) == (1, f"{message}\n")
    facts = json.loads(busy.run("activity", "verify", "--json").stdout)
    assert facts["fault"] == message.partition(";")[0]


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("DELETE FROM activity WHERE number = 4", id="its end cut off"),
        pytest.param("DELETE FROM activity", id="all of it gone"),
    ],
)
def test_a_cut_is_found_by_the_digest_that_was_noted(busy: Site, statement: str) -> None:
    noted = digest(busy)
    tamper(busy, statement)
    assert busy.run("activity", "verify").exit_code == 0, "nobody could tell without it"

    result = busy.run("activity", "verify", "--expect", noted)

    assert result.exit_code == 1
    assert "no line has the expected digest" in result.stdout


@pytest.mark.parametrize("noted", ["abc", "g" * 64, "a" * 63, f"{'a' * 64}\n"])
def test_a_digest_that_is_none_is_a_mistake(busy: Site, noted: str) -> None:
    result = busy.run("activity", "verify", "--expect", noted)

    assert result.exit_code == 2
    assert "DIGEST is 64 hex digits" in result.stderr
