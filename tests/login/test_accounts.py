"""From which page a link may be followed, whose accounts it opens, and by which secret."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ssogate.errors import StoreFailure
from ssogate.login.signed_link.link import digest, make_query
from tests.login.making import (
    ANN,
    JOE,
    OTHER_SECRET,
    SECRET,
    Gate,
    code,
    fields_of,
    refused,
    settings,
)
from tests.storage.making import user

LINK = fields_of(JOE)


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path, settings())


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
    assert len(list(gate.keeper.store.users.listed())) == 1


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
