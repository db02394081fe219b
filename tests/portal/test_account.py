"""My account: what it shows, and sessions that end."""

from __future__ import annotations

from pathlib import Path

import pytest
from werkzeug.wrappers import Request

from ssogate.crypto import Sealer
from ssogate.errors import BadForm
from ssogate.model import Account, AccountStatus, Listed, Membership, SignOut
from ssogate.portal.account import key_id
from tests.login.forms import environ
from tests.portal.making import KEYS, SIGNED_OUT, Home, sent_to
from tests.storage.making import NOW

ACCOUNT, SESSIONS, SIGN_OUT = "/_sso/account", "/_sso/account/sessions", "/_sso/sign-out"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_it_says_who_i_am_and_for_whom_i_act(home: Home) -> None:
    ours = Account(0, "Acme <Ltd>", "", AccountStatus.INACTIVE, False, NOW, NOW)
    for account in (ours, Account(0, "Others", "", AccountStatus.ACTIVE, True, NOW, NOW)):
        number = home.store.accounts.add(account).number
        if account is ours:
            home.store.memberships.put(Membership(number, home.joe.identity.subject))

    text = home.text(ACCOUNT)

    assert "joe@example.com" in text
    assert "Acme &lt;Ltd&gt;" in text
    assert "Inactive" in text
    assert "Others" not in text


def test_it_lists_my_live_sessions_and_nobody_elses(home: Home) -> None:
    other = home.opened(home.joe, 2, method="crm")
    dead = [
        home.opened(home.joe, 3, at=NOW - 700),
        home.opened(home.joe, 4, ends=NOW),
        home.opened(home.add("ann", stored=""), 5),
    ]

    text = home.text(ACCOUNT)

    assert text.count(">this session<") == 1
    assert "your password" in text
    assert "crm" in text
    assert f'value="{key_id(other.record.key)}"' in text
    assert not any(key_id(session.record.key) in text for session in dead)


def test_it_shows_no_key_and_no_token(home: Home) -> None:
    other = home.opened(home.joe, 2)

    text = home.text(ACCOUNT)

    for session in (home.session, other):
        assert session.token not in text
        assert session.record.key not in text
        assert session.record.key[:12] not in text


def test_one_session_ends(home: Home) -> None:
    other = home.opened(home.joe, 2)
    home.opened(home.joe, 3)

    reply = home.visit(SESSIONS, {"end": key_id(other.record.key)})

    assert isinstance(reply, SignOut)
    assert reply.sessions == Listed(home.joe.identity.subject, frozenset({other.record.key}))
    assert sent_to(reply.reply, ACCOUNT)


def test_all_others_end_and_this_one_goes_on(home: Home) -> None:
    others = {home.opened(home.joe, number).record.key for number in (2, 3, 4)}

    reply = home.visit(SESSIONS, {"end": "others"})

    assert isinstance(reply, SignOut)
    assert reply.sessions == Listed(home.joe.identity.subject, frozenset(others))


def test_nobody_ends_anothers_session(home: Home) -> None:
    ann = home.opened(home.add("ann", stored=""), 5)

    reply = home.visit(SESSIONS, {"end": key_id(ann.record.key)})

    assert isinstance(reply, SignOut)
    assert reply.sessions == Listed(home.joe.identity.subject, frozenset())


@pytest.mark.parametrize("fields", [[], [("end", "others"), ("end", "x")]], ids=len)
def test_a_form_that_names_none_or_two_is_refused(
    home: Home, fields: list[tuple[str, str]]
) -> None:
    with pytest.raises(BadForm):
        home.visit(SESSIONS, fields)


def test_the_address_of_the_form_leads_to_the_page(home: Home) -> None:
    assert sent_to(home.visit(SESSIONS), ACCOUNT)


def test_only_who_has_a_password_of_ours_may_change_it(home: Home) -> None:
    assert "/_sso/account/password" in home.text(ACCOUNT)

    home.store.secrets.set_password(home.joe.identity.subject, "", NOW)
    assert "/_sso/account/password" not in home.text(ACCOUNT)


def test_the_second_factor_is_offered_where_it_can_be_kept(home: Home) -> None:
    assert "Switch the second factor on" in home.text(ACCOUNT)

    home.sealer = None
    assert "second-factor" not in home.text(ACCOUNT)

    home.sealer = Sealer(KEYS)
    home.store.secrets.set_password(home.joe.identity.subject, "", NOW)
    assert "second-factor" not in home.text(ACCOUNT)


def test_it_tells_how_many_recovery_codes_are_left(home: Home) -> None:
    home.store.secrets.set_second_factor(home.joe.identity.subject, "sealed", ["a", "b"], NOW)

    assert "2 recovery codes left" in home.text(ACCOUNT)


def test_the_way_out_is_a_form(home: Home) -> None:
    reply = home.visit(SIGN_OUT, {})

    assert isinstance(reply, SignOut)
    assert reply.sessions is None
    assert sent_to(reply.reply, SIGNED_OUT)


def test_a_link_to_the_way_out_ends_nothing(home: Home) -> None:
    assert sent_to(home.visit(SIGN_OUT), ACCOUNT)
    assert sent_to(home.table()[SIGN_OUT](Request(environ(SIGN_OUT))), SIGNED_OUT)
