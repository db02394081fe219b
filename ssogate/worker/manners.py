"""What the loop says by itself: the headers that gunicorn adds, and words that no layer has."""

from __future__ import annotations

from email.utils import formatdate
from functools import lru_cache

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"Connection: close\r\nContent-Length: 0\r\n\r\n"
)
_CONNECTION = {True: "close", False: "keep-alive"}


@lru_cache(maxsize=2)
def manners(second: int, close: bool) -> bytes:
    """The headers that gunicorn adds to each answer, in a second since the epoch."""
    return served(second) + f"Connection: {_CONNECTION[close]}\r\n".encode()


def served(second: int) -> bytes:
    """Those of them that tell nothing of the connection."""
    return f"Server: gunicorn\r\nDate: {formatdate(second, usegmt=True)}\r\n".encode()
