"""What an authorization request must remember while a person signs in or reads our page.

Strategy: the browser carries it, under a MAC over the whole request, so that nothing is written for
people who are not signed in, and what was remembered of one request says nothing of another.
"""

from __future__ import annotations

import hmac
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from ssogate.http.redirects import local_path
from ssogate.model import LocalPath, Session
from ssogate.provider.addresses import AUTHORIZE

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

PATIENCE = 900  # seconds for which a mark is believed: to sign in, or to read a page

OURS = "ssogate_"
"""What the names of our own parameters begin with; no client's does."""
SINCE, SEAL, ANSWER = f"{OURS}since", f"{OURS}seal", f"{OURS}answer"

_MARK = re.compile(r"(?P<at>[1-9][0-9]{0,11})\.[A-Za-z0-9_\-]{43}", re.ASCII)

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Visit:
    """A browser that comes with an authorization request. Built by `visit_of`."""

    request: Request
    pairs: Pairs
    """The client's parameters: all, and nothing else."""
    own: Mapping[str, str]
    """What we have sent along, not verified."""

    @property
    def comes_from_our_form(self) -> bool:
        """Whether the browser may be following redirects that began with a form of ours."""
        return bool(self.own)


@dataclass(frozen=True, slots=True)
class Marks:
    """Marks made and verified with the gate's own `secret`. Times are Unix seconds."""

    secret: bytes
    now: int

    def seen(self, visit: Visit) -> int:
        """Give when this very request was first seen: now, if nothing says otherwise."""
        return self._verified(visit, SINCE) or self.now

    def fresh(self, visit: Visit, session: Session) -> bool:
        """Whether somebody has signed in since the request was first seen."""
        since = self._verified(visit, SINCE)
        return since is not None and session.record.opened_at >= since

    def seal(self, visit: Visit, session: Session, scopes: frozenset[str]) -> str:
        """Give what binds a page to the request, to what it is worth, and to the session that the
        page is shown to."""
        return self._mark(visit, SEAL, self.now, session.record.key, *sorted(scopes))

    def sealed(self, visit: Visit, session: Session, scopes: frozenset[str]) -> bool:
        """Whether the visit comes from that very page."""
        return self._verified(visit, SEAL, session.record.key, *sorted(scopes)) is not None

    def way_back(self, visit: Visit) -> LocalPath | None:
        """Give the address that a sign-in leads back to; None if no browser could keep it."""
        since = (SINCE, self._mark(visit, SINCE, self.seen(visit)))
        return address((*visit.pairs, since))

    def _verified(self, visit: Visit, name: str, *bound: str) -> int | None:
        """Give the time of a mark that is ours, for this request, and not too old."""
        mark = visit.own.get(name, "")
        shape = _MARK.fullmatch(mark)
        at = int(shape["at"]) if shape else 0
        if not 0 <= self.now - at <= PATIENCE:
            return None
        genuine = self._mark(visit, name, at, *bound)
        return at if hmac.compare_digest(mark.encode(), genuine.encode()) else None

    def _mark(self, visit: Visit, name: str, at: int, *bound: str) -> str:
        told = json.dumps([name, at, bound, sorted(visit.pairs)]).encode()
        mac = hmac.digest(self.secret, b"authorization request\0" + told, "sha256")
        return f"{at}.{urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def visit_of(request: Request, sent: Iterable[tuple[str, str]], *ours: str) -> Visit:
    """Tell the client's parameters from ours, of which only those named `ours` belong there."""
    pairs = tuple(sent)
    own = {name: value for name, value in pairs if name in ours}
    return Visit(request, tuple(pair for pair in pairs if not pair[0].startswith(OURS)), own)


def address(pairs: Pairs) -> LocalPath | None:
    """Give the address of a request; None if no browser could keep it."""
    return local_path(f"{AUTHORIZE}?{urlencode(pairs)}")
