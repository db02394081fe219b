"""Coming in by a signed link: what lets a visitor in, and in which order refusals are found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ssogate.directory import change_user
from ssogate.errors import StoreFailure
from ssogate.login.signed_link.link import digest, make_query
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
REFERRER = {"Referer": "https://member.example/list"}
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
    assert gate.keeper.store.users.listed() == []


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
        pytest.param({"enabled": False}, {}, {"mode": "logout"}, "503E1", id="disabled, logout"),
        pytest.param({}, {}, {"mode": "x", "hash": ""}, "400E2", id="mode before hash"),
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
    fields: Mapping[str, str],
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


# --- Time and single use ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("passed", "expected"),
    [
        pytest.param(-SLACK - 1, "400E2", id="far ahead"),
        pytest.param(-SLACK, None, id="as far ahead as may be"),
        pytest.param(0, None, id="at once"),
        pytest.param(EXPIRY, None, id="the last second"),
        pytest.param(EXPIRY + 0.001, "400E3", id="just too late"),
        pytest.param(EXPIRY + 1, "400E3", id="too late"),
    ],
)
def test_a_link_is_good_for_as_long_as_is_set(
    gate: Gate, passed: float, expected: str | None
) -> None:
    gate.clock.now = NOW + passed

    assert code(gate.browser().follow(LINK)) == expected


def test_a_link_opens_one_session(gate: Gate) -> None:
    gate.browser().follow(LINK)

    stranger = gate.browser()
    assert refused(stranger.follow(LINK), "400E3")
    assert stranger.who == ""
    assert gate.names == ["joe"]


@pytest.mark.parametrize(
    "again",
    [
        pytest.param({**LINK, "query": LINK["query"].replace("+", " ")}, id="space for plus"),
        pytest.param({**LINK, "redirect": "/elsewhere"}, id="another destination"),
        pytest.param({**LINK, "x": "1"}, id="one more parameter"),
    ],
)
def test_another_spelling_of_a_spent_link_is_spent(gate: Gate, again: dict[str, str]) -> None:
    gate.browser().follow(LINK)

    assert refused(gate.browser().follow(again), "400E3")


def test_a_spent_link_stays_spent_when_the_clock_is_set_back(gate: Gate) -> None:
    gate.clock.now = NOW + EXPIRY
    gate.browser().follow(LINK)
    gate.browser().follow(fields_of({**ANN, "t": str(NOW + EXPIRY)}))
    gate.clock.now = NOW

    assert refused(gate.browser().follow(LINK), "400E3")


def test_the_browser_that_a_link_opened_is_sent_on_again(gate: Gate) -> None:
    browser = gate.browser()
    browser.follow(LINK)
    gate.clock.now = NOW + EXPIRY + 99

    response = browser.follow({**LINK, "redirect": "/there"})

    assert (response.status_code, response.headers["Location"]) == (303, "/there")
    assert "Set-Cookie" not in response.headers
    assert gate.names == ["joe"]


def test_a_reload_needs_no_referrer(tmp_path: Path) -> None:
    gate = Gate(tmp_path, settings(allowed_domains=["member.example"]))
    browser = gate.browser()
    browser.follow(LINK, headers=REFERRER)

    assert browser.follow(LINK).status_code == 303


@pytest.mark.parametrize("out", ["logout", "deactivated", "idle"])
def test_after_the_session_a_link_in_the_history_signs_nobody_in(gate: Gate, out: str) -> None:
    browser = gate.browser()
    browser.follow(LINK)
    if out == "logout":
        browser.follow({"mode": "logout"})
    elif out == "idle":
        gate.clock.now = NOW + 3601
    else:
        (joe,) = gate.keeper.store.users.listed()
        change_user(gate.keeper.store, "joe", active=False, now=NOW)

    assert refused(browser.follow(LINK), "400E3")
    assert browser.who == ""


@pytest.mark.parametrize(
    ("made", "fields"),
    [
        pytest.param({"single_use": False}, LINK, id="single_use off"),
        pytest.param({"verify_timestamp": False}, LINK, id="verify_timestamp off"),
        pytest.param(
            {"verify_timestamp": False},
            fields_of({key: JOE[key] for key in ("username", "name", "email")}),
            id="verify_timestamp off, no t",
        ),
        pytest.param({"verify_timestamp": False}, fields_of({**JOE, "t": "1"}), id="old t"),
    ],
)
def test_a_link_may_be_allowed_to_work_again(
    tmp_path: Path, made: dict[str, Any], fields: dict[str, str]
) -> None:
    gate = Gate(tmp_path, settings(**made))

    for _ in range(2):
        assert gate.browser().follow(fields).status_code == 303
    assert gate.names == ["joe", "joe"]


@pytest.mark.parametrize(
    ("made", "passed", "expected"),
    [
        pytest.param({"expiry": "10s"}, 10, None, id="expiry"),
        pytest.param({"expiry": "10s"}, 11, "400E3", id="after expiry"),
        pytest.param({"clock_skew": "0s"}, 0, None, id="no skew"),
        pytest.param({"clock_skew": "0s"}, -1, "400E2", id="no skew, ahead"),
        pytest.param({"clock_skew": "10m"}, -600, None, id="more skew"),
    ],
)
def test_the_times_are_settings(
    tmp_path: Path, made: dict[str, Any], passed: int, expected: str | None
) -> None:
    gate = Gate(tmp_path, settings(**made))
    gate.clock.now = NOW + passed

    assert code(gate.browser().follow(LINK)) == expected


# --- The referrer -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("domains", "referrer", "let_in"),
    [
        pytest.param([], None, True, id="no list, no referrer"),
        pytest.param([], "https://evil.example/", True, id="no list, any referrer"),
        pytest.param(["member.example"], "https://member.example/a?b", True, id="listed"),
        pytest.param(["member.example"], "http://Member.Example:8080/", True, id="case and port"),
        pytest.param(["a.example", "member.example"], "https://member.example", True, id="second"),
        pytest.param(["*.member.example"], "https://a.b.member.example/", True, id="sub-domain"),
        pytest.param(["*.member.example"], "https://member.example/", False, id="itself, for *."),
        pytest.param(["*.member.example"], "https://evilmember.example/", False, id="suffix, *."),
        pytest.param(["*.member.example"], "https://member.example.evil/", False, id="prefix, *."),
        pytest.param(["member.example"], None, False, id="none"),
        pytest.param(["member.example"], "", False, id="empty"),
        pytest.param(["member.example"], "https://a.member.example/", False, id="sub-domain alone"),
        pytest.param(
            ["member.example"], "https://evil-member.example/", False, id="evil- in front"
        ),
        pytest.param(["member.example"], "https://member.example.evil/", False, id="evil behind"),
        pytest.param(["member.example"], "https://member.example@evil.example/", False, id="user"),
        pytest.param(
            ["member.example"], "https://evil.example@member.example/", False, id="user 2"
        ),
        pytest.param(["member.example"], "https://evil.example/member.example", False, id="path"),
        pytest.param(["member.example"], "https://evil.example?member.example", False, id="query"),
        pytest.param(["member.example"], "https://evil.example#@member.example", False, id="frag"),
        pytest.param(["member.example"], "https://evil.example\\@member.example", False, id="back"),
        pytest.param(["member.example"], "ftp://member.example/", False, id="another scheme"),
        pytest.param(["member.example"], "member.example", False, id="no scheme"),
        pytest.param(["member.example"], "javascript://member.example/", False, id="script"),
        pytest.param(["member.example"], "https://memberxexample/", False, id="dot is no wildcard"),
    ],
)
def test_a_link_may_be_bound_to_the_page_that_it_is_on(
    tmp_path: Path, domains: list[str], referrer: str | None, let_in: bool
) -> None:
    gate = Gate(tmp_path, settings(allowed_domains=domains))
    browser = gate.browser()

    response = browser.follow(LINK, headers={} if referrer is None else {"Referer": referrer})

    assert (response.status_code == 303) is let_in
    assert let_in or refused(response, "401E2")
    assert browser.who == ("joe" if let_in else "")


@pytest.mark.parametrize(
    ("referrer", "let_in"), [(None, True), ("", False), ("https://evil/", False)]
)
def test_a_missing_referrer_may_be_allowed(
    tmp_path: Path, referrer: str | None, let_in: bool
) -> None:
    made = settings(allowed_domains=["member.example"], missing_referrer="allow")
    headers = {} if referrer is None else {"Referer": referrer}

    response = Gate(tmp_path, made).browser().follow(LINK, headers=headers)

    assert code(response) == (None if let_in else "401E2")


# --- Accounts ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "known", "expected"),
    [
        pytest.param({}, None, None, id="created"),
        pytest.param({"auto_create": False}, None, "404E2", id="not created"),
        pytest.param({}, user("joe", source="crm"), None, id="the sender's own"),
        pytest.param({"auto_create": False}, user("joe", source=""), None, id="an operator's"),
        pytest.param({}, user("joe", source="shop"), "400E4", id="another sender's"),
        pytest.param({"shared_users": True}, user("joe", source="shop"), None, id="shared"),
        pytest.param({}, user("joe", source="crm", active=False), "404E1", id="inactive"),
    ],
)
def test_the_account_decides_last(
    tmp_path: Path, made: dict[str, Any], known: Any, expected: str | None
) -> None:
    gate = Gate(tmp_path, settings(**made))
    if known:
        gate.keeper.store.users.add(known)
    browser = gate.browser()

    assert code(browser.follow(LINK)) == expected
    assert browser.who == ("" if expected else "joe")
    if expected and known:
        gate.keeper.store.users.update(replace(known, active=True))
    if expected == "404E1":
        assert browser.follow(LINK).status_code == 303, "a refusal does not use the link up"


@pytest.mark.parametrize(
    ("made", "sent", "expected"),
    [
        pytest.param({}, "staff,admins", {"staff"}, id="policy's groups only"),
        pytest.param({"groups_allowed": ["admins"]}, "staff,admins", {"admins"}, id="listed only"),
        pytest.param({"groups_allowed": []}, "staff,members", set(), id="none"),
        pytest.param({"default_groups": ["new"]}, "staff", {"new", "staff"}, id="beside defaults"),
        pytest.param({"default_groups": ["new"]}, None, {"new"}, id="defaults alone"),
        pytest.param({}, "STAFF, staff ,", {"staff"}, id="another case is another group"),
    ],
)
def test_a_new_user_gets_groups_that_are_allowed(
    tmp_path: Path, made: dict[str, Any], sent: str | None, expected: set[str]
) -> None:
    gate = Gate(tmp_path, settings(**made))

    gate.browser().follow(fields_of(JOE if sent is None else {**JOE, "groups": sent}))

    (joe,) = gate.keeper.store.users.listed()
    assert joe.identity.groups == expected
    assert joe.source == "crm"


@pytest.mark.parametrize("update", [True, False])
def test_a_known_user_is_updated_if_so_set(tmp_path: Path, update: bool) -> None:
    gate = Gate(tmp_path, settings(update_existing=update))
    gate.keeper.store.users.add(user("joe"))

    gate.browser().follow(fields_of({**JOE, "name": "New", "groups": "members"}))

    (joe,) = gate.keeper.store.users.listed()
    assert joe.identity.name == ("New" if update else "joe Doe")
    assert joe.identity.groups == ({"members"} if update else {"staff", "b"})


@pytest.mark.parametrize("alias", ["JOE", "ｊｏｅ"])
def test_two_spellings_are_one_account(gate: Gate, alias: str) -> None:
    gate.browser().follow(LINK)
    gate.browser().follow(fields_of({**JOE, "username": alias}))

    assert gate.names == ["joe", "joe"]
    assert len(gate.keeper.store.users.listed()) == 1


def test_a_store_that_fails_is_told_and_uses_nothing_up(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> Any:
        raise StoreFailure("disk full at /var/lib/secret")

    with monkeypatch.context() as patch:
        patch.setattr(gate.keeper.store.sessions, "put", fail)
        response = gate.browser().follow(LINK)
        assert refused(response, "500E1")
        assert "secret" not in response.get_data(as_text=True)

    assert gate.browser().follow(LINK).status_code == 303


# --- Several senders, and secrets that change -------------------------------------------------


def test_senders_side_by_side_have_their_own_links_and_users(tmp_path: Path) -> None:
    shop = settings(name="shop", path="/shop/sso.php", secrets=[OTHER_SECRET.decode()])
    gate = Gate(tmp_path, settings(), shop)
    gate.browser().follow(LINK)
    query = make_query({**JOE, "name": "Thief"})
    link = {"mode": "login", "query": query, "hash": digest(query, OTHER_SECRET)}

    assert refused(gate.browser().follow(link), "401E1")
    assert refused(gate.browser().follow(LINK, path="/shop/sso.php"), "401E1")
    assert refused(gate.browser().follow(link, path="/shop/sso.php"), "400E4")
    (joe,) = gate.keeper.store.users.listed()
    assert joe.identity.name == "Joe Doe"


def test_secrets_are_changed_without_breaking_links(tmp_path: Path) -> None:
    both = settings(secrets=[OTHER_SECRET.decode(), SECRET.decode()])
    query = make_query(ANN)
    new = {"mode": "login", "query": query, "hash": digest(query, OTHER_SECRET)}

    gate = Gate(tmp_path, both)
    assert gate.browser().follow(LINK).status_code == 303
    assert gate.browser().follow(new).status_code == 303

    later = Gate(tmp_path / "later", settings(secrets=[OTHER_SECRET.decode()]))
    assert refused(later.browser().follow(LINK), "401E1")


def test_a_newer_sender_may_use_an_hmac(tmp_path: Path) -> None:
    gate = Gate(tmp_path, settings(algorithm="hmac-sha256"))
    query = make_query(JOE)

    assert refused(gate.browser().follow(LINK), "401E1")
    good = {"mode": "login", "query": query, "hash": digest(query, SECRET, "hmac-sha256")}
    assert gate.browser().follow(good).status_code == 303


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
