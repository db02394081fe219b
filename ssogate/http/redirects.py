"""Where a visitor may be sent: a whitelist over the raw text, never a parser's opinion of it.

`urlsplit` drops tabs and line breaks and reads backslashes as browsers do not (CPython issues
88048 and 90735), so nothing here parses a URL before it is known to be harmless.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from ssogate.errors import GateError
from ssogate.http.target import parse_target
from ssogate.model import LocalPath

MAX_LOCATION = 2048  # characters; longer ones are cut by mail programs and old browsers

# Graphic ASCII without the quote, angle brackets, backslash, caret, backquote and braces that
# RFC 3986 leaves out: what is left cannot end an attribute or a header.
_QUERY = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@/?%\[\]|]*")
_ESCAPED_CONTROL = re.compile(r"%(?:[01][0-9A-Fa-f]|7[Ff])")

HOME = LocalPath("/")

_HTTP_URL_HOST = re.compile(
    r"https?://(?P<host>[a-z0-9](?:[a-z0-9\-.]{0,252}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])"
    r"\.?(?::[0-9]{1,5})?(?:[/?#][\x21-\x7e]*)?",
    re.IGNORECASE | re.ASCII,
)


def local_path(text: str) -> LocalPath | None:
    """Give a path of this site, with its query, in canonical spelling; None for anything else.

    A fragment is dropped. `//host`, `/\\host`, schemes, control characters in any spelling, dot
    and empty segments are not paths of this site.
    """
    text, _, _ = text.partition("#")
    path, mark, query = text.partition("?")
    if len(text) > MAX_LOCATION or _ESCAPED_CONTROL.search(text):
        return None
    if not path.startswith("/") or not (path.isascii() and _QUERY.fullmatch(query)):
        return None
    try:
        target = parse_target("GET", path, "local")
    except GateError:
        return None
    found = f"{target.path}{mark}{query}"
    return LocalPath(found) if len(found) <= MAX_LOCATION else None


def return_path(path: str, query: str) -> LocalPath:
    """Give the place to come back to after a sign-in, for a request's path and query."""
    return local_path(f"{path}?{query}" if query else path) or local_path(path) or HOME


def url_host(url: str) -> str | None:
    """Give the lower-case host of an http(s) URL, or None if there is none beyond doubt.

    User parts (`https://ok@evil`), backslashes, spaces and a missing host are all None.
    """
    found = _HTTP_URL_HOST.fullmatch(url) if len(url) <= 8190 else None
    return found["host"].lower() if found else None


def with_query(url: str, parameters: dict[str, str]) -> str:
    """Give a configured URL with parameters added to its query."""
    base, _, fragment = url.partition("#")
    added = "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in parameters.items())
    joined = f"{base}{'&' if '?' in base else '?'}{added}" if added else base
    return f"{joined}#{fragment}" if fragment else joined
