"""Control panels that answer as the real ones do, over real TLS, on a free port of 127.0.0.1.

Each knows its users and who owns them, makes one-time addresses by its own API, and greets the
browser that opens one; the same address works once. Written from the vendors' public documents.
"""

from __future__ import annotations

import html
import json
import secrets
import ssl
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.launch.tls import Listener, Request

ROOT = "root"
OWNERS = {"joe": ROOT, "ann": "reseller"}


@dataclass(frozen=True, slots=True)
class Call:
    """A request, read."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(cls, request: Request) -> Self:
        url = urlsplit(request.target)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        return cls(request.method, unquote(url.path), query, request.headers, request.body)

    @property
    def fields(self) -> dict[str, str]:
        """Of the query and the form: these panels take them from either."""
        return {**self.query, **dict(parse_qsl(self.body.decode(), keep_blank_values=True))}

    @property
    def basic(self) -> tuple[str, str]:
        """User and password of HTTP Basic, or nobody's."""
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return "", ""
        user, _, password = b64decode(value).decode().partition(":")
        return user, password


@dataclass(frozen=True, slots=True)
class Visit:
    """What a one-time address is good for."""

    user: str
    app: str = ""
    address: str = ""
    """Of the only browser that may use it; empty: any."""


class PanelServer:
    """A panel, while it is entered as a context. `users` are its users, by who owns them."""

    cookie = "session"

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        administrators: Mapping[str, str],
        users: Mapping[str, str] = OWNERS,
        host: str = "localhost",
    ) -> None:
        self.administrators, self.users, self.host = dict(administrators), dict(users), host
        self.instead: bytes | None = None
        """What the API answers whatever it is asked."""
        self._visits: dict[str, Visit] = {}
        self._listener = Listener(self._answer, context)

    def __enter__(self) -> Self:
        self._listener.__enter__()
        return self

    def __exit__(self, *_error: object) -> None:
        self._listener.__exit__()

    @property
    def port(self) -> int:
        return self._listener.port

    @property
    def base(self) -> str:
        """The panel's address, as it writes it."""
        return f"https://{self.host}:{self.port}"

    @property
    def calls(self) -> list[Call]:
        return [Call.of(request) for request in self._listener.requests]

    def owns(self, administrator: str, user: str) -> bool:
        """Whether an administrator may sign this user in: root may all, a reseller its own."""
        return administrator in (ROOT, "admin", user) or self.users.get(user) == administrator

    def api(self, call: Call) -> bytes | None:
        """Answer a call of the API; None if it is none."""
        raise NotImplementedError

    def ticket(self, call: Call) -> str:
        """Give the ticket in a one-time address; empty if it is none."""
        raise NotImplementedError

    def issue(self, visit: Visit, *, length: int = 32) -> str:
        ticket = secrets.token_hex(length // 2)
        self._visits[ticket] = visit
        return ticket

    def _answer(self, request: Request) -> bytes:
        call = Call.of(request)
        if (answer := self.api(call)) is not None:
            return self.instead or answer
        visit = self._visits.pop(self.ticket(call), None)
        if not visit or visit.address not in ("", "127.0.0.1"):
            return LOGIN
        greeting = html.escape(", ".join(filter(None, ("Welcome " + visit.user, visit.app))))
        cookie = f"{self.cookie}={secrets.token_hex(16)}; Path=/; Secure; HttpOnly"
        return reply(f"<title>Panel</title><h1>{greeting}</h1>", set_cookie=cookie)


def reply(
    body: str | bytes | object, *, status: str = "200 OK", kind: str = "text/html", **headers: str
) -> bytes:
    """Give a whole HTTP answer, in JSON unless `body` is text or bytes."""
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    data = text.encode() if isinstance(text, str) else text
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(data)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


LOGIN = reply("<!DOCTYPE html><title>Login</title><form><input name=user></form>")
"""What a browser sees that is not signed in."""

BROKEN: Mapping[str, Callable[[], bytes]] = {
    "HTML": lambda: LOGIN,
    "nothing": lambda: reply(b""),
    "a redirect": lambda: reply("", status="302 Found", location="https://evil.example/"),
    "an error": lambda: reply("<h1>Oops</h1>", status="500 Internal Server Error"),
    "half": lambda: reply("x" * 100)[:-50].replace(b"200 OK", b"200 OK\r\nConnection: close"),
    "no HTTP": lambda: b"220 mail.example ESMTP\r\nConnection: close\r\n\r\n",
    "too much": lambda: reply(b" " * (2 << 20)),
}
"""Answers that no panel should give, and some do."""
