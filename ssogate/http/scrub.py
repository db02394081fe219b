"""What a visitor may not tell an app: recognised by fold, removed before anything is added."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ssogate.http.identity import WELL_KNOWN, fold

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# The only shape in which a server may pass a header. `X.Remote.User`, or the empty name of a
# folded line, is read as something else by the next server.
_KEY = re.compile(r"HTTP_[A-Z0-9]+(?:_+[A-Z0-9]+)*")

# Who a request comes from, where it went before, or what it "really" asks for: only a trusted
# proxy may say so, and what it says is in the environ by now, not in these headers.
_FORWARDED = re.compile(
    "FORWARDED|X_FORWARDED(_.*)?|X_REAL_IP|X_CLIENT_IP|X_CLUSTER_CLIENT_IP|TRUE_CLIENT_IP"
    "|CF_CONNECTING_IP|FASTLY_CLIENT_IP|X_ORIGINATING_IP"
    "|X_ORIGINAL_(URL|URI|HOST|METHOD|FORWARDED_FOR)|X_REWRITE_URL|X_HOST|X_PROXY_URL"
    "|X_REQUEST_URI|X_ACCEL_.*|X_SENDFILE(_TYPE)?|BASE_URL|REQUEST_URL"
)

# Families of headers in which some gateway or module names a visitor. Whoever believes one member
# believes its siblings, and only some of them are configured.
_FAMILIES = re.compile(
    "(REMOTE|X_REMOTE|X_AUTH_REQUEST|X_AUTHENTICATED|X_AUTHENTIK|X_WEBAUTH|X_SSOGATE|OIDC|MELLON"
    "|SHIB)_.*"
)

MAX_KEY = 128  # characters; names that are remembered must be short, and no app asks for longer
MAX_HARMLESS = 2048  # keys that are remembered; visitors choose them, a site's own are a few dozen


class Scrubber:
    """Remove every header whose fold is managed by the gate, well known, or about forwarding."""

    def __init__(self, managed: Iterable[str] = ()) -> None:
        self._managed = WELL_KNOWN | frozenset(map(fold, managed))
        # Keys that were judged harmless: an ordinary request costs one comparison of two sets.
        self._harmless: set[str] = set()

    def scrub(self, environ: WSGIEnvironment) -> None:
        """Remove from `environ` what a visitor may not say."""
        for key in environ.keys() - self._harmless:
            if self.removes(key):
                del environ[key]
            else:
                if len(self._harmless) >= MAX_HARMLESS:
                    self._harmless = set()
                self._harmless.add(key)

    def removes(self, key: str) -> bool:
        """Whether no visitor may send the header of an environ key."""
        if not key.startswith("HTTP_"):
            return False
        if len(key) > MAX_KEY or not _KEY.fullmatch(key):
            return True
        folded = fold(key)
        return folded in self._managed or any(
            names.fullmatch(folded) for names in (_FORWARDED, _FAMILIES)
        )
