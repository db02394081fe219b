"""The gate's own log: one JSON line an event, through the standard logger `ssogate`.

JSON escapes every control character, so a visitor cannot forge a line. Who calls passes no
secret: no query, hash, token or cookie is ever an argument here.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import structlog

from ssogate.errors import GateError
from ssogate.http import environ as env

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MAX_LOGGED = 256  # characters of a text that a visitor chose

# A query whose `?` somebody escaped (once, or each time that a link was passed on), or wrote as `&`
# or `/`, is still a query, and `;jsessionid=…` is a session.
_END_OF_PATH = re.compile(r"[?#;&=]|%(?:25)*(?:3[FfBbDd]|2[36])")

log: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
    logging.getLogger("ssogate"),
    processors=[
        structlog.stdlib.filter_by_level,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ],
    wrapper_class=structlog.stdlib.BoundLogger,
).bind()  # once, and not for each line


def log_refusal(error: GateError, environ: WSGIEnvironment, *, rule: str = "") -> None:
    """Write one line about a refusal: what, who and where, with the reason that nobody is shown."""
    address = env.client(environ)
    # 501 is a visitor's doing; what else begins with a 5 is an operator's to see to.
    write = log.error if error.status >= 500 and error.status != 501 else log.info
    write(
        "refused",
        code=error.code,
        status=error.status,
        rule=rule or None,
        detail=error.detail[:MAX_LOGGED] or None,
        method=environ.get("REQUEST_METHOD", "")[:32],
        path=path_alone(environ.get("PATH_INFO", ""))[:MAX_LOGGED],
        client=str(address) if address else None,
        request_id=env.request_id(environ),
    )


def path_alone(path: str) -> str:
    """Give a path, decoded or not, up to where a secret may stand: query, fragment, parameters."""
    return _END_OF_PATH.split(path, maxsplit=1)[0]
