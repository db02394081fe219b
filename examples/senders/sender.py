"""Make a signed link with Python, standard library only:

    SSO_SECRET=… python sender.py https://app.example john 'John Smith' john@example.com \
        groups=members redirect=/members/

In a web application, call `signed_link` when the page is made: the link holds the time and is
good for a few minutes.
"""

import base64
import hashlib
import os
import sys
import time
from collections.abc import Mapping
from urllib.parse import quote, urlencode


def signed(inner: str, secret: str) -> dict[str, str]:
    """Sign the inner text: base64 of it, and the SHA-256 of that base64 followed by the secret."""
    query = base64.b64encode(inner.encode()).decode()
    return {"query": query, "hash": hashlib.sha256((query + secret).encode()).hexdigest()}


def signed_link(base: str, fields: Mapping[str, str], secret: str) -> str:
    """Give the whole URL. `fields`: username, name, email, t; perhaps groups and redirect."""
    inner = urlencode(fields, quote_via=quote, safe="")
    # urlencode also turns the + of base64 into %2B; pasted as it is, it would be a space.
    return f"{base}/sso.php?{urlencode({'mode': 'login', **signed(inner, secret)})}"


def main() -> None:
    secret = os.environ.get("SSO_SECRET", "")
    if len(sys.argv) < 5 or not secret:
        sys.exit("usage: SSO_SECRET=… python sender.py BASE USER NAME EMAIL [KEY=VALUE …]")
    _, base, username, name, email, *more = sys.argv
    fields = {"username": username, "name": name, "email": email, "t": str(int(time.time()))}
    for pair in more:
        key, _, value = pair.partition("=")
        fields[key] = value
    print(signed_link(base, fields, secret))


if __name__ == "__main__":
    main()
