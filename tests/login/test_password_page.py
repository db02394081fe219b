"""The form of the sign-in page: what it takes, and how it asks again."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from ssogate.errors import BadForm, GateError, WrongPassword
from ssogate.login.chooser import SIGN_IN, Chooser
from ssogate.login.form import FormMethod
from ssogate.model import LocalPath, LoginMethod, SignIn
from tests.login.forms import RIGHT, SHA1, WRONG, Site, environ
from tests.login.test_chooser import Way

HOSTILE = '"><script>alert(1)</script>'


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def form(**changes: str) -> dict[str, str]:
    return {"username": "joe", "password": RIGHT, "return_to": "/page?a=b", **changes}


def test_the_right_password_leads_back_to_the_page(site: Site) -> None:
    site.add(stored=SHA1)

    verdict = site.answer(environ(fields=form()))

    assert isinstance(verdict, SignIn)
    assert verdict.return_to == LocalPath("/page?a=b")


@pytest.mark.parametrize(
    "wanted", ["//evil.example", "https://evil.example", "/\\evil", "javascript:x", "", "/%0d"]
)
def test_it_leads_to_this_site_only(site: Site, wanted: str) -> None:
    site.add(stored=SHA1)

    assert site.answer(environ(fields=form(return_to=wanted))).return_to == LocalPath("/")


def test_a_space_behind_the_name_is_a_phones_doing(site: Site) -> None:
    site.add(stored=SHA1)

    assert isinstance(site.answer(environ(fields=form(username=" joe "))), SignIn)


def test_the_form_is_shown_again_with_the_name_and_without_the_password(site: Site) -> None:
    response = site.page(environ(fields=form(username=HOSTILE, password=f"{WRONG}&<")))
    text = response.get_data(as_text=True)

    assert response.status_code == 401
    assert response.headers["X-SSOGate-Error"] == "wrong_password"
    assert "WWW-Authenticate" in response.headers
    assert response.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in response.headers
    assert f'value="{escape(HOSTILE)}"' in text.replace("&#34;", "&quot;")
    assert 'value="/page?a=b"' in text
    assert escape(WrongPassword.public) in text
    assert WRONG not in text
    assert "<script" not in text


def test_who_is_throttled_reads_when_to_come_again(site: Site) -> None:
    for _ in range(10):
        site.page(environ(fields=form()))

    response = site.page(environ(fields=form()))

    assert (response.status_code, response.headers["Retry-After"]) == (429, "3600")
    assert 'action="/_sso/password"' in response.get_data(as_text=True)


def test_a_script_gets_the_bare_refusal(site: Site) -> None:
    with pytest.raises(WrongPassword):
        site.answer(environ(fields=form(), Accept="application/json"))


def test_who_opens_the_forms_address_gets_the_page(site: Site) -> None:
    response = site.page(environ())

    assert (response.status_code, response.headers["Location"]) == (303, SIGN_IN)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Sec_Fetch_Site": "cross-site"}, id="another site"),
        pytest.param({"Sec_Fetch_Site": "same-site"}, id="a sibling"),
        pytest.param({"Origin": "https://evil.example"}, id="another origin"),
        pytest.param({"Origin": "null"}, id="no origin"),
    ],
)
def test_another_sites_form_signs_nobody_in(site: Site, headers: dict[str, str]) -> None:
    site.add(stored=SHA1)

    with pytest.raises(GateError) as refused:
        site.answer(environ(fields=form(), **headers))

    assert refused.value.status == 403


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([], id="nothing"),
        pytest.param([("username", "joe"), ("return_to", "/")], id="no password"),
        pytest.param([*form().items(), ("username", "ann")], id="two names"),
        pytest.param([*form().items(), ("password", "x")], id="two passwords"),
        pytest.param([*form().items(), ("return_to", "/x")], id="two places"),
        pytest.param(list(form(username="x" * 256).items()), id="a long name"),
        pytest.param(list(form(password="x" * 1025).items()), id="a long password"),
        pytest.param(list(form(password="\u00e9" * 513).items()), id="a long password in bytes"),
    ],
)
def test_what_no_form_of_ours_sends_is_refused(site: Site, fields: Any) -> None:
    site.add(stored=SHA1)

    with pytest.raises(BadForm):
        site.answer(environ(fields=fields))


def test_a_name_in_the_address_is_not_read(site: Site) -> None:
    site.add(stored=SHA1)
    sent = environ(fields=[])
    sent["QUERY_STRING"] = f"username=joe&password={RIGHT}&return_to=/"

    with pytest.raises(BadForm):
        site.answer(sent)


def test_the_page_offers_the_form(site: Site) -> None:
    response = site.page(environ(f"{SIGN_IN}?return_to=/x"))
    text = response.get_data(as_text=True)

    assert isinstance(response, Response)
    assert '<form method="post" action="/_sso/password"' in text
    assert 'name="return_to" value="/x"' in text
    assert response.headers["Referrer-Policy"] == "same-origin"


def test_the_ways_in_are_offered_in_their_order(site: Site) -> None:
    ways: list[LoginMethod | FormMethod] = [Way("CRM"), site.password, Way("Shop")]

    text = _text(Chooser(ways).sign_in(Request(environ(SIGN_IN))))

    assert text.index("CRM") < text.index("/_sso/password") < text.index("Shop")
    assert Chooser(ways).challenge_url(LocalPath("/")) == f"{SIGN_IN}?return_to=%2F"


def test_a_refused_form_still_offers_the_other_ways(site: Site) -> None:
    endpoint = Chooser([Way("CRM"), site.password]).endpoints()["/_sso/password"]

    reply = endpoint(Request(environ(fields=form())))

    assert isinstance(reply, Response)
    assert "https://member.example/in?to=/page?a=b" in _text(reply)


def _text(response: Response) -> str:
    return response.get_data(as_text=True)


def test_a_form_alone_is_still_shown_on_the_page(site: Site) -> None:
    assert site.chooser.challenge_url(LocalPath("/x")) == f"{SIGN_IN}?return_to=%2Fx"
