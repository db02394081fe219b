"""The server of a launch, as a module may use it: nothing is sent that could be read as something
else, and whatever became of it stands in the module log, without secrets."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import quote, urlencode

from urllib3 import HTTPHeaderDict

from ssogate.launch.connections import Connections
from ssogate.launch.masking import ModuleCall, mask
from ssogate.launch.module import Answer, PanelError
from ssogate.model import Server

__all__ = ["Connections", "HttpPanel"]

_METHOD = re.compile(r"[A-Z]{1,16}")
# Visible ASCII, without `#`, which no server is told of, and with nothing half escaped.
_PATH = re.compile(r"/(?:[!-\"$&-~]|%[0-9A-Fa-f]{2})*")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"(?:[!-~](?:[ -~]*[!-~])?)?")
# How an exchange is framed is not for a module to say.
_OURS = frozenset(
    ("host", "connection", "keep-alive", "content-length", "transfer-encoding", "te")
) | {"trailer", "upgrade", "expect", "accept-encoding"}


class HttpPanel:
    """The server of a launch, for one module, until `until` (seconds, by `time.monotonic`)."""

    def __init__(
        self,
        connections: Connections,
        server: Server,
        *,
        module: str,
        port: int,
        until: float,
        log: Callable[[ModuleCall], None] | None,
        secrets: tuple[str, ...],
    ) -> None:
        self._connections, self._server = connections, server
        self._module, self._port, self._until = module, port, until
        self._log, self._secrets = log, secrets

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
        """Send a request and give the answer, whatever its status; `form` makes the body.

        Raises `PanelError`, without secrets.
        """
        port = port or self._port
        action = f"{method} {path}"
        content = body if form is None else form
        sent = {"query": query, "headers": headers, "auth": auth, "body": content}
        request = {"host": self._authority(port)} | {key: sent[key] for key in sent if sent[key]}
        try:
            if not _METHOD.fullmatch(method):
                raise PanelError(f"no method: {method[:20]!a}")
            answer = self._connections.exchange(
                self._server,
                port,
                method,
                _target(path, query),
                headers=self._headers(headers or {}, port, auth, form),
                body=body if form is None else urlencode(form).encode(),
                until=self._until,
            )
        except PanelError as error:
            self.log(action, request, str(error), replace=(auth or ())[1:])
            raise
        told = {"status": answer.status, "headers": answer.headers, "body": answer.body}
        self.log(action, request, told, replace=(auth or ())[1:])
        return answer

    def url(
        self, path: str, query: Mapping[str, str] | None = None, *, port: int | None = None
    ) -> str:
        """Give an address of the server for the visitor's browser, by its first host name."""
        scheme = "https" if self._server.secure else "http"
        target = _target(path, query)
        return f"{scheme}://{self._authority(port or self._port)}{target}"

    def log(
        self,
        action: str,
        request: object,
        response: object,
        processed: object = "",
        replace: Iterable[str] = (),
    ) -> None:
        """Write a line of the module log, masked, if anybody takes it."""
        if self._log is None:
            return
        secrets = (*self._secrets, *replace)
        texts = (mask(part, secrets) for part in (action, request, response, processed))
        self._log(ModuleCall(self._module, *texts))

    def _authority(self, port: int) -> str:
        usual = port == (443 if self._server.secure else 80)
        return self._server.hosts[0] + ("" if usual else f":{port}")

    def _headers(
        self,
        given: Mapping[str, str],
        port: int,
        auth: tuple[str, str] | None,
        form: Mapping[str, str] | None,
    ) -> HTTPHeaderDict:
        for name, value in given.items():
            if not _HEADER.fullmatch(name) or name.lower() in _OURS or not _VALUE.fullmatch(value):
                raise PanelError(f"a header that cannot be sent: {name[:40]!a}")
        lines = HTTPHeaderDict({"User-Agent": "ssogate", "Accept": "*/*"})
        if form is not None:
            lines["Content-Type"] = "application/x-www-form-urlencoded"
        lines.update(given)
        if auth is not None:
            if ":" in auth[0]:
                raise PanelError("a user name for HTTP Basic has no colon")
            lines["Authorization"] = f"Basic {b64encode(':'.join(auth).encode()).decode()}"
        # As it is: what unpacks to more than fits is never unpacked.
        lines["Accept-Encoding"] = "identity"
        lines["Host"] = self._authority(port)
        return lines


def _target(path: str, query: Mapping[str, str] | None) -> str:
    if not _PATH.fullmatch(path):
        raise PanelError(f"a path that cannot be sent: {path[:80]!a}")
    more = urlencode(query or {}, quote_via=quote)
    return path + (f"{'&' if '?' in path else '?'}{more}" if more else "")
