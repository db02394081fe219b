"""What the lane lets through, to whom, and for how long: every change of the truth counts at once,
in this process and in any other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssogate.doors import doors
from ssogate.lane.orders import Order
from tests.lane.making import (
    IDLE,
    LIFETIME,
    PEER,
    PROXY,
    SMALL,
    Gatehouse,
    cookie,
    head,
    let_in,
    masked,
    token,
)
from tests.servers import PROJECT
from tests.storage.making import NOW

JOHN, SUE = f"Cookie: {cookie('john')}", f"Cookie: {cookie('sue')}"


def told(order: Order | None, name: str) -> list[str]:
    """What the upstream is told under a header's name."""
    assert order is not None
    lines = order.request.decode("latin-1").split("\r\n")
    return [line.partition(": ")[2] for line in lines if line.startswith(f"{name}: ")]


# --- Where, and whose ----------------------------------------------------------------------------


def test_no_address_of_the_gates_own_takes_the_lane(shared: Gatehouse) -> None:
    own = [*doors(shared.gate).endpoints, "/_sso/", "/_sso/x", "/_sso/x/y", "/sso.php"]
    for path in own:
        for method in ("GET", "POST"):
            for target in (
                path,
                f"{path}?a=b",
                f"{path.rstrip('/')}/x" if path[-1] == "/" else path,
            ):
                assert shared.order(head(target, method=method)) is None
                assert shared.order(head(target, SUE, method=method)) is None


@pytest.mark.parametrize(
    ("target", "method", "host", "who"),
    [
        pytest.param("/", "GET", "app.example", "john sue -", id="public"),
        pytest.param("/members/x", "GET", "app.example", "john sue", id="signed in"),
        pytest.param("/admin/x", "GET", "app.example", "sue", id="a group"),
        pytest.param("/listed/x", "GET", "app.example", "john", id="a user"),
        pytest.param("/here/x", "GET", "app.example", "", id="signed in, by network"),
        pytest.param("/lan/x", "GET", "app.example", "", id="public, by network"),
        pytest.param("/pub/posts/x", "GET", "app.example", "john sue -", id="by method, GET"),
        pytest.param("/pub/posts/x", "POST", "app.example", "sue", id="by method, POST"),
        pytest.param("/pub/x", "GET", "raw.example", "john sue -", id="another host"),
        pytest.param("/members/x", "GET", "raw.example", "", id="closed to everybody"),
        pytest.param("/pub/x", "GET", "evil.example", "", id="a host that is not served"),
        pytest.param("/go/x", "GET", "app.example", "", id="a redirect"),
        pytest.param("/_ssox", "GET", "app.example", "john sue", id="beside our own"),
    ],
)
def test_the_policies_decide(
    shared: Gatehouse, target: str, method: str, host: str, who: str
) -> None:
    lines = {"john": [JOHN], "sue": [SUE], "-": []}
    for _ in range(2):
        found = {
            name: shared.order(head(target, *line, method=method, host=host))
            for name, line in lines.items()
        }

        assert " ".join(name for name, order in found.items() if order) == who


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("john", True),
        pytest.param("due", True, id="its use is to be written down"),
        pytest.param("idle", False, id="idle"),
        pytest.param("over", False, id="expired"),
        pytest.param("off", False, id="of a deactivated user"),
        pytest.param("out", False, id="ended"),
        pytest.param("nobody", False, id="that there never was"),
    ],
)
def test_a_session_counts_while_it_lives(shared: Gatehouse, name: str, taken: bool) -> None:
    for target in ("/members/x", "/pub/x"):
        order = shared.order(head(target, f"Cookie: {cookie(name)}"))

        assert (order is not None) is taken
        assert order is None or told(order, "X-Remote-User") == [name]


def test_the_visitor_is_named_as_the_route_says(shared: Gatehouse) -> None:
    zoe = f"Cookie: {cookie('zoe')}; theme=dark"
    usual, special = shared.order(head("/members/x", zoe)), shared.order(head("/told/x", zoe))

    assert told(usual, "X-Remote-Name") == ["Zoë Ünal".encode().decode("latin-1")]
    assert told(usual, "X-Remote-Groups") == ["staff,ünï".encode().decode("latin-1")]
    assert told(usual, "Cookie") == told(special, "Cookie") == ["theme=dark"]
    assert told(special, "X-Who") == ["zoe"]
    assert told(special, "X-Remote-User") == []
    assert told(shared.order(head("/members/x", zoe, "X-Who: me")), "X-Who") == []


@pytest.mark.parametrize(
    ("peer", "said", "address", "here"),
    [
        pytest.param(PEER, "", PEER, False, id="a stranger"),
        pytest.param(PEER, "10.0.0.1", PEER, False, id="a stranger who claims"),
        pytest.param("10.1.2.3", "", "10.1.2.3", True, id="somebody from here"),
        pytest.param("10.1.2.3", PEER, "10.1.2.3", True, id="somebody from here who claims"),
        pytest.param(PROXY, "", PROXY, False, id="a proxy for itself"),
        pytest.param(PROXY, "10.0.0.1", "10.0.0.1", True, id="a proxy for somebody"),
        pytest.param(PROXY, "10.0.0.1, 192.0.2.1", "192.0.2.1", False, id="for who claims"),
        pytest.param(PROXY, f"192.0.2.1, 10.0.0.1, {PROXY}", "10.0.0.1", True, id="by two"),
        pytest.param(PROXY, "10.0.0.1, unknown", PROXY, False, id="for nobody that it knows"),
        pytest.param("", "10.0.0.1", "10.0.0.1", True, id="a unix socket for somebody"),
        pytest.param("", "", None, False, id="a unix socket for itself"),
        pytest.param("::ffff:10.0.0.1", "", "10.0.0.1", True, id="mapped"),
    ],
)
def test_where_a_visitor_is_decides_and_is_told(
    shared: Gatehouse, peer: str, said: str, address: str | None, here: bool
) -> None:
    line = [f"X-Forwarded-For: {said}"] if said else []
    order = shared.order(head("/pub/x", *line), peer)

    assert told(order, "X-Forwarded-For") == ([address] if address else [])
    for target, who in (("/lan/x", []), ("/here/x", [JOHN])):
        assert (shared.order(head(target, *line, *who), peer) is not None) is here


def test_one_visitors_place_is_not_anothers(shared: Gatehouse) -> None:
    """The same session, now from here, now from elsewhere."""
    data = head("/here/x", JOHN)
    found = [shared.order(data, peer) for peer in ("10.0.0.1", PEER, "10.0.0.2", "", "10.0.0.1")]

    assert [order is not None for order in found] == [True, False, True, False, True]
    assert told(found[2], "X-Forwarded-For") == ["10.0.0.2"]


@pytest.mark.parametrize(
    ("target", "lines", "taken"),
    [
        pytest.param("/small/x", [], None, id="no body"),
        pytest.param("/small/x", ["Content-Length: 0"], 0, id="a body of nothing"),
        pytest.param("/small/x", [f"Content-Length: {SMALL}"], SMALL, id="as much as there may be"),
        pytest.param("/small/x", [f"Content-Length: {SMALL + 1}"], -1, id="a byte more"),
        pytest.param("/pub/x", [f"Content-Length: {2**30}"], 2**30, id="as much as usual"),
        pytest.param("/pub/x", [f"Content-Length: {2**30 + 1}"], -1, id="more than usual"),
        pytest.param("/pub/x", ["Content-Length: 007"], 7, id="zeros in front"),
    ],
)
def test_a_body_is_let_through_by_its_length(
    shared: Gatehouse, target: str, lines: list[str], taken: int | None
) -> None:
    order = shared.order(head(target, *lines, method="POST"))

    assert (order.length if order else -1) == taken
    if order:
        assert told(order, "Content-Length") == ([] if taken is None else [str(taken)])


def test_each_request_has_an_id_of_its_own(shared: Gatehouse) -> None:
    orders = [shared.order(head("/pub/x", "X-Request-Id: mine")) for _ in range(2)]
    ids = [order.request_id for order in orders if order]

    assert len(set(ids)) == 2
    assert [told(order, "X-Request-Id") for order in orders] == [[ids[0]], [ids[1]]]


# --- Changes of the truth ------------------------------------------------------------------------

ELSEWHERE = """
import sys, time
from contextlib import closing
from pathlib import Path
from sqlalchemy import text
from ssogate.storage import SQLiteStore
with closing(SQLiteStore(Path(sys.argv[1]), clock=time.time)) as store:
    store.database.change(text(sys.argv[2]))
"""


def change_here(house: Gatehouse, statement: str) -> None:
    house.change(statement)


def change_elsewhere(house: Gatehouse, statement: str) -> None:
    """By another process."""
    path = house.gate.loaded.base / "var" / "ssogate.sqlite"
    subprocess.run([sys.executable, "-c", ELSEWHERE, path, statement], check=True, cwd=PROJECT)


WHOSE = "WHERE subject = 'sue'"
Change = Callable[[Gatehouse, str], None]


@pytest.mark.parametrize("change", [change_here, change_elsewhere])
@pytest.mark.parametrize(
    ("statement", "still"),
    [
        pytest.param(f"DELETE FROM sessions {WHOSE}", "", id="the session is ended"),
        pytest.param(f"UPDATE users SET active = 0 {WHOSE}", "", id="the user is deactivated"),
        pytest.param(f"DELETE FROM users {WHOSE}", "", id="the user is deleted"),
        pytest.param(f"UPDATE sessions SET expires_at = {NOW} {WHOSE}", "", id="it expires"),
        pytest.param(f"UPDATE sessions SET seen_at = {NOW - IDLE} {WHOSE}", "", id="it is idle"),
        pytest.param(f"UPDATE users SET groups = '' {WHOSE}", "members", id="a group is gone"),
        pytest.param(
            f"UPDATE users SET groups = 'staff,more' {WHOSE}", "members admin", id="one is added"
        ),
    ],
)
def test_a_change_counts_at_the_next_request(
    changing: Gatehouse, change: Change, statement: str, still: str
) -> None:
    heads = {name: head(f"/{name}/x", SUE) for name in ("members", "admin")}
    before = {name: changing.order(data) for name, data in heads.items()}
    other = changing.order(head("/members/x", JOHN))
    assert other is not None
    assert all(changing.still(order) for order in before.values())

    change(changing, statement)
    after = {name: changing.order(data) for name, data in heads.items()}

    assert " ".join(name for name, order in after.items() if order) == still
    assert " ".join(name for name, order in before.items() if changing.still(order)) == still
    assert changing.still(other), "nobody else is concerned"
    assert changing.order(head("/members/x", JOHN))


@pytest.mark.parametrize(
    ("column", "value", "header", "arrives"),
    [
        pytest.param("groups", "b,a", "X-Remote-Groups", "a,b", id="groups"),
        pytest.param("name", "Susan", "X-Remote-Name", "Susan", id="the name"),
        pytest.param("email", "s@y.example", "X-Remote-Email", "s@y.example", id="the address"),
    ],
)
def test_the_upstream_is_told_who_somebody_is_by_now(
    changing: Gatehouse, column: str, value: str, header: str, arrives: str
) -> None:
    data = head("/members/x", SUE)
    before = changing.order(data)
    changing.change(f"UPDATE users SET {column} = '{value}' {WHOSE}")

    assert told(changing.order(data), header) == [arrives] != told(before, header)


@pytest.mark.parametrize(
    ("seconds", "lives"),
    [
        pytest.param(59, True, id="in use"),
        pytest.param(60, True, id="its use is due"),
        pytest.param(IDLE - 1, True, id="nearly idle"),
        pytest.param(IDLE, False, id="idle"),
        pytest.param(LIFETIME, False, id="over"),
        pytest.param(10 * LIFETIME, False, id="long over"),
    ],
)
def test_a_session_ends_by_the_clock(changing: Gatehouse, seconds: int, lives: bool) -> None:
    data = head("/members/x", JOHN)
    before = changing.order(data)
    assert before is not None

    changing.clock.now = NOW + seconds
    assert (changing.order(data) is not None) is lives
    assert changing.still(before) is lives


@pytest.mark.parametrize(
    ("name", "asked", "is_noted"),
    [
        pytest.param("almost", "/members/x", False, id="not due yet"),
        pytest.param("due", "/members/x", True, id="due"),
        pytest.param("due", "/pub/x", True, id="where everybody may be"),
        pytest.param("idle", "/members/x", False, id="of one that has ended"),
    ],
)
def test_a_use_is_noted_and_written_down_later(
    changing: Gatehouse, name: str, asked: str, is_noted: bool
) -> None:
    data, sessions = head(asked, f"Cookie: {cookie(name)}"), changing.gate.store.sessions
    seen = [record.seen_at for record, _ in sessions.listed()]
    changing.order(data)
    assert changing.lane.has_uses is is_noted
    assert [record.seen_at for record, _ in sessions.listed()] == seen, "nobody waits for it"

    changing.lane.write_down()

    assert not changing.lane.has_uses
    assert ([record.seen_at for record, _ in sessions.listed()] != seen) is is_noted
    changing.order(data)
    assert not changing.lane.has_uses, "once a minute"


def test_what_goes_on_is_no_use(changing: Gatehouse) -> None:
    order = changing.order(head("/members/x", JOHN))
    assert order
    changing.clock.now = NOW + 60

    assert changing.still(order)
    assert not changing.lane.has_uses


def test_a_session_ends_in_use_when_its_time_is_over(changing: Gatehouse) -> None:
    seen = f"UPDATE sessions SET seen_at = {NOW + LIFETIME - 1}"
    changing.change(seen)
    changing.clock.now = NOW + LIFETIME - 1
    data = head("/members/x", JOHN)
    last = changing.order(data)
    assert last is not None

    changing.clock.now = NOW + LIFETIME
    assert changing.order(data) is None
    assert not changing.still(last)


def test_what_nobody_has_signed_in_for_goes_on(changing: Gatehouse) -> None:
    order = changing.order(head("/pub/x"))
    assert order is not None
    changing.change("DELETE FROM sessions")
    changing.clock.now += LIFETIME

    assert changing.still(order)
    assert changing.order(head("/pub/x"))


def test_who_cannot_be_asked_about_lets_nobody_through(changing: Gatehouse) -> None:
    """A store that fails means a refusal, which is the layers' to make."""
    order = changing.order(head("/members/x", JOHN))
    assert order is not None
    changing.change("DROP TABLE sessions")

    assert changing.order(head("/members/x", JOHN)) is None
    assert changing.order(head("/pub/x", JOHN)) is None
    assert not changing.still(order)
    assert changing.order(head("/pub/x"))


def test_a_session_that_was_ended_stays_ended_when_its_user_comes_back(changing: Gatehouse) -> None:
    data = head("/members/x", SUE)
    assert changing.order(data)
    changing.change(f"UPDATE users SET active = 0 {WHOSE}")
    assert changing.order(data) is None
    changing.change(f"DELETE FROM sessions {WHOSE}")
    changing.change(f"UPDATE users SET active = 1 {WHOSE}")

    assert changing.order(data) is None


CHANGES = st.sampled_from(
    [
        "DELETE FROM sessions WHERE subject = '{who}'",
        "UPDATE users SET active = 1 - active WHERE subject = '{who}'",
        "UPDATE users SET groups = 'staff' WHERE subject = '{who}'",
        "UPDATE users SET groups = '' WHERE subject = '{who}'",
        "UPDATE users SET name = name || '+' WHERE subject = '{who}'",
        "UPDATE sessions SET seen_at = seen_at - 30 WHERE subject = '{who}'",
        "UPDATE sessions SET expires_at = expires_at - 1700 WHERE subject = '{who}'",
        "UPDATE sessions SET subject = 'zoe' WHERE subject = '{who}'",
    ]
)
WHO = st.sampled_from(["john", "sue", "almost"])
STEPS = st.lists(
    st.tuples(CHANGES, WHO) | st.tuples(st.just("later"), st.integers(1, 70)), max_size=6
)


def test_after_any_changes_lane_and_layers_know_the_same(changing: Gatehouse) -> None:
    share = [0, 0]
    heads = [
        head(target, f"Cookie: {cookie(name)}")
        for name in ("john", "sue", "almost")
        for target in ("/members/x", "/admin/x", "/listed/x")
    ]

    def compare() -> None:
        for data in heads:
            order = changing.order(data)
            share[order is None] += 1
            if order is not None:
                arrived = changing.relayed(data + b"\r\n\r\n").arrived
                assert [*map(masked, arrived)] == [masked(order.request)]
                assert changing.still(order)

    @settings(max_examples=60, deadline=None, database=None)
    @given(steps=STEPS)
    def know_the_same(steps: list[tuple[str, str | int]]) -> None:
        changing.clock.now = NOW
        let_in(changing.gate)
        compare()
        for change, what in steps:
            if isinstance(what, int):
                changing.clock.now += what
            else:
                changing.change(change.format(who=what))
            compare()

    know_the_same()

    assert min(share) > 100


def test_a_session_that_changes_hands_is_its_new_owners(changing: Gatehouse) -> None:
    data = head("/members/x", SUE)
    before = changing.order(data)
    changing.change(f"UPDATE sessions SET subject = 'zoe' {WHOSE}")

    assert told(before, "X-Remote-User") == ["sue"]
    assert told(changing.order(data), "X-Remote-User") == ["zoe"]
    assert token("sue").encode() not in (changing.order(data) or before).request  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("line", "closes"),
    [("X-A: b", True), ("Connection: close", True), ("Connection: keep-alive", False)],
)
def test_http_1_0_takes_the_lane(shared: Gatehouse, line: str, closes: bool) -> None:
    order = shared.order(head("/members/x", JOHN, line).replace(b"HTTP/1.1", b"HTTP/1.0"))

    assert order is not None
    assert (order.old, order.close) == (True, closes)
