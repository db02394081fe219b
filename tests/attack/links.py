"""Making links by hand: right ones, and all kinds of wrong ones."""

from __future__ import annotations

import time
from base64 import b64encode
from hashlib import sha256
from itertools import count
from urllib.parse import urlencode

from tests.attack.stage import STRICT, STRICT_SECRET
from tests.gate import SECRET

_numbers = count()


def inner(**fields: str) -> str:
    """The inner query string of a link that nobody has used."""
    known = {
        "username": "john",
        "name": "John",
        "email": "john@example.com",
        "t": str(int(time.time())),
        "number": f"g{next(_numbers)}",
    }
    return urlencode({**known, **fields})


def b64(text: str | bytes) -> str:
    return b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def digest(text: str, secret: str = SECRET) -> str:
    return sha256((text + secret).encode()).hexdigest()


def outer(query: str, claimed: str | None = None, path: str = "/sso.php", **more: str) -> str:
    """A link with this base64 text, its hash right unless given."""
    fields = {"mode": "login", "query": query, "hash": claimed or digest(query), **more}
    return f"{path}?{urlencode(fields)}"


def strict(**fields: str) -> str:
    """A link of the sender that has a list of domains and makes no accounts."""
    query = b64(inner(**fields))
    return outer(query, digest(query, STRICT_SECRET), STRICT)


def signed(text: str | bytes, **more: str) -> str:
    """A link whose inner query string is `text`, as it is."""
    return outer(b64(text), **more)
