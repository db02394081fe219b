"""The lane where sessions are on another machine: it never waits, never believes what is out of
date, and says whom it does not know."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from ssogate.errors import GateError, SessionsUnavailable, StoreFailure
from ssogate.http.cookies import session_key
from ssogate.lane.judge import Lane
from ssogate.lane.orders import REFUSED, Found, Order, Said, Unknown, peer_at
from ssogate.storage.polled import MAX_AGE
from tests.databases import PostgreSQL
from tests.lane.making import LIFETIME, PEER, PROXY, Gatehouse, cookie, gatehouse, head, token
from tests.storage.making import NOW

pytestmark = pytest.mark.server

SUE = f"Cookie: {cookie('sue')}"
SUES = token("sue")
MEMBERS = head("/members/x", SUE)
ADMIN = head("/admin/x", SUE)
HIS = "WHERE subject = 'sue'"


@pytest.fixture
def house(postgresql: PostgreSQL, tmp_path: Path) -> Iterator[Gatehouse]:
    with gatehouse(tmp_path / "gate", store=postgresql.store(tmp_path)) as made:
        yield made


def judged(house: Gatehouse, data: bytes, found: Found | None = None) -> Any:
    return house.lane.order(data, peer_at(PEER), found)


def known(house: Gatehouse, data: bytes = MEMBERS) -> Order:
    """Have somebody looked up until the lane knows them: what a change has made void is asked for
    anew first."""
    deadline = time.monotonic() + 20
    while not isinstance(order := judged(house, data), Order):
        assert time.monotonic() < deadline
        house.lane.look_up(SUES)
        time.sleep(0.002)
    return order


# --- Who is unknown is looked up ------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(MEMBERS, id="a page"),
        pytest.param(head("/members/go", SUE), id="a redirect"),
        pytest.param(
            head(
                "/ws/x",
                SUE,
                "Connection: Upgrade",
                "Upgrade: websocket",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            ),
            id="a WebSocket",
        ),
        pytest.param(head("/members/x", SUE, "Content-Length: 3", method="POST"), id="with a body"),
    ],
)
def test_who_is_unknown_is_looked_up_and_then_known(house: Gatehouse, data: bytes) -> None:
    assert judged(house, data) == Unknown(SUES)

    found = house.lane.look_up(SUES)

    order = judged(house, data, found)
    assert isinstance(order, Order | Said)
    assert order.granted.user == '"sue"'
    known(house)
    assert isinstance(judged(house, data), Order | Said)


def test_a_proxys_question_is_answered_for_who_was_looked_up(house: Gatehouse) -> None:
    data = head("/_sso/auth", SUE, "X-Original-URI: /members/x", "X-Original-Method: GET")
    proxy = peer_at(PROXY)
    assert house.lane.order(data, proxy) == Unknown(SUES)

    assert isinstance(house.lane.order(data, proxy, house.lane.look_up(SUES)), Said)


def test_who_asks_for_what_is_forbidden_is_refused(house: Gatehouse) -> None:
    data = head("/listed/x", SUE)

    assert judged(house, data, house.lane.look_up(SUES)) is REFUSED


def test_nobody_has_to_be_looked_up_for_what_everybody_may_have(house: Gatehouse) -> None:
    assert isinstance(judged(house, head("/pub/x")), Order)


@pytest.mark.parametrize("name", ["off", "out", "idle", "over", "nobody"])
def test_who_has_no_session_is_left_to_the_layers(house: Gatehouse, name: str) -> None:
    data = head("/members/x", f"Cookie: {cookie(name)}")
    assert judged(house, data) == Unknown(token(name))

    found = house.lane.look_up(token(name))

    assert found == Found(token(name), None)
    assert judged(house, data, found) is None
    assert judged(house, data) == Unknown(token(name)), "nor is anything remembered"


def test_what_was_found_of_another_says_nothing(house: Gatehouse) -> None:
    johns = house.lane.look_up(token("john"))
    assert johns.session

    assert judged(house, MEMBERS, johns) is None
    order = known(house)
    assert house.lane.still(order, Found(token("john"), None)) is not False


def test_a_use_is_written_down_later_and_then_looked_up(house: Gatehouse) -> None:
    due = token("due")
    data = head("/members/x", f"Cookie: {cookie('due')}")
    assert isinstance(judged(house, data, house.lane.look_up(due)), Order)
    assert house.lane.has_uses

    house.lane.write_down()

    read = house.gate.store.sessions.get(session_key(due))
    assert read
    assert read[0].seen_at == NOW
    assert judged(house, data) == Unknown(due)
    assert isinstance(judged(house, data, house.lane.look_up(due)), Order)
    assert not house.lane.has_uses


def test_a_store_that_fails_lets_nobody_in(
    house: Gatehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = known(house)

    def fail(key: str) -> None:
        raise StoreFailure("gone")

    monkeypatch.setattr(house.gate.store.sessions, "get", fail)
    assert house.lane.look_up(SUES) == Found(SUES, None)
    assert judged(house, MEMBERS, house.lane.look_up(SUES)) is None
    with pytest.raises(SessionsUnavailable):
        house.lane.look(SUES)
    house.change("DELETE FROM spent")
    time.sleep(MAX_AGE)
    assert house.lane.still(order) in (True, Unknown(SUES)), "nobody has said that it is over"


def test_the_lane_itself_asks_nobody(house: Gatehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    order = known(house)

    def wait(*values: object) -> None:
        raise AssertionError("it waits")

    for name in ("rows", "write", "transaction", "connected"):
        monkeypatch.setattr(house.gate.store.database, name, wait)  # type: ignore[attr-defined]
    for _ in range(100):
        assert isinstance(judged(house, MEMBERS), Order | Unknown)
        assert house.lane.still(order) in (True, Unknown(SUES))
        time.sleep(0.001)


# --- The truth ------------------------------------------------------------------------------------

CHANGES = pytest.mark.parametrize(
    "statement",
    [
        pytest.param(f"DELETE FROM sessions {HIS}", id="the session is ended"),
        pytest.param(f"UPDATE users SET active = false {HIS}", id="the user is deactivated"),
        pytest.param(f"DELETE FROM users {HIS}", id="the user is deleted"),
        pytest.param(f"UPDATE users SET groups = '' {HIS}", id="the group is gone"),
    ],
)


@CHANGES
def test_a_change_by_another_process_counts_in_time(house: Gatehouse, statement: str) -> None:
    known(house)
    before = known(house, ADMIN)

    house.change(statement)
    changed = time.monotonic()

    asked = time.monotonic()
    while asked < changed + 4 * MAX_AGE:
        verdict, goes_on = judged(house, ADMIN), house.lane.still(before)
        if asked > changed + MAX_AGE:
            assert verdict == Unknown(SUES)
            assert goes_on == Unknown(SUES)
        asked = time.monotonic()
    assert judged(house, ADMIN, house.lane.look_up(SUES)) in (None, REFUSED)
    assert house.lane.still(before, house.lane.look(SUES)) is False


@CHANGES
def test_a_change_by_this_process_counts_at_once(house: Gatehouse, statement: str) -> None:
    before = known(house, ADMIN)
    database: Any = house.gate.store.database  # type: ignore[attr-defined]
    database.change(text(statement))

    assert judged(house, ADMIN) == Unknown(SUES)
    assert house.lane.still(before) == Unknown(SUES)
    assert judged(house, ADMIN, house.lane.look_up(SUES)) in (None, REFUSED)
    assert house.lane.still(before, house.lane.look(SUES)) is False


def test_what_was_read_before_a_change_is_not_kept_as_what_is_true_after_it(
    house: Gatehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = house.gate.store.sessions
    read = sessions.get
    before = known(house)

    def slow(key: str) -> Any:
        found, number = read(key), sessions.changes()
        house.change(f"DELETE FROM sessions {HIS}")
        while sessions.changes() in (None, number):
            time.sleep(0.001)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(sessions, "get", slow)
        assert house.lane.look(SUES).session, "it was there, when it was asked for"

    for _ in range(100):
        assert judged(house, MEMBERS) == Unknown(SUES)
        assert house.lane.still(before) == Unknown(SUES)
        time.sleep(0.001)


def test_the_layers_know_at_once_whatever_is_remembered(house: Gatehouse) -> None:
    known(house)
    house.change(f"DELETE FROM sessions {HIS}")

    assert house.gate.keeper.find(SUES) is None
    assert house.relayed(MEMBERS + b"\r\n\r\n").status in (302, 303, 401)


@pytest.mark.parametrize("seconds", [600, LIFETIME])
def test_a_session_ends_by_the_clock(house: Gatehouse, seconds: int) -> None:
    order = known(house)
    house.clock.now = NOW + seconds

    assert not isinstance(judged(house, MEMBERS), Order)
    assert house.lane.still(order) is not True
    assert house.lane.still(order, house.lane.look(SUES)) is False


def test_a_lost_server_is_told_of_by_nobody_but_the_layers(tmp_path: Path) -> None:
    with (
        PostgreSQL() as server,
        gatehouse(tmp_path / "gate", store=server.store(tmp_path)) as house,
    ):
        order = known(house)
        server.stop()
        time.sleep(MAX_AGE)
        assert judged(house, MEMBERS) == Unknown(SUES)
        assert judged(house, MEMBERS, house.lane.look_up(SUES)) is None
        assert house.lane.still(order) == Unknown(SUES)
        with pytest.raises(GateError):
            house.lane.look(SUES)

        server.start()
        known(house)


def test_lanes_without_a_keeper_know_nobody(house: Gatehouse) -> None:
    lane: Lane = house.lane
    lane._keeper = None

    assert judged(house, MEMBERS) is None
    assert lane.look_up(SUES) == Found(SUES, None)
