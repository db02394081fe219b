"""The lane's verdict on a request: what to send to which upstream, or nothing said at all.

It asks what the layers ask (`Site.target`, `Keeper.glance`, `policy.strictest`, `RouteTable.find`,
`identity_headers`), in their order. What depends on the address alone is remembered (`places`), and
so is what was said to somebody there, for as long as the session's identity is the same object:
whoever is found anew, after any change, is judged anew. Where sessions are on another machine, it
says whom it does not know, and is asked again with what was `found`.
"""

from __future__ import annotations

from json.encoder import encode_basestring_ascii as quoted

from ssogate.errors import GateError
from ssogate.http.client_address import Trusts, client_address
from ssogate.http.environ import new_request_id
from ssogate.http.identity import identity_headers
from ssogate.http.pages import redirect
from ssogate.http.rendered import Rendered, rendered
from ssogate.lane.orders import (
    REFUSED,
    Asked,
    Found,
    Judged,
    Moved,
    Order,
    Ours,
    Pass,
    Peer,
    Place,
    Refused,
    Said,
    Unknown,
    peer_with,
)
from ssogate.lane.places import Places
from ssogate.lane.remembered import Remembered
from ssogate.lane.requests import QUERY, Head, Heads, variables
from ssogate.model import Identity, Outcome, Session
from ssogate.policy.decide import strictest
from ssogate.sessions import Keeper
from ssogate.upstream.websocket import OFFER, VERSION, is_key

MAX_PASSES = 8192  # verdicts that are remembered, of people at addresses
MAX_PEERS = 4096  # visitors that a proxy speaks for
MAX_SAID = 128  # characters of what it says, to be remembered
MAX_USER = 128  # characters of a name in the log

# That more follows than a head, or something else than an answer.
_BODY = frozenset({"EXPECT", "TRANSFER_ENCODING"})
_MORE = _BODY | {"UPGRADE"}

_YES = Rendered(b"HTTP/1.1 204 No Content\r\n", b"Cache-Control: no-store\r\n")


class _Declined(Exception):
    """The request is not ordinary."""


class _Denied(Exception):
    """The policies do not let it through, as they are asked here."""


class _Unseen(Exception):
    """Who asks can only be told by somebody who may wait. Its argument is the token."""


class Lane:
    """What the layers have, for the lane to ask.

    `keeper` finds sessions; where somebody else has to be asked as well it is None, and only
    requests without a session are ordinary. The lane itself never waits: what is to be written down
    it notes, and somebody who may wait calls `write_down`.
    """

    def __init__(
        self, places: Places, heads: Heads, *, trusts: Trusts, keeper: Keeper | None
    ) -> None:
        self._places, self._heads, self._trusts, self._keeper = places, heads, trusts, keeper
        self._passes: Remembered[tuple[str, Judged], Pass] = Remembered(
            MAX_PASSES, lambda key: None
        )
        self._peers = Remembered(MAX_PEERS, self._named, lambda said: len(said[1]) <= MAX_SAID)

    def order(
        self, data: bytes, peer: Peer, found: Found | None = None
    ) -> Order | Said | Asked | Refused | Unknown | None:
        """Judge a head (without the empty line that ends it); None if it is the layers' to judge.
        `found` is what came of a look-up that was begun after it had come: then nothing is unknown.

        Nothing is raised: whatever a function below cannot answer, the layers will."""
        try:
            return self._order(data, peer, found)
        except _Denied:
            return REFUSED
        except _Unseen as unseen:
            return Unknown(*unseen.args)
        except (GateError, _Declined):
            return None

    def _order(self, data: bytes, peer: Peer, found: Found | None) -> Order | Said | Asked:
        start, _, lines = data.partition(b"\r\n")
        head = self._heads[lines]
        if head is None:
            raise _Declined
        method, path, query, old = _asked(start)
        place = self._places.at[method, path, head.host]
        if not isinstance(place, Place):
            try:
                return self._said(start, place, head, peer, found)
            except (_Declined, _Denied):
                if isinstance(place, Ours):
                    return _asked_of_us(start, place, head, lines)
                raise
        length, key, chunked, expects = head.length, "", False, False
        if length is not None and length > place.route.max_body:
            raise _Declined
        if not head.plain:
            peer, key = self._client(head, peer), _websocket(head, place)
            chunked, expects = "TRANSFER_ENCODING" in head.says, "EXPECT" in head.says
            if (chunked and length is not None) or (old and (chunked or expects or key)):
                raise _Declined
        session = self._session(head.token, found)
        granted, request_id = self._grant(place.judged, session, peer), new_request_id()
        request = b"".join(
            (
                place.start,
                query,
                b" HTTP/1.1\r\n",
                head.sent,
                place.hosts,
                request_id.encode(),
                b"\r\n",
                peer.sent,
                granted.told,
                OFFER if key else b"",
                b"" if chunked else _framing(length),
            )
        )
        return Order(
            place,
            granted,
            session,
            request,
            length,
            chunked,
            head.closes(old=old),
            old,
            expects,
            key,
            request_id,
        )

    def _client(self, head: Head, peer: Peer) -> Peer:
        """Who asks: whom a trusted proxy names, or the peer itself."""
        said = head.says.get("X_FORWARDED_FOR")
        return peer if said is None else self._peers[peer.text, said] or peer

    def _named(self, said: tuple[str, str]) -> Peer:
        """Who asks, by the address of a server and what it says of whom it asks for."""
        return peer_with(said[0], client_address(*said, self._trusts).address)

    def _said(
        self, start: bytes, what: Moved | Ours | None, head: Head, peer: Peer, found: Found | None
    ) -> Said:
        """Answer a request that needs no upstream, and has no body."""
        if what is None or head.length is not None or not _MORE.isdisjoint(head.says):
            raise _Declined
        _, _, query, old = _asked(start)
        if isinstance(what, Moved):
            session = self._session(head.token, found)
            granted = self._grant(what.judged, session, self._client(head, peer))
            location = what.location + (query.decode() if what.keeps else "")
            answer = rendered(redirect(location, status=what.status))
        elif what.method != "GET":
            raise _Declined
        elif what.path == self._places.auth:
            granted = self._question(head, peer, found)
            answer = Rendered(_YES.start, granted.told + _YES.lines)
        else:
            granted, answer = self._document(what, query, head, peer)
        return Said(granted, answer, head.closes(old=old), new_request_id())

    def _document(self, ours: Ours, query: bytes, head: Head, peer: Peer) -> tuple[Pass, Rendered]:
        """Give what everybody may read; who has a session may be here for something else."""
        document = self._places.documents.get(ours.path)
        if document is None or query or head.token or "ORIGIN" in head.says:
            raise _Declined
        return _passed(ours.judged, None, self._client(head, peer), private=False), document

    def _question(self, head: Head, proxy: Peer, found: Found | None) -> Pass:
        """Answer a trusted proxy (nginx's `auth_request`), as `middleware.auth_request` does."""
        if not self._trusts(proxy.address):
            raise _Declined
        path, _, query = head.value("X_ORIGINAL_URI").encode().partition(b"?")
        method = head.value("X_ORIGINAL_METHOD").encode()
        judged = self._places.asked[method, path, head.host]
        if judged is None or not QUERY.fullmatch(query):
            raise _Declined
        session = self._session(head.token, found)
        return self._grant(judged, session, self._client(head, proxy))

    def _session(self, token: str, found: Found | None) -> Session | None:
        """Whoever asks."""
        keeper = self._keeper
        if not token:
            return None
        if keeper is None:
            raise _Declined
        if found is not None and found.token == token:
            session = found.session
        else:
            session = keeper.glance(token)
            if session is None and found is None and keeper.waits:
                raise _Unseen(token)
        if session is None:
            raise _Declined
        keeper.use(session)
        return session

    def look_up(self, token: str) -> Found:
        """Find out about somebody unknown. It may take long, and is for a thread to do: what cannot
        be found out, the layers will tell."""
        try:
            return self.look(token)
        except GateError:
            return Found(token, None)

    def look(self, token: str) -> Found:
        """As `look_up`; raises `GateError` if nobody can know."""
        return Found(token, self._keeper.look(token) if self._keeper else None)

    @property
    def has_uses(self) -> bool:
        """Whether there is something to be written down."""
        return self._keeper is not None and bool(self._keeper.uses)

    def write_down(self) -> None:
        """Write down which sessions have been used. It may take long, as `look_up`."""
        if self._keeper is not None:
            self._keeper.write_down()

    def owns(self, data: bytes) -> bool:
        """Whether a request is, as far as its first line tells, for one of the gate's own pages."""
        words = data[:1024].decode("latin-1").lstrip().split(" ", 2)
        path = words[1].partition("?")[0] if len(words) == 3 else ""
        return self._places.is_own(path)

    def still(self, order: Order, found: Found | None = None) -> bool | Unknown:
        """Whether what an order let through would be let through now, by what `look` has `found` if
        need be."""
        session, granted = order.session, order.granted
        if session is None or self._keeper is None:
            return session is None
        try:
            told = found is not None and found.token == session.token
            live = found.session if found and told else self._keeper.glance(session.token)
        except GateError:
            return False
        if live is None:
            return False if told or not self._keeper.waits else Unknown(session.token)
        verdict = strictest(granted.judged.rules, live.identity, granted.peer.address)
        return verdict.outcome is Outcome.ALLOW

    def _grant(self, judged: Judged, session: Session | None, peer: Peer) -> Pass:
        key = session.token if session else "", judged
        identity = session.identity if session else None
        found = self._passes[key]
        if found and found.identity is identity and found.peer.sent == peer.sent:
            return found
        verdict = strictest(judged.rules, identity, peer.address)
        if verdict.outcome is not Outcome.ALLOW:
            raise _Denied
        private = identity is not None or not verdict.everyone
        found = self._passes[key] = _passed(judged, identity, peer, private=private)
        return found


def _passed(judged: Judged, identity: Identity | None, peer: Peer, *, private: bool) -> Pass:
    told = identity_headers(identity, judged.identity) if identity else ()
    return Pass(
        judged,
        identity,
        peer,
        private,
        told="".join(f"{name}: {value}\r\n" for name, value in told).encode("latin-1"),
        client=quoted(str(peer.address or "")),
        user=quoted(identity.username[:MAX_USER]) if identity else "null",
    )


def _asked(start: bytes) -> tuple[bytes, bytes, bytes, bool]:
    """Method, path, and the query with its question mark, of a request line; and whether it is of
    HTTP/1.0, as nginx speaks if nobody tells it otherwise."""
    method, _, target = start.partition(b" ")
    path, mark, query = target[:-9].partition(b"?")
    old = target[-9:] != b" HTTP/1.1"
    if old and target[-9:] != b" HTTP/1.0":
        raise _Declined
    if not query:
        return method, path, b"", old
    if not QUERY.fullmatch(query):
        raise _Declined
    return method, path, mark + query, old


def _asked_of_us(start: bytes, ours: Ours, head: Head, lines: bytes) -> Asked:
    """Have the layers answer."""
    if not _MORE.isdisjoint(head.says):
        raise _Declined
    _, _, query, old = _asked(start)
    _, target, protocol = start.decode().split(" ")
    environ = {
        **variables(lines),
        "REQUEST_METHOD": ours.method,
        "PATH_INFO": ours.path,
        "QUERY_STRING": query[1:].decode(),
        "RAW_URI": target,
        "SERVER_PROTOCOL": protocol,
    }
    return Asked(environ, head.length or 0, head.closes(old=old))


def _framing(length: int | None) -> bytes:
    return b"\r\n" if length is None else b"Content-Length: %d\r\n\r\n" % length


def _websocket(head: Head, place: Place) -> str:
    """Give the key of an opening handshake (RFC 6455, section 4.2.1) that may be passed on; empty
    where no other protocol is asked for.

    Browsers say which site's page it is that asks; programs say nothing.
    """
    says, connection = head.says, head.value("CONNECTION")
    if "UPGRADE" not in says and "upgrade" not in connection:
        return ""
    key = head.value("SEC_WEBSOCKET_KEY")
    if (
        "UPGRADE" in says
        and "upgrade" in connection
        and place.route.websockets
        and (place.method, head.length) == ("GET", None)
        and _BODY.isdisjoint(says)
        and says.get("ORIGIN", place.site) == place.site
        and is_key(key)
        and head.value("SEC_WEBSOCKET_VERSION") == VERSION
    ):
        return key
    raise _Declined
