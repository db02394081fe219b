"""The switch of an account: its owner's, and nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest
from werkzeug.wrappers import Request

from ssogate.errors import BadForm, CrossSite, SignInRequired
from ssogate.http import environ as env
from ssogate.model import Account, AccountStatus, LocalPath, Membership
from tests.login.forms import environ
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


# --- WHMCS's own form, at an address of the gated app ---------------------------------------------

CLIENT_AREA = "/billing/clientarea.php"
OFF = {"action": "security", "toggle_sso": "1", "token": "0123456789abcdef"}
ON = {**OFF, "allow_sso": "1"}


def test_whmcs_own_form_turns_it(home: Home) -> None:
    for fields, wish in ((OFF, False), (ON, True), ({**ON, "allow_sso": "0"}, False)):
        reply = home.visit(CLIENT_AREA, fields)

        assert reply == LocalPath(f"{CLIENT_AREA}?action=security")
        assert allowed(home) is wish


def test_a_part_of_it_may_stand_in_the_query(home: Home) -> None:
    home.visit(f"{CLIENT_AREA}?action=security", {"toggle_sso": "1"})

    assert not allowed(home)


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        pytest.param("", None, id="GET"),
        pytest.param("?action=security&toggle_sso=1", None, id="GET with its fields"),
        pytest.param("", {"action": "details"}, id="another form"),
        pytest.param("", {**OFF, "toggle_sso": "0"}, id="toggle_sso=0"),
        pytest.param("", {"toggle_sso": "1"}, id="no action"),
        pytest.param("?x=%ff", {**OFF, "n": "ä" * 40_000}, id="a large one"),
        pytest.param("?x=%ff", OFF, id="a query that is not UTF-8"),
        pytest.param("", [("x", "y")] * 101, id="many fields"),
    ],
)
def test_what_is_not_that_form_is_the_apps_as_it_came(
    home: Home, path: str, fields: dict[str, str] | None
) -> None:
    asked = environ(CLIENT_AREA + path, fields)
    sent = asked["wsgi.input"].read()
    asked["wsgi.input"].seek(0)
    asked[env.SESSION] = home.session

    assert home.table()[CLIENT_AREA](Request(asked)) is None
    assert asked["wsgi.input"].read() == sent
    assert allowed(home)


def test_a_form_of_another_site_turns_nothing(home: Home) -> None:
    with pytest.raises(CrossSite):
        home.visit(CLIENT_AREA, OFF, Sec_Fetch_Site="cross-site")

    assert allowed(home)


def test_who_is_not_signed_in_turns_nothing(home: Home) -> None:
    with pytest.raises(SignInRequired):
        home.table()[CLIENT_AREA](Request(environ(CLIENT_AREA, OFF)))


def test_a_field_that_is_there_twice_turns_nothing(home: Home) -> None:
    with pytest.raises(BadForm):
        home.visit(CLIENT_AREA, [*ON.items(), ("allow_sso", "")])

    assert allowed(home)


@pytest.mark.parametrize("owned", [[], [1, 2]], ids=["none", "two"])
def test_who_owns_none_or_several_is_shown_them(home: Home, owned: list[int]) -> None:
    for number in (1, 2):
        subject = home.joe.identity.subject
        home.store.memberships.put(Membership(number, subject, owner=number in owned))

    assert sent_to(home.visit(CLIENT_AREA, OFF), ACCOUNT)
    assert [allowed(home, number) for number in (1, 2, 3)] == [True] * 3
