"""A sender's settings: safe by default, and refused in words when they make no sense."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from pydantic import ValidationError

from ssogate.login.signed_link import SignedLink, SignedLinkSettings, link_problems
from ssogate.model import LocalPath
from tests.login.making import JOE, SECRET, Gate, fields_of, settings
from tests.storage.making import Hands

LONG = "0123456789-abcdefghijklmnopqrstuvwxyz"


def test_the_defaults_are_safe() -> None:
    made = settings(auto_create=False)

    assert made.path == "/sso.php"
    assert made.enabled
    assert made.verify_timestamp
    assert made.single_use
    assert not made.auto_create
    assert not made.shared_users
    assert made.groups_allowed is None
    assert made.missing_referrer == "refuse"
    assert made.algorithm == "sha256"
    assert (made.expiry, made.clock_skew) == (300, 60)
    assert SECRET.decode() not in repr(made)
    assert SECRET.decode() not in str(made.model_dump())


def test_a_secret_may_stand_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").write_text(LONG + "\n")
    (tmp_path / "link").chmod(0o600)
    monkeypatch.setenv("LINK_SECRET", SECRET.decode())
    fields = {"kind": "signed_link", "name": "crm"}

    made = SignedLinkSettings.model_validate(
        {**fields, "secrets": ({"file": "link"}, {"env": "LINK_SECRET"})},
        context={"base": tmp_path},
    )

    assert [secret.bytes for secret in made.secrets] == [LONG.encode(), SECRET]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param({"secrets": []}, "secrets", id="no secret"),
        pytest.param({"secrets": ["x" * 15]}, "shorter than 16", id="short secret"),
        pytest.param({"secrets": [LONG, "short"]}, "shorter than 16", id="one short secret"),
        pytest.param({"secrets": [LONG + str(n) for n in range(9)]}, "secrets", id="nine secrets"),
        pytest.param({"name": "CRM"}, "name", id="name in capitals"),
        pytest.param({"name": "crm:x"}, "name", id="name with a colon"),
        pytest.param({"name": ""}, "name", id="no name"),
        pytest.param({"path": "sso.php"}, "path", id="path without a slash"),
        pytest.param({"path": "/"}, "path", id="path of everything"),
        pytest.param({"path": "/a//b"}, "path", id="double slash"),
        pytest.param({"path": "/a b"}, "path", id="space"),
        pytest.param({"path": "/sso.php?x"}, "path", id="query"),
        pytest.param({"expiry": "0s"}, "expiry", id="no time at all"),
        pytest.param({"expiry": "25h"}, "expiry", id="more than a day"),
        pytest.param({"clock_skew": "11m"}, "clock_skew", id="wide skew"),
        pytest.param({"allowed_domains": ["https://a.example"]}, "write a host", id="domain, URL"),
        pytest.param({"allowed_domains": ["*"]}, "a * may stand", id="any domain"),
        pytest.param({"allowed_domains": ["*."]}, "write a host", id="sub-domains of nothing"),
        pytest.param({"allowed_domains": ["a.*.example"]}, "a * may stand", id="star inside"),
        pytest.param({"allowed_domains": [""]}, "write a host", id="empty domain"),
        pytest.param({"logout_url": "https://a@b/"}, "logout_url", id="leave to a user part"),
        pytest.param({"default_groups": ["a,b"]}, "comma", id="group with a comma"),
        pytest.param({"groups_allowed": [" a"]}, "space", id="group with a space"),
        pytest.param({"redirects": {"a": "/a"}}, "{id}", id="redirect without {id}"),
        pytest.param({"redirects": {"a": "/{id}/{id}"}}, "{id}", id="redirect with two"),
        pytest.param({"redirects": {"a": "//evil/{id}"}}, "this site", id="redirect off the site"),
        pytest.param({"redirects": {"a": "https://x/{id}"}}, "this site", id="redirect to a URL"),
        pytest.param({"default_page": "https://x/"}, "this site", id="default page off the site"),
        pytest.param({"default_page": "//x"}, "this site", id="default page, two slashes"),
        pytest.param({"logout_url": "javascript:alert(1)"}, "http", id="logout to a script"),
        pytest.param({"logout_url": "//evil.example"}, "http", id="logout, two slashes"),
        pytest.param({"return_url": "ftp://a/"}, "return_url", id="return URL of another scheme"),
        pytest.param({"return_url": "https://a@b/"}, "return_url", id="return URL, user part"),
        pytest.param({"algorithm": "md5"}, "algorithm", id="weak digest"),
        pytest.param({"expire": "5m"}, "expire", id="unknown key"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(**given)

    assert words in str(caught.value)
    assert LONG not in str(caught.value)


def problems(*senders: SignedLinkSettings) -> list[tuple[str, bool]]:
    return [(text.partition(":")[0], warning) for text, warning in link_problems(senders)]


SHOP = {"name": "shop", "path": "/shop.php"}


@pytest.mark.parametrize(
    ("senders", "found"),
    [
        pytest.param([settings()], [], id="one good sender"),
        pytest.param([settings(), settings(**SHOP, secrets=[LONG])], [], id="two good ones"),
        pytest.param(
            [settings(secrets=[LONG]), settings(**SHOP, secrets=["x" + LONG])],
            [("a secret of 'crm' is the end of one of 'shop'", False)],
            id="one secret ends another",
        ),
        pytest.param(
            [settings(secrets=[LONG, "x" + LONG])],
            [("a secret of 'crm' is the end of one of 'crm'", False)],
            id="within one sender",
        ),
        pytest.param(
            [settings(), settings(**SHOP)],
            [
                ("a secret of 'crm' is the end of one of 'shop'", False),
                ("a secret of 'shop' is the end of one of 'crm'", False),
            ],
            id="the same secret",
        ),
        pytest.param([settings(secrets=["x" * 31])], [("crm", True)], id="short secret"),
        pytest.param([settings(verify_timestamp=False)], [("crm", True)], id="links for ever"),
    ],
)
def test_senders_are_judged_beside_one_another(
    senders: list[SignedLinkSettings], found: list[tuple[str, bool]]
) -> None:
    assert problems(*senders) == found


# --- Where links lead, and where visitors are sent ---------------------------------------------

REDIRECTS = {"article": "/article.php?id={id}", "page": "/wiki/{id}.html"}
PATHS = {"redirects": REDIRECTS, "default_page": "/home"}


@pytest.mark.parametrize(
    ("inside", "beside", "path"),
    [
        pytest.param({}, {}, "/home", id="nothing said"),
        pytest.param({"redirect": "/in?a=b"}, {}, "/in?a=b", id="inside"),
        pytest.param({}, {"redirect": "/beside"}, "/beside", id="beside"),
        pytest.param({"redirect": "/in"}, {"redirect": "/beside"}, "/in", id="inside first"),
        pytest.param({"redirect": "//x"}, {"redirect": "/beside"}, "/beside", id="bad inside"),
        pytest.param(
            {"redirecttype": "article", "redirectid": "31"}, {}, "/article.php?id=31", id="type"
        ),
        pytest.param(
            {}, {"redirecttype": "page", "redirectid": "A-b_1"}, "/wiki/A-b_1.html", id="beside too"
        ),
        pytest.param(
            {"redirecttype": "page", "redirectid": "1", "redirect": "/x"},
            {},
            "/wiki/1.html",
            id="both",
        ),
        pytest.param({"redirecttype": "news", "redirectid": "1"}, {}, "/home", id="unknown type"),
        pytest.param({"redirecttype": "page", "redirectid": ""}, {}, "/home", id="no id"),
        pytest.param({"redirecttype": "page", "redirectid": "../x"}, {}, "/home", id="dots"),
        pytest.param({"redirecttype": "page", "redirectid": "a/b"}, {}, "/home", id="slash"),
        pytest.param({"redirecttype": "page", "redirectid": "1&a=b"}, {}, "/home", id="ampersand"),
        pytest.param({"redirecttype": "page", "redirectid": "1" * 65}, {}, "/home", id="long id"),
        pytest.param({"redirecttype": "page", "redirectid": "１"}, {}, "/home", id="odd digit"),
        pytest.param({"redirecttype": "page", "redirectid": "1{id}"}, {}, "/home", id="braces"),
        pytest.param({"redirect": "https://evil.example"}, {}, "/home", id="URL"),
        pytest.param({"redirect": "/\\evil.example"}, {}, "/home", id="backslash"),
        pytest.param({"redirect": "/a\r\nSet-Cookie: x=y"}, {}, "/home", id="line break"),
        pytest.param({"redirect": "/sso.php?mode=logout"}, {}, "/home", id="back to the link"),
        pytest.param({"redirect": "/%73so.php?x"}, {}, "/home", id="back to the link, escaped"),
    ],
)
def test_a_link_leads_to_a_page_of_this_site(
    tmp_path: Path, inside: dict[str, str], beside: dict[str, str], path: str
) -> None:
    gate = Gate(tmp_path, settings(**PATHS))

    response = gate.browser().follow({**fields_of({**JOE, **inside}), **beside})

    assert (response.status_code, response.headers["Location"]) == (303, path)


def sender(**given: Any) -> SignedLink:
    return SignedLink(settings(**given), frozenset(), Hands())


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        pytest.param("/a?b=c", {}, id="any page"),
        pytest.param("/article.php?id=31", {"redirecttype": "article", "redirectid": "31"}, id="a"),
        pytest.param("/wiki/A-b.html", {"redirecttype": "page", "redirectid": "A-b"}, id="wiki"),
        pytest.param("/wiki/A-bxhtml", {}, id="a dot is a dot"),
        pytest.param("/article.php?id=31&x=1", {}, id="more than the page"),
        pytest.param("/article.php?id=", {}, id="no id"),
    ],
)
def test_a_visitor_is_sent_to_the_sender_with_where_they_wanted(
    wanted: str, told: dict[str, str]
) -> None:
    method = sender(return_url="https://member.example/in?lang=de", redirects=REDIRECTS)

    url = method.challenge_url(LocalPath(wanted))

    assert url is not None
    assert url.startswith("https://member.example/in?lang=de&")
    assert parse_qs(urlsplit(url).query) == {
        "lang": ["de"],
        "redirect": [wanted],
        **{name: [value] for name, value in told.items()},
    }


def test_what_the_sender_hands_back_leads_to_the_very_page(tmp_path: Path) -> None:
    gate = Gate(tmp_path, settings(return_url="https://member.example/in", redirects=REDIRECTS))
    for wanted in ("/article.php?id=31", "/wiki/x.html", "/a?b=c%20d&e=%2F"):
        url = gate.chooser.challenge_url(LocalPath(wanted))
        handed_back = dict(parse_qsl(urlsplit(url).query))
        gate.clock.now += 1
        link = fields_of({**JOE, "t": str(int(gate.clock.now))})

        response = gate.browser().follow({**link, **handed_back})

        assert response.headers["Location"] == wanted


@pytest.mark.parametrize("given", [{}, {"return_url": "https://a.example/", "enabled": False}])
def test_who_has_no_page_of_its_own_is_no_way_in(given: dict[str, Any]) -> None:
    assert sender(**given).challenge_url(LocalPath("/")) is None


def test_a_sender_has_a_label() -> None:
    assert sender().label == "crm"
    assert sender(label="Customers").label == "Customers"
