"""Where a client may be answered: URIs that it has registered, compared as texts.

Nothing here parses a URL before it has a plain shape, and nothing is normalised: a spelling that
was not registered is another address (RFC 9700, section 2.1; RFC 3986, section 6.2.1).
"""

from __future__ import annotations

import re

from ssogate.http.redirects import MAX_LOCATION, url_host

# RFC 3986's characters after a scheme, without the fragment's mark.
_URI = re.compile(r"([a-z][a-z0-9+.\-]*):[A-Za-z0-9\-._~!$&'()*+,;=:@/?%\[\]]+", re.IGNORECASE)
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
# What a browser runs or reads by itself instead of handing it to an application.
_FORBIDDEN = frozenset(
    {"about", "blob", "chrome", "data", "file", "filesystem", "ftp", "intent", "javascript"}
    | {"vbscript", "view-source", "ws", "wss"}
)
# RFC 8252, sections 7.3 and 8.3: `localhost` is here because real clients register it.
_LOOPBACK = re.compile(
    r"(?P<host>http://(?:127\.0\.0\.1|\[::1\]|localhost))(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<rest>[/?].*)?"
)


def is_redirect_uri(uri: str) -> bool:
    """Whether a client may register it: absolute, without a fragment or a user part, and nothing
    that a browser would run. Native clients have schemes of their own (RFC 8252, section 7.1)."""
    shape = _URI.fullmatch(uri) if len(uri) <= MAX_LOCATION else None
    if not shape or _BROKEN_ESCAPE.search(uri):
        return False
    scheme = shape[1].lower()
    if scheme in ("http", "https"):
        return url_host(uri) is not None
    return scheme not in _FORBIDDEN


def redirect_uri_matches(registered: str, asked: str, *, native: bool) -> bool:
    """Whether `asked` is the registered URI, to the letter.

    The port alone may differ for a native client's own http server on the loopback interface, which
    takes whatever port is free (RFC 8252, section 7.3).
    """
    same = registered == asked or (native and _same_but_the_port(registered, asked))
    return same and is_redirect_uri(asked)


def _same_but_the_port(registered: str, asked: str) -> bool:
    known, wanted = _LOOPBACK.fullmatch(registered), _LOOPBACK.fullmatch(asked)
    if not (known and wanted) or int(wanted["port"] or 80) > 65535:
        return False
    return known["host"] == wanted["host"] and known["rest"] == wanted["rest"]
