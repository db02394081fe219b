from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from ssogate.cli.imports import import_files
from tests.cli.conftest import Site

EXAMPLE = Path("examples/directory").absolute()
USERS = "id,username,email\n7,joe,joe@example.com\n8,sue,\n"


@pytest.fixture
def sealing(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("SEALING_KEY", "0123456789abcdef0123456789abcdef")
    site.edit("login:\n", "sealing_keys: [{env: SEALING_KEY}]\nlogin:\n")
    return site


def _users(site: Site) -> set[str]:
    return {user["canonical"] for user in json.loads(site.good("user", "list", "--json"))}


def test_a_folder_comes_in_and_the_counts_are_told(sealing: Site) -> None:
    told = sealing.good("import", str(EXAMPLE))

    assert told.splitlines() == [
        "KIND            NEW  CHANGED  UNCHANGED",
        "users           8    0        0",
        "accounts        3    0        0",
        "members         7    0        0",
        "servers         4    0        0",
        "services        5    0        0",
        "domains         4    0        0",
        "administrators  2    0        0",
    ]
    assert _users(sealing) == {"ann", "bob", "cara", "dan", "eva", "finn", "greta", "hugo"}


def test_a_second_run_says_that_nothing_is_new(site: Site) -> None:
    site.write("users.csv", USERS)
    site.good("import", "users.csv")

    told = site.good("import", "users.csv")

    assert told.splitlines()[1:] == [
        "users  0    0        2",
        "nothing is new: nothing was changed",
    ]


def test_a_dry_run_says_what_would_happen(site: Site) -> None:
    site.write("users.csv", USERS)

    told = site.good("import", "users.csv", "--dry-run")

    assert told.splitlines()[1:] == [
        "users  2    0        0",
        "a dry run: nothing was changed",
    ]
    assert _users(site) == set()


def test_passwords_that_stay_are_told(site: Site) -> None:
    line = "id,username,password_hash\n7,joe,{}\n"
    site.write("users.csv", line.format("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="))
    site.good("import", "users.csv")
    site.write("users.csv", line.format("{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M="))

    told = site.good("import", "users.csv")
    assert "1 user kept another password than the files give (see --replace-passwords)" in told

    assert "kept" not in site.good("import", "users.csv", "--replace-passwords")


def test_the_kind_can_be_told(site: Site) -> None:
    site.write("people.csv", USERS)

    site.good("import", "people.csv", "--kind", "users")

    assert _users(site) == {"joe", "sue"}


def test_wrong_lines_are_told_by_number_and_nothing_is_written(site: Site) -> None:
    site.write("users.csv", USERS + "9,\x1b[31m,\n10,Joe,x\n")

    result = site.run("import", "users.csv")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        "users.csv:4: username: holds the invisible character U+001B",
        "users.csv:5: email: an e-mail address is a name, one @ and a domain",
        "users.csv:5: username: the same name, or one that looks like it,"
        " stands at users.csv:2 already",
        "3 problems; nothing was imported",
    ]
    assert _users(site) == set()


def test_of_many_wrong_lines_the_first_hundred_are_told(site: Site) -> None:
    site.write("users.csv", "id,username\n" + "".join(f"{n},\n" for n in range(150)))

    told = site.run("import", "users.csv").stderr.splitlines()

    assert len(told) == 102
    assert told[-2:] == ["... and 50 more", "150 problems; nothing was imported"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["nothing.csv"], "'nothing.csv' does not exist", id="no file"),
        pytest.param([], "Missing argument 'PATHS...'", id="no path"),
        pytest.param(["people.csv"], "there is no kind 'people'", id="kind of a file"),
        pytest.param(["people.csv", "--kind", "user"], "'user' is not one of", id="kind"),
        pytest.param(["notes"], "there is no file to read", id="folder of nothing"),
    ],
)
def test_tells_a_mistake(site: Site, arguments: list[str], message: str) -> None:
    site.write("people.csv", USERS)
    site.write("notes/README.md", "# Nothing to import")

    result = site.run("import", *arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


class Screen(io.StringIO):
    """What somebody looks at."""

    def isatty(self) -> bool:
        return True


def test_progress_is_shown_to_a_terminal_only(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.write("users.csv", USERS)
    assert site.run("import", "users.csv", "--dry-run").stderr == ""
    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)

    import_files.main(["users.csv"], standalone_mode=False)

    shown = screen.getvalue()
    for step in ("reading", "comparing", "writing"):
        assert f"{step}  [####" in shown
    assert shown.count("100%") == 3
