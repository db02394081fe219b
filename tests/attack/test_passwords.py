"""Rows D1, D4, D5, C5, E5: who is it, and how often may one ask."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack
from itertools import cycle, islice
from pathlib import Path

import pytest

from ssogate.errors import SignInBusy
from ssogate.login.password.pace import PLACES
from ssogate.login.password.people import find_user
from ssogate.login.throttle import PASSWORDS, Throttle
from ssogate.storage import SQLiteStore
from tests.attack.house import (
    DEVICE,
    PASSWORD,
    SESSION,
    STEP,
    Browser,
    House,
    at_once,
    house_at,
    network,
)
from tests.login.forms import RIGHT, SHA1, WRONG, Site, environ
from tests.servers import Answer, Gunicorn
from tests.storage.making import NOW, Hands

pytestmark = pytest.mark.server

MOST = 10  # wrong guesses of one network at one name


def masked(answer: Answer, username: str) -> tuple[object, ...]:
    """An answer without what is each visitor's own."""
    own = ("Date", "X-Request-Id", "Content-Length")
    headers = [pair for pair in answer.headers if pair[0] not in own]
    return answer.status, headers, answer.text.replace(f'value="{username}"', "")


# --- D1: unknown and wrong ------------------------------------------------------------------------


def _known(house: House) -> str:
    return house.person().identity.username


def _without_password(house: House) -> str:
    return house.person(stored="").identity.username


def _imported(house: House) -> str:
    return house.person(stored=SHA1).identity.username


def _unreadable(house: House) -> str:
    return house.person(stored="$unknown$hash").identity.username


def _inactive(house: House) -> str:
    name = house.person().identity.username
    house.cli("user", "deactivate", name)
    return name


def _boss(house: House) -> str:
    name = house.person().identity.username
    house.cli("admin", "add", name)
    return name


def _owing(house: House) -> str:
    return house.owing(house.person()).identity.username


def _member(house: House) -> str:
    return house.member()


def _impossible(house: House) -> str:
    return "zero\u200bwidth"


KINDS = [
    *(_known, _without_password, _imported, _unreadable, _inactive),
    *(_boss, _owing, _member, _impossible),
]


def test_a_wrong_password_is_answered_as_an_unknown_name_is(house: House) -> None:
    def told(name: str) -> tuple[object, ...]:
        browser = house.browser()
        return *masked(browser.sign_in(name, WRONG), name), browser.holds

    names = {kind.__name__: kind(house) for kind in KINDS}
    unknown, *found = at_once(told, ["nobody-of-this-name", *names.values()])
    assert unknown[0] == 401
    assert dict(zip(names, found, strict=True)) == dict.fromkeys(names, unknown)


# --- D4, D5: one person, one name -----------------------------------------------------------------


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param("ZOË.ONE", id="case"),
        pytest.param("ｚｏë．one", id="width"),
        pytest.param("zoe\u0308.one", id="decomposed"),
        pytest.param("  zoë.one ", id="spaces around"),
        pytest.param("ZOË@XN--BCHER-KVA.example", id="an address, its domain in ASCII"),
        pytest.param("zoë@BÜCHER.example.", id="an address with a last dot"),
        pytest.param("zoe\u0308@bücher。example", id="an address with an ideographic stop"),
    ],
)
def test_every_spelling_is_one_person(house: House, typed: str) -> None:
    if house.store.users.get("zoë.one") is None:
        house.person("zoë.one", email="zoë@bücher.example")
    browser = house.browser()
    browser.sign_in(typed)

    keys = {who.canonical for _, who in house.store.sessions.listed()}
    assert browser.is_in
    assert "zoë.one" in keys


LOOK_ALIKES = [
    "leo.one\0",
    "leo\0x.one",
    "leo\u200b.one",  # zero width
    "leo\u00ad.one",  # soft hyphen
    "leo\u3164.one",  # filler
    "leo\ufe0f.one",  # variation selector
    "\u202eeno.oel",  # right to left
    "leo\n.one",
    "le\u043e.one",  # another script's letter
    "leo.one'--",
    "leo%",
    "leo_one",
    "leo.one@",
    "leo@evil.example@bücher.example",
    '"leo@bücher.example"@bücher.example',
    "leo@bücher.example\u200b",
    "leo+x@bücher.example",
    "leo@sub.bücher.example",
    "leo@bücher.example..",
    "leo@b\u03bccher.example",  # a homograph
    "leo@bucher.example",
]


def test_what_only_looks_like_a_name_is_nobodys(house: House) -> None:
    house.person("leo.one", email="leo@bücher.example")

    def told(typed: str) -> tuple[int, str | None, set[str]]:
        browser = house.browser()
        answer = browser.sign_in(typed)
        return answer.status, answer.header("X-SSOGate-Error"), browser.holds

    found = dict(zip(LOOK_ALIKES, at_once(told, LOOK_ALIKES), strict=True))
    assert found == dict.fromkeys(LOOK_ALIKES, (401, "wrong_password", set()))


def test_an_address_of_two_people_is_nobodys(house: House) -> None:
    for number in range(2):
        house.person(f"twin{number}", email=("Twin@Example.com", "twin@example.COM.")[number])
    browser = house.browser()

    assert browser.sign_in("twin@example.com").status == 401
    assert browser.sign_in("twin0").status == 303


def test_a_name_that_is_anothers_address_leads_to_the_name_alone(house: House) -> None:
    """Who may choose a name cannot take over, or shut out, whoever has the address."""
    house.person("victim", email="victim@example.com")
    thief = house.person("victim@example.com", stored=SHA1)
    house.store.secrets.set_password(thief.identity.subject, SHA1, 0)
    browser, victim = house.browser(), house.browser()
    browser.sign_in("VICTIM@example.com")
    victim.sign_in("victim")

    assert (browser.who, victim.who) == ("victim@example.com", "victim")


def test_whom_an_application_calls_by_anothers_name_is_nobody(house: House) -> None:
    """Who can write to the application's table becomes no user of the gate's own."""
    own = house.person("admin.own", stored="", email="own@example.com")
    house.member("Admin.Own", team="staff")
    house.member("own@example.com")
    browser = house.browser()

    assert browser.sign_in("admin.own").status == 401
    assert house.browser().sign_in("own@example.com").status == 401
    assert browser.holds == set()
    assert house.store.users.get("admin.own") == own


# --- C5: whose session is it ----------------------------------------------------------------------


def test_a_planted_session_id_is_not_the_one_that_opens(house: House) -> None:
    browser, attacker = house.browser(), house.browser()
    planted = dict.fromkeys((SESSION, STEP), "A" * 43)
    browser.cookies.update(planted)
    attacker.cookies.update(planted)
    browser.sign_in(house.person())

    assert browser.is_in
    assert browser.cookies[SESSION] != "A" * 43
    assert not attacker.is_in


def test_signing_in_over_anothers_session_ends_it_and_inherits_nothing(house: House) -> None:
    boss, guest = house.person(groups=frozenset({"staff"})), house.person()
    browser, attacker = house.browser(), house.browser()
    browser.sign_in(boss)
    attacker.cookies.update(browser.cookies)
    browser.sign_in(guest)

    assert browser.who == guest.identity.username
    assert browser.ask("/admin/x").status == 403
    assert attacker.everywhere() == {401}


def test_a_wrong_password_leaves_the_session_as_it_was(house: House) -> None:
    browser = house.browser()
    browser.sign_in(house.person())
    before = dict(browser.cookies)
    browser.sign_in(house.person(), WRONG)

    assert browser.cookies == before
    assert browser.is_in


# --- E5: throttling -------------------------------------------------------------------------------


def counted(house: House, name: str, clients: list[str]) -> None:
    """Let wrong guesses at a name have been made: each from one of `clients`."""
    throttle = Throttle(house.store, time.time, DEVICE)
    for client in clients:
        asked = environ(fields={}, client=client)
        throttle.begin(PASSWORDS, find_user(house.store.users, name), asked, typed=name).wrong()


def guess(browsers: list[Browser], names: list[str]) -> Counter[int]:
    """Five wrong guesses at once, by each browser and at each name in turn."""
    pairs = [*zip(islice(cycle(browsers), 5), cycle(names), strict=False)]
    answers = at_once(lambda pair: pair[0].sign_in(pair[1], WRONG), pairs)
    return Counter(answer.status for answer in answers)


TWO_LEFT = MOST - 2
THEN_NO_MORE = {401: 2, 429: 3}


def test_all_workers_and_all_spellings_count_together(house: House) -> None:
    who = house.person("tess.one", email="tess@bücher.example")
    browser = house.browser()
    counted(house, "ｔess.one", [browser.client] * TWO_LEFT)
    spellings = ["TESS.one", " tess.one", "Tess@bücher.example", "tess@XN--BCHER-KVA.example."]

    assert guess([browser], spellings) == THEN_NO_MORE
    right, wrong = browser.sign_in(who), browser.sign_in(who, WRONG)
    assert right.status == 429, "the right one is refused alike"
    assert masked(right, "tess.one") == masked(wrong, "tess.one")
    assert browser.holds == set()
    assert house.browser().sign_in(who).status == 303, "another network is not his"


def test_a_name_that_nobody_has_is_throttled_alike(house: House) -> None:
    told = []
    for name in (house.person().identity.username, "nobody.at.all"):
        browser = house.browser()
        counted(house, name, [browser.client] * TWO_LEFT)

        assert guess([browser], [name, name.upper()]) == THEN_NO_MORE
        told.append(masked(browser.sign_in(name), name))

    assert told[0] == told[1]


@pytest.mark.parametrize(
    "clients",
    [
        pytest.param([f"2001:db8:7:1:{n:x}::{n:x}" for n in range(1, 9)], id="an IPv6 line"),
        pytest.param(["198.51.100.7", "::ffff:198.51.100.7", "::FFFF:c633:6407"], id="mapped IPv4"),
        pytest.param(
            ["198.51.100.8", "1.2.3.4, 198.51.100.8", "::1,198.51.100.8"], id="what it says itself"
        ),
    ],
)
def test_one_guesser_has_one_count(house: House, clients: list[str]) -> None:
    name = house.person().identity.username
    counted(house, name, [clients[0]] * TWO_LEFT)

    assert guess([house.browser(client) for client in clients], [name]) == THEN_NO_MORE


def test_nobody_chooses_a_network_where_no_proxy_is_trusted(echo: Gunicorn, tmp_path: Path) -> None:
    upstream = echo.url("").rstrip("/")
    with house_at(tmp_path / "gate", upstream, trusted_proxies=[]) as bare:
        name = bare.person().identity.username
        counted(bare, name, ["127.0.0.1"] * TWO_LEFT)

        assert guess([bare.browser() for _ in range(5)], [name]) == THEN_NO_MORE


def test_neighbours_are_others(house: House) -> None:
    who = house.person()
    counted(house, who.identity.username, ["2001:db8:8:1::1"] * MOST)

    assert house.browser("2001:db8:8:1::2").sign_in(who).status == 429
    assert house.browser("2001:db8:8:2::1").sign_in(who).status == 303


def test_the_owner_comes_in_by_a_known_browser_while_many_networks_guess(house: House) -> None:
    who = house.person()
    owner, stranger = house.browser(), house.browser()
    owner.sign_in(who)
    owner.cookies.pop(SESSION)
    counted(house, who.identity.username, [network() for _ in range(48)])

    assert set(guess([house.browser() for _ in range(5)], [who.identity.username])) == {401}
    assert house.browser().sign_in(who).status == 429
    assert owner.sign_in(who).status == 303
    stranger.cookies[DEVICE] = "A" * 43
    assert stranger.sign_in(who).status == 429


def test_a_try_that_was_not_looked_at_does_not_count(tmp_path: Path) -> None:
    """Who finds the machine busy, because somebody keeps it so, is not shut out for it."""
    site = Site(tmp_path)
    site.add()
    with ExitStack() as others:
        for _ in range(PLACES):
            others.enter_context(site.password.pace.places.turn())
        for _ in range(MOST + 1):
            with pytest.raises(SignInBusy):
                site.sign_in()

    assert site.sign_in().assertion.username == "Joe"
    site.store.close()


def test_random_names_do_not_fill_the_store(tmp_path: Path) -> None:
    clock = Hands()
    store = SQLiteStore(tmp_path / "gate.db", clock=clock)
    throttle = Throttle(store, clock, DEVICE)
    sizes = []
    for number in range(200):
        clock.now += 180
        asked = environ(fields={}, client=network())
        throttle.begin(PASSWORDS, None, asked, typed=f"name{number}").wrong()
        if number % 20 == 19:
            sizes.append(len(rows(store)))

    assert max(sizes) <= 20 + 2 * 5 + 5, "those of the last hour, and of the last quarter"
    assert clock.now > NOW
    store.close()


def rows(store: SQLiteStore) -> list[str]:
    with store.database.connected() as connection:
        return list(connection.exec_driver_sql("SELECT key FROM counters").scalars())


def test_a_name_of_any_length_and_kind_takes_as_much_room(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "gate.db", clock=Hands())
    throttle = Throttle(store, Hands(), DEVICE)
    for name in ("x", "x" * 255, "\0", "\udcff", "\U0010ffff" * 255):
        throttle.begin(PASSWORDS, None, environ(fields={}), typed=name).wrong()

    assert {len(key) for key in rows(store)} == {64}
    store.close()


def test_a_form_that_is_no_form_costs_nothing(house: House) -> None:
    who = house.person()
    browser = house.browser()
    long = browser.post(PASSWORD, username="x" * 300, password=RIGHT, return_to="/")
    none = browser.post(PASSWORD, username=who.identity.username, return_to="/")
    for _ in range(MOST + 2):
        browser.post(PASSWORD, username=who.identity.username, return_to="/")

    assert (long.status, none.status) == (400, 400)
    assert browser.sign_in(who).status == 303
