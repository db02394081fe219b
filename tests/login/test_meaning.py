"""What a link says, and when: the steps after the hash."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from ssogate.login.signed_link import diagnose, make_query
from tests.login.diagnosing import (
    NOW,
    faults,
    notes,
    sender,
    url,
)


def inner(**fields: str) -> str:
    """A signed link with other inner parameters; an empty one is left out."""
    whole = {"username": "john", "name": "J", "email": "j@e.c", "t": str(NOW), **fields}
    return url(make_query({name: value for name, value in whole.items() if value}))


@pytest.mark.parametrize(
    ("link", "detail"),
    [
        pytest.param(
            inner(username="", user="john"),
            "400E1 A required URL parameter is missing: username (there is 'user'; write username)",
            id="user for username",
        ),
        pytest.param(
            inner(name="", email=""),
            "400E1 A required URL parameter is missing: name, email",
            id="two are missing",
        ),
        pytest.param(
            inner(t=f"{NOW}000"),
            "400E2 An invalid URL parameter was received: t is not a number of seconds"
            " (t counts milliseconds; give seconds)",
            id="milliseconds",
        ),
        pytest.param(
            inner(t=f"{NOW}.5"),
            "400E2 An invalid URL parameter was received: t is not a number of seconds"
            " (t has decimals; give whole seconds)",
            id="decimals",
        ),
        pytest.param(
            inner(t="2019-07-04T09:00:00Z"),
            "400E2 An invalid URL parameter was received: t is not a number of seconds"
            " (t must be a number: the seconds since 1970-01-01, UTC)",
            id="a date",
        ),
        pytest.param(
            url(b64encode(b'{"username":"john"}').decode()),
            "400E1 A required URL parameter is missing: username, name, email"
            " (it looks like JSON; write username=…&name=…&email=…)",
            id="JSON",
        ),
        pytest.param(
            url(b64encode("username=jürgen&name=J&email=j@e.c".encode("latin-1")).decode()),
            "400E2 An invalid URL parameter was received: the inner parameters are not UTF-8",
            id="Latin-1",
        ),
        pytest.param(
            url("abcde"),
            "400E2 An invalid URL parameter was received: query is not base64",
            id="no base64",
        ),
    ],
)
def test_judges_the_contents(link: str, detail: str) -> None:
    assert faults(link)["contents"] == detail


@pytest.mark.parametrize(
    ("age", "detail"),
    [
        pytest.param(
            301,
            "400E3 signed at 2019-07-04 08:54:59 UTC, 5 min 1 s ago; a link is good for 5 min",
            id="too old",
        ),
        pytest.param(
            -61,
            "400E2 signed at 2019-07-04 09:01:01 UTC, which is 1 min 1 s ahead of this machine's"
            " clock",
            id="ahead",
        ),
        pytest.param(
            -7195,
            "400E2 signed at 2019-07-04 10:59:55 UTC, which is 1 h 59 min ahead of this machine's"
            " clock. It is off by 2 h: does the sender take local time for UTC?",
            id="local time ahead",
        ),
        pytest.param(
            19810,
            "400E3 signed at 2019-07-04 03:29:50 UTC, 5 h 30 min ago; a link is good for 5 min."
            " It is off by 5 h 30 min: does the sender take local time for UTC?",
            id="local time behind",
        ),
        pytest.param(
            NOW,
            "400E3 signed at 1970-01-01 00:00:00 UTC, 18081 d 9 h ago; a link is good for 5 min",
            id="the epoch",
        ),
        pytest.param(
            NOW - 99_999_999_999,
            "400E2 signed at 5138-11-16 09:46:39 UTC, which is 1139326 d 46 min ahead of this"
            " machine's clock",
            id="the far future",
        ),
    ],
)
def test_judges_the_time(age: int, detail: str) -> None:
    assert faults(inner(t=str(NOW - age))) == {"time": detail}


@pytest.mark.parametrize(
    "age", [pytest.param(300, id="just not too old"), pytest.param(-60, id="just not ahead")]
)
def test_the_limits_are_the_gates(age: int) -> None:
    assert notes(inner(t=str(NOW - age)))


def test_a_missing_time_is_told() -> None:
    message = "400E1 t is missing: the time of signing, in Unix seconds"

    assert faults(inner(t="")) == {"time": message}
    found = notes(inner(t=""), sender(verify_timestamp=False))
    assert found["time"] == "not judged (`verify_timestamp: false`): it never expires"


@pytest.mark.parametrize(
    ("settings", "detail"),
    [
        pytest.param({}, "gives 'staff'; ignores 'root', which no policy names", id="policies'"),
        pytest.param(
            {"groups_allowed": ("root",)},
            "gives 'root'; ignores 'staff', which `groups_allowed` does not list",
            id="listed",
        ),
        pytest.param({"groups_allowed": ("root", "staff")}, "gives 'root, staff'", id="all"),
    ],
)
def test_tells_which_groups_count(settings: dict[str, Any], detail: str) -> None:
    found = diagnose(
        inner(groups="staff,root"), sender(**settings), now=NOW, policy_groups=frozenset({"staff"})
    )

    assert [finding.detail for finding in found.findings if finding.title == "groups"] == [detail]


@pytest.mark.parametrize(
    ("link", "detail"),
    [
        pytest.param(inner(redirect="/a?b=c"), "leads to /a?b=c", id="inside"),
        pytest.param(url(redirect="/a"), "leads to /a", id="beside"),
        pytest.param(
            inner(redirecttype="article", redirectid="31"),
            "leads to /article.php?id=31, by `redirects`",
            id="by type",
        ),
        pytest.param(
            inner(redirect="//evil.example/"),
            "leads to /home: redirect='//evil.example/' is no path of this site, nor a row of"
            " `redirects`, so is ignored",
            id="off-site",
        ),
        pytest.param(
            inner(redirecttype="page", redirectid="1"),
            "leads to /home: redirecttype='page' redirectid='1' is no path of this site, nor a row"
            " of `redirects`, so is ignored",
            id="unknown type",
        ),
        pytest.param(inner(), "leads to /home", id="default"),
        pytest.param(inner(redirect="/home"), "leads to /home", id="the default by name"),
    ],
)
def test_tells_where_it_leads(link: str, detail: str) -> None:
    settings = sender(redirects={"article": "/article.php?id={id}"}, default_page="/home")

    assert notes(link, settings)["destination"] == detail
