"""gunicorn's logs without what must not stand in a log, and without lines that visitors forge.

The access log is one JSON line a request, built without gunicorn's seventy "atoms": the path, never
the query, the referrer or a cookie. The error log goes through one filter, since gunicorn quotes
what it could not parse (which may be a password) and request targets with their queries.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from json.encoder import encode_basestring_ascii as quoted
from typing import TYPE_CHECKING, Any

from gunicorn.config import Config
from gunicorn.glogging import Logger

from ssogate.http.environ import CLIENT, REQUEST_ID, session
from ssogate.http.log import path_alone

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MAX_PATH = 512  # characters of a path; enough to recognise it, too little to fill a disk
MAX_WORD = 128  # characters of a name or a method
MAX_MESSAGE = 2048  # characters of a message or of one line of a trace

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# However often the `?` was escaped on the way.
_QUERY = re.compile(r"(?:\?|%(?:25)*3[Ff])[^ \n]+")
# gunicorn's parse errors quote the bytes at fault. A header's bare name is worth knowing; whatever
# else is quoted may be a piece of a body or of a cookie.
_QUOTE = re.compile(
    r"\b(?P<reason>(?:Invalid|Unsupported|Unable|Obsolete|Expected|No more data)[^'\"\n]{0,200}?)"
    r"b?(?P<quote>['\"].*)"
)
_HEADER_NAME = re.compile(r"'[A-Za-z0-9_.\-]{1,64}'")


class GateLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """The logger of gunicorn (`logger_class`) for servers that carry sign-ins."""

    def setup(self, cfg: Config) -> None:
        """Set the logs up as gunicorn does; the gate's own log goes where errors go."""
        super().setup(cfg)
        self.error_log.addFilter(clean)  # a second time it changes nothing
        gate = logging.getLogger("ssogate")
        gate.setLevel(self.loglevel)
        gate.propagate = False
        self._set_handler(gate, cfg.errorlog, logging.Formatter("%(message)s"))

    def access(
        self, resp: Any, req: Any, environ: WSGIEnvironment, request_time: timedelta
    ) -> None:
        """Write one line about a request that has been answered."""
        if self.access_log_enabled:
            self.access_log.info(access_line(resp, environ, request_time, self.now()))

    def access_lines(self, lines: Sequence[str]) -> None:
        """Write lines about requests that the lane has answered, several at a time: what a call of
        the logger costs is a good part of what such a request does."""
        for text in lines if self.cfg.syslog else ("\n".join(lines),):
            self.access_log.info(text)

    def now(self) -> str:
        """The time in UTC, to the millisecond."""
        return datetime.now(UTC).isoformat(timespec="milliseconds")


def access_line(resp: Any, environ: WSGIEnvironment, took: timedelta, now: str) -> str:
    """Give the line of a request that the layers have answered."""
    us = took // timedelta(microseconds=1)
    told = access_members(environ, str(resp.status or "")[:3], int(resp.sent or 0), us)
    return f'{{"time":"{now}",{told}'


def access_members(environ: WSGIEnvironment, status: str, sent: int, us: int) -> str:
    """Give what follows the time in a line of the access log: JSON of ASCII alone, so that nothing
    in it can look like another line. `sent` are bytes of the body, `us` microseconds."""
    known = session(environ)
    user = "null" if known is None else quoted(known.identity.username[:MAX_WORD])
    return (
        f'"client":{quoted(str(environ.get(CLIENT) or environ.get("REMOTE_ADDR", "")))},'
        f'"method":{quoted(str(environ.get("REQUEST_METHOD"))[:MAX_WORD])},'
        f'"path":{quoted(path_of(environ.get("RAW_URI") or ""))},'
        f'"status":{status if status.isdigit() else "null"},"bytes":{sent},'
        f'"us":{us},'
        f'"user":{user},'
        f'"request_id":{quoted(environ.get(REQUEST_ID, "")[:MAX_WORD])}}}'
    )


def path_of(target: str) -> str:
    """The path of a raw request target: no query, fragment, parameters or user part."""
    path = path_alone(target[: MAX_PATH + 256])
    return (path if path.startswith("/") else path.rpartition("@")[2])[:MAX_PATH]


def clean(record: logging.LogRecord) -> bool:
    """A logging filter that lets every record through, cleaned."""
    record.msg, record.args = harmless(record.getMessage()), None
    if record.exc_info and not record.exc_text:
        lines = logging.Formatter().formatException(record.exc_info).split("\n")
        # Indented: a line that an exception's text brings along is not taken for an entry.
        record.exc_text = "\n".join("    " + harmless(line) for line in lines)
    return True


def harmless(text: str) -> str:
    """Cut queries and quoted pieces of requests out of one line; escape all but printable ASCII."""
    text = _QUERY.sub("?...", _QUOTE.sub(_unquoted, text))[:MAX_MESSAGE]
    text = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
    return text.encode("ascii", "backslashreplace").decode("ascii")


def _unquoted(found: re.Match[str]) -> str:
    named = found["reason"].endswith("header name: ") and _HEADER_NAME.fullmatch(found["quote"])
    return found[0] if named else found["reason"] + "..."
