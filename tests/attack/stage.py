"""The gate under attack: one site with a host for each kind of upstream, and what stands behind.

app.example      an echo that believes all it is told (gunicorn at its most lenient)
raw.example      a recorder of exact bytes; only `/` and `/pub/**` are open, to anybody
hostile.example  an upstream that answers whatever a test puts into `hostile.answer`
slow.example     an upstream that never answers;  down.example: nobody listens there
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count, repeat
from typing import Any, Self

from sqlalchemy import text

from ssogate.storage import SQLiteStore
from tests.gate import SENDER, RunningGate, link_path
from tests.servers import Answer, Gunicorn, ask, request
from tests.upstream.scripted import Received, Scripted, Talk, ok

HOST = "app.example"
COOKIE = "__Host-ssogate"
PAGE = ("Accept: text/html", "Sec-Fetch-Mode: navigate")
MARK = "upstream-bytes-7f3a"
"""Stands in every answer of the recorder: no refused visitor may ever read it."""
SCRIPT = '"><script>alert(1)</script>'

GTHREAD = ("--threads", "16")
LENIENT = """
header_map = "dangerous"
forwarder_headers = "*"
forwarded_allow_ips = "*"
permit_obsolete_folding = True
strip_header_spaces = True
permit_unconventional_http_method = True
permit_unconventional_http_version = True
limit_request_field_size = 65536
limit_request_fields = 32768
control_socket_disable = True
worker_class = "gthread"
threads = 8
"""

OPEN = ["/", "/pub/**", "/app/pub/**", "/go/**", "/slashes/**", "/_seen"]
POLICY: Mapping[str, Any] = {
    "rules": [
        {"name": "recorded", "host": "raw.example", "path": ["/", "/pub/**"], "allow": "public"},
        {"name": "unrecorded", "host": "raw.example", "path": "/**", "allow": "nobody"},
        {"name": "public", "path": OPEN, "allow": "public"},
        {"name": "posted", "path": "/forms/**", "methods": ["GET", "POST"], "allow": "public"},
        {"name": "admin", "path": ["/admin/**", "/app/admin/**"], "allow": {"groups": ["staff"]}},
        {"name": SCRIPT, "path": "/marked/**", "allow": {"groups": [SCRIPT]}},
        {"name": "here", "path": "/lan/**", "allow": "public", "networks": ["10.0.0.0/8"]},
        {"name": "members", "path": "/**", "allow": "signed_in"},
    ]
}
STRICT, STRICT_SECRET = "/strict.php", "of-the-strict-sender-0123456789abcdefgh"
DISABLED, DISABLED_SECRET = "/off.php", "a-third-secret-of-the-tests-0123456789"
SENDERS: Sequence[Mapping[str, Any]] = [
    {
        **SENDER,
        "groups_allowed": ["staff", "ünï", SCRIPT],
        "redirects": {"article": "/article.php?id={id}"},
    },
    {
        "kind": "signed_link",
        "name": "strict",
        "path": STRICT,
        "secrets": [{"env": "STRICT_SECRET"}],
        "allowed_domains": ["example.com", "*.partner.example"],
    },
    {
        "kind": "signed_link",
        "name": "off",
        "path": DISABLED,
        "secrets": [{"env": "DISABLED_SECRET"}],
        "enabled": False,
    },
]
SECRETS = {"STRICT_SECRET": STRICT_SECRET, "DISABLED_SECRET": DISABLED_SECRET}

_numbers = count()


@dataclass
class Told:
    """An upstream that records exact bytes and answers what it is told at the moment."""

    answer: bytes = field(default_factory=lambda: ok(MARK.encode()))
    hang_up: bool = False
    server: Scripted = field(init=False)

    def __post_init__(self) -> None:
        self.server = Scripted(scripts=repeat(repeat(self._step)))

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, *how: object) -> None:
        self.server.__exit__(*how)

    @property
    def url(self) -> str:
        return self.server.url

    def seen(self) -> list[Received]:
        """All whole requests since the last time."""
        found, self.server.requests[:] = list(self.server.requests), []
        return found

    def _step(self, talk: Talk) -> None:
        talk.read_request()
        talk.send(self.answer)
        if self.hang_up:
            raise EOFError


@dataclass
class Stage:
    """A running gate and its upstreams, as an attacker meets them."""

    gate: RunningGate
    echo: Gunicorn
    recorder: Told
    hostile: Told

    def ask(self, target: str | bytes, *lines: str | bytes, **how: Any) -> Answer:
        """One request over a raw socket, to app.example unless `host` says otherwise."""
        return self.gate.ask(target, *lines, host=how.pop("host", HOST), **how)

    def seen(self) -> list[dict[str, Any]]:
        """What reached the echo since the last time."""
        found: list[dict[str, Any]] = json.loads(ask(self.echo.port, request("/_seen")).body)
        return found

    def link(self, username: str = "john", **fields: str) -> str:
        """A link that was never used: path and query."""
        return new_link(username, **fields)

    def sign_in(self, username: str = "john", **fields: str) -> str:
        """Come by a new link; give the Cookie line."""
        answer = self.ask(new_link(username, **fields))
        cookie = answer.header("Set-Cookie")
        assert answer.status == 303, answer
        assert cookie, answer
        return f"Cookie: {cookie.partition(';')[0]}"

    def store(self, statement: str) -> None:
        """Change the store from outside the gate's processes, as the command line does."""
        path = self.gate.site.folder / "var" / "ssogate.sqlite"
        with closing(SQLiteStore(path, clock=time.time)) as store:
            store.database.change(text(statement))

    def add_user(self, name: str) -> None:
        """Add an operator's own user, if there is none of this name."""
        columns = "subject, canonical, username, name, email, groups, active, source, number"
        # Below the numbers that the store gives.
        number = "(SELECT min(coalesce(min(number), 0), 0) - 1 FROM users)"
        values = f"'{name}', '{name}', '{name}', '', '', '', 1, '', {number}, 0, 0"
        self.store(
            f"INSERT OR IGNORE INTO users ({columns}, created_at, updated_at) VALUES ({values})"
        )

    def is_alive(self) -> bool:
        return self.ask("/pub/alive").status == 200


def new_link(username: str = "john", **fields: str) -> str:
    """A number makes the links of one second differ."""
    return link_path(username, number=str(next(_numbers)), **fields)


def settings(
    echo: str, recorder: str, hostile: str, slow: str, down: str, **more: Any
) -> dict[str, Any]:
    """What gateway.yaml says besides the usual."""
    routes: Sequence[Mapping[str, Any]] = [
        {"path": "/", "upstream": "echo"},
        {"path": "/app", "upstream": "echo", "strip_prefix": True},
        {"path": "/v1", "upstream": "echo", "strip_prefix": True, "add_prefix": "/api"},
        {"path": "/go", "redirect": "https://elsewhere.example", "strip_prefix": True},
        {
            "path": "/slashes",
            "upstream": "echo",
            "encoded_slash": "allow",
            "double_slash": "allow",
        },
        *(
            {"host": f"{name}.example", "path": "/", "upstream": name}
            for name in ("raw", "hostile", "slow", "down")
        ),
    ]
    return {
        "public_url": f"https://{HOST}",
        "login": SENDERS,
        "upstreams": {
            "echo": {"url": echo},
            "raw": {"url": recorder},
            "hostile": {"url": hostile, "read_timeout": "2s"},
            "slow": {"url": slow, "read_timeout": "0.3s"},
            "down": {"url": down, "connect_timeout": "1s"},
        },
        "routes": routes,
        **more,
    }
