from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Site
from tests.cli.making import contents


@pytest.fixture
def acme(site: Site) -> Site:
    arguments = ["Acme Ltd", "--email", "office@acme.example", "--id", "C-1"]
    assert site.good("account", "add", *arguments) == "added account 1 (Acme Ltd)\n"
    for name in ("sue", "bob"):
        site.good("user", "add", name, "--email", f"{name}@example.com")
    return site


def shown(site: Site, account: str = "1") -> dict[str, object]:
    facts: dict[str, object] = json.loads(site.good("account", "show", account, "--json"))
    return facts


def test_lists_accounts_in_a_table(acme: Site) -> None:
    acme.good("account", "add", "Old", "--status", "closed", "--no-sso")

    assert acme.good("account", "list").splitlines() == [
        "NUMBER  COMPANY   E-MAIL               STATUS  SSO  ID",
        "1       Acme Ltd  office@acme.example  Active  yes  C-1",
        "2       Old                            Closed  no",
    ]
    assert len(acme.good("account", "list", "--status", "Closed").splitlines()) == 2


def test_lists_accounts_as_json(acme: Site) -> None:
    (known,) = json.loads(acme.good("account", "list", "--json"))

    assert known["company"] == "Acme Ltd"
    assert known["status"] == "Active"
    assert known["allow_single_sign_on"] is True
    assert json.loads(acme.good("account", "list", "--status", "Closed", "--json")) == []


@pytest.mark.parametrize("name", ["1", "01", "ext:C-1"])
def test_shows_an_account_by_number_or_external_id(acme: Site, name: str) -> None:
    acme.good("account", "member", "add", "1", "sue", "--owner")

    facts = acme.good("account", "show", name)

    assert "company               Acme Ltd" in facts
    assert "members               sue (owner)" in facts


def test_changes_what_is_given_and_nothing_else(acme: Site) -> None:
    before = shown(acme)

    acme.good("account", "change", "ext:C-1", "--company", "Acme Inc", "--no-sso")

    after = shown(acme)
    changed = {name for name in before if before[name] != after[name]} - {"updated_at"}
    assert changed == {"company", "allow_single_sign_on"}
    assert after["company"] == "Acme Inc"
    assert after["allow_single_sign_on"] is False


def test_a_closed_accounts_people_are_shut_out(acme: Site) -> None:
    acme.good("account", "member", "add", "1", "sue", "--owner")

    acme.good("account", "change", "1", "--status", "CLOSED")

    states = {
        it["username"]: it["closed"] for it in json.loads(acme.good("user", "list", "--json"))
    }
    assert states == {"sue": True, "bob": False}
    assert "closed" in acme.good("user", "list")


def test_members_get_permissions_and_lose_them(acme: Site) -> None:
    acme.good("account", "member", "add", "1", "sue", "--owner")
    said = acme.good("account", "member", "add", "1", "BOB", "--permissions", "productsso,products")
    assert said == "bob may do for account 1 (Acme Ltd): products, productsso\n"
    assert shown(acme)["members"] == {"sue": ["owner"], "bob": ["products", "productsso"]}

    acme.good("account", "member", "add", "1", "bob")
    assert shown(acme)["members"] == {"sue": ["owner"], "bob": ["nothing"]}

    acme.good("account", "member", "remove", "1", "bob")
    assert shown(acme)["members"] == {"sue": ["owner"]}


def test_deleting_asks_first(acme: Site) -> None:
    assert acme.run("account", "delete", "1", stdin="n\n").exit_code == 1
    assert shown(acme)

    assert acme.good("account", "delete", "1", stdin="y\n").endswith(
        "deleted account 1 (Acme Ltd)\n"
    )
    assert json.loads(acme.good("account", "list", "--json")) == []
    assert len(json.loads(acme.good("user", "list", "--json"))) == 2


def test_a_number_is_never_given_twice(acme: Site) -> None:
    acme.good("account", "delete", "1", "--yes")

    assert acme.good("account", "add", "New") == "added account 2 (New)\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["add", " "], "company: must not be empty", id="no company"),
        pytest.param(["add", "a", "--email", "a"], "email: an e-mail address is", id="e-mail"),
        pytest.param(["add", "a", "--id", "C-1"], "external id already", id="taken id"),
        pytest.param(["add", "a", "--status", "Shut"], "is none of: Active, Inactive", id="status"),
        pytest.param(["add", "a\x1b[2J"], "invisible character U+001B", id="escape"),
        pytest.param(["show", "7"], "there is no account 7: give a number", id="show"),
        pytest.param(["show", "9" * 30], "there is no account", id="huge number"),
        pytest.param(["show", "-1"], "No such option", id="negative number"),
        pytest.param(["show", "Acme"], "`ssogate account list` shows", id="a name"),
        pytest.param(["show", "ext:"], "there is no account ext:", id="empty external id"),
        pytest.param(["show", "a\x1b"], "there is no account a\\x1b", id="escape in the name"),
        pytest.param(["change", "1"], "Say what to change", id="no change"),
        pytest.param(["change", "7", "--no-sso"], "there is no account 7", id="change"),
        pytest.param(["delete", "7", "--yes"], "there is no account 7", id="delete"),
        pytest.param(
            ["member", "add", "1", "sue", "--permissions", "all"],
            "'all' is none of: profile, contacts, products,",
            id="permission",
        ),
        pytest.param(["member", "add", "7", "sue"], "there is no account 7", id="member of none"),
        pytest.param(["member", "add", "1", "joe"], "there is no user joe", id="unknown member"),
        pytest.param(["member", "remove", "1", "sue"], "user sue is no member", id="no member"),
    ],
)
def test_tells_a_mistake(acme: Site, arguments: list[str], message: str) -> None:
    before = contents(acme)

    result = acme.run("account", *arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert "\x1b" not in result.output
    assert contents(acme) == before
