"""A panel in memory, and the parameters of a launch to it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from ssogate.launch.module import Answer, ModuleParams

HOST, ADDRESS = "node1.example", "192.0.2.7"
PASSWORD, TOKEN = "p:ss wörd&<b>", "TOKEN0123456789"

PARAMS = ModuleParams(
    serviceid=7,
    serverid=1,
    domain="shop.example",
    username="joe",
    server=True,
    serverip=ADDRESS,
    serverhostname=HOST,
    serverusername="root",
    serverpassword=PASSWORD,
    clientip="198.51.100.4",
)
WITH_TOKEN = replace(PARAMS, serveraccesshash=TOKEN)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a module asked for."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    auth: tuple[str, str] | None = None


class MemoryPanel:
    """A `Panel` that answers everything with one answer, and knows what it was asked."""

    def __init__(self, body: bytes | str | object = b"", status: int = 200) -> None:
        text = body if isinstance(body, bytes | str) else json.dumps(body)
        self.answer = Answer(status, {}, text.encode() if isinstance(text, str) else text)
        self.asked: list[Asked] = []

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        port: int | None = None,
    ) -> Answer:
        asked = Asked(method, path, query or {}, form or {}, body or b"", headers or {}, auth)
        self.asked.append(asked)
        return self.answer

    def url(
        self, path: str, query: Mapping[str, str] | None = None, *, port: int | None = None
    ) -> str:
        return f"https://{HOST}:{port or 2000}{path}" + (f"?{urlencode(query)}" if query else "")

    def log(
        self,
        action: str,
        request: object,
        response: object,
        processed: object = "",
        replace: Iterable[str] = (),
    ) -> None:
        """Nobody reads it."""
