"""The demonstration as `make run` starts it, on four free ports, and people to sign in to it.

Every test gives itself a person of its own: what one changes, no other sees.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from secrets import token_bytes
from urllib.parse import urlencode
from urllib.request import urlopen
from uuid import uuid4

from playwright.sync_api import Page

from ssogate.directory import By, add_user, set_password
from ssogate.directory.clients import add_client
from ssogate.gate import open_gate
from ssogate.model import Client, ClientAuthentication, GrantType
from ssogate.provider.addresses import DEVICE_AUTHORIZATION
from ssogate.settings import load
from tests.gate import link_path
from tests.servers import Process

PASSWORD = "correct horse battery staple"
BY = By("tests")
TELEVISION = Client(
    number=0,
    identifier="",
    secret_digest="",
    grant=GrantType.DEVICE_CODE,
    name="Television in the boathouse",
    service=None,
    scopes=frozenset({"openid", "email"}),
    description="It shows who rows when.",
    logo_uri="",
    redirect_uris=(),
    created_at=0,
    updated_at=0,
    authentication=ClientAuthentication.NONE,
)


@dataclass(frozen=True, slots=True)
class Places:
    """Where the sites are, and the folder of what they keep."""

    gate: str
    club: str
    house: str
    panel: str
    var: Path

    def somebody(self, groups: Iterable[str] = ("members",)) -> str:
        """Add a person, who has the demonstration's password; gives the user name."""
        name, now = f"p{uuid4().hex[:8]}", int(time.time())
        gate = open_gate(load(self.var / "moved/gateway.yaml"))
        email = f"{name}@example.com"
        user = add_user(gate.store, name, name="Pat", email=email, groups=groups, by=BY, now=now)
        set_password(gate.store, user.identity.subject, PASSWORD, by=BY, now=now)
        gate.store.close()
        return name

    def device(self) -> str:
        """Have a new device ask for a code; gives the address that it shows to its person."""
        gate = open_gate(load(self.var / "moved/gateway.yaml"))
        now = int(time.time())
        client, _ = add_client(gate.store, TELEVISION, random=token_bytes, by=BY, now=now)
        gate.store.close()
        asked = urlencode({"client_id": client.identifier, "scope": "openid email"}).encode()
        with urlopen(f"{self.gate}{DEVICE_AUTHORIZATION}", asked, timeout=10) as told:
            return str(json.load(told)["verification_uri_complete"])

    def link(self, username: str, redirect: str = "/members/") -> str:
        """A link of the members' house that signs this person in."""
        secret = (self.var / "link-secret").read_text()
        return self.gate + link_path(username, secret=secret, redirect=redirect)


class Demonstration(Process):
    """`make run`'s program."""

    def __init__(self, var: Path) -> None:
        port = _four_free_ports()
        self.places = Places(
            f"http://localhost:{port}",
            f"http://127.0.0.1:{port + 1}",
            f"http://127.0.0.1:{port + 2}",
            f"http://127.0.0.1:{port + 3}",
            var,
        )
        environ = {"SSOGATE_DEMO_PORT": str(port), "SSOGATE_DEMO_VAR": str(var)}
        super().__init__([sys.executable, "examples/demo/run.py"], env=environ)

    def wait_until_ready(self) -> None:
        self.until("Ctrl-C", timeout=40)


def _four_free_ports() -> int:
    for start in range(18000 + os.getpid() % 997 * 4, 30000, 4):
        try:
            for port in range(start, start + 4):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return start
    raise AssertionError("no four free ports in a row")


def fill_in(page: Page, username: str, password: str = PASSWORD) -> None:
    """Send the form of the sign-in page, in whichever language it is."""
    page.locator("[name=username]").fill(username)
    page.locator("[name=password]").fill(password)
    page.locator("[name=password]").press("Enter")


def sign_in(page: Page, places: Places, username: str, wanted: str = "/_sso/account") -> None:
    """Ask for a page, and sign in by password on the way."""
    page.goto(places.gate + wanted)
    fill_in(page, username)
    page.wait_for_url(places.gate + wanted)
