"""Whose password it is: the directory's own, or an application's, and never one for another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ssogate.errors import AccountInactive, StoreFailure, WrongPassword
from ssogate.model import Enrolment
from tests.login.forms import SHA1, WRONG, Argon2, Site, forum
from tests.storage.making import Hands

OTHER = "{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk="  # of nothing that is typed here
PEOPLE: list[tuple[Any, ...]] = [
    ("1", "Mia", SHA1, "mia@example.com", 1, "members"),
    ("2", "tom", SHA1, "tom@example.com", 0, "members"),
    ("3", "root", SHA1, "evil@example.com", 1, "admins"),
    ("4", "bare", "", "bare@example.com", 1, "members"),
]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, forum=forum(tmp_path, Hands(), *PEOPLE))


@pytest.mark.parametrize("typed", ["mia", "Mia", "MIA@example.com"])
def test_the_applications_people_come_in_and_belong_to_it(site: Site, typed: str) -> None:
    verdict = site.sign_in(typed)

    assert verdict.method == "forum"
    assert verdict.enrolment == Enrolment("forum", create=True, update=True)
    said = verdict.assertion
    assert (said.username, said.external_id) == ("Mia", "1")
    assert said.groups == frozenset({"members"})


def test_only_allowed_groups_count(site: Site) -> None:
    assert site.sign_in("root").assertion.groups == frozenset()


def test_a_known_person_of_the_application_is_asked_for_there(site: Site) -> None:
    site.add("mia", stored="", source="forum", external_id="1")

    assert site.sign_in("mia").enrolment.source == "forum"
    with pytest.raises(WrongPassword):
        site.sign_in("mia", WRONG)


def test_an_applications_password_is_never_stored_here(site: Site) -> None:
    known = site.add("mia", stored="", source="forum", external_id="1")

    site.sign_in("mia")

    assert site.store.secrets.password(known.identity.subject) == ""


def test_the_directorys_own_password_goes_before_the_applications(site: Site) -> None:
    site.add("mia", stored=OTHER, source="forum", external_id="1")

    for typed in ("mia", "mia@example.com"):
        with pytest.raises(WrongPassword):
            site.sign_in(typed)


def test_the_way_by_an_address_that_only_the_application_has_is_no_way_around_it(
    site: Site,
) -> None:
    known = site.add("mia", stored=OTHER, source="forum", external_id="1")
    changed = replace(known.identity, email="mia@elsewhere.example")
    site.store.users.update(replace(known, identity=changed))

    with pytest.raises(WrongPassword):
        site.sign_in("mia@example.com")


@pytest.mark.parametrize("source", ["", "crm", "forum"])
@pytest.mark.parametrize("typed", ["root", "evil@example.com"])
def test_an_application_cannot_name_its_people_like_ours(
    site: Site, source: str, typed: str
) -> None:
    """As `root` here is an operator's, another source's, or had another number there."""
    site.add("root", stored="", source=source, external_id="77" if source else "")

    with pytest.raises(WrongPassword):
        site.sign_in(typed)


def test_a_name_that_was_given_to_somebody_else_there_is_not_the_person_here(site: Site) -> None:
    site.add("mia", stored="", source="forum", external_id="9")

    with pytest.raises(WrongPassword):
        site.sign_in("mia")


@pytest.mark.parametrize("active", [True, False])
def test_who_was_renamed_there_does_not_come_in_as_whoever_was(site: Site, active: bool) -> None:
    """The name that is known here may be somebody else's there by now."""
    site.add("maria", stored="", source="forum", external_id="1", active=active)

    with pytest.raises(WrongPassword):
        site.sign_in("mia")


@pytest.mark.parametrize("active", [True, False], ids=["there", "here"])
def test_a_deactivated_person_learns_it_with_the_right_password_only(
    site: Site, active: bool
) -> None:
    if not active:
        site.add("mia", stored="", source="forum", external_id="1", active=False)
    name = "tom" if active else "mia"

    with pytest.raises(WrongPassword):
        site.sign_in(name, WRONG)
    with pytest.raises(AccountInactive):
        site.sign_in(name)


@pytest.mark.parametrize("typed", ["bare", "nobody", "' OR 1=1 --", "%", "mia\0"])
def test_nobody_and_people_without_a_password_cost_one_hash(
    site: Site, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    argon2 = Argon2(monkeypatch)

    with pytest.raises(WrongPassword):
        site.sign_in(typed)

    assert argon2.count == 1
    assert len(site.slept) == 1


def test_who_the_application_does_not_know_may_be_our_own(site: Site) -> None:
    site.add("ann")

    assert site.sign_in("ann").enrolment.source == ""


def test_an_application_that_does_not_answer_lets_nobody_in_but_our_own(
    site: Site, tmp_path: Path
) -> None:
    site.add("ann")
    (tmp_path / "forum.db").unlink()

    assert site.sign_in("ann").assertion.username == "Ann"
    with pytest.raises(StoreFailure):
        site.sign_in("mia")


def test_whom_there_is_a_password_to_ask_for_is_known(site: Site) -> None:
    asked = {
        name: site.password.asks(user)
        for name, user in {
            "own": site.add("own"),
            "linked": site.add("linked", stored="", source="crm"),
            "mia": site.add("mia", stored="", source="forum", external_id="1"),
        }.items()
    }

    assert asked == {"own": True, "linked": False, "mia": True}
