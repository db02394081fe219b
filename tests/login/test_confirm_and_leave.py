"""Becoming somebody else takes a word of one's own; no other site's page can say or send it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ssogate.errors import StoreFailure
from ssogate.login.signed_link.link import digest
from tests.login.making import (
    ANN,
    JOE,
    SECRET,
    Browser,
    Gate,
    fields_of,
    hidden_fields,
    make_raw,
    refused,
    settings,
)
from tests.storage.making import NOW

JOES, ANNS = fields_of(JOE), fields_of(ANN)
JOES_SECOND = fields_of({**JOE, "t": str(NOW + 1)})


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path, settings())


@pytest.fixture
def joe(gate: Gate) -> Browser:
    browser = gate.browser()
    browser.follow(JOES)
    return browser


# --- Somebody else is signed in (C1) ----------------------------------------------------------


def test_a_strangers_link_asks_first(gate: Gate, joe: Browser) -> None:
    response = joe.follow(ANNS)

    assert response.status_code == 200
    assert "Sign in as ann?" in response.get_data(as_text=True)
    assert "Set-Cookie" not in response.headers
    assert joe.who == "joe"
    assert gate.names == ["joe"]


def test_a_visitor_who_agrees_is_signed_in_anew(gate: Gate, joe: Browser) -> None:
    asked = joe.follow({**ANNS, "redirect": "/wanted"})

    response = joe.follow(hidden_fields(asked))

    assert (response.status_code, response.headers["Location"]) == (303, "/wanted")
    assert joe.who == "ann"
    assert gate.names == ["ann"], "the old session has ended"


def test_a_visitor_who_stays_has_not_used_the_link_up(gate: Gate, joe: Browser) -> None:
    joe.follow(ANNS)

    assert gate.browser().follow(ANNS).status_code == 303


@pytest.mark.parametrize("confirm", ["", "yes", "0" * 64, "é"])
def test_a_word_that_is_not_the_visitors_is_asked_again(joe: Browser, confirm: str) -> None:
    response = joe.follow({**ANNS, "confirm": confirm})

    assert response.status_code == 200
    assert joe.who == "joe"


def test_the_word_of_another_session_is_asked_again(gate: Gate, joe: Browser) -> None:
    attacker = gate.browser()
    attacker.follow(JOES_SECOND)
    stolen = hidden_fields(attacker.follow(ANNS))

    assert joe.follow(stolen).status_code == 200
    assert joe.who == "joe"


def test_the_word_for_another_link_is_asked_again(joe: Browser) -> None:
    confirm = hidden_fields(joe.follow(ANNS))["confirm"]
    other = fields_of({**ANN, "username": "eve"})

    assert joe.follow({**other, "confirm": confirm}).status_code == 200
    assert joe.who == "joe"


def test_an_agreement_is_judged_like_any_link(gate: Gate, joe: Browser) -> None:
    asked = hidden_fields(joe.follow(ANNS))
    gate.clock.now = NOW + 301

    assert refused(joe.follow(asked), "400E3")
    assert joe.who == "joe"


def test_the_question_shows_names_as_text(gate: Gate, joe: Browser) -> None:
    evil = fields_of({**ANN, "username": '"><script>alert(1)</script>'})

    text = joe.follow({**evil, "redirect": "/a?b='&c"}).get_data(as_text=True)

    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_ones_own_second_link_needs_no_question(gate: Gate, joe: Browser) -> None:
    first = joe.get_cookie("__Host-ssogate", domain="app.example")
    response = joe.follow(JOES_SECOND)
    second = joe.get_cookie("__Host-ssogate", domain="app.example")

    assert response.status_code == 303
    assert first is not None
    assert second is not None
    assert first.value != second.value, "each sign-in has a new id"
    assert gate.names == ["joe"]


@pytest.mark.parametrize(
    ("referrer", "asked"),
    [
        pytest.param("https://member.example/", False, id="a listed site vouches"),
        pytest.param(None, True, id="nobody vouches"),
    ],
)
def test_a_listed_site_vouches_for_its_links(
    tmp_path: Path, referrer: str | None, asked: bool
) -> None:
    made = settings(allowed_domains=["member.example"], missing_referrer="allow")
    gate = Gate(tmp_path, made)
    browser = gate.browser()
    browser.follow(JOES)

    response = browser.follow(ANNS, headers={"Referer": referrer} if referrer else {})

    assert (response.status_code == 200) is asked
    assert browser.who == ("joe" if asked else "ann")
    if asked:
        browser.follow(hidden_fields(response))
        assert browser.who == "ann"


# --- Leaving ----------------------------------------------------------------------------------


def test_leaving_by_a_link_ends_the_session(gate: Gate, joe: Browser) -> None:
    cookie = joe.get_cookie("__Host-ssogate", domain="app.example")
    assert joe.who == "joe"
    response = joe.follow({"mode": "logout"})

    assert (response.status_code, response.headers["Location"]) == (303, "/_sso/signed-out")
    assert "Max-Age=0" in response.headers["Set-Cookie"]
    assert gate.names == []
    assert cookie is not None
    thief = gate.browser()
    thief.set_cookie(cookie.key, cookie.value, domain="app.example")
    assert thief.who == "", "C8: the old cookie is worth nothing"


@pytest.mark.parametrize("url", ["/bye", "https://member.example/bye"])
def test_where_leaving_leads_is_a_setting(tmp_path: Path, url: str) -> None:
    response = Gate(tmp_path, settings(logout_url=url)).browser().follow({"mode": "logout"})

    assert (response.status_code, response.headers["Location"]) == (303, url)


@pytest.mark.parametrize("signed_in", [True, False])
def test_leaving_by_post_answers_json(gate: Gate, joe: Browser, signed_in: bool) -> None:
    browser = joe if signed_in else gate.browser()

    response = browser.post("/sso.php", data={"mode": "logout"})

    assert response.status_code == 200
    assert response.json == {"status": 200, "message": "You have been logged out."}
    assert gate.names == ([] if signed_in else ["joe"])


def test_leaving_by_post_may_name_the_mode_in_the_url(gate: Gate, joe: Browser) -> None:
    assert joe.post("/sso.php?mode=logout").status_code == 200
    assert gate.names == []


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Dest": dest} for dest in ("image", "iframe", "script", "style", "video")],
    ids=str,
)
def test_no_page_logs_its_visitors_out_by_an_image(
    gate: Gate, joe: Browser, headers: dict[str, str]
) -> None:
    assert refused(joe.follow({"mode": "logout"}, headers=headers), "400E2")
    assert joe.who == "joe"


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS"])
def test_leaving_takes_get_or_post(gate: Gate, joe: Browser, method: str) -> None:
    response = joe.open("/sso.php", query_string={"mode": "logout"}, method=method)

    assert refused(response, "400E2")
    assert joe.who == "joe"


# --- A server that signs somebody out ---------------------------------------------------------


def server_logout(inner: str, **changes: str) -> dict[str, str]:
    query = make_raw(inner.encode())
    return {"mode": "logout", "query": query, "hash": digest(query, SECRET), **changes}


def test_a_server_ends_all_sessions_of_a_user(gate: Gate, joe: Browser) -> None:
    gate.browser().follow(JOES_SECOND)
    gate.browser().follow(ANNS)
    assert gate.names == ["ann", "joe", "joe"]

    response = gate.browser().post("/sso.php", data=server_logout(f"username=JOE&t={NOW}"))

    assert response.json == {"status": 200, "message": "You have been logged out."}
    assert "Set-Cookie" not in response.headers
    assert gate.names == ["ann"]
    assert joe.who == ""


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param(server_logout(f"username=joe&t={NOW}", hash="0" * 64), "401E1", id="unsigned"),
        pytest.param(server_logout("username=joe"), "400E1", id="no t"),
        pytest.param(server_logout(f"t={NOW}"), "400E1", id="no username"),
        pytest.param(server_logout(f"username=joe&t={NOW - 301}"), "400E3", id="too old"),
        pytest.param(server_logout(f"username=joe&t={NOW + 61}"), "400E2", id="from the future"),
        pytest.param(server_logout("username=joe&username=ann"), "400E2", id="two users"),
        pytest.param({"mode": "logout", "hash": "0" * 64}, "400E1", id="hash alone"),
        pytest.param({"mode": "logout", "query": "eA=="}, "400E1", id="query alone"),
        pytest.param({"mode": "login"}, "400E1", id="login by POST, incomplete"),
        pytest.param(JOES, "400E2", id="login by POST"),
        pytest.param({}, "400E1", id="nothing"),
        pytest.param({"mode": "LOGOUT"}, "400E2", id="mode in capitals"),
    ],
)
@pytest.mark.parametrize("accept", ["text/html", "application/json", "*/*"])
def test_a_server_that_errs_is_told_in_json(
    gate: Gate, joe: Browser, fields: dict[str, str], expected: str, accept: str
) -> None:
    response = gate.browser().post("/sso.php", data=fields, headers={"Accept": accept})

    assert refused(response, expected)
    assert response.json is not None
    assert response.json["code"] == expected
    assert joe.who == "joe"


def test_a_server_ends_no_sessions_of_anothers_user(tmp_path: Path) -> None:
    shop = settings(name="shop", path="/shop.php", secrets=["another-secret-of-a-shop-4567890"])
    gate = Gate(tmp_path, settings(), shop)
    gate.browser().follow(JOES)
    query = make_raw(f"username=joe&t={NOW}".encode())
    fields = {
        "mode": "logout",
        "query": query,
        "hash": digest(query, b"another-secret-of-a-shop-4567890"),
    }

    response = gate.browser().post("/shop.php", data=fields)

    assert response.status_code == 200, "it does not say whether there was such a user"
    assert gate.names == ["joe"]


@pytest.mark.parametrize("fields", [{"mode": "logout"}, server_logout(f"username=joe&t={NOW}")])
def test_a_logout_that_failed_is_not_called_done(
    gate: Gate, joe: Browser, fields: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> Any:
        raise StoreFailure("locked")

    for name in ("delete", "delete_subject"):
        monkeypatch.setattr(gate.keeper.store.sessions, name, fail)

    answer = joe.post("/sso.php", data=fields, headers={"Accept": "text/html"})

    assert refused(answer, "500E1")
    assert answer.mimetype == "application/json", "the guide promises it to whoever sends POST"


def test_an_unreadable_form_is_refused(gate: Gate) -> None:
    response = gate.browser().post(
        "/sso.php",
        data=b"mode=logout&x=%ff",
        content_type="application/x-www-form-urlencoded",
    )

    assert refused(response, "400E2")
