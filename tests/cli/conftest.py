"""A configured folder to work in, and the command as a function."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ssogate.cli import main
from ssogate.gate import Gate, open_gate
from ssogate.settings import load

SECRET = "0123456789abcdef0123456789abcdef"
OTHER_SECRET = "fedcba9876543210fedcba9876543210"

GATEWAY = """\
public_url: https://app.example
hosts: ["*.branch.example"]
login:
  - kind: signed_link
    name: members
    secrets: [{env: MEMBERS_SECRET}]
    auto_create: true
    redirects: {article: "/article.php?id={id}"}
  - kind: signed_link
    name: partners
    path: /partners.php
    secrets: [{env: PARTNERS_SECRET}]
upstreams:
  club: {url: "http://127.0.0.1:8001"}
routes:
  - {path: /, upstream: club}
  - {path: /wiki, upstream: club, strip_prefix: true, add_prefix: /w, encoded_slash: allow}
  - {path: /old, redirect: "https://old.example/"}
"""

RULES = """\
rules:
  - {name: Front page, path: /, allow: public}
  - {name: Members, path: /members/**, allow: {groups: [members, staff]}}
  - {name: Office, path: /office/**, allow: signed_in, networks: [10.0.0.0/8]}
  - {name: Wiki, path: [/wiki/**, /old/**], allow: signed_in}
tests:
  - {request: GET /, expect: allow}
  - {request: GET /members/, expect: challenge}
"""


@dataclass(frozen=True)
class Site:
    """A folder with a gate's files, in which the command runs."""

    folder: Path

    def run(self, *arguments: str, stdin: str | bytes | None = None) -> Result:
        return CliRunner().invoke(main, arguments, input=stdin, catch_exceptions=False)

    def good(self, *arguments: str, stdin: str | bytes | None = None) -> str:
        """Run what must succeed; give its output."""
        result = self.run(*arguments, stdin=stdin)
        assert result.exit_code == 0, result.output
        return result.stdout

    def gate(self) -> Gate:
        return open_gate(load(self.folder / "gateway.yaml"))

    def write(self, name: str, text: str) -> None:
        file = self.folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, "utf-8")
        file.chmod(0o644)

    def edit(self, old: str, new: str) -> None:
        text = (self.folder / "gateway.yaml").read_text("utf-8")
        assert old in text
        self.write("gateway.yaml", text.replace(old, new))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    for name in os.environ:
        if name.startswith(("SSOGATE_", "GUNICORN_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MEMBERS_SECRET", SECRET)
    monkeypatch.setenv("PARTNERS_SECRET", OTHER_SECRET)
    monkeypatch.chdir(tmp_path)
    made = Site(tmp_path)
    made.write("gateway.yaml", GATEWAY)
    made.write("policies/10.yaml", RULES)
    return made
