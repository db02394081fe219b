from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import SECRET, Site
from tests.servers import PROJECT

BROKEN = Path(__file__).with_name("broken")


@pytest.fixture
def broken(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The broken files, with modes as an operator's have them, whatever the checkout's are."""
    shutil.copytree(BROKEN, site.folder, dirs_exist_ok=True)
    for path in site.folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    (site.folder / "policies/10.yaml").unlink()
    monkeypatch.setenv("LONG", SECRET)
    monkeypatch.setenv("PREFIXED_LONG", f"x{SECRET}")
    monkeypatch.setenv("SHORT", "abc")
    return site


def _told(text: str) -> list[str]:
    """The lines about the gate; whether gunicorn's user is root is the machine's affair."""
    return [line for line in text.splitlines() if not line.startswith("gunicorn: warning:")]


@pytest.mark.parametrize("name", sorted(file.name for file in BROKEN.glob("*.yaml")))
def test_tells_all_that_is_wrong_at_once(broken: Site, name: str) -> None:
    lines = (BROKEN / name).read_text("utf-8").splitlines()
    expected = [line.removeprefix("# expect: ") for line in lines if line.startswith("# expect: ")]
    mistakes = sum("warning: " not in line for line in expected)

    result = broken.run("check", "--config", name)

    *told, count = _told(result.stderr)
    assert (result.exit_code, told) == (2, expected)
    assert count.startswith(f"{mistakes} problem")
    assert result.stdout == ""


def test_there_are_ten_broken_files_at_least_and_each_says_what_is_wrong() -> None:
    files = [*BROKEN.glob("*.yaml")]

    assert len(files) >= 10
    assert all("# expect: " in file.read_text("utf-8") for file in files)


def test_never_tells_a_secret_that_stands_in_the_wrong_place(broken: Site) -> None:
    result = broken.run("check", "--config", "secrets.yaml")

    assert "correct-horse" not in result.output
    assert "not so secret" not in result.output


@pytest.mark.parametrize("name", ["amounts.yaml", "yaml-magic.yaml"])
def test_the_real_command_ends_with_status_2(broken: Site, name: str) -> None:
    command = [sys.executable, "-m", "ssogate", "check", "--config", name]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=broken.folder,
        env={"PYTHONPATH": str(PROJECT), "LONG": SECRET},
        check=False,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


def test_sums_up_what_is_in_order(site: Site) -> None:
    text = site.good("check")

    assert text.splitlines()[0] == "gateway.yaml is in order."
    facts = dict(line.strip().split("  ", 1) for line in text.splitlines()[1:])
    assert {name: value.strip() for name, value in facts.items()} == {
        "site": "https://app.example",
        "ways in": "members (/sso.php), partners (/partners.php)",
        "upstreams": "club (http://127.0.0.1:8001)",
        "routes": "3",
        "rules": "4 in 1 file",
        "tests": "2 passed",
        "store": "sqlite, var/ssogate.sqlite",
        "server": "our own settings, for want of a gunicorn.conf.py: 1 worker, on 127.0.0.1:8000",
        "fast lane": "not compiled",
    }


def test_checking_makes_no_store(site: Site) -> None:
    site.good("check")

    assert not (site.folder / "var").exists()


def test_warnings_are_told_and_are_no_failure(site: Site) -> None:
    site.edit("  club: {url", '  spare: {url: "http://127.0.0.1:2"}\n  club: {url')

    result = site.run("check")

    assert result.exit_code == 0
    warning = "gateway.yaml:14: warning: upstreams.spare: no route leads here"
    assert warning in result.stderr.splitlines()
    assert "problem" not in result.stderr


def test_a_wrap_needs_no_routes_and_no_server(site: Site) -> None:
    text = (site.folder / "gateway.yaml").read_text("utf-8")
    site.write("gateway.yaml", text[: text.index("upstreams:")])

    assert site.run("check").exit_code == 2
    result = site.run("check", "--wrap")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "server" not in result.stdout


@pytest.mark.parametrize(
    ("conf", "line"),
    [
        pytest.param(
            "header_map = 'dangerous'",
            "gunicorn: header_map: a header with an underscore can pass: write 'refuse'",
            id="a setting undone",
        ),
        pytest.param(
            "forwarded_allow_ips = '*'",
            "gunicorn: forwarded_allow_ips: the gate judges forwarded headers itself: write ''"
            " here, and list the proxies in trusted_proxies of gateway.yaml",
            id="everybody trusted",
        ),
        pytest.param(
            "import nothing_like_it", "gunicorn.conf.py:2: ModuleNotFoundError", id="raises"
        ),
        pytest.param("timeout = ", "gunicorn.conf.py:2: SyntaxError", id="no Python"),
        pytest.param("workers = 'many'", "gunicorn.conf.py: workers: ", id="nonsense"),
    ],
)
def test_judges_the_server_configuration_beside_it(site: Site, conf: str, line: str) -> None:
    safe = "from ssogate.worker.gunicorn_conf import *"
    site.write("gunicorn.conf.py", f"{safe}\n{conf}\n")

    result = site.run("check")

    assert result.exit_code == 2
    assert any(told.startswith(line) for told in result.stderr.splitlines()), result.stderr
    assert "Traceback" not in result.stderr


def test_judges_what_the_environment_changes_of_the_server(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--http-parser fast --bind 0.0.0.0:80")

    result = site.run("check")

    assert result.exit_code == 2
    told = [line.partition(": ")[2] for line in result.stderr.splitlines()]
    assert any(line.startswith("http_parser: ") for line in told)
    assert any(line.startswith("warning: bind: ") for line in told)


def test_tells_nonsense_in_the_environment(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--user nobody-of-this-name")

    result = site.run("check")

    assert result.exit_code == 2
    assert result.stderr.startswith("GUNICORN_CMD_ARGS: user: ")


def test_names_gateway_and_server_problems_together(site: Site) -> None:
    site.edit("https://app.example", "http://app.example")
    site.write("gunicorn.conf.py", "reload = True\n")

    told = site.run("check").stderr

    assert "gateway.yaml:1: public_url: plain http" in told
    assert "gunicorn: reload: for development only" in told


@pytest.mark.parametrize(
    ("name", "mode", "message"),
    [
        pytest.param(
            "gateway.yaml",
            0o666,
            "gateway.yaml: anybody on this machine can change it: chmod o-w gateway.yaml",
            id="configuration that anybody can change",
        ),
        pytest.param(
            "var/ssogate.sqlite",
            0o644,
            "gateway.yaml:1: store.path: var/ssogate.sqlite is readable by others:"
            " chmod 600 var/ssogate.sqlite",
            id="store that anybody can read",
        ),
    ],
)
def test_looks_at_the_modes_of_files(site: Site, name: str, mode: int, message: str) -> None:
    site.good("user", "list")
    (site.folder / name).chmod(mode)

    result = site.run("check")

    assert result.exit_code == 2
    assert message in result.stderr.splitlines()
