"""The switch of an account: its owner's, and nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssogate.errors import BadForm
from ssogate.model import Account, AccountStatus, Membership
from tests.portal.making import Home, sent_to
from tests.storage.making import NOW

ACCOUNT, SWITCH = "/_sso/account", "/_sso/account/single-sign-on"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Joe owns account 1 and acts for account 2; account 3 is a stranger's."""
    home = Home(tmp_path)
    for number in (1, 2, 3):
        home.store.accounts.add(Account(0, "Acme", "", AccountStatus.ACTIVE, True, NOW, NOW))
        if number < 3:
            subject = home.joe.identity.subject
            home.store.memberships.put(Membership(number, subject, owner=number == 1))
    return home


def allowed(home: Home, number: int = 1) -> bool:
    account = home.store.accounts.get(number)
    assert account
    return account.allow_single_sign_on


def test_the_owner_turns_it_off_and_on(home: Home) -> None:
    for wish in ("off", "on"):
        reply = home.visit(SWITCH, {"account": "1", "single_sign_on": wish})

        assert sent_to(reply, ACCOUNT)
        assert allowed(home) is (wish == "on")
    assert home.actions[-2:] == ["account.changed", "account.changed"]


def test_the_page_offers_it_for_my_own_account_only(home: Home) -> None:
    assert home.text(ACCOUNT).count("Switch single sign-on off") == 1


@pytest.mark.parametrize(
    "account",
    ["2", "3", "4", "01", "1 ", "\uff11", ""],
    ids=["member", "stranger's", "no such", "zero before", "space", "wide", "empty"],
)
def test_nobody_else_turns_it(home: Home, account: str) -> None:
    with pytest.raises(BadForm):
        home.visit(SWITCH, {"account": account, "single_sign_on": "off"})

    assert [allowed(home, number) for number in (1, 2, 3)] == [True] * 3


@pytest.mark.parametrize("wish", ["", "yes", "ON"])
def test_a_wish_that_the_page_has_not_is_refused(home: Home, wish: str) -> None:
    with pytest.raises(BadForm):
        home.visit(SWITCH, {"account": "1", "single_sign_on": wish})


def test_a_link_turns_nothing(home: Home) -> None:
    assert sent_to(home.visit(SWITCH), ACCOUNT)
    assert allowed(home)
