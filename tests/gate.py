"""A real gate for tests: a folder with its own gateway.yaml, served by real gunicorn processes.

`site(folder, upstream)` writes the folder; `RunningGate(site)` serves it. Links are signed by the
project's own `sign`, which `tests/login` holds to the vectors and `tests/real` to PHP.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from ssogate.login.signed_link import make_query, sign
from tests.servers import Answer, Gunicorn, ask, request

SECRET = "a-secret-of-the-tests-0123456789abcdef"
SEALING_KEY = "a-sealing-key-of-the-tests-0123456789"
HOST = "127.0.0.1"
CONF = "python:ssogate.cli.gunicorn_conf"  # as `ssogate serve` has it

POLICY: Mapping[str, Any] = {
    "rules": [
        {"name": "public", "path": ["/", "/pub/**"], "allow": "public"},
        {"name": "admin", "path": "/admin/**", "allow": {"groups": ["staff"]}},
        {"name": "members", "path": "/**", "allow": "signed_in"},
    ]
}
SENDER: Mapping[str, Any] = {
    "kind": "signed_link",
    "name": "members",
    "secrets": [{"file": "link-secret"}],
    "return_url": "http://members.example/login",
    "auto_create": True,
}


@dataclass(frozen=True)
class Site:
    """A gate's folder."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "gateway.yaml"


def site(
    folder: Path,
    upstream: str,
    *,
    policy: Mapping[str, Any] = POLICY,
    sender: Mapping[str, Any] | None = None,
    password: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Site:
    """Write a gate's folder. `sender` adds to or replaces settings of the one sender, `settings`
    those of gateway.yaml. With `password`, even an empty one, people may sign in by password, and
    second factors can be sealed."""
    (folder / "policies").mkdir(parents=True)
    secret = folder / "link-secret"
    secret.touch(0o600)
    secret.write_text(SECRET)
    (folder / "policies" / "all.yaml").write_text(json.dumps(policy))
    login: list[Mapping[str, Any]] = [{**SENDER, **(sender or {})}]
    if password is not None:
        (folder / "sealing-key").touch(0o600)
        (folder / "sealing-key").write_text(SEALING_KEY)
        login.append({"kind": "password", **password})
        settings = {"sealing_keys": [{"file": "sealing-key"}], **settings}
    tree = {
        "public_url": f"http://{HOST}",
        "login": login,
        "upstreams": {"app": {"url": upstream}},
        "routes": [{"path": "/", "upstream": "app"}],
        **settings,
    }
    written = Site(folder)
    written.config.write_text(json.dumps(tree, indent=1))  # JSON is YAML
    return written


class RunningGate(Gunicorn):
    """The gate of a site, served by real worker processes."""

    def __init__(self, site: Site, *args: str, env: Mapping[str, str] | None = None) -> None:
        self.site = site
        super().__init__(None, *args, conf=CONF, cwd=site.folder, env=env)

    def link(self, username: str = "john", **fields: str) -> str:
        """A signed link to this gate, good for now."""
        return self.url(link_path(username, **fields))

    def ask(self, target: str | bytes, *lines: str | bytes, **how: Any) -> Answer:
        """One request over a raw socket."""
        return ask(self.port, request(target, *lines, host=how.pop("host", HOST), **how))

    def sign_in(self, username: str = "john", *lines: str, **fields: str) -> str:
        """Sign in by a link; give the Cookie header line of the session.

        A link works once, and two of one second are one link: the second waits for the next one.
        """
        answer = self.ask(link_path(username, **fields), *lines)
        if b"400E3" in answer.body:
            time.sleep(1.01 - time.time() % 1)
            answer = self.ask(link_path(username, **fields), *lines)
        assert answer.status == 303, answer
        cookie = answer.header("Set-Cookie")
        assert cookie, answer
        return f"Cookie: {cookie.partition(';')[0]}"


def link_path(username: str = "john", *, secret: str = SECRET, **fields: str) -> str:
    """The path and query of a signed link."""
    inner = {
        "username": username,
        "name": username.title(),
        "email": f"{username}@example.com",
        "t": str(int(time.time())),
        **fields,
    }
    url = sign(f"http://{HOST}/sso.php", make_query(inner), secret.encode())
    return f"{urlsplit(url).path}?{urlsplit(url).query}"


MakeGate = Callable[..., RunningGate]


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[MakeGate]:
    """Start gates: `gate(upstream_url, rules=[…], sender={…}, **settings)`; they end with the test.

    `rules` replaces the policy's rules.
    """
    with ExitStack() as running:

        def start(
            upstream: str, *, rules: Sequence[Mapping[str, Any]] | None = None, **settings: Any
        ) -> RunningGate:
            folder = tmp_path / f"gate{len(list(tmp_path.glob('gate*')))}"
            policy = POLICY if rules is None else {"rules": list(rules)}
            return running.enter_context(
                RunningGate(site(folder, upstream, policy=policy, **settings))
            )

        yield start
