"""Personal pages: for who is signed in, and by forms of our own only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from werkzeug.wrappers import Request

from ssogate.errors import GateError, SignInRequired
from tests.login.forms import environ
from tests.portal.making import Home, sent_to

PAGES = [
    "/_sso/account",
    "/_sso/account/sessions",
    "/_sso/account/password",
    "/_sso/account/second-factor",
    "/_sso/account/single-sign-on",
]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_every_page_is_behind_the_door(home: Home) -> None:
    assert set(home.table()) == {*PAGES, "/_sso/sign-out", "/billing/clientarea.php"}


@pytest.mark.parametrize("path", PAGES)
def test_who_is_not_signed_in_is_sent_to_sign_in_and_back(home: Home, path: str) -> None:
    reply = home.table()[path](Request(environ(path)))

    assert sent_to(reply, f"/_sso/sign-in?return_to={path}")


@pytest.mark.parametrize("path", PAGES)
def test_a_form_of_nobody_is_refused(home: Home, path: str) -> None:
    with pytest.raises(SignInRequired):
        home.table()[path](Request(environ(path, {"end": "others"})))


@pytest.mark.parametrize("path", PAGES)
def test_who_was_deactivated_a_moment_ago_is_nobody(home: Home, path: str) -> None:
    home.store.users.update(replace(home.joe, active=False))

    assert sent_to(home.visit(path), f"/_sso/sign-in?return_to={path}")


@pytest.mark.parametrize("path", [*PAGES, "/_sso/sign-out"])
@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_another_sites_form_is_refused(home: Home, path: str, site: str) -> None:
    with pytest.raises(GateError) as refused:
        home.visit(path, {"end": "others"}, Sec_Fetch_Site=site)

    assert refused.value.status == 403
