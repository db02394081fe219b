"""Coming in by a signed link: who gets in, and in which order refusals are found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ssogate.login.signed_link.link import digest
from tests.login.making import (
    ANN,
    JOE,
    OTHER_SECRET,
    SECRET,
    Browser,
    Gate,
    code,
    fields_of,
    refused,
    settings,
)
from tests.storage.making import NOW, user

SLACK = 60
EXPIRY = 300
LINK = fields_of(JOE)


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path, settings())


# --- The way in -------------------------------------------------------------------------------


def test_a_link_signs_in_and_leads_to_the_front_page(gate: Gate) -> None:
    browser = gate.browser()
    assert browser.who == ""

    response = browser.follow(LINK)

    assert (response.status_code, response.headers["Location"]) == (303, "/")
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Cache-Control"] == "no-store"
    assert browser.who == "joe"


def test_the_cookie_is_for_this_host_alone(gate: Gate) -> None:
    """C9."""
    cookie = gate.browser().follow(LINK).headers["Set-Cookie"]
    name, *flags = cookie.split("; ")

    assert name.startswith("__Host-ssogate=")
    assert sorted(flags) == ["HttpOnly", "Path=/", "SameSite=Lax", "Secure"]


@pytest.mark.parametrize(
    "query_string",
    [
        pytest.param("mode=login&query={query}&hash={hash}", id="pasted unescaped"),
        pytest.param("hash={hash}&query={query}&mode=login", id="another order"),
        pytest.param("mode=login&query={query}&hash={hash}&utm=x&fbclid=y", id="tracked"),
        pytest.param("mode=login&query={escaped}&hash={hash}", id="escaped"),
    ],
)
def test_a_link_may_be_spelt_as_senders_do(gate: Gate, query_string: str) -> None:
    plus = fields_of({**JOE, "name": "~~~???~~~>>>"})
    assert "+" in plus["query"] or "/" in plus["query"]
    escaped = plus["query"].replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    browser = gate.browser()

    response = browser.get("/sso.php", query_string=query_string.format(**plus, escaped=escaped))

    assert response.status_code == 303
    assert browser.who == "joe"


def test_a_link_without_padding_signs_in(gate: Gate) -> None:
    query = fields_of({**JOE, "name": "Joe"})["query"].rstrip("=")
    browser = gate.browser()

    browser.follow({"mode": "login", "query": query, "hash": digest(query, SECRET)})

    assert browser.who == "joe"


# --- What is refused --------------------------------------------------------------------------


def signed(query: str) -> dict[str, str]:
    return {"mode": "login", "query": query, "hash": digest(query, SECRET)}


INNER_MISTAKES = [
    pytest.param(fields_of("name=n&email=j@x.y&t=1"), "400E1", id="no username"),
    pytest.param(fields_of("username=&name=n&email=j@x.y"), "400E1", id="empty username"),
    pytest.param(fields_of({**JOE, "name": ""}), "400E1", id="empty name"),
    pytest.param(fields_of({**JOE, "email": ""}), "400E1", id="empty e-mail"),
    pytest.param(fields_of("username=j&name=n&email=j@x.y"), "400E1", id="no t"),
    pytest.param(fields_of({**JOE, "email": "joe"}), "400E2", id="no e-mail address"),
    pytest.param(fields_of({**JOE, "t": "soon"}), "400E2", id="t is no number"),
    pytest.param(fields_of({**JOE, "t": "-1"}), "400E2", id="t is negative"),
    pytest.param(fields_of({**JOE, "t": "1e9"}), "400E2", id="t is a float"),
    pytest.param(fields_of({**JOE, "username[]": "ann"}), "400E2", id="username as an array"),
    pytest.param(
        fields_of("username=a&username=b&name=n&email=j@x.y"), "400E2", id="username twice"
    ),
    pytest.param(fields_of({**JOE, "username": "joe\u200b"}), "400E2", id="invisible character"),
    pytest.param(fields_of({**JOE, "groups": "a\nb"}), "400E2", id="group with a line break"),
    pytest.param(fields_of("username=%ff&name=n&email=j@x.y"), "400E2", id="not UTF-8"),
    pytest.param(signed(LINK["query"].replace("=", "-")), "400E2", id="url-safe alphabet"),
    pytest.param(signed(LINK["query"][:-1] + "\n"), "400E2", id="line break"),
    pytest.param(signed("%%%"), "400E2", id="no base64"),
    pytest.param(fields_of({**JOE, "t": str(NOW - EXPIRY - 1)}), "400E3", id="too old"),
    pytest.param(fields_of({**JOE, "t": "0"}), "400E3", id="of 1970"),
    pytest.param(fields_of({**JOE, "t": str(NOW + SLACK + 1)}), "400E2", id="from the future"),
    pytest.param(fields_of({**JOE, "t": "99999999999"}), "400E2", id="from the year 5138"),
]
OUTER_MISTAKES = [
    pytest.param({}, "400E1", id="nothing"),
    pytest.param({**LINK, "mode": ""}, "400E1", id="no mode"),
    pytest.param({**LINK, "query": ""}, "400E1", id="no query"),
    pytest.param({**LINK, "hash": ""}, "400E1", id="no hash"),
    pytest.param({**LINK, "mode": "LOGIN"}, "400E2", id="mode in capitals"),
    pytest.param({**LINK, "mode": "signin"}, "400E2", id="unknown mode"),
    pytest.param({**LINK, "hash": LINK["hash"][:-1]}, "400E2", id="hash too short"),
    pytest.param({**LINK, "hash": "z" * 64}, "400E2", id="hash not hex"),
    pytest.param({**LINK, "query[]": "x"}, "400E2", id="query as an array"),
    pytest.param([*LINK.items(), ("hash", LINK["hash"])], "400E2", id="hash twice"),
    pytest.param([*LINK.items(), ("query", "x")], "400E2", id="query twice"),
    pytest.param([*LINK.items(), ("mode", "logout")], "400E2", id="mode twice"),
    pytest.param({**LINK, "query": "A" * 5000}, "400E2", id="query too long"),
    pytest.param({**LINK, "hash": "0" * 64}, "401E1", id="hash made up"),
    pytest.param({**LINK, "hash": LINK["hash"].upper()}, "401E1", id="hash in capitals"),
    pytest.param({**LINK, "hash": fields_of(ANN)["hash"]}, "401E1", id="hash of another link"),
    pytest.param({**LINK, "query": fields_of(ANN)["query"]}, "401E1", id="another's query"),
    pytest.param(
        {**LINK, "hash": digest(LINK["query"], OTHER_SECRET)}, "401E1", id="another secret"
    ),
    pytest.param(
        {**LINK, "hash": digest(LINK["query"], SECRET, "hmac-sha256")}, "401E1", id="as an HMAC"
    ),
]


@pytest.mark.parametrize(("fields", "expected"), [*OUTER_MISTAKES, *INNER_MISTAKES])
def test_a_link_with_a_mistake_is_refused(gate: Gate, fields: Any, expected: str) -> None:
    browser = gate.browser()

    assert refused(browser.follow(fields), expected)
    assert browser.who == ""
    assert gate.names == []
    assert list(gate.keeper.store.users.listed()) == []


@pytest.mark.parametrize("fields", [case.values[0] for case in INNER_MISTAKES])
def test_without_the_secret_nobody_learns_of_an_inner_mistake(
    gate: Gate, fields: dict[str, str]
) -> None:
    assert refused(gate.browser().follow({**fields, "hash": "0" * 64}), "401E1")


@pytest.mark.parametrize("active", [True, False])
def test_without_the_secret_nobody_learns_who_is_known(tmp_path: Path, active: bool) -> None:
    gate = Gate(tmp_path, settings(auto_create=False, allowed_domains=["member.example"]))
    gate.keeper.store.users.add(user("joe", active=active))

    answers = [gate.browser().follow({**fields_of(who), "hash": "0" * 64}) for who in (JOE, ANN)]

    assert [code(answer) for answer in answers] == ["401E1", "401E1"]
    texts = [answer.get_data(as_text=True).rpartition("Request ")[0] for answer in answers]
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("made", "headers", "fields", "expected"),
    [
        pytest.param({"enabled": False}, {}, {}, "503E1", id="disabled before all"),
        pytest.param({"enabled": False}, {}, LINK, "503E1", id="disabled before a good link"),
        pytest.param(
            {"enabled": False}, {}, {"mode": b"\xff"}, "503E1", id="disabled before a form"
        ),
        pytest.param({"enabled": False}, {}, {"mode": "logout"}, "503E1", id="disabled, logout"),
        pytest.param({}, {}, {"mode": "x", "hash": ""}, "400E2", id="unknown mode"),
        pytest.param({}, {}, {**LINK, "mode": "x", "hash": ""}, "400E1", id="missing before mode"),
        pytest.param({}, {}, {"mode": "login", "mode[]": "x"}, "400E1", id="missing before twice"),
        pytest.param(
            {"allowed_domains": ["a.example"]},
            {},
            {**LINK, "hash": "0" * 64},
            "401E1",
            id="hash before referrer",
        ),
        pytest.param(
            {"allowed_domains": ["a.example"]},
            {},
            fields_of("x=1"),
            "401E2",
            id="referrer before what is inside",
        ),
        pytest.param(
            {"auto_create": False},
            {},
            fields_of({**JOE, "t": "1"}),
            "400E3",
            id="age before the account",
        ),
        pytest.param({}, {}, fields_of({"t": "1"}), "400E1", id="what is inside before age"),
    ],
)
def test_the_checks_have_an_order(
    tmp_path: Path,
    made: dict[str, Any],
    headers: dict[str, str],
    fields: Mapping[str, Any],
    expected: str,
) -> None:
    gate = Gate(tmp_path, settings(**made))

    assert refused(gate.browser().follow(fields, headers=headers), expected)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_mode_login_is_for_get_alone(gate: Gate, method: str) -> None:
    browser = gate.browser()

    response = browser.open("/sso.php", query_string=LINK, method=method)

    assert refused(response, "400E2")
    assert gate.names == []
    assert browser.follow(LINK).status_code == 303, "the link is not used up"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Purpose": "prefetch"},
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
        {"X-Purpose": "preview"},
        {"X-Moz": "prefetch"},
    ],
    ids=str,
)
@pytest.mark.parametrize("mode", ["login", "logout"])
def test_nothing_happens_ahead_of_a_click(gate: Gate, headers: dict[str, str], mode: str) -> None:
    browser = gate.browser()
    if mode == "logout":
        browser.follow(LINK)

    response = browser.follow({**LINK, "mode": mode}, headers=headers)

    assert response.status_code == 425
    assert "Set-Cookie" not in response.headers
    assert browser.who == ("joe" if mode == "logout" else "")
    if mode == "login":
        assert browser.follow(LINK).status_code == 303, "the link is not used up"


# --- What is shown and logged -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "mimetype"),
    [
        pytest.param({}, "text/html", id="whoever follows a link"),
        pytest.param({"Accept": "text/html,*/*"}, "text/html", id="browser"),
        pytest.param({"Accept": "application/json"}, "application/json", id="asks for JSON"),
    ],
)
def test_a_refusal_is_a_page_unless_json_is_asked_for(
    gate: Gate, headers: dict[str, str], mimetype: str
) -> None:
    response = gate.browser().follow({**LINK, "hash": "0" * 64}, headers=headers)

    assert response.mimetype == mimetype
    assert refused(response, "401E1")


@pytest.mark.parametrize("case", ["in", "wrong", "spent", "page"])
def test_no_link_stands_in_the_log_or_on_a_page(
    gate: Gate, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    fields = {**LINK, "hash": "0" * 64} if case == "wrong" else LINK
    browser: Browser = gate.browser()
    response = browser.follow(fields)
    if case == "spent":
        response = gate.browser().follow(fields)

    cookie = response.headers.get("Set-Cookie", "")
    for secret in (fields["query"], fields["hash"], SECRET.decode(), "joe@example.com"):
        assert secret not in caplog.text
        assert secret not in response.get_data(as_text=True)
    assert not cookie or cookie.partition("=")[2].partition(";")[0] not in caplog.text
