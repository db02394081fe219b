"""The opening handshake of a WebSocket (RFC 6455, section 4), as a gateway sees it.

What follows the handshake is bytes in both directions, of which nobody here reads any.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode

from ssogate.upstream.wire import Head

VERSION = "13"
OFFER = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
"""What makes a request, or an answer, one of a handshake."""

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # section 1.3
_KEY = re.compile(
    r"[A-Za-z0-9+/]{21}[AQgw]=="
)  # 16 bytes in base64: the last letter carries two bits


def is_key(text: str) -> bool:
    """Whether it could be a Sec-WebSocket-Key."""
    return _KEY.fullmatch(text) is not None


def accept_of(key: str) -> str:
    """Give the Sec-WebSocket-Accept that answers a key."""
    digest = hashlib.sha1(f"{key}{_GUID}".encode(), usedforsecurity=False).digest()
    return b64encode(digest).decode()


def is_accepted(head: Head, key: str) -> bool:
    """Whether an answer opens the WebSocket that was asked for with `key`, and nothing else."""
    fields: dict[str, list[str]] = {}
    for name, value in head.fields:
        fields.setdefault(name.lower(), []).append(value)
    return (
        head.status == 101
        and [value.lower() for value in fields.get("upgrade", [])] == ["websocket"]
        and "upgrade" in map(str.strip, head.connection.lower().split(","))
        and fields.get("sec-websocket-accept") == [accept_of(key)]
        # RFC 9110, section 15.2: it has no content, so whoever announces some means something else.
        and not fields.keys() & {"content-length", "transfer-encoding"}
    )
