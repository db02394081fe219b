"""A gate of two worker processes whose people have passwords, and the browsers that come there.

Each browser comes from a network of its own, through a proxy that the gate trusts, so that no
test's wrong guesses count for another's.
"""

from __future__ import annotations

import sqlite3
import time
from base64 import b32decode
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import uuid4

from click.testing import CliRunner
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP

from ssogate.cli import main
from ssogate.crypto.totp import PERIOD, recovery_key
from ssogate.gate import Gate, open_gate
from ssogate.model import Identity, User
from ssogate.settings import load
from ssogate.storage import Store
from tests.attack.stage import GTHREAD, HOST, PAGE, new_link
from tests.gate import RunningGate, site
from tests.login.forms import HASH, RIGHT, SITE
from tests.servers import Answer, ask, request

SESSION, STEP, DEVICE = (f"__Host-ssogate{kind}" for kind in ("", "-step", "-device"))
PASSWORD, FACTOR = "/_sso/password", "/_sso/second-factor"
ACCOUNT = "/_sso/account"
FORM = "Content-Type: application/x-www-form-urlencoded"
OURS = (f"Origin: {SITE}", "Sec-Fetch-Site: same-origin")
FORUM: Mapping[str, Any] = {
    "name": "forum",
    "url": "sqlite:///forum.db",
    "user": "SELECT id, username, password, email, active FROM people"
    " WHERE lower(username) = lower(:name) OR lower(email) = lower(:name)",
    "groups": "SELECT team FROM people WHERE id = :id",
    "groups_allowed": ["staff"],
    "refresh": "300ms",
}
TWO_WORKERS = ("--workers", "2", *GTHREAD)
RECOVERY = [f"7k2m-x0dq-94rt-00{number:02}" for number in range(10)]

_numbers = count(1)
_T = TypeVar("_T")
_R = TypeVar("_R")


def network() -> str:
    """An address in a network from which nobody came before."""
    number = next(_numbers)
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def at_once(act: Callable[[_T], _R], over: list[_T], *, threads: int = 6) -> list[_R]:
    """Act on all; by default in so few threads that no worker calls itself busy."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(act, over))


@dataclass
class House:
    """The gate, and what the test sees of it from outside: its store, its log, its command."""

    running: RunningGate
    parts: Gate
    """The same configuration, opened by the test's own process."""

    @property
    def store(self) -> Store:
        return self.parts.store

    def browser(self, client: str = "") -> Browser:
        return Browser(self, client or network())

    def cli(self, *arguments: str, stdin: str = "") -> str:
        """Run `ssogate`, which is not the gate's process."""
        told = [*arguments, "--config", str(self.running.site.config)]
        done = CliRunner().invoke(main, told, input=stdin, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    def person(self, name: str = "", *, stored: str = HASH, email: str = "", **what: Any) -> User:
        """Somebody new, with a password."""
        canonical = name or f"person{next(_numbers)}"
        who = Identity(str(uuid4()), canonical, canonical, "", email, **what)
        now = int(time.time())
        user = User(who, True, "", now, now)
        assert self.store.users.add(user)
        if stored:
            self.store.secrets.set_password(who.subject, stored, now)
        return user

    def owing(self, user: User, secret: str = "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U") -> User:
        """Let somebody have a second factor, with `RECOVERY` as codes."""
        assert self.parts.sealer
        subject = user.identity.subject
        sealed = self.parts.sealer.seal(secret, context=f"totp:{subject}")
        keys = map(recovery_key, RECOVERY)
        self.store.secrets.set_second_factor(subject, sealed, keys, int(time.time()))
        return user

    def forum(self, statement: str, *values: object) -> None:
        """Change the application's own table of people."""
        file = self.running.site.folder / "forum.db"
        with closing(sqlite3.connect(file)) as database:
            database.execute(statement, values)
            database.commit()

    def member(self, name: str = "", *, team: str = "") -> str:
        """Somebody new who is known to the application alone; gives the name."""
        number = next(_numbers)
        name = name or f"member{number}"
        row = (str(number), name, HASH, f"{name}@forum.example", 1, team)
        self.forum("INSERT INTO people VALUES (?, ?, ?, ?, ?, ?)", *row)
        return name


@dataclass
class Browser:
    """A visitor with cookies, who comes from one address."""

    house: House
    client: str
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, target: str, *lines: str, keep: bool = True, **how: Any) -> Answer:
        sent = [f"X-Forwarded-For: {self.client}"] if self.client else []
        if self.cookies:
            pairs = (f"{name}={value}" for name, value in self.cookies.items())
            sent.append(f"Cookie: {'; '.join(pairs)}")
        data = request(target, *sent, *lines, host=HOST, **how)
        answer = ask(self.house.running.port, data, timeout=30)
        if keep:
            self._keep(answer)
        return answer

    def post(self, path: str, *lines: str, **fields: str) -> Answer:
        """Send a form; as a page of ours does, unless other lines are given."""
        return self.submit(path, fields, *lines)

    def submit(
        self, path: str, fields: Mapping[str, str], *lines: str, keep: bool = True
    ) -> Answer:
        body = urlencode(fields).encode()
        return self.ask(path, *PAGE, FORM, *(lines or OURS), keep=keep, method="POST", body=body)

    def sign_in(self, who: User | str, password: str = RIGHT, return_to: str = "/") -> Answer:
        username = who if isinstance(who, str) else who.identity.username
        form = {"username": username, "password": password, "return_to": return_to}
        return self.submit(PASSWORD, form)

    def follow_link(self, username: str) -> Answer:
        return self.ask(new_link(username))

    @property
    def holds(self) -> set[str]:
        return set(self.cookies)

    @property
    def is_in(self) -> bool:
        return self.ask("/members/x").status == 200

    @property
    def who(self) -> str:
        """Whom the upstream is told, in the worker that happens to answer."""
        said = self.ask("/members/x")
        return str(said.text.partition('"HTTP_X_REMOTE_USER": "')[2].partition('"')[0])

    def everywhere(self, target: str = "/members/x") -> set[int]:
        """The answers of all workers: so many at once that each has some."""
        asked = [target] * 8
        return {answer.status for answer in at_once(self.ask, asked, threads=8)}

    def _keep(self, answer: Answer) -> None:
        for line in answer.all("Set-Cookie"):
            name, _, rest = line.partition("=")
            value, _, flags = rest.partition(";")
            if "Max-Age=0" in flags:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value


def code(secret: str = "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U", *, later: int = 0) -> str:
    """What an authenticator app shows, `later` steps from now."""
    step = int(time.time()) // PERIOD + later
    return HOTP(b32decode(secret), 6, SHA1()).generate(step).decode()


def within_one_step() -> None:
    """Wait until the next seconds are all of one time step of codes."""
    left = PERIOD - time.time() % PERIOD
    if left < 4:
        time.sleep(left + 0.05)


@contextmanager
def house_at(
    folder: Path, upstream: str, *, args: tuple[str, ...] = TWO_WORKERS, **settings: Any
) -> Iterator[House]:
    """Serve such a gate in `folder`; `args` are gunicorn's."""
    written = site(
        folder,
        upstream,
        **{
            "public_url": SITE,
            "trusted_proxies": ["127.0.0.1"],
            "sender": {"auto_create": False, "groups_allowed": ["staff"]},
            "password": {"sources": [FORUM]},
            **settings,
        },
    )
    with closing(sqlite3.connect(written.folder / "forum.db")) as database:
        database.execute("CREATE TABLE people (id, username, password, email, active, team)")
    with RunningGate(written, *args) as running:
        parts = open_gate(load(written.config))
        try:
            yield House(running, parts)
        finally:
            parts.store.close()


def children(pid: int) -> list[int]:
    """The processes that a process has started, such as gunicorn's workers."""
    tasks = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in tasks.split()]
