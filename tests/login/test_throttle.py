"""Guesses are slowed down, owners are not locked out, and numbers tell nobody who exists."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from ssogate.errors import TooManyTries
from ssogate.login.throttle import CODES, PASSWORDS, Limits, network_of
from ssogate.model import User
from tests.login.forms import DEVICE, Site, environ, token
from tests.storage.making import NOW


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


class Guesser:
    """Somebody at one address, who guesses wrong until told to stop."""

    def __init__(self, site: Site, client: str = "192.0.2.1", cookie: str = "") -> None:
        self.site, self.sent = site, environ(fields={}, client=client, cookie=cookie)

    def guess(self, typed: str, limits: Limits = PASSWORDS) -> None:
        user = self.site.password.people.user(typed)
        self.site.password.throttle.begin(limits, user, self.sent, typed=typed).wrong()

    def guesses(self, typed: str | Callable[[int], str], limits: Limits = PASSWORDS) -> int:
        """How many are let be made, up to 99."""
        for number in range(99):
            try:
                self.guess(typed if isinstance(typed, str) else typed(number), limits)
            except TooManyTries:
                return number
        return 99

    def stopped(self, typed: str) -> bool:
        try:
            self.guess(typed)
        except TooManyTries:
            return True
        return False


@pytest.mark.parametrize("typed", ["joe", "nobody", "nobody@example.com", "in\u200bvisible", ""])
def test_ten_guesses_at_one_name_from_one_address(site: Site, typed: str) -> None:
    site.add()

    assert Guesser(site).guesses(typed) == 10


@pytest.mark.parametrize(
    "spellings",
    [
        pytest.param(["joe", "JOE", "\uff4aoe", "joe@example.com", "JOE@example.COM"], id="known"),
        pytest.param(["nobody", "NOBODY", "n\uff4fbody"], id="unknown"),
        pytest.param(["no@example.com", "NO@EXAMPLE.com"], id="unknown address"),
    ],
)
def test_all_spellings_of_a_name_are_one(site: Site, spellings: list[str]) -> None:
    site.add()

    assert Guesser(site).guesses(lambda number: spellings[number % len(spellings)]) == 10


def test_fifty_guesses_at_any_names_from_one_address(site: Site) -> None:
    site.add()

    assert Guesser(site).guesses(lambda number: f"name-{number}") == 50
    assert Guesser(site).stopped("joe")
    assert not Guesser(site, "192.0.2.2").stopped("joe")


@pytest.mark.parametrize("typed", ["joe", "nobody"])
def test_fifty_guesses_at_one_name_from_anywhere(site: Site, typed: str) -> None:
    site.add()
    made = sum(Guesser(site, f"198.51.100.{number}").guesses(typed) for number in range(8))

    assert made == 50


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param("192.0.2.1", "::ffff:192.0.2.1", True, id="mapped IPv4"),
        pytest.param("192.0.2.1", "192.0.2.2", False, id="neighbours"),
        pytest.param("2001:db8::1", "2001:db8::ffff:1", True, id="one IPv6 line"),
        pytest.param("2001:db8::1", "2001:db8:0:1::1", False, id="two IPv6 lines"),
        pytest.param("", "", True, id="a unix socket"),
    ],
)
def test_a_network_is_what_one_guesser_can_have(
    site: Site, one: str, other: str, same: bool
) -> None:
    Guesser(site, one).guesses("joe")

    assert Guesser(site, other).stopped("joe") is same


def test_networks_are_written_in_one_way() -> None:
    assert network_of(None) == "no address"
    assert network_of(ip_address("192.0.2.1")) == "192.0.2.1"
    assert network_of(ip_address("2001:db8::1")) == "2001:db8::/64"


def test_a_right_guess_makes_up_for_the_wrong_ones_before(site: Site) -> None:
    joe = site.add()
    guesser = Guesser(site)
    for _ in range(9):
        guesser.guess("joe")

    site.password.throttle.begin(PASSWORDS, joe, guesser.sent).right()

    assert guesser.guesses("joe") == 10


def test_a_quarter_of_an_hour_later_the_count_begins_anew(site: Site) -> None:
    guesser = Guesser(site)
    guesser.guesses("joe")

    site.clock.now = NOW + 899
    assert guesser.stopped("joe")
    site.clock.now = NOW + 900
    assert not guesser.stopped("joe")


def test_strangers_cannot_stop_a_browser_that_its_owner_has_used(site: Site) -> None:
    joe = site.add()
    for number in range(8):
        Guesser(site, f"198.51.100.{number}").guesses("joe")
    Guesser(site).guesses(lambda number: f"name-{number}")

    assert Guesser(site).stopped("joe")
    assert not Guesser(site, cookie=site.device(joe)).stopped("joe")


def test_a_known_browser_has_ten_guesses_of_its_own(site: Site) -> None:
    cookie = site.device(site.add())

    assert Guesser(site, cookie=cookie).guesses("joe") == 10
    assert not Guesser(site).stopped("joe")


def forged(known: str) -> list[Any]:
    return [
        pytest.param(f"{DEVICE}={token(8)}", id="of no browser"),
        pytest.param(f"{DEVICE}={token(7)}x", id="too long"),
        pytest.param(f"{DEVICE}={token(7)}; {DEVICE}={token(7)}", id="twice"),
        pytest.param(f"ssogate-device={token(7)}", id="of plain http"),
        pytest.param("", id="none"),
    ]


@pytest.mark.parametrize("cookie", forged("joe"))
def test_a_made_up_browser_is_a_strangers(site: Site, cookie: str) -> None:
    site.device(site.add())
    Guesser(site).guesses("joe")

    assert Guesser(site, cookie=cookie).stopped("joe")


def test_another_persons_browser_is_a_strangers(site: Site) -> None:
    site.add()
    ann = site.add("ann")
    Guesser(site).guesses("joe")

    assert Guesser(site, cookie=site.device(ann)).stopped("joe")


def test_passwords_and_codes_are_counted_apart(site: Site) -> None:
    site.add()
    Guesser(site).guesses("joe")

    assert Guesser(site).guesses("joe", CODES) == 10
    assert Guesser(site, "192.0.2.9").guesses("joe", CODES) == 0
    assert not Guesser(site, "192.0.2.9").stopped("joe")


def test_many_at_once_are_not_more_than_one_after_another(site: Site) -> None:
    joe: User = site.add()
    sent = environ(fields={})

    def begins(_: int) -> bool:
        try:
            site.password.throttle.begin(PASSWORDS, joe, sent)
        except TooManyTries:
            return False
        finally:
            site.store.close()
        return True

    with ThreadPoolExecutor(8) as threads:
        begun = sum(threads.map(begins, range(40)))

    assert begun == 10


def test_a_limit_that_is_reached_is_noted_once(site: Site) -> None:
    joe = site.add()
    Guesser(site).guesses("joe")
    Guesser(site).guesses("joe")

    (line,) = site.store.activity.listed()

    assert (line.actor, line.client, line.action) == ("gate", "192.0.2.1", "sign-in.throttled")
    assert joe.identity.canonical in line.text
    assert "10 wrong guesses in 15 minutes" in line.text


def test_guesses_under_way_do_not_note_it_again(site: Site) -> None:
    guesser = Guesser(site)
    for number in range(49):
        guesser.guess(f"name-{number}")
    begin, sent = site.password.throttle.begin, environ(fields={})
    under_way = [begin(PASSWORDS, None, sent, typed=f"late-{number}") for number in range(3)]

    for guess in under_way:
        guess.wrong()

    assert site.actions == ["sign-in.throttled"]


def test_neither_log_nor_table_holds_what_was_typed(site: Site, tmp_path: Path) -> None:
    Guesser(site).guesses("my-secret-pass")
    site.store.close()

    with sqlite3.connect(tmp_path / "gate.db") as database:
        held = "\n".join(database.iterdump())
    database.close()

    assert "sign-in.throttled" in held
    assert "my-secret-pass" not in held


# --- Programs that ask for somebody ---------------------------------------------------------------


def by_program(site: Site, typed: str) -> bool:
    """Whether a wrong guess is let be made."""
    user = site.password.people.user(typed)
    try:
        site.password.throttle.begin(PASSWORDS, user, None, typed=typed).wrong()
    except TooManyTries:
        return False
    return True


def test_by_a_program_ten_guesses_at_one_person_and_any_number_of_people(site: Site) -> None:
    site.add()

    assert all(by_program(site, f"nobody{number}") for number in range(60))
    assert sum(by_program(site, "joe") for _ in range(60)) == 10


def test_guesses_by_programs_count_for_the_person_and_not_for_a_network(site: Site) -> None:
    site.add()
    for number in range(4):
        for _ in range(10):
            assert not Guesser(site, f"192.0.{number}.1").stopped("joe")
    assert all(by_program(site, "joe") for _ in range(10))

    assert Guesser(site, "198.51.100.1").stopped("joe"), "fifty from everywhere"
    assert not Guesser(site, "198.51.100.1").stopped("nobody")


def test_a_program_that_brings_a_browsers_cookie_is_none(site: Site) -> None:
    assert site.password.throttle.device(site.add(), None) == ""
