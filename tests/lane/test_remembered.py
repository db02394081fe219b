"""What visitors and upstreams can make up does not fill the memory: however many of them come, few
are remembered, and what was remembered long ago is still right."""

from __future__ import annotations

import gc
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import pytest

from ssogate.http.cookies import session_key
from ssogate.lane.answers import Answers
from ssogate.lane.judge import Lane
from ssogate.lane.orders import Order, peer_at
from ssogate.model import Identity, Session, SessionRecord
from tests.attack.stage import COOKIE
from tests.lane.making import PEER, PROXY, Gatehouse, cookie, head, masked
from tests.storage.making import NOW

MANY = 60_000
MOST_ENTRIES = 50_000
"""What the caches that a test fills may hold in their two generations; less than is poured in."""
MOST_BYTES = 32 * 2**20

_NOT_OURS = (type, ModuleType, FunctionType, BuiltinFunctionType)


@dataclass
class Held:
    """What an object leads to: the entries of its containers, and the bytes of its texts."""

    entries: int = 0
    size: int = 0


def held(root: object) -> Held:
    """Measure what `root` leads to, through closures, too, but into no module."""
    found, seen, waiting = Held(), set[int](), deque[Any]([root])
    while waiting:
        it = waiting.popleft()
        if id(it) in seen:
            continue
        seen.add(id(it))
        if isinstance(it, dict | set | list | deque):
            found.entries += len(it)
        if isinstance(it, bytes | str):
            found.size += sys.getsizeof(it)
        waiting.extend(_led_to(it))
    return found


def _led_to(it: object) -> list[Any]:
    if isinstance(it, FunctionType):
        return [*(it.__closure__ or ()), *(it.__defaults__ or ())]
    if isinstance(it, MethodType):
        return [it.__self__]
    return [] if isinstance(it, _NOT_OURS) else gc.get_referents(it)


def assert_bounded(before: Held, after: Held, most: int = MOST_ENTRIES) -> None:
    assert after.entries - before.entries < most
    assert after.size - before.size < MOST_BYTES


@pytest.fixture
def lane(changing: Gatehouse) -> Lane:
    return changing.fresh().lane


def test_this_measure_sees_what_a_lane_remembers(lane: Lane, changing: Gatehouse) -> None:
    """It would tell: each line, path and visit leaves something behind."""
    peer, sizes = peer_at(PEER), [held(lane).entries]
    for number in range(3):
        assert lane.order(head(f"/pub/{number}", f"X-A: {number}"), peer)
        sizes.append(held(lane).entries)

    assert sizes == sorted(set(sizes))
    assert held(lane).size > 0


# --- What visitors make up -----------------------------------------------------------------------


def paths() -> Iterator[bytes]:
    return (head(f"/pub/{number}") for number in range(MANY))


def lines() -> Iterator[bytes]:
    for number in range(0, 200_000, 50):
        yield head("/pub/x", *(f"X-A{n}: {number + n}" for n in range(50)))


def repeated() -> Iterator[bytes]:
    """Heads that come again."""
    for number in range(0, 50 * 4000, 50):
        text = head("/pub/x", *(f"X-A{n}: {number + n}" for n in range(50)))
        yield from (text, text)


def names() -> Iterator[bytes]:
    for number in range(0, MANY, 50):
        yield head("/pub/x", *(f"X-{number + n}: a" for n in range(50)))


def hosts() -> Iterator[bytes]:
    return (head("/pub/x", host=f"h{number}.wild.example") for number in range(MANY // 2))


def queries() -> Iterator[bytes]:
    return (head(f"/pub/x?{number}") for number in range(MANY))


def strangers() -> Iterator[bytes]:
    """Tokens that the gate never gave, and other cookies."""
    for number in range(MANY // 20):
        yield head("/pub/x", f"Cookie: {COOKIE}={number:043d}")
        yield head("/pub/x", f"Cookie: a={number}")


def long_ones() -> Iterator[bytes]:
    for number in range(6000):
        yield head(f"/pub/{'a' * 7000}{number}")
        yield head("/pub/x", f"X-A: {'b' * 7000}{number}", f"X-{'c' * 110}{number}: d")


def visitors() -> Iterator[bytes]:
    """Of whom a proxy tells."""
    for number in range(MANY):
        yield head(
            "/pub/x", f"X-Forwarded-For: 10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        )


def questions() -> Iterator[bytes]:
    """Of a proxy, which passes on what visitors ask it for."""
    for number in range(MANY):
        asked = (f"X-Original-URI: /pub/{number}", "X-Original-Method: GET")
        yield head("/_sso/auth", *asked)


@pytest.mark.parametrize(
    "made",
    [paths, lines, repeated, names, hosts, queries, strangers, visitors, long_ones, questions],
)
def test_what_visitors_make_up_is_forgotten(lane: Lane, made: Any) -> None:
    peer, proxy = peer_at(PEER), peer_at(PROXY)
    data = head("/pub/x", "X-A: b")
    first = lane.order(data, peer)
    before = held(lane)
    for text in made():
        lane.order(text, proxy)
    last = lane.order(data, peer)

    assert_bounded(before, held(lane))
    assert isinstance(first, Order)
    assert isinstance(last, Order)
    assert masked(first.request) == masked(last.request)


def test_the_addresses_that_proxies_tell_are_forgotten(lane: Lane) -> None:
    peer = peer_at("")
    before = held(lane)
    for number in range(MANY):
        said = f"X-Forwarded-For: 10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        assert lane.order(head("/lan/x", said), peer)

    assert_bounded(before, held(lane))


def test_many_people_at_many_places_are_forgotten(changing: Gatehouse) -> None:
    """More sessions than anybody keeps, all of them live."""
    lane, keeper, peer = changing.fresh().lane, changing.gate.keeper, peer_at(PEER)
    changes = changing.gate.store.sessions.changes()
    before = held(lane)
    for number in range(MANY):
        token, name = f"{number:043d}", f"u{number}"
        who = Identity(name, name, name, name, "", frozenset({"staff"}))
        record = SessionRecord(session_key(token), name, "members", "", NOW, NOW, NOW + 3600)
        keeper.memory.keep(Session(record, who, token), changes, NOW)
        order = lane.order(head(f"/admin/{number % 7}", f"Cookie: {COOKIE}={token}"), peer)
        assert isinstance(order, Order)
        assert f"X-Remote-User: {name}\r\n".encode() in order.request

    # Lines, passes and, which the keeper bounds, sessions.
    assert_bounded(before, held(lane), 80_000)


def test_who_visits_all_the_time_is_found_among_many(lane: Lane) -> None:
    peer = peer_at(PEER)
    data = head("/members/x", f"Cookie: {cookie('john')}")
    for number in range(MANY // 2):
        lane.order(head(f"/pub/{number}", f"X-A: {number}"), peer)
        if number % 100 == 0:
            order = lane.order(data, peer)
            assert isinstance(order, Order)
            assert b"\r\nX-Remote-User: john\r\n" in order.request


# --- What upstreams make up ----------------------------------------------------------------------


def heads(*, lines: int, of: int, size: int = 0) -> Iterator[bytes]:
    fill = "a" * size
    for number in range(0, of, lines):
        made = (f"X-{n}: {number + n}{fill}" for n in range(lines))
        text = "\r\n".join(("HTTP/1.1 200 OK", "Content-Length: 5", *made, "\r\n"))
        yield text.encode()


def dates() -> Iterator[bytes]:
    for number in range(MANY):
        yield b"HTTP/1.1 200 OK\r\nDate: %d\r\nContent-Length: 5\r\n\r\n" % number


def lengths() -> Iterator[bytes]:
    for number in range(MANY):
        yield b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % number


def caching() -> Iterator[bytes]:
    for number in range(MANY):
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nVary: X-%d\r\n\r\n" % number


def own_cookies() -> Iterator[bytes]:
    for number in range(MANY):
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nSet-Cookie: a=%d\r\n\r\n" % number


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(lambda: heads(lines=50, of=200_000), id="lines"),
        pytest.param(lambda: heads(lines=50, of=MANY, size=900), id="long lines"),
        pytest.param(lambda: heads(lines=2, of=MANY, size=200), id="heads"),
        pytest.param(dates, id="dates"),
        pytest.param(lengths, id="lengths"),
        pytest.param(caching, id="caching"),
        pytest.param(own_cookies, id="cookies"),
    ],
)
def test_what_upstreams_make_up_is_forgotten(made: Any) -> None:
    answers = Answers()
    before = held(answers)
    for number, text in enumerate(made()):
        found = answers.read(text, "GET", number % 2 == 0, str)
        assert found.reusable

    assert_bounded(before, held(answers))


def test_cookies_that_upstreams_set_are_not_remembered() -> None:
    """They may be somebody's key to the app."""
    answers = Answers()
    for private in (True, False):
        text = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nsEt-cookie: id=the-secret\r\n\r\n"
        assert b"the-secret" in answers.read(text, "GET", private, str).lines

    assert not any(b"the-secret" in it for it in texts(answers))


def texts(root: object) -> list[bytes]:
    found, seen, waiting = [], set[int](), deque[Any]([root])
    while waiting:
        it = waiting.popleft()
        if id(it) not in seen:
            seen.add(id(it))
            found += [it] if isinstance(it, bytes) else []
            waiting.extend(_led_to(it))
    return found
