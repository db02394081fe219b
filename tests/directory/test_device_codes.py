"""A device's code and a person's: who answers first, who asks too often, who comes too late."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pytest

from ssogate.directory.device_codes import (
    INTERVAL,
    LETTERS,
    LIFETIME,
    Answer,
    NotYet,
    Wish,
    approve,
    begin,
    deny,
    poll,
    shown,
    spend,
    user_code,
    wished,
)
from ssogate.directory.grants import revoke_all
from ssogate.model import Grant, User
from ssogate.storage import SQLiteStore
from tests.directory.making import SUE, actions
from tests.storage.granting import SHOP, WIKI, grant, joe_and_wiki
from tests.storage.making import NOW, Hands

CODE = "BCDFGHJK"
WISH = Wish("k1", WIKI, frozenset({"openid", "email"}), ("urn:x",), NOW + LIFETIME)


class Living:
    """A television, and Joe on the sofa."""

    def __init__(self, store: SQLiteStore, joe: User) -> None:
        self.store, self.joe, self.now = store, joe, NOW
        begin(store, WISH, CODE)

    def asks(self, client: str = WIKI) -> Grant | Answer:
        """What the television is told, some time after it asked last."""
        self.now += INTERVAL
        try:
            given, person = poll(self.store, WISH.key, client=client, now=self.now)
        except NotYet as told:
            return told.answer
        assert person == self.joe.identity
        return given

    def approves(self, typed: str = CODE) -> bool:
        given = replace(grant(self.joe, session=None), until=NOW + 5000)
        return approve(self.store, typed, given, by=SUE, now=self.now)


@pytest.fixture
def living(tmp_path: Path) -> Living:
    store = SQLiteStore(tmp_path / "gate.db", clock=Hands())
    return Living(store, joe_and_wiki(store))


def test_a_code_is_of_letters_that_nothing_else_looks_like() -> None:
    letters = cycle(LETTERS)
    assert user_code(lambda _: next(letters)) == CODE
    assert shown(CODE) == "BCDF-GHJK"
    assert not set("AEIOU0125") & set(LETTERS)


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param("BCDF-GHJK", id="as-shown"),
        pytest.param("bcdfghjk", id="small"),
        pytest.param(" b c d f  g h j k\u2013", id="spaced"),
    ],
)
def test_a_person_may_spell_a_code_in_many_ways(living: Living, typed: str) -> None:
    assert wished(living.store, typed, now=NOW) == WISH


@pytest.mark.parametrize(
    ("typed", "now"),
    [
        pytest.param("BCDFGHJL", NOW, id="another"),
        pytest.param("", NOW, id="nothing"),
        pytest.param("BCDFGHJ", NOW, id="short"),
        pytest.param(CODE, NOW + LIFETIME, id="over"),
    ],
)
def test_another_code_and_an_old_one_lead_nowhere(living: Living, typed: str, now: int) -> None:
    assert wished(living.store, typed, now=now) is None


def test_a_device_waits_until_the_person_has_answered(living: Living) -> None:
    assert living.asks() is Answer.PENDING
    assert living.approves()
    granted = living.asks()
    assert isinstance(granted, Grant)
    assert granted.subject == living.joe.identity.subject
    assert "device.approved" in actions(living.store)


def test_who_denies_is_believed(living: Living) -> None:
    assert deny(living.store, CODE, by=SUE, now=living.now)
    assert living.asks() is Answer.DENIED
    assert "device.denied" in actions(living.store)


def test_a_code_is_answered_once(living: Living) -> None:
    assert living.approves()
    assert not deny(living.store, CODE, by=SUE, now=living.now)
    assert not living.approves()
    assert wished(living.store, CODE, now=living.now) is None
    assert isinstance(living.asks(), Grant)
    assert actions(living.store).count("device.approved") == 1


def test_a_late_answer_is_none(living: Living) -> None:
    living.now = NOW + LIFETIME
    assert not living.approves()
    assert not deny(living.store, CODE, by=SUE, now=living.now)
    assert living.store.grants.listed() == []


def test_a_device_that_comes_too_late_is_told_so(living: Living) -> None:
    living.now = NOW + LIFETIME
    assert living.asks() is Answer.EXPIRED


def test_a_device_that_asks_too_often_is_slowed_down(living: Living) -> None:
    assert living.asks() is Answer.PENDING
    living.now -= INTERVAL - 1
    assert living.asks() is Answer.SLOW_DOWN


def test_another_client_learns_nothing_from_a_code(living: Living) -> None:
    assert living.approves()
    assert living.asks(client=SHOP) is Answer.UNKNOWN


def test_a_grant_that_went_meanwhile_gives_nothing(living: Living) -> None:
    assert living.approves()
    living.store.clients.delete(1)
    assert living.asks() is Answer.UNKNOWN


def _revoke(living: Living) -> None:
    revoke_all(living.store, subject=living.joe.identity.subject, by=SUE, now=living.now)


def _deactivate(living: Living) -> None:
    living.store.users.update(replace(living.joe, active=False))


def _time_passes(living: Living) -> None:
    living.now = NOW + LIFETIME - INTERVAL - 1


@pytest.mark.parametrize(
    ("change", "lasts"),
    [
        pytest.param(_revoke, LIFETIME, id="revoked"),
        pytest.param(_deactivate, LIFETIME, id="user-not-welcome"),
        pytest.param(_time_passes, 100, id="too-old"),
    ],
)
def test_what_was_approved_must_still_count(
    living: Living, change: Callable[[Living], None], lasts: int
) -> None:
    given = replace(grant(living.joe, session=None), until=NOW + lasts)
    assert approve(living.store, CODE, given, by=SUE, now=NOW)
    granted = living.asks()
    assert isinstance(granted, Grant)
    change(living)

    assert living.asks() is Answer.UNKNOWN
    assert not spend(living.store, WISH.key, granted, now=living.now)


def test_of_many_who_redeem_one_succeeds(living: Living) -> None:
    assert living.approves()
    (given,) = living.store.grants.listed()
    with ThreadPoolExecutor(8) as threads:
        won = list(threads.map(lambda _: spend(living.store, WISH.key, given, now=NOW), range(16)))
    assert won.count(True) == 1
    assert living.asks() is Answer.UNKNOWN
