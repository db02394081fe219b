"""Row C7: where a second factor is owed, no door opens without it, and a code works once."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from ssogate.crypto.totp import PERIOD
from ssogate.model import User
from tests.attack.house import (
    ACCOUNT,
    DEVICE,
    FACTOR,
    FORM,
    OURS,
    RECOVERY,
    SESSION,
    STEP,
    Browser,
    House,
    at_once,
    code,
    within_one_step,
)
from tests.attack.stage import PAGE
from tests.login.forms import RIGHT
from tests.servers import Answer

pytestmark = pytest.mark.server

SECRET, OTHER_SECRET = "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.fixture
def joe(house: House) -> User:
    return house.owing(house.person(), SECRET)


@pytest.fixture
def half(house: House, joe: User) -> Browser:
    """Half a sign-in of Joe's."""
    return begun(house, joe)


def begun(house: House, who: User) -> Browser:
    browser = house.browser()
    answer = browser.sign_in(who)
    assert (answer.status, answer.header("Location")) == (303, FACTOR)
    assert browser.holds == {STEP}
    return browser


def sessions_of(house: House, who: User) -> int:
    return len(house.store.sessions.listed(who.identity.subject))


def by_password(browser: Browser, joe: User) -> Answer:
    return browser.sign_in(joe)


def by_link(browser: Browser, joe: User) -> Answer:
    return browser.follow_link(joe.identity.username)


@pytest.mark.parametrize("door", [by_password, by_link])
def test_every_door_owes_it(
    house: House, joe: User, door: Callable[[Browser, User], Answer]
) -> None:
    browser = house.browser()
    answer = door(browser, joe)

    assert (answer.status, answer.header("Location")) == (303, FACTOR)
    assert browser.holds == {STEP}
    assert sessions_of(house, joe) == 0
    browser.post(FACTOR, code=RECOVERY[0])
    assert browser.is_in


WAYS_ROUND: list[Callable[[Browser], Answer]] = [
    lambda half: half.ask("/members/x"),
    lambda half: half.ask(ACCOUNT, *PAGE),
    lambda half: half.ask(f"{ACCOUNT}/second-factor", *PAGE),
    lambda half: half.post(f"{ACCOUNT}/second-factor", do="off", password=RIGHT),
    lambda half: half.post(f"{ACCOUNT}/password", current=RIGHT, new="x" * 12, again="x" * 12),
    lambda half: half.post(f"{ACCOUNT}/sessions", end="others"),
    lambda half: half.ask(FACTOR),
    lambda half: half.ask(FACTOR, *OURS, FORM, method="POST"),
    lambda half: half.post(FACTOR, nothing=""),
    lambda half: half.post(FACTOR, code=""),
    lambda half: half.post(FACTOR, code="0"),
    lambda half: half.post(f"{FACTOR}?code={RECOVERY[0]}", other="x"),
    lambda half: half.post(f"{FACTOR}/", code=RECOVERY[0]),
    lambda half: half.ask(f"{FACTOR}?code={RECOVERY[0]}"),
    lambda half: half.post("/_sso/sign-in", code=RECOVERY[0]),
    lambda half: half.ask("/members/x", "Authorization: Basic am9lOnNlY3JldA=="),
    lambda half: half.ask("/members/x", f"Cookie: {SESSION}={half.cookies[STEP]}"),
]


def test_half_a_sign_in_is_none(house: House, joe: User, half: Browser) -> None:
    statuses = [way(half).status for way in WAYS_ROUND]

    assert 200 not in statuses[:6]
    assert SESSION not in half.holds
    assert sessions_of(house, joe) == 0
    assert house.store.secrets.second_factor(joe.identity.subject)


def test_a_step_is_no_session_and_no_device(house: House, joe: User, half: Browser) -> None:
    token = half.cookies[STEP]
    thief = house.browser()
    thief.cookies.update({SESSION: token, DEVICE: token})

    assert thief.everywhere() == {401}
    assert thief.sign_in(joe).header("Location") == FACTOR


def test_nobodys_step_opens_nothing(house: House, joe: User) -> None:
    for made_up in ("A" * 43, "x", "", "../../x"):
        browser = house.browser()
        browser.cookies[STEP] = made_up
        answer = browser.post(FACTOR, code=code(SECRET))

        assert (answer.status, answer.header("Location")) == (303, "/_sso/sign-in")
    assert sessions_of(house, joe) == 0


def test_two_steps_are_none(house: House, joe: User, half: Browser) -> None:
    """One of two cookies of the name is forged."""
    second = f"Cookie: {STEP}={'B' * 43}"
    answer = half.post(FACTOR, *OURS, second, code=RECOVERY[0])

    assert SESSION not in half.holds
    assert answer.status in (303, 400)
    assert sessions_of(house, joe) == 0


def test_a_code_of_somebody_else_is_wrong(house: House, joe: User, half: Browser) -> None:
    sue = house.owing(house.person(), OTHER_SECRET)
    house.store.secrets.spend_recovery_code(joe.identity.subject, "none")
    answer = half.post(FACTOR, code=code(OTHER_SECRET))

    assert (answer.status, answer.header("X-SSOGate-Error")) == (401, "wrong_code")
    assert sessions_of(house, joe) == sessions_of(house, sue) == 0


def test_a_step_of_somebody_else_is_for_somebody_else(house: House, joe: User) -> None:
    """Joe's code does not open Sue's session, nor Sue's step Joe's."""
    sue = house.owing(house.person(), OTHER_SECRET)
    browser = begun(house, sue)
    answer = browser.post(FACTOR, code=code(SECRET))

    assert answer.status == 401
    browser.post(FACTOR, code=code(OTHER_SECRET))
    assert browser.who == sue.identity.username
    assert sessions_of(house, joe) == 0


@pytest.mark.parametrize("way", ["totp", "recovery"])
def test_a_code_works_once(house: House, joe: User, way: str) -> None:
    within_one_step()
    typed = code(SECRET) if way == "totp" else RECOVERY[3]
    first, second = begun(house, joe), begun(house, joe)

    assert first.post(FACTOR, code=typed).status == 303
    again = second.post(FACTOR, code=typed if way == "totp" else typed.upper().replace("-", " "))
    assert (again.status, again.header("X-SSOGate-Error")) == (401, "wrong_code")
    assert (first.is_in, second.is_in) == (True, False)


def test_a_code_of_another_time_is_wrong(house: House, joe: User) -> None:
    within_one_step()
    for later in (-3, -2, 2, 3):
        assert begun(house, joe).post(FACTOR, code=code(SECRET, later=later)).status == 401
    assert sessions_of(house, joe) == 0


def test_an_earlier_code_is_not_good_after_a_later_one(house: House, joe: User) -> None:
    """Each step is spent by itself; one that was never used may still come a moment late."""
    within_one_step()
    assert begun(house, joe).post(FACTOR, code=code(SECRET)).status == 303
    assert begun(house, joe).post(FACTOR, code=code(SECRET)).status == 401


def parallel_same_step(house: House, joe: User) -> list[Browser]:
    browser = begun(house, joe)
    return [Browser(house, browser.client, dict(browser.cookies)) for _ in range(4)]


def parallel_own_steps(house: House, joe: User) -> list[Browser]:
    return [begun(house, joe) for _ in range(4)]


@pytest.mark.parametrize("crowd", [parallel_same_step, parallel_own_steps])
@pytest.mark.parametrize("way", ["totp", "recovery"])
def test_of_many_who_send_a_code_at_once_one_comes_in(
    house: House, joe: User, crowd: Callable[[House, User], list[Browser]], way: str
) -> None:
    within_one_step()
    browsers = crowd(house, joe)
    typed = code(SECRET) if way == "totp" else RECOVERY[5]
    at_once(lambda browser: browser.post(FACTOR, code=typed), browsers, threads=8)

    assert sum(SESSION in browser.holds for browser in browsers) == 1
    assert sessions_of(house, joe) == 1


def test_one_step_with_many_right_codes_opens_one_session(house: House, joe: User) -> None:
    browsers = parallel_same_step(house, joe)
    pairs = list(zip(browsers, RECOVERY, strict=False))
    at_once(lambda pair: pair[0].post(FACTOR, code=pair[1]), pairs, threads=4)

    assert sum(SESSION in browser.holds for browser in browsers) == 1
    assert sessions_of(house, joe) == 1


def test_many_wrong_codes_at_once_are_five(house: House, joe: User, half: Browser) -> None:
    same = [Browser(house, half.client, dict(half.cookies)) for _ in range(12)]
    answers = at_once(lambda browser: browser.post(FACTOR, code="000000"), same, threads=12)

    statuses = [answer.status for answer in answers]
    assert statuses.count(401) <= 5
    assert half.post(FACTOR, code=RECOVERY[0]).header("Location") == "/_sso/sign-in"
    assert sessions_of(house, joe) == 0


def test_signing_in_by_a_code_gives_a_new_id_and_ends_the_old_session(
    house: House, joe: User
) -> None:
    """C5."""
    browser, attacker = house.browser(), house.browser()
    browser.sign_in(house.person())
    attacker.cookies.update(browser.cookies)
    browser.sign_in(joe)
    assert browser.is_in, "half a sign-in takes nothing away"
    assert attacker.is_in
    attacker.cookies[STEP] = browser.cookies[STEP]
    browser.post(FACTOR, code=RECOVERY[0])

    assert browser.who == joe.identity.username
    assert STEP not in browser.holds
    assert attacker.everywhere() == {401}
    attacker.post(FACTOR, code=RECOVERY[1])
    assert attacker.everywhere() == {401}


def test_who_set_it_up_meanwhile_is_asked_at_the_next_sign_in(house: House) -> None:
    """And a sign-in that another browser had half finished stays that user's own."""
    who = house.person()
    browser = house.browser()
    browser.sign_in(who)
    house.owing(who, SECRET)

    assert browser.is_in, "a session that was opened before goes on"
    assert begun(house, who).holds == {STEP}


def test_an_administrator_by_link_owes_more_than_a_code(house: House, joe: User) -> None:
    """A step that a link began stays what the link may do."""
    browser = house.browser()
    browser.follow_link(joe.identity.username)
    house.cli("admin", "add", joe.identity.username)
    answer = browser.post(FACTOR, code=RECOVERY[0])

    assert SESSION not in browser.holds
    assert answer.status in (303, 403)
    assert sessions_of(house, joe) == 0


def test_ten_wrong_codes_an_hour_are_all_from_anywhere(house: House, joe: User) -> None:
    """Three codes of a million are right at any time: more networks are not more guesses."""
    found = []
    for _ in range(3):
        browser = begun(house, joe)
        found += [browser.post(FACTOR, code=f"00000{n}").status for n in range(5)]

    assert found.count(401) == 10
    last = begun(house, joe).post(FACTOR, code=RECOVERY[0])
    assert (last.status, last.header("X-SSOGate-Error")) == (429, "too_many_tries")
    assert sessions_of(house, joe) == 0


def test_a_code_is_good_for_its_time_only_in_every_worker(house: House, joe: User) -> None:
    within_one_step()
    soon = int(time.time()) // PERIOD
    browsers = [begun(house, joe) for _ in range(3)]
    answers = at_once(lambda browser: browser.post(FACTOR, code=code(SECRET)), browsers)

    assert sorted(answer.status for answer in answers) == [303, 401, 401]
    assert int(time.time()) // PERIOD == soon, "all of it was in one step"


def test_the_form_of_the_code_goes_back_where_the_sign_in_began(house: House, joe: User) -> None:
    browser = house.browser()
    browser.sign_in(joe, return_to="/members/x?y=1")
    good = browser.post(FACTOR, code=RECOVERY[0], return_to="//evil.example")

    assert good.header("Location") == "/members/x?y=1"
