from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from sqlalchemy import text

from ssogate import __version__
from ssogate.cli import main
from tests.cli.conftest import Site


def _commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))


@pytest.mark.parametrize("path", [*_commands(main)], ids=" ".join)
def test_every_command_has_help_with_an_example(site: Site, path: tuple[str, ...]) -> None:
    text = site.good(*path, "--help")

    assert "Example" in text
    assert f"ssogate {path[0]}" in text


def test_the_command_is_a_module_too() -> None:
    command = [sys.executable, "-m", "ssogate", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert done.stdout == f"ssogate {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["check"], id="check"),
        pytest.param(["serve"], id="serve"),
        pytest.param(["explain", "/"], id="explain"),
        pytest.param(["link", "--username", "john"], id="link"),
        pytest.param(["user", "list"], id="user"),
        pytest.param(["session", "list"], id="session"),
    ],
)
def test_every_command_tells_every_problem_of_the_configuration(
    site: Site, arguments: list[str]
) -> None:
    site.edit("public_url: https", "public_url: ftp")
    site.edit("auto_create: true", "auto_creat: true")

    result = site.run(*arguments)

    assert result.exit_code == 2
    told = [line for line in result.stderr.splitlines() if not line.startswith("gunicorn:")]
    assert told[:2] == [
        "gateway.yaml:1: public_url: write a URL with its scheme, such as https://app.example/",
        "gateway.yaml:7: login.0.auto_creat: unknown key 'auto_creat'; did you mean 'auto_create'?",
    ]
    assert told[2].startswith("2 problems")
    assert result.stdout == ""


def test_a_missing_configuration_is_told(site: Site) -> None:
    result = site.run("user", "list", "--config", "elsewhere.yaml")

    assert (result.exit_code, result.stderr) == (
        2,
        "elsewhere.yaml: cannot read it: No such file or directory\n1 problem\n",
    )


def test_the_environment_names_the_configuration(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gateway.yaml").rename(tmp_path / "other.yaml")
    monkeypatch.setenv("SSOGATE_CONFIG", str(tmp_path / "other.yaml"))

    assert "other.yaml is in order" in site.good("check")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["user", "list"], id="reading"),
        pytest.param(["user", "add", "sue", "--email", "s@example.com"], id="writing"),
        pytest.param(["session", "list"], id="sessions"),
        pytest.param(["explain", "/members/", "--as", "sue"], id="explaining"),
    ],
)
def test_a_broken_store_is_one_line(site: Site, arguments: list[str]) -> None:
    site.good("user", "list")
    for file in (site.folder / "var").iterdir():
        file.write_bytes(b"no database at all\n" * 100)

    result = site.run(*arguments)

    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert "database" in result.stderr.splitlines()[0]
    assert result.stdout == ""


def test_a_store_that_will_not_open_is_told_of_the_file_that_names_it(site: Site) -> None:
    (site.folder / "gateway.yaml").rename(site.folder / "other.yaml")
    (site.folder / "var").write_text("no folder")

    result = site.run("user", "list", "--config", "other.yaml")

    assert result.exit_code == 2
    assert result.stderr.startswith("other.yaml: store.path: ")


def test_a_store_that_fails_midway_is_one_line(site: Site) -> None:
    gate = site.gate()
    gate.store.database.write(text("DROP TABLE sessions"))  # type: ignore[attr-defined]
    gate.store.close()

    result = site.run("session", "list")

    assert result.exit_code == 2
    assert result.stderr == (
        "Error: the store cannot do this: OperationalError: no such table: sessions\n"
    )


def test_output_survives_a_terminal_without_the_characters(site: Site) -> None:
    site.good("user", "add", "łucja", "--email", "l@example.com")
    command = [sys.executable, "-m", "ssogate", "user", "list"]
    environ = {"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONIOENCODING": "latin-1"}
    secrets = {"MEMBERS_SECRET": "m" * 32, "PARTNERS_SECRET": "p" * 32}

    done = subprocess.run(
        command, env={**environ, **secrets}, cwd=site.folder, capture_output=True, check=True
    )

    assert b"\\u0142ucja" in done.stdout
