"""Sign-in by password: who comes in, and that nobody learns anything from being refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ssogate.crypto import Turns, Verdict, verify_password
from ssogate.errors import AccountInactive, GateError, SignInBusy, TooManyTries, WrongPassword
from ssogate.login.password.pace import Pace
from ssogate.model import Account, AccountStatus, Enrolment, Membership
from tests.login.forms import HASH, RIGHT, SHA1, WRONG, Argon2, Site, environ
from tests.storage.making import NOW

# Of RIGHT, as PHP makes it.
BCRYPT = "$2y$04$PBVOF9wYoC004S9VlIvfou.jnB4TGMHYkUXxYInGaa9VdgzWIqfES"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def argon2(monkeypatch: pytest.MonkeyPatch) -> Argon2:
    return Argon2(monkeypatch)


def close(site: Site, subject: str) -> None:
    account = site.store.accounts.add(Account(0, "Ltd", "", AccountStatus.CLOSED, True, NOW, NOW))
    site.store.memberships.put(Membership(account.number, subject, owner=True))


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param("joe", id="as it is"),
        pytest.param("JOE", id="case"),
        pytest.param("\uff4a\uff4f\uff45", id="width"),
        pytest.param("joe@example.com", id="e-mail"),
        pytest.param("Joe@EXAMPLE.com", id="e-mail in another case"),
    ],
)
def test_a_person_comes_in_by_every_spelling_of_the_name(site: Site, typed: str) -> None:
    known = site.add()

    verdict = site.sign_in(typed)

    assert verdict.assertion.username == known.identity.username
    assert verdict.method == "password"
    assert verdict.return_to.text == "/page"
    assert not verdict.complete
    assert len(verdict.device) == 43


def test_a_password_opens_every_source_and_administrators_and_makes_nobody(site: Site) -> None:
    site.add(source="crm")

    verdict = site.sign_in()

    assert verdict.enrolment == Enrolment("", update=False, shared=True, administrators=True)
    assert verdict.assertion.groups is None


def test_a_name_that_is_another_persons_address_is_read_as_the_name(site: Site) -> None:
    site.add()
    site.add("joe@example.com", stored="")

    with pytest.raises(WrongPassword):
        site.sign_in("joe@example.com")


def test_an_address_that_two_people_have_is_nobodys(site: Site) -> None:
    known = site.add()
    twin = site.add("twin")
    site.store.users.update(
        replace(twin, identity=replace(twin.identity, email=known.identity.email))
    )

    with pytest.raises(WrongPassword):
        site.sign_in("joe@example.com")


FAILURES = [
    pytest.param("joe", WRONG, id="wrong password"),
    pytest.param("nobody", RIGHT, id="no such user"),
    pytest.param("nobody@example.com", RIGHT, id="no such address"),
    pytest.param("linked", RIGHT, id="a user without a password"),
    pytest.param("gone", WRONG, id="deactivated, wrong password"),
    pytest.param("closed", WRONG, id="closed, wrong password"),
    pytest.param("odd", RIGHT, id="a hash that nobody can read"),
    pytest.param("joe\u200b", RIGHT, id="an invisible character in the name"),
    pytest.param("j" * 300, RIGHT, id="a name that is too long"),
    pytest.param("joe\0", RIGHT, id="a zero byte in the name"),
]


@pytest.fixture
def crowd(site: Site) -> Site:
    site.add()
    site.add("linked", stored="", source="crm")
    site.add("gone", active=False)
    site.add("odd", stored="not a hash")
    close(site, site.add("closed").identity.subject)
    return site


@pytest.mark.parametrize(("name", "password"), FAILURES)
def test_every_failure_costs_one_hash_and_as_much_time(
    crowd: Site, argon2: Argon2, name: str, password: str
) -> None:
    with pytest.raises(WrongPassword):
        crowd.sign_in(name, password)

    assert argon2.count == 1
    assert crowd.slept == [pytest.approx(0.9)]


def test_every_failure_is_told_in_the_same_words(crowd: Site) -> None:
    told = set()
    for _, (name, password) in ((case.id, case.values) for case in FAILURES):
        if len(str(name)) > 255:
            continue  # the form refuses it by itself
        fields = {"username": str(name), "password": str(password), "return_to": "/"}
        response = crowd.page(environ(fields=fields))
        text = response.get_data(as_text=True)
        shown = str(name).replace("\0", "")
        told.add((response.status_code, text.replace(str(name), "").replace(shown, "")))

    assert len(told) == 1


@pytest.mark.parametrize("name", ["gone", "closed"])
def test_who_knows_the_password_learns_that_the_account_is_shut(crowd: Site, name: str) -> None:
    with pytest.raises(AccountInactive):
        crowd.sign_in(name)


@pytest.mark.parametrize("password", ["", "\ud800", "x" * 2000], ids=["empty", "torn", "long"])
def test_what_is_no_password_opens_nothing(site: Site, password: str) -> None:
    site.add()

    with pytest.raises(WrongPassword):
        site.sign_in(password=password)


@pytest.mark.parametrize(
    ("elapsed", "pause"),
    [
        pytest.param(0.1, 0.9, id="quick"),
        pytest.param(1.2, 0.8, id="slower than a step"),
        pytest.param(2.9, 0.1, id="slower than two"),
    ],
)
def test_a_refusal_comes_at_a_full_step(site: Site, elapsed: float, pause: float) -> None:
    site.elapsed = elapsed

    with pytest.raises(WrongPassword):
        site.sign_in()

    assert site.slept == [pytest.approx(pause)]


def test_a_right_password_is_not_held_back(site: Site) -> None:
    site.add()

    site.sign_in()

    assert site.slept == []


@pytest.mark.parametrize("stored", [BCRYPT, SHA1], ids=["bcrypt", "sha"])
def test_an_imported_hash_becomes_ours_at_the_first_right_password(site: Site, stored: str) -> None:
    subject = site.add(stored=stored).identity.subject

    with pytest.raises(WrongPassword):
        site.sign_in(password=WRONG)
    before = site.store.secrets.password(subject)
    site.sign_in()
    after = site.store.secrets.password(subject)

    assert before == stored
    assert verify_password(RIGHT, after) is Verdict.GOOD
    site.sign_in()
    assert site.store.secrets.password(subject) == after


def test_too_many_tries_are_refused_before_anything_is_hashed(site: Site, argon2: Argon2) -> None:
    site.add(stored=SHA1)
    for _ in range(10):
        with pytest.raises(WrongPassword):
            site.sign_in(password=WRONG)

    with pytest.raises(TooManyTries):
        site.sign_in()

    assert argon2.count == 0


def test_the_right_password_makes_up_for_wrong_ones(site: Site) -> None:
    site.add(stored=SHA1)
    for _ in range(9):
        with pytest.raises(WrongPassword):
            site.sign_in(password=WRONG)
    site.sign_in()

    for _ in range(2):
        with pytest.raises(WrongPassword):
            site.sign_in(password=WRONG)


def test_wrong_passwords_that_reach_a_limit_are_noted(site: Site) -> None:
    site.add(stored=SHA1)
    for _ in range(10):
        with pytest.raises(WrongPassword):
            site.sign_in(password=WRONG)

    assert site.actions == ["sign-in.throttled"]


@pytest.mark.parametrize("full", ["places", "hashing"])
def test_who_finds_no_turn_is_asked_to_come_again(site: Site, full: str) -> None:
    site.add()
    none = Turns(at_once=0, waiting=int(full == "hashing"), patience=0)
    pace = Pace(places=none) if full == "places" else Pace(hashing=none)
    busy = replace(site.password, pace=pace)
    site.password = busy

    with pytest.raises(SignInBusy) as refused:
        site.sign_in()

    assert (refused.value.status, refused.value.headers) == (503, (("Retry-After", "5"),))


def test_a_signed_in_person_is_asked_and_counted_as_at_the_door(site: Site) -> None:
    known = site.add(stored=SHA1)
    for _ in range(10):
        with pytest.raises(WrongPassword):
            site.password.confirm(known, WRONG, environ(fields={}))

    with pytest.raises(TooManyTries):
        site.sign_in()


def test_no_refusal_shows_a_password_or_a_name(site: Site) -> None:
    site.add()
    for name, password in (("joe", WRONG), (RIGHT, RIGHT)):
        with pytest.raises(GateError) as refused:
            site.sign_in(name, password)

        assert password not in repr(refused.value)
        assert password not in refused.value.detail


def test_nothing_shows_a_hash(site: Site) -> None:
    known = site.add()
    holder = site.password.people.holder(known, "joe")

    assert holder
    assert HASH not in repr(holder)


def test_who_knew_the_password_of_a_moment_ago_is_not_let_in(site: Site) -> None:
    """It is changed between its check and the session."""
    joe = site.add()
    sign_in = site.sign_in()
    assert sign_in.still
    sign_in.still()

    site.store.secrets.set_password(joe.identity.subject, "another hash", NOW)

    with pytest.raises(WrongPassword):
        sign_in.still()


def test_an_upgraded_hash_is_no_changed_password(site: Site) -> None:
    site.add(stored=SHA1)
    sign_in = site.sign_in()

    assert sign_in.still
    sign_in.still()
