"""A gate that is an OpenID Connect provider, and applications that nobody here wrote the protocol
of: those of examples/relying-parties, unchanged, each in a process of its own.

The gate is at 127.0.0.1 and the applications are at localhost, as if they were other sites.
"""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from click.testing import CliRunner

from ssogate.cli import main
from ssogate.directory import By, add_user, set_password
from ssogate.directory.signing_keys import RIPENS
from ssogate.gate import open_gate
from ssogate.portal import SIGN_OUT
from ssogate.portal.door import ACCOUNT
from ssogate.settings import load
from tests.gate import CONF, HOST, Site, link_path, site
from tests.real.visitor import Page, Visitor
from tests.servers import PROJECT, Gunicorn, Process

EXAMPLES = PROJECT / "examples/relying-parties"
MODULES = PROJECT / "tests/real/node_modules"
APACHE = shutil.which("apache2") or "/usr/sbin/apache2"
APACHE_MODULE = Path("/usr/lib/apache2/modules/mod_auth_openidc.so")  # where Debian has it
PASSWORD = "correct horse battery staple"
NAME, EMAIL = "Sue Baker", "sue@example.com"
SCOPE = "openid profile email offline_access"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class Provider(Gunicorn):
    """The gate, at an address that was known before, as its issuer's name is to be."""

    def __init__(self, folder: Path, upstream: str, *, workers: int = 2, **provider: Any) -> None:
        port = free_port()
        self.issuer = f"http://{HOST}:{port}"
        self.site: Site = site(
            folder,
            upstream,
            password={},
            public_url=self.issuer,
            provider={"access_token_lifetime": "60s", **provider},
        )
        bind, cwd = f"{HOST}:{port}", folder
        super().__init__(None, "--workers", str(workers), conf=CONF, cwd=cwd, bind=bind)

    def ssogate(self, *arguments: str) -> str:
        """Run a command of the gate's operator; give what it prints."""
        config = ("--config", str(self.site.config))
        result = CliRunner().invoke(main, [*arguments, *config], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    def add_sue(self) -> None:
        opened = open_gate(load(self.site.config))
        by, now = By("tests", ""), int(time.time())
        user = add_user(opened.store, "sue", name=NAME, email=EMAIL, by=by, now=now)
        set_password(opened.store, user.identity.subject, PASSWORD, by=by, now=now)
        opened.store.close()

    def a_minute_later(self) -> None:
        """Let all keys have been there for a minute longer: as long as a new one is published
        before it signs."""
        (file,) = self.site.folder.glob("var/*.sqlite")
        with closing(sqlite3.connect(file, timeout=10)) as store, store:
            store.execute("UPDATE signing_keys SET created_at = created_at - ?", (RIPENS,))

    def add_client(
        self, name: str, *options: str, grant: str = "authorization_code"
    ) -> dict[str, str]:
        """Create a client by the command line; give what its program is told of it."""
        create = ("client", "create", grant, "--name", name, "--scope", SCOPE)
        words = self.ssogate(*create, *options).split()
        told = {"ISSUER": self.issuer, "CLIENT_ID": words[words.index("identifier") + 1]}
        if "secret" in words:
            told["CLIENT_SECRET"] = words[words.index("secret") + 1]
        return told

    def link(self, username: str) -> str:
        """A link that signs somebody in whom the gate has never seen."""
        return self.issuer + link_path(username)

    def through(self, visitor: Visitor, page: Page, *, consent: str = "allow") -> Page:
        """Answer the gate's questions as Sue, until it leads away."""
        for _ in range(5):
            if page.origin != self.issuer:
                return page
            if form := page.form("password"):
                page = visitor.send(page, form, username="sue", password=PASSWORD)
            else:
                page = visitor.send(page, page.forms[-1], consent)
        raise AssertionError(f"{page.status} {page.url}\n{page.text}")

    def sign_out(self, visitor: Visitor) -> None:
        page = visitor.get(f"{self.issuer}{ACCOUNT}")
        (form,) = (form for form in page.forms if form.action.endswith(SIGN_OUT))
        assert visitor.send(page, form).status == 200


class Application(Process):
    """A relying party: where it is, and what a person does there."""

    home, sign_in, refresh, sign_out = "/", "/login", "/refresh", "/logout"

    def __init__(self, command: list[str], port: int, **environ: str) -> None:
        self.port, self.url = port, f"http://localhost:{port}"
        super().__init__(command, env={"PORT": str(port), **environ})

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex((HOST, self.port)) == 0:
                    return
            time.sleep(0.02)
        raise TimeoutError(self.log())

    def greets(self, page: Page, email: str = EMAIL) -> bool:
        """Whether a page is this application's, and says that Sue is signed in, or who else."""
        return page.url.startswith(self.url) and email in page.text

    def refreshed(self, page: Page) -> str:
        """What differs, on a page for Sue, after her tokens were refreshed."""
        return page.text.partition("Refreshed ")[2].partition(" ")[0]


class Apache(Application):
    """Every page of it under /private asks for a person and shows who comes."""

    home = sign_in = refresh = "/private/"

    def __init__(self, port: int, folder: Path, **environ: str) -> None:
        url = f"http://localhost:{port}"
        self.sign_out = f"/private/_openid?{urlencode({'logout': f'{url}/'})}"
        environ |= {"APP_URL": url, "PASSPHRASE": "a passphrase of the tests"}
        environ |= {"FOLDER": str(folder), "EXAMPLES": str(EXAMPLES)}
        conf = Path(__file__).with_name("httpd.conf")
        super().__init__([APACHE, "-D", "FOREGROUND", "-f", str(conf)], port, **environ)

    def refreshed(self, page: Page) -> str:
        return page.text.partition('"HTTP_X_ACCESS_TOKEN": "')[2].partition('"')[0]


@dataclass(frozen=True)
class Places:
    """What an application is given to start with."""

    gate: Provider
    upstream: str
    folder: Path
    """Its own, and empty."""

    def told(
        self, name: str, port: int, *options: str, back: str = "/callback", out: str = "/"
    ) -> dict[str, str]:
        """Make the gate know an application."""
        logout = (
            "/private/_openid?logout=backchannel" if "openid" in back else "/backchannel-logout"
        )
        return self.gate.add_client(
            name,
            *("--redirect-uri", f"http://localhost:{port}{back}"),
            *("--post-logout-redirect-uri", f"http://localhost:{port}{out}"),
            *("--back-channel-logout-uri", f"http://{HOST}:{port}{logout}"),
            *options,
        )

    def node(self, script: str) -> list[str]:
        """Copy the examples beside the packages, where Node.js looks for them."""
        for file in EXAMPLES.glob("*.mjs"):
            shutil.copy(file, self.folder)
        (self.folder / "node_modules").symlink_to(MODULES)
        return ["node", str(self.folder / script)]


def apache(places: Places) -> Application:
    port = free_port()
    told = places.told("Apache", port, back="/private/_openid")
    return Apache(port, places.folder, UPSTREAM=places.upstream, **told)


def openid_client(places: Places) -> Application:
    port = free_port()
    told = places.told("openid-client", port)
    return Application(places.node("openid_client.mjs"), port, **told)


def oauth4webapi(places: Places) -> Application:
    port, key = free_port(), places.folder / "key.jwk"
    command = places.node("oauth4webapi.mjs")
    with Process([*command, "--new-key", str(key)]) as making:
        assert making.wait() == 0
        jwks = places.folder / "jwks.json"
        jwks.write_text(making.log())
    jwks.chmod(0o600)
    told = places.told("oauth4webapi", port, "--jwks", str(jwks))
    return Application(command, port, CLIENT_KEY=str(key), **told)


def authlib(places: Places) -> Application:
    port = free_port()
    told = places.told("Authlib", port, out="/signed-out")
    return Application([sys.executable, str(EXAMPLES / "authlib_flask.py")], port, **told)


APPLICATIONS: dict[str, Callable[[Places], Application]] = {
    "mod_auth_openidc": apache,
    "openid-client": openid_client,
    "oauth4webapi": oauth4webapi,
    "Authlib": authlib,
}


class Native(Process):
    """A program on Sue's own computer."""

    def __init__(self, gate: Provider) -> None:
        redirect = ("--redirect-uri", "http://127.0.0.1/callback")
        told = gate.add_client("requests-oauthlib", "--public", "--native", *redirect)
        script = str(EXAMPLES / "requests_oauthlib_native.py")
        # The library wants https of the gate, too; and no browser is to open.
        environ = {"OAUTHLIB_INSECURE_TRANSPORT": "1", "BROWSER": "true", **told}
        super().__init__([sys.executable, script], env=environ)

    def wait_until_ready(self) -> None:
        self.url = self.until(r"Open this, if no browser does: (\S+)")[1]


class Device(Process):
    """A television of Sue's."""

    def __init__(self, places: Places) -> None:
        told = places.gate.add_client("Television", "--public", grant="device_code")
        super().__init__(places.node("openid_client_device.mjs"), env=told)

    def wait_until_ready(self) -> None:
        found = self.until(r"Open (\S+) and type (\S+)")
        self.page, self.code = found[1], found[2]


def missing(name: str) -> str:
    """Say which program an application needs is not installed here; empty if all are."""
    if name == "mod_auth_openidc":
        there = Path(APACHE).exists() and APACHE_MODULE.exists()
        return "" if there else "no Apache with mod_auth_openidc here: see .ci/run"
    return "" if name == "Authlib" or shutil.which("node") else "no node here: see .ci/run"


@contextmanager
def provider(folder: Path, **settings: Any) -> Iterator[tuple[Provider, str]]:
    """Serve a gate that knows Sue, before an application that tells what it was sent, which has
    an address of its own, too."""
    with Gunicorn("tests.echo:app") as echo:
        upstream = echo.url("").rstrip("/")
        with Provider(folder, upstream, **settings) as gate:
            gate.add_sue()
            yield gate, upstream


def own_folder(parent: Path, name: str) -> Path:
    """Make a folder that a server which is not root may read, too."""
    folder = parent / name
    folder.mkdir()
    os.chmod(folder, 0o755)
    return folder
