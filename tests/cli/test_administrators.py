from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Site
from tests.cli.making import contents


@pytest.fixture
def sue(site: Site) -> Site:
    for name in ("Sue", "bob"):
        site.good("user", "add", name, "--email", "x@example.com")
    done = site.run("admin", "add", "sue", "--roles", "support, level2")
    assert done.stdout == "Sue is an administrator\n"
    assert done.stderr == "next: ssogate user password Sue\n"
    return site


def test_lists_administrators(sue: Site) -> None:
    headings, row = sue.good("admin", "list").splitlines()

    assert headings.split() == ["USER", "ROLE", "GROUPS", "STATE", "SINCE"]
    assert row.split()[:3] == ["Sue", "level2,support", "active"]
    (known,) = json.loads(sue.good("admin", "list", "--json"))
    assert known["username"] == "Sue"
    assert known["role_groups"] == ["level2", "support"]


def test_says_nothing_of_a_password_that_is_there(sue: Site) -> None:
    sue.good("user", "password", "bob", "--stdin", stdin="correct horse battery\n")

    assert sue.run("admin", "add", "bob").stderr == ""


def test_role_groups_are_replaced(sue: Site) -> None:
    assert sue.good("admin", "roles", "SUE", "a,b") == "Sue is in: a,b\n"
    assert sue.good("admin", "roles", "sue", "") == "Sue is in: no role group\n"


def test_who_is_removed_stays_a_user(sue: Site) -> None:
    assert sue.good("admin", "remove", "sue") == "Sue is no administrator any more\n"

    assert json.loads(sue.good("admin", "list", "--json")) == []
    assert json.loads(sue.good("user", "show", "sue", "--json"))["administrator"] is False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["add", "joe"], "there is no user joe", id="unknown"),
        pytest.param(["add", "sue"], "user sue is an administrator already", id="twice"),
        pytest.param(["add", "bob", "--roles", "a\x07"], "invisible", id="role group"),
        pytest.param(["roles", "bob", "a"], "user bob is no administrator", id="roles"),
        pytest.param(["remove", "bob"], "user bob is no administrator", id="remove"),
    ],
)
def test_tells_a_mistake(sue: Site, arguments: list[str], message: str) -> None:
    before = contents(sue)

    result = sue.run("admin", *arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert contents(sue) == before
