"""The real apps alone: they do believe the headers, which is why the gate must own them."""

from __future__ import annotations

import pytest

from tests.real.apps import DokuWiki, identity, send, sign_out_link, wiki_page
from tests.servers import Gunicorn

pytestmark = pytest.mark.server

JOHN = identity("john", "members", name="Jöhn Smith", email="john@example.com")
SUE = identity("sue", "members", "staff", name="Sue Baker", email="sue@example.com")

EVENT = b"""BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//ssogate//test//EN\r
BEGIN:VEVENT\r
UID:regatta\r
DTSTAMP:20260101T000000Z\r
DTSTART:20261004T090000Z\r
SUMMARY:Autumn head\r
END:VEVENT\r
END:VCALENDAR\r
"""


def test_radicale_keeps_a_calendar_for_whom_the_header_names(radicale: Gunicorn) -> None:
    made = send(radicale.port, "/john/club/", "MKCALENDAR", headers=JOHN)
    put = send(radicale.port, "/john/club/regatta.ics", "PUT", body=EVENT, headers=JOHN)
    got = send(radicale.port, "/john/club/regatta.ics", headers=JOHN)

    assert (made.status, put.status, got.status) == (201, 201, 200)
    assert b"SUMMARY:Autumn head" in got.body


@pytest.mark.parametrize(
    "who",
    [pytest.param({}, id="nobody"), pytest.param(identity("sue"), id="somebody else")],
)
def test_radicale_refuses_others(radicale: Gunicorn, who: dict[str, str]) -> None:
    answer = send(radicale.port, "/john/", "PROPFIND", headers=who)

    assert answer.status in {401, 403}


def test_dokuwiki_shows_the_visitor_whom_the_headers_name(dokuwiki: DokuWiki) -> None:
    page = send(dokuwiki.port, wiki_page("start"), headers=JOHN)

    assert page.status == 200
    assert "Everybody in the club reads this." in page.text
    assert "Jöhn Smith" in page.text


@pytest.mark.parametrize(
    ("who", "page", "shown"),
    [
        pytest.param({}, "start", "Permission Denied", id="nobody reads nothing"),
        pytest.param(identity("max"), "start", "Permission Denied", id="no group, no page"),
        pytest.param(JOHN, "staff:start", "Permission Denied", id="members: not staff's"),
        pytest.param(JOHN, "start", "Everybody in the club", id="members: theirs"),
        pytest.param(SUE, "staff:start", "under the kettle", id="staff: theirs"),
    ],
)
def test_dokuwiki_judges_by_the_groups_of_the_header(
    dokuwiki: DokuWiki, who: dict[str, str], page: str, shown: str
) -> None:
    answer = send(dokuwiki.port, wiki_page(page), headers=who)

    every = ("Permission Denied", "Everybody in the club", "under the kettle")
    assert [text for text in every if text in answer.text] == [shown]


def test_dokuwiki_keeps_no_sign_in_of_its_own(dokuwiki: DokuWiki) -> None:
    signed_in = send(dokuwiki.port, wiki_page("staff:start"), headers=SUE)
    cookies = "; ".join(value.partition(";")[0] for value in signed_in.all("Set-Cookie"))

    later = send(dokuwiki.port, wiki_page("staff:start"), headers={"Cookie": cookies})

    assert "under the kettle" in signed_in.text
    assert cookies
    assert "under the kettle" not in later.text


def test_dokuwiki_signs_out_at_the_gate(dokuwiki: DokuWiki) -> None:
    page = send(dokuwiki.port, wiki_page("start"), headers=JOHN)
    cookies = "; ".join(value.partition(";")[0] for value in page.all("Set-Cookie"))

    out = send(dokuwiki.port, sign_out_link(page.text), headers={**JOHN, "Cookie": cookies})

    assert out.header("Location") == "/sso.php?mode=logout"
