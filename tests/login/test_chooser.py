"""The page of all ways in, and the shortest way to the only one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request, Response

from ssogate.errors import InvalidParameter
from ssogate.http import environ as env
from ssogate.login.chooser import SIGN_IN, SIGNED_OUT, Chooser
from ssogate.model import Endpoint, LocalPath, Session
from tests.storage.making import person, record, user

WANTED = LocalPath("/a?b=c&d=%20")


@dataclass(frozen=True)
class Way:
    """A way in."""

    label: str
    url: str | None = "https://member.example/in"

    def endpoints(self) -> Mapping[str, Endpoint]:
        return {}

    def challenge_url(self, return_to: LocalPath) -> str | None:
        return self.url and f"{self.url}?to={return_to.text}"


def shown(chooser: Chooser, query: str = "") -> str:
    request = Request(EnvironBuilder(path=SIGN_IN, query_string=query).get_environ())
    reply = chooser.endpoints()[SIGN_IN](request)
    assert isinstance(reply, Response)
    return reply.get_data(as_text=True)


def test_the_only_way_in_is_taken_at_once() -> None:
    chooser = Chooser([Way("CRM"), Way("No page of its own", url=None)])

    assert chooser.challenge_url(WANTED) == f"https://member.example/in?to={WANTED.text}"


@pytest.mark.parametrize("ways", [[], [Way("None", url=None)], [Way("CRM"), Way("Shop")]], ids=len)
def test_where_there_is_a_choice_or_none_the_page_is_shown(ways: list[Way]) -> None:
    url = urlsplit(Chooser(ways).challenge_url(WANTED))

    assert url.path == SIGN_IN
    assert parse_qs(url.query) == {"return_to": [WANTED.text]}


def test_the_page_offers_every_way_in_its_order() -> None:
    text = shown(Chooser([Way("CRM"), Way("No page", url=None), Way("<Shop>")]), "return_to=/x")

    assert text.index("Continue with CRM") < text.index("Continue with &lt;Shop&gt;")
    assert "No page" not in text
    assert text.count('href="https://member.example/in?to=/x"') == 2


def test_where_no_way_leads_in_the_page_says_what_to_do() -> None:
    assert "Open that site, sign in there" in shown(Chooser([]))


@pytest.mark.parametrize(
    "return_to",
    [
        "https://evil.example",
        "//evil.example",
        "/%5cevil.example",
        "javascript:alert(1)",
        "",
        "/%0d",
    ],
)
def test_the_page_leads_back_to_this_site_only(return_to: str) -> None:
    text = unescape(shown(Chooser([Way("CRM")]), f"return_to={return_to}"))

    assert 'href="https://member.example/in?to=/"' in text
    assert "evil" not in text


def test_a_malformed_query_is_refused() -> None:
    with pytest.raises(InvalidParameter):
        shown(Chooser([]), "return_to=%ff")


def test_who_left_is_told_so() -> None:
    request = Request(EnvironBuilder(path=SIGNED_OUT).get_environ())

    reply = Chooser([]).endpoints()[SIGNED_OUT](request)

    assert isinstance(reply, Response)
    assert "You are signed out" in reply.get_data(as_text=True)


def test_the_page_after_signing_out_does_not_deny_a_live_session() -> None:
    session = Session(record(user()), person("joe"), "t" * 43)
    environ = {**EnvironBuilder(path=SIGNED_OUT).get_environ(), env.SESSION: session}
    reply = Chooser([]).endpoints()[SIGNED_OUT](Request(environ))

    assert isinstance(reply, Response)
    assert "You are still signed in" in reply.get_data(as_text=True)
