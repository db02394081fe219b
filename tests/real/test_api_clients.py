"""Programs that were written for WHMCS, unchanged: what they ask for signs people in.

The programs are those of `examples/clients`; `make test` installs what they stand on.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner
from playwright.sync_api import sync_playwright

from ssogate.cli import main
from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.gate import HOST, RunningGate, site
from tests.real.test_readme import block
from tests.servers import PROJECT, Gunicorn

pytestmark = pytest.mark.server

CLIENTS = PROJECT / "examples/clients"
MODULES = PROJECT / "tests/real/node_modules"

ACTIONS = (
    *("CreateSsoToken", "GetClients", "GetClientsDetails", "GetClientsProducts", "GetServers"),
    *("LogActivity", "CreateOAuthCredential", "DeleteOAuthCredential"),
)


@dataclass(frozen=True)
class Program:
    """A program, what it says besides the URL, and where the URL leads."""

    command: tuple[str, ...]
    says: tuple[str, ...]
    target: str


SERVICE = "service 1: Hosting L, Active"
PROGRAMS = {
    "whmcspy": Program(
        (sys.executable, "whmcspy_client.py"),
        ("client 1: Acme Ltd, Active", SERVICE, "server 1: node1"),
        "/viewinvoice.php?id=3",
    ),
    "whmcs-api-client": Program(
        (sys.executable, "whmcs_api_client.py"),
        ("client 1: office@acme.example", SERVICE, "1 of 1 clients"),
        "/clientarea.php",
    ),
    "whmcs-js": Program(
        ("node", "whmcs_js.js"),
        ("client 1: Acme Ltd, Active", SERVICE, "credential of service 1: "),
        "/clientarea.php?action=productdetails&id=1",
    ),
    "php": Program(
        ("php", "curl.php"),
        ("client 1: Acme Ltd, Active", SERVICE),
        "/clientarea.php?action=details",
    ),
}
PROGRAM = pytest.mark.parametrize("name", PROGRAMS)


@dataclass(frozen=True)
class Office:
    """A gate that programs may call, and the credential of one."""

    gate: RunningGate
    environ: dict[str, str]

    def ssogate(self, *arguments: str) -> str:
        """Run a command of the gate's operator; give what it prints."""
        config = ("--config", str(self.gate.site.config))
        result = CliRunner().invoke(main, [*arguments, *config], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    def run(self, name: str, **environ: str) -> subprocess.CompletedProcess[str]:
        program = PROGRAMS[name]
        if not shutil.which(program.command[0]):
            pytest.skip(f"no {program.command[0]} here")
        return subprocess.run(
            program.command,
            cwd=CLIENTS,
            env={**os.environ, **self.environ, **environ},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def path(self, name: str) -> str:
        """Let a program ask for a token: where its URL leads at the gate."""
        done = self.run(name)
        assert (done.returncode, done.stderr) == (0, "")
        return path_of(done.stdout.splitlines()[-1])

    def signs_in(self, path: str, target: str) -> bool:
        """Whether a URL's path signs Sue in and leads to the target, as the application sees it."""
        arrived = self.gate.ask(path)
        assert (arrived.status, arrived.header("Location")) == (303, target)
        assert arrived.header("Referrer-Policy") == "no-referrer"
        cookie = f"Cookie: {(arrived.header('Set-Cookie') or '').partition(';')[0]}"
        seen = json.loads(self.gate.ask(target, cookie).body)
        return (seen["uri"], seen["headers"]["HTTP_X_REMOTE_USER"]) == (target, "sue")


def path_of(url: str) -> str:
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.path) == ("http", HOST, "/oauth/singlesignon.php")
    return f"{parts.path}?{parts.query}"


def keys_of(said: str) -> tuple[str, str]:
    """The identifier and the secret that a command prints."""
    words = said.split()
    return words[words.index("identifier") + 1], words[words.index("secret") + 1]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office") / "gate"
    with Gunicorn("tests.echo:app") as echo:
        written = site(
            folder,
            echo.url("").rstrip("/"),
            login=[{"kind": "sso_token"}],
            api={"networks": [f"{HOST}/32"]},
        )
        with RunningGate(written, "--workers", "2") as gate:
            yield _furnished(gate)


def _furnished(gate: RunningGate) -> Office:
    """Acme, its owner Sue, its service on a server, and a program that may do what ours do."""
    office = Office(gate, {})  # as yet without a credential
    office.ssogate("user", "add", "sue", "--name", "Sue Baker", "--email", "sue@acme.example")
    office.ssogate("account", "add", "Acme Ltd", "--email", "office@acme.example")
    office.ssogate("account", "member", "add", "1", "sue", "--owner")
    office.ssogate("server", "add", "node1", "--module", "cpanel", "--host", "node1.example.com")
    office.ssogate("service", "add", "1", "Hosting L", "--server", "node1", "--username", "acme")
    office.ssogate("api-role", "add", "programs", *ACTIONS)
    said = office.ssogate("api-credential", "add", "The shop", "--roles", "programs")
    identifier, secret = keys_of(said)
    return Office(
        gate,
        {
            "GATE_URL": gate.url("").rstrip("/"),
            "API_IDENTIFIER": identifier,
            "API_SECRET": secret,
            "CLIENT_ID": "1",
            "NODE_PATH": str(MODULES),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
    )


@PROGRAM
def test_understands_what_the_api_answers(office: Office, name: str) -> None:
    done = office.run(name)

    assert (done.returncode, done.stderr) == (0, "")
    *said, url = done.stdout.splitlines()
    assert url.startswith(f"http://{HOST}/oauth/singlesignon.php?access_token=")
    assert len(said) == len(PROGRAMS[name].says)
    for line, expected in zip(said, PROGRAMS[name].says, strict=True):
        assert line.startswith(expected)


@PROGRAM
def test_its_url_signs_the_owner_in_once_at_the_right_page(office: Office, name: str) -> None:
    path = office.path(name)

    assert office.signs_in(path, PROGRAMS[name].target)

    again = office.gate.ask(path)
    assert 400 <= again.status < 500
    assert again.header("Set-Cookie") is None


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl here")
def test_the_readmes_calls_sign_the_owner_in(office: Office) -> None:
    scope = "clientarea:product_details"
    said = office.ssogate("client", "create", "single_sign_on", "--service", "1", "--scope", scope)
    client, secret = keys_of(said)
    calls = block("sh", "CreateSsoToken")
    calls = calls.replace("https://app.example.com", office.environ["GATE_URL"])
    calls = calls.replace("curl ", "curl -sS -w '\n' ")

    done = subprocess.run(
        ["bash", "-euc", calls],
        env={**os.environ, **office.environ, "CLIENT_ID": client, "CLIENT_SECRET": secret},
        capture_output=True,
        timeout=30,
        check=True,
    )

    by_api, by_client = (json.loads(line) for line in done.stdout.split(b"\n") if line)
    assert office.signs_in(path_of(by_api["redirect_url"]), "/clientarea.php?action=invoices")
    target = "/clientarea.php?action=productdetails&id=1"
    assert office.signs_in(path_of(by_client["redirect_url"]), target)


@PROGRAM
@pytest.mark.parametrize(
    ("environ", "why"),
    [
        pytest.param({"API_SECRET": "wrong"}, "Authentication Failed", id="wrong secret"),
        pytest.param({"CLIENT_ID": "7"}, "Client", id="no such client"),
    ],
)
def test_says_what_the_api_complains_of(
    office: Office, name: str, environ: dict[str, str], why: str
) -> None:
    done = office.run(name, **environ)

    assert done.returncode != 0
    assert "access_token" not in done.stdout
    assert why in done.stderr


@pytest.mark.browser
def test_a_browser_that_follows_the_url_is_signed_in(office: Office) -> None:
    path = office.path("php")

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = chromium.new_page()
        page.goto(office.gate.url(path))
        arrived, shown = page.url, page.locator("body").inner_text()
        page.goto(office.gate.url("/members/"))
        later = page.locator("body").inner_text()
        chromium.close()

    assert arrived == office.gate.url("/clientarea.php?action=details")
    assert '"HTTP_X_REMOTE_USER": "sue"' in shown
    assert "HTTP_REFERER" not in shown
    assert '"HTTP_X_REMOTE_USER": "sue"' in later
