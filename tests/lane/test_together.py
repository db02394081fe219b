"""The lane and the layers are one gate: whatever comes, both send the same bytes to the upstream,
or the lane leaves it to the layers.

Every corpus that attacks the gate goes through both, and whatever hypothesis makes of a grammar of
requests. The layers are asked about each request that the lane takes; what it declines is theirs.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.wrappers import Request, Response

from ssogate.errors import GateError
from ssogate.http.rendered import FRESH, Documents
from ssogate.lane.bodies import Upload
from ssogate.lane.orders import Order
from ssogate.upstream.websocket import OFFER
from ssogate.worker.layers import ends, environ_for
from tests.attack.stage import HOST, PAGE, new_link
from tests.attack.test_fuzz import SEED, mutated
from tests.attack.test_headers import FORGED, FORGERIES
from tests.attack.test_hosts import HOSTS
from tests.attack.test_sessions import NOT_READ, READ, written
from tests.attack.test_smuggling import BROKEN_CHUNKS, SMUGGLED, UNFRAMED, post
from tests.attack.test_targets import CLOSED, PLACES, POINTERS, SPELLINGS
from tests.lane.grammar import ODD, handshakes, questions, requests
from tests.lane.making import (
    MAX_HEAD,
    PEER,
    PEOPLE,
    PROXY,
    SERVER,
    Gatehouse,
    address_of,
    cookie,
    gatehouse,
    head,
    head_of,
    masked,
    token,
)
from tests.servers import request

MUTATIONS = 8 * int(os.environ.get("SSOGATE_FUZZ", "2000"))
TIMES = max(1, MUTATIONS // 16_000)
# What environ has of a connection that gunicorn itself serves.
OF_GUNICORN = {"wsgi.input", "gunicorn.socket", "wsgi.early_hints"}
MOST_BODY = 2**17  # bytes that are made up for a request whose body is not there

JOHN, SUE = f"Cookie: {cookie('john')}", f"Cookie: {cookie('sue')}; theme=dark"
LOCAL = "X-Forwarded-For: 10.0.0.1"
PEERS = (PEER, PROXY, "10.1.2.3", "2001:db8::7", "::ffff:10.0.0.3", "")


def taken(house: Gatehouse, data: bytes, peer: str = PEER) -> Order | None:
    """Give the lane's order for a request after both have agreed on it, or None."""
    text, rest = head_of(data)
    if len(text) > MAX_HEAD:
        return None
    order = house.order(text, peer)
    anew = house.fresh().order(text, peer)
    if order is None or anew is None:
        assert order is anew, "what was asked before decides"
        assert_answered(house, text, peer)
        assert_asked(house, text, rest, peer)
        return None
    assert masked(order.request) == masked(anew.request)
    if order.key:
        assert_opens(house, order, text, peer)
    elif (order.length or 0) <= MOST_BODY:
        assert_relayed(house, order, text, rest, peer)
    return order


def assert_relayed(house: Gatehouse, order: Order, text: bytes, rest: bytes, peer: str) -> None:
    """The layers send what the lane's order says, with exactly the body that it says."""
    length = order.length or 0
    body = chunks(order, rest) if order.chunked else rest[:length].ljust(length, b"b")
    sent, after = body, SMUGGLED
    if order.chunked:
        sent, after = uploaded(order).begin(b"", body + SMUGGLED, 0)
    layers = house.relayed(text + b"\r\n\r\n" + body + SMUGGLED, peer)

    assert layers.status == 200
    assert [*map(masked, layers.arrived)] == [masked(order.request + sent)]
    assert after == SMUGGLED
    assert (layers.close, layers.continued) == (order.close, order.expects)
    assert f"\r\nX-Request-Id: {order.request_id}\r\n".encode() in order.request


def assert_answered(house: Gatehouse, text: bytes, peer: str) -> bool:
    """What the lane answers by itself is what the layers say; give whether it does."""
    said = house.said(text, peer)
    if said is None:
        return False
    layers = house.relayed(text + b"\r\n\r\n" + SMUGGLED, peer)
    lines = "".join(f"{name}: {value}\r\n" for name, value in layers.headers).encode("latin-1")
    assert (layers.status, layers.arrived) == (int(said.answer.start[9:12]), ())
    assert lines == said.answer.lines
    assert layers.body == said.answer.body
    assert layers.close is said.close
    return True


def assert_asked(house: Gatehouse, text: bytes, rest: bytes, peer: str) -> bool:
    """What the lane has the layers answer is what gunicorn would have them answer; give whether it
    does."""
    asked = house.asked(text, peer)
    assert asked == house.fresh().asked(text, peer), "what was asked before decides"
    if asked is None or asked.length > MOST_BODY:
        return False
    body = rest[: asked.length].ljust(asked.length, b"b")
    whole = text + b"\r\n\r\n" + body + SMUGGLED
    request, theirs = house.parsed(whole, peer)
    ours = {**ends(address_of(peer), SERVER), **asked.environ}
    assert {**environ_for(house.cfg), **ours}.keys() == theirs.keys() - OF_GUNICORN
    assert all(theirs[name] == value for name, value in ours.items())
    assert theirs["wsgi.input"].read() == body
    assert asked.close is request.should_close()
    return True


def uploaded(order: Order) -> Upload:
    return Upload(order.length, order.place.route.max_body)


def chunks(order: Order, rest: bytes) -> bytes:
    """The chunks that came or, if the lane would leave those to the layers, others."""
    upload = uploaded(order)
    with suppress(GateError):
        _, after = upload.begin(b"", rest, 0)
        if upload.ended:
            return rest[: len(rest) - len(after)]
    return b"3\r\nabc\r\n0\r\n\r\n"


def assert_opens(house: Gatehouse, order: Order, text: bytes, peer: str) -> None:
    """A WebSocket, of which the layers know nothing, opens where its plain request would be let
    through, and asks for what that would have asked for."""
    lines = text.split(b"\r\n")
    plain = [line for line in lines if not line.lower().startswith((b"upgrade:", b"connection:"))]
    asked = house.order(b"\r\n".join(plain), peer)

    assert OFFER in order.request
    assert asked is not None
    assert masked(order.request.replace(OFFER, b"")) == masked(asked.request)
    assert_relayed(house, asked, b"\r\n".join(plain), b"", peer)
    assert order.length is None


# --- What others have thought of -----------------------------------------------------------------


def targets() -> Iterable[bytes]:
    closed = (f"{prefix}{target}" for prefix in ("", "/app", "/v1") for target in CLOSED.values())
    spelled = (str(spelling.values[0]) for spelling in SPELLINGS)
    for target, line in product((*closed, *spelled, *PLACES.values()), (JOHN, SUE, "X-A: b")):
        for method in ("GET", "HEAD", "POST", "OPTIONS", "PUT", "PROPFIND"):
            yield request(target, line, method=method)


def hosts() -> Iterable[bytes]:
    for host in HOSTS:
        for target in ("/pub/x", "/members/x", "/_sso/health", "/admin"):
            yield request(target, JOHN, host=host.values[0])  # type: ignore[arg-type]
    for target in ("http://raw.example/pub/x", "//raw.example/pub/x", "HTTPS://APP.example/pub/x"):
        yield request(target)
        yield request(target, host="raw.example")


def headers() -> Iterable[bytes]:
    forged = [f"{forgery.values[0]}: {FORGED}" for forgery in FORGERIES]
    for line, target in product((*forged, *POINTERS), ("/pub/x", "/members/x", "/override/x")):
        yield request(target, line, JOHN, *PAGE)
        yield request(target, line, method="POST", body=b"a=b")


def framing() -> Iterable[bytes]:
    for target in ("/forms/x", "/pub/x", "/members/x", "/sso.php?mode=logout"):
        for lines, body in (case.values for case in UNFRAMED):
            yield post(target, *lines, body=body)  # type: ignore[arg-type, misc]
        for chunks in BROKEN_CHUNKS:
            body = chunks.values[0]
            yield post(target, b"Transfer-Encoding: chunked", body=body)  # type: ignore[arg-type]
        for length in (b"0", b"3", b"007", b"65537", b"1073741825", b"9" * 19, b"9" * 20):
            yield post(target, b"Content-Length: " + length, body=b"abc" + SMUGGLED)


def cookies() -> Iterable[bytes]:
    for lines, name in product((READ | NOT_READ).values(), PEOPLE):
        for target in ("/members/x", "/pub/x", "/admin/x"):
            yield request(target, *written(lines, token(name)))


@pytest.mark.parametrize(
    ("corpus", "fewest"),
    [
        pytest.param(targets, 100, id="targets"),
        pytest.param(hosts, 8, id="hosts"),
        pytest.param(headers, 400, id="headers"),
        pytest.param(framing, 4, id="framing"),
        pytest.param(cookies, 250, id="cookies"),
    ],
)
def test_what_attacks_the_gate_meets_one_gate(
    shared: Gatehouse, corpus: Callable[[], Iterable[bytes]], fewest: int
) -> None:
    """`fewest` requests are ordinary enough: a lane that declines all would agree with anything."""
    orders = [taken(shared, data) for data in corpus()]

    assert sum(order is not None for order in orders) >= fewest
    assert all(FORGED.encode() not in order.request for order in orders if order)


ORDINARY = [
    request("/", close=False),
    request("/pub/x?a=b", "Accept: text/html", "User-Agent: Mozilla/5.0 (X11) Firefox/128.0"),
    request("/members/x", JOHN, "X-Remote-User: admin", 'If-None-Match: "x"'),
    request("/members/x", JOHN, method="HEAD", close=False),
    request("/admin/x?page=2", SUE, "Accept-Encoding: gzip, br", close=False),
    request("/forms/x", JOHN, "Content-Type: text/plain", method="POST", body=b"a=b&c=d"),
    request("/app/pub/x", "X-Forwarded-For: 10.0.0.1, 198.51.100.3", method="PUT", body=b"abc"),
    request(
        "/v1/pub/caf~e/", "Origin: null", "Referer: https://app.example/x", host="APP.example."
    ),
    request("/pub/x", "Cookie: a=b; c=d", "Sec-Fetch-Mode: cors", host="raw.example:8443"),
    request("/told/x", SUE, "Authorization: Basic eA==", "Range: bytes=0-1"),
    request("/small/x", method="POST", body=b"0123456789"),
    request(
        "/forms/x",
        "Transfer-Encoding: chunked",
        method="POST",
        body=b"3;a=b\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n",
    ),
]
EXTRAORDINARY = [
    request(new_link()),
    request("/sso.php?mode=logout", JOHN, method="POST", body=b"mode=logout"),
    request("/go/x?y", "Connection: keep-alive, X-A"),
    request("/app/pub/x", "Expect: 100-continue", method="PUT", body=b"abc"),
    request("http://raw.example/pub/%7Ex", host="raw.example"),
    request("/slashes//a%2Fb", JOHN),
]


def test_mutated_requests_meet_one_gate(shared: Gatehouse) -> None:
    seeds, share = ORDINARY * 2 + EXTRAORDINARY, 0
    for number in range(MUTATIONS):
        data = mutated(number, seeds)
        try:
            share += taken(shared, data, PEERS[number % len(PEERS)]) is not None
        except Exception as error:
            raise AssertionError(f"SSOGATE_FUZZ_SEED={SEED}, {number}: {data!r}") from error

    assert share > MUTATIONS // 20
    assert all(taken(shared, data) for data in ORDINARY)


# --- What a grammar makes ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("oddities", "examples", "fewest"),
    [
        pytest.param([()], 700, 200, id="ordinary"),
        pytest.param([(part,) for part in ODD], 1200, 40, id="odd in one part"),
        pytest.param([ODD], 200, 0, id="odd in all parts"),
    ],
)
def test_whatever_a_visitor_writes_meets_one_gate(
    shared: Gatehouse, oddities: list[tuple[str, ...]], examples: int, fewest: int
) -> None:
    share: Counter[bool] = Counter()

    @settings(max_examples=examples * TIMES, deadline=None, database=None)
    @given(data=requests(*oddities), peer=st.sampled_from(PEERS))
    def meets(data: bytes, peer: str) -> None:
        share[taken(shared, data, peer) is not None] += 1

    meets()

    assert share[True] >= fewest, share


def test_whatever_a_visitor_writes_to_the_gate_itself_meets_one_gate(changing: Gatehouse) -> None:
    """And no upstream hears of it."""
    share: Counter[bool] = Counter()

    @settings(max_examples=1200 * TIMES, deadline=None, database=None)
    @given(
        data=requests((), (), (), ("lines",), ("method",), ("host",), ("bytes",), ours=True),
        peer=st.sampled_from(PEERS),
    )
    def meets(data: bytes, peer: str) -> None:
        text, rest = head_of(data)
        asked = assert_asked(changing, text, rest, peer)
        share[asked] += 1
        if asked:
            assert changing.relayed(data, peer).arrived == ()

    meets()

    assert min(share[True], share[False]) > 40, share


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        pytest.param(request("/_sso/sign-in"), True, id="a page"),
        pytest.param(request("/_sso/nothing"), True, id="no page"),
        pytest.param(request("/_sso/sign-in?return_to=%2Fpub%2Fx", SUE), True, id="a query"),
        pytest.param(request("/sso.php", method="POST", body=b"a=b"), True, id="a form"),
        pytest.param(request("/_sso/sign-in", "X-Forwarded-For: 10.0.0.1"), True, id="by a proxy"),
        pytest.param(request("/_sso/sign-in", host="raw.example"), True, id="another host"),
        pytest.param(request("/_sso/sign-in", host="evil.example"), False, id="a strange host"),
        pytest.param(request("/_sso/sign%2Din"), False, id="an escape"),
        pytest.param(request("/_sso/sign-in", "X_Forwarded-For: a"), False, id="an underscore"),
        pytest.param(request("/_sso/sign-in", "Expect: 100-continue"), False, id="an expectation"),
        pytest.param(
            request("/sso.php", "Transfer-Encoding: chunked", method="POST"), False, id="chunks"
        ),
        pytest.param(request("/_sso/sign-in", "Upgrade: h2c"), False, id="an upgrade"),
        pytest.param(request("/_sso/sign-in", method="PROPFIND"), False, id="a strange method"),
        pytest.param(request("/pub/x"), False, id="an application's"),
    ],
)
def test_pages_of_the_gates_own_are_asked_for_at_once(
    shared: Gatehouse, data: bytes, whole: bool
) -> None:
    text, rest = head_of(data)

    assert assert_asked(shared, text, rest, PEER) is whole


def test_a_proxys_question_meets_one_gate(shared: Gatehouse) -> None:
    """Where the lane says yes, the layers say it, and name the same visitor."""
    share: Counter[bool] = Counter()

    @settings(max_examples=600 * TIMES, deadline=None, database=None)
    @given(data=questions(), peer=st.sampled_from((PROXY, PROXY, "", PEER)))
    def meets(data: bytes, peer: str) -> None:
        said, anew = shared.said(data, peer), shared.fresh().said(data, peer)
        share[said is not None] += 1
        if said is None or anew is None:
            assert said is anew, "what was asked before decides"
            return
        layers = shared.relayed(data + b"\r\n\r\n" + SMUGGLED, peer)
        named = [f"{name}: {value}\r\n" for name, value in layers.headers if name[:2] == "X-"]
        assert (layers.status, layers.arrived) == (204, ())
        assert said.granted.told == anew.granted.told == "".join(named).encode("latin-1")
        assert_answered(shared, data, peer)

    meets()

    assert share[True] > 20, share


def test_a_websockets_handshake_meets_one_gate(shared: Gatehouse) -> None:
    share: Counter[bool] = Counter()

    @settings(max_examples=400 * TIMES, deadline=None, database=None)
    @given(data=handshakes(), peer=st.sampled_from(PEERS))
    def meets(data: bytes, peer: str) -> None:
        order = taken(shared, data, peer)
        share[order is not None and order.key != ""] += 1

    meets()

    assert min(share[True], share[False]) > 20, share


@pytest.mark.parametrize(
    ("lines", "peer", "who"),
    [
        pytest.param(["X-Original-URI: /pub/x"], PROXY, b"", id="anybody"),
        pytest.param(["X-Original-URI: /members/x", JOHN], PROXY, b"john", id="somebody"),
        pytest.param(["X-Original-URI: /admin/x?y", SUE], "", b"sue", id="by a unix socket"),
        pytest.param(["X-Original-URI: /lan/x", LOCAL], PROXY, b"", id="somebody from here"),
        pytest.param(["X-Original-URI: /here/x", LOCAL, JOHN], "", b"john", id="both"),
        pytest.param(["X-Original-URI: /lan/x"], PROXY, None, id="somebody from elsewhere"),
        pytest.param(["X-Original-URI: /members/x"], PROXY, None, id="a stranger"),
        pytest.param(["X-Original-URI: /admin/x", JOHN], PROXY, None, id="who may not"),
        pytest.param(["X-Original-URI: /pub/x"], PEER, None, id="to a stranger"),
        pytest.param(["X-Original-URI: /pub/../x", SUE], PROXY, None, id="dots"),
        pytest.param(["X-Original-URI: /pub/%2e", SUE], PROXY, None, id="an escape"),
        pytest.param(["X-Original-URI: /pub/x#y", SUE], PROXY, None, id="a fragment"),
        pytest.param(["X-Original-URI: /pub/x?#y", SUE], PROXY, None, id="one in the query"),
        pytest.param(["X-Original-URI: pub/x", SUE], PROXY, None, id="no slash"),
        pytest.param(["X-Original-URI:", SUE], PROXY, None, id="nothing"),
        pytest.param([SUE], PROXY, None, id="no question"),
        pytest.param(["X-Original-URI: /pub/x"] * 2, PROXY, None, id="two questions"),
        pytest.param(["X-Original-URI: /pub/x", "Content-Length: 0"], PROXY, None, id="a body"),
        pytest.param(["X-Original-URI: /pub/x", "Expect: 100-continue"], PROXY, None, id="Expect"),
    ],
)
def test_a_trusted_proxy_alone_is_told(
    shared: Gatehouse, lines: list[str], peer: str, who: bytes | None
) -> None:
    said = shared.said(head("/_sso/auth", "X-Original-Method: GET", *lines), peer)

    assert (said is not None) is (who is not None)
    assert not who or (said and b"X-Remote-User: %b\r\n" % who in said.granted.told)
    assert shared.said(head("/_sso/auth", *lines), peer) is None, "of no method"
    assert shared.said(head("/_sso/auth", *lines, method="HEAD"), peer) is None


@pytest.mark.parametrize("name", ["john", "sue", "zoe", "almost"])
@pytest.mark.parametrize(
    ("target", "method"),
    [
        *product(("/members/x", "/told/x", "/pub/x", "/app/x"), ("GET", "HEAD", "DELETE")),
        *product(("/override/x", "/v1/x", "/named/x"), ("POST", "PUT", "PATCH", "OPTIONS")),
    ],
)
def test_an_ordinary_visit_takes_the_lane(
    shared: Gatehouse, name: str, target: str, method: str
) -> None:
    for peer in PEERS:
        assert taken(shared, head(target, f"Cookie: a=1; {cookie(name)}", method=method), peer)


def test_the_layers_do_notice(shared: Gatehouse) -> None:
    """What these tests compare with would tell: another path, another visitor, another end."""
    order = shared.order(head("/members/x", JOHN))
    assert order is not None
    ways = [
        shared.relayed(data + b"\r\n\r\n")
        for data in (head("/members/y", JOHN), head("/members/x"))
    ]

    assert ways[0].arrived != (order.request,)
    assert (ways[1].status, ways[1].arrived) == (401, ())
    with pytest.raises(AssertionError):
        assert_relayed(shared, order._replace(close=True), head("/members/x", JOHN), b"", PEER)


# --- What needs no upstream ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "location"),
    [
        pytest.param(head("/go/x", SUE), b"https://elsewhere.example/x", id="signed in"),
        pytest.param(head("/go", SUE), b"https://elsewhere.example/", id="the route itself"),
        pytest.param(
            head("/go/x?a=b&c=%ff", SUE), b"https://elsewhere.example/x?a=b&c=%ff", id="a query"
        ),
        pytest.param(head("/go/x?", SUE), b"https://elsewhere.example/x", id="an empty query"),
        pytest.param(head("/go/x", SUE, method="HEAD"), b"https://elsewhere.example/x", id="HEAD"),
        pytest.param(head("/go/x", SUE, method="POST"), b"https://elsewhere.example/x", id="POST"),
        pytest.param(head("/members/go?a", SUE), b"https://elsewhere.example/", id="no path"),
        pytest.param(head("/members/go"), b"", id="who may not"),
        pytest.param(head("/go/x", SUE, "Content-Length: 3"), b"", id="a body"),
        pytest.param(head("/go/x", SUE, "Transfer-Encoding: chunked"), b"", id="chunks"),
        pytest.param(head("/go/x", SUE, "Expect: 100-continue"), b"", id="an expectation"),
        pytest.param(head("/go/x", SUE, "Upgrade: websocket"), b"", id="an upgrade"),
    ],
)
def test_a_redirect_is_said_at_once(shared: Gatehouse, data: bytes, location: bytes) -> None:
    for _ in range(2):
        said = shared.said(data, PEER)

        assert assert_answered(shared, data, PEER) is bool(location)
        assert said is None or b"\r\nLocation: %b\r\n" % location in said.answer.lines
        assert said is None or said.granted.user == '"sue"'


PUBLISHED = [
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/oauth/certs.php",
]


@pytest.fixture
def publishing(tmp_path: Path) -> Iterator[Gatehouse]:
    with gatehouse(tmp_path / "gate", password={}, provider={}) as opened:
        yield opened


@pytest.mark.parametrize("path", PUBLISHED)
def test_what_is_published_is_said_again(publishing: Gatehouse, path: str) -> None:
    def answered(*lines: str, target: str = path, method: str = "GET", host: str = HOST) -> bool:
        return assert_answered(publishing, head(target, *lines, method=method, host=host), PEER)

    assert not answered(), "nobody has asked for it yet"
    for text in (head(path, method="HEAD"), head(f"{path}?a"), head(path, host="evil.example")):
        publishing.relayed(text + b"\r\n\r\n")
        assert publishing.said(head(path), PEER) is None
    publishing.relayed(head(path) + b"\r\n\r\n")
    assert answered()
    assert answered("Accept: application/json", "Connection: close")
    assert answered("Cookie: theme=dark")
    for line in (JOHN, "Origin: https://x.example", "Content-Length: 0", "Upgrade: h2c"):
        assert not answered(line)
    for method in ("HEAD", "OPTIONS", "POST"):
        assert not answered(method=method)
    for target in (f"{path}?a", f"{path}/", path.replace("o", "%6F"), f"/app{path}"):
        assert not answered(target=target)
    assert not answered(host="evil.example")


def test_what_is_published_is_soon_asked_for_anew() -> None:
    now, said = [0.0], [Response(b"old"), Response(b"new"), Response(b"", 503), Response(b"back")]
    documents = Documents(lambda: now[0])
    endpoint = documents.kept("/x", lambda request: said.pop(0))
    found = []
    for _ in range(4):
        endpoint(Request({"REQUEST_METHOD": "GET"}))
        found.append(documents.get("/x"))
        now[0] += FRESH - 0.001
        assert documents.get("/x") == found[-1]
        now[0] += 0.001
        assert documents.get("/x") is None

    assert [it and it.body for it in found] == [b"old", b"new", None, b"back"]
