"""Row D3, D6: whoever may not come in is refused at every door, in every worker, at once.

What an operator does is done by the command, from another process than the gate's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ssogate.directory import By, change_user
from ssogate.directory.legacy import LegacyUser
from ssogate.directory.refresh import Refresh
from ssogate.directory.users import delete_user
from ssogate.model import Account, AccountStatus, Membership, Session, User
from ssogate.storage import SQLiteStore, Store
from tests.attack.house import (
    ACCOUNT,
    FACTOR,
    PASSWORD,
    RECOVERY,
    SESSION,
    STEP,
    Browser,
    House,
)
from tests.attack.stage import PAGE, new_link
from tests.login.forms import RIGHT
from tests.servers import Answer
from tests.storage.making import NOW, record, user

pytestmark = pytest.mark.server


@dataclass
class Joe:
    """Somebody with two open sessions, somebody with half a sign-in, and what both act for."""

    user: User
    owing: User
    here: Browser
    there: Browser
    half: Browser
    accounts: Sequence[str]

    def doors(self, house: House) -> dict[str, bool]:
        """Which doors let them in."""
        name = self.user.identity.username
        form = {"current": RIGHT, "new": "another sentence", "again": "another sentence"}
        return {
            "a live session": self.here.everywhere() == {200},
            "another one": self.there.everywhere() == {200},
            "my account": self.here.ask(ACCOUNT, *PAGE).status == 200,
            "the second factor": _opens(self.half.post(FACTOR, code=RECOVERY[0]), SESSION),
            "a link": _opens(house.browser().follow_link(name), SESSION),
            "a password": _opens(house.browser().sign_in(name), SESSION),
            "half a password": _opens(house.browser().sign_in(self.owing), STEP),
            "a form of my account": self.here.submit(f"{ACCOUNT}/password", form).status == 303,
        }


def _opens(answer: Answer, cookie: str) -> bool:
    return any(line.startswith(f"{cookie}=") for line in answer.all("Set-Cookie"))


@pytest.fixture
def joe(house: House) -> Joe:
    """Both act for two accounts."""
    one, owing = house.person(), house.owing(house.person())
    accounts = []
    for number in range(2):
        company = f"of {one.identity.username} {number}"
        drawn = Account(0, company, "", AccountStatus.ACTIVE, True, 0, 0)
        added = house.store.accounts.add(drawn).number
        house.store.memberships.put(Membership(added, one.identity.subject, owner=True))
        house.store.memberships.put(Membership(added, owing.identity.subject))
        accounts.append(str(added))
    here, there, half = house.browser(), house.browser(), house.browser()
    here.sign_in(one)
    there.follow_link(one.identity.username)
    half.sign_in(owing)
    assert (here.everywhere(), there.everywhere(), half.holds) == ({200}, {200}, {STEP})
    return Joe(one, owing, here, there, half, accounts)


CLOSE_ALL = ["account change {0} --status Closed", "account change {1} --status Closed"]
SHUT = [
    pytest.param(["user deactivate {joe}", "user deactivate {owing}"], id="deactivated"),
    pytest.param(["user delete {joe} --yes", "user delete {owing} --yes"], id="deleted"),
    pytest.param(CLOSE_ALL, id="every account closed"),
    pytest.param(
        ["account change {1} --status Inactive", *CLOSE_ALL[:1], CLOSE_ALL[1]],
        id="inactive, then closed",
    ),
    pytest.param(
        [*CLOSE_ALL[:1], "account delete {1} --yes"], id="one closed and the other forgotten"
    ),
    pytest.param(
        [*CLOSE_ALL, "account delete {0} --yes", "account delete {1} --yes"],
        id="closed, then forgotten",
    ),
    pytest.param(
        [
            *CLOSE_ALL[:1],
            "account member remove {1} {joe}",
            "account member remove {1} {owing}",
        ],
        id="one closed and no member of the other any more",
    ),
]
OPEN = [
    pytest.param(["account change {0} --status Inactive"] * 2, id="an inactive account"),
    pytest.param(CLOSE_ALL[:1], id="one of two closed"),
    pytest.param(["account delete {0} --yes", "account delete {1} --yes"], id="none any more"),
    pytest.param(
        ["account change {0} --no-sso", "account change {1} --no-sso"], id="no panel launches"
    ),
]


def act(house: House, joe: Joe, commands: Sequence[str]) -> None:
    names = {"joe": joe.user.identity.username, "owing": joe.owing.identity.username}
    for command in commands:
        house.cli(*command.format(*joe.accounts, **names).split())


@pytest.mark.parametrize("commands", SHUT)
def test_who_is_shut_out_finds_every_door_shut(
    house: House, joe: Joe, commands: Sequence[str]
) -> None:
    act(house, joe, commands)

    doors = joe.doors(house)
    assert [door for door, opened in doors.items() if opened] == []


@pytest.mark.parametrize("commands", OPEN)
def test_who_is_not_finds_every_door_open(house: House, joe: Joe, commands: Sequence[str]) -> None:
    """But half a sign-in begins anew: what let it in may not be true any more."""
    act(house, joe, commands)

    doors = joe.doors(house)
    assert [door for door, opened in doors.items() if not opened] == ["the second factor"]


def test_a_closed_account_counts_though_nobody_ended_the_sessions(house: House, joe: Joe) -> None:
    """Should a way to close one ever forget it, the look-up of a session does not."""
    for number in map(int, joe.accounts):
        account = house.store.accounts.get(number)
        assert account
        house.store.accounts.update(replace(account, status=AccountStatus.CLOSED))

    assert len(house.store.sessions.listed(joe.user.identity.subject)) == 2
    assert joe.here.everywhere() == joe.there.everywhere() == {401}
    assert not _opens(joe.half.post(FACTOR, code=RECOVERY[0]), SESSION)


def test_who_is_let_in_again_signs_in_anew(house: House, joe: Joe) -> None:
    """What was ended stays ended: a cookie that somebody stole meanwhile, too."""
    act(house, joe, [*CLOSE_ALL, "account change {0} --status Active"])

    doors = joe.doors(house)
    assert {door for door, opened in doors.items() if opened} == {
        "a link",
        "a password",
        "half a password",
    }


def test_who_is_activated_again_signs_in_anew(house: House, joe: Joe) -> None:
    act(house, joe, ["user deactivate {joe}", "user activate {joe}"])

    assert joe.here.everywhere() == joe.there.everywhere() == {401}
    assert house.browser().sign_in(joe.user).status == 303


def test_a_new_password_ends_every_session_and_half_a_one(house: House, joe: Joe) -> None:
    new = "an operator's choice"
    for who in (joe.user, joe.owing):
        house.cli("user", "password", who.identity.username, "--stdin", stdin=f"{new}\n")

    assert joe.here.everywhere() == joe.there.everywhere() == {401}
    assert not _opens(joe.half.post(FACTOR, code=RECOVERY[0]), SESSION)
    assert house.browser().sign_in(joe.user).status == 401
    assert house.browser().sign_in(joe.user, new).status == 303


def test_a_group_that_is_taken_away_counts_at_the_next_request(house: House) -> None:
    """D6."""
    staff = house.person(groups=frozenset({"staff"}))
    browser = house.browser()
    browser.sign_in(staff)
    before = browser.everywhere("/admin/x")
    house.cli("user", "groups", staff.identity.username, "")

    assert (before, browser.everywhere("/admin/x")) == ({200}, {403})


def test_a_permission_that_is_taken_away_is_gone_in_every_worker(house: House, joe: Joe) -> None:
    """The page of my account is what shows it."""
    company = f"of {joe.user.identity.username} 0"
    pages = [joe.here.ask(ACCOUNT, *PAGE).text for _ in range(4)]
    act(house, joe, ["account member remove {0} {joe}"])
    after = [joe.here.ask(ACCOUNT, *PAGE).text for _ in range(4)]

    assert all(company in page for page in pages)
    assert not any(company in page for page in after)


def test_a_link_cannot_become_an_administrator(house: House) -> None:
    boss = house.person()
    browser, other = house.browser(), house.browser()
    browser.follow_link(boss.identity.username)
    assert browser.everywhere() == {200}
    house.cli("admin", "add", boss.identity.username)
    refused = other.follow_link(boss.identity.username)

    assert browser.everywhere() == {401}, "a session that a link had opened"
    assert (refused.status, refused.header("X-SSOGate-Error")) == (403, "not_for_administrators")
    assert other.holds == set()
    assert house.browser().sign_in(boss).status == 303


# --- The application's own people ----------------------------------------------------------------

REFRESH = 0.3  # seconds, in the house's configuration


def shut_within(browser: Browser, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if browser.everywhere() == {401}:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("UPDATE people SET active = 0 WHERE username = ?", id="shut out"),
        pytest.param("DELETE FROM people WHERE username = ?", id="deleted"),
        pytest.param(
            "UPDATE people SET username = username || 'x' WHERE username = ?", id="another name"
        ),
    ],
)
def test_whom_the_application_shuts_out_is_out_within_the_refresh(
    house: House, change: str
) -> None:
    name = house.member()
    browser = house.browser()
    assert browser.sign_in(name).status == 303
    assert browser.everywhere() == {200}
    house.forum(change, name)

    assert not _opens(house.browser().sign_in(name), SESSION), "a sign-in is never remembered"
    assert shut_within(browser, REFRESH + 1)


def test_whom_the_application_lets_in_again_signs_in_anew(house: House) -> None:
    name = house.member()
    browser = house.browser()
    browser.sign_in(name)
    house.forum("UPDATE people SET active = 0 WHERE username = ?", name)
    assert shut_within(browser, REFRESH + 1)
    house.forum("UPDATE people SET active = 1 WHERE username = ?", name)
    time.sleep(REFRESH)

    assert browser.everywhere() == {401}
    assert house.browser().sign_in(name).status == 303


def test_whom_the_operator_shuts_out_the_application_does_not_let_in(house: House) -> None:
    name = house.member()
    browser = house.browser()
    browser.sign_in(name)
    house.cli("user", "deactivate", name)
    time.sleep(REFRESH)  # so that the application is asked anew

    assert browser.everywhere() == {401}
    refused = house.browser().sign_in(name)
    assert not _opens(refused, SESSION)
    assert house.store.users.get(name).active is False  # type: ignore[union-attr]


def test_a_group_of_the_application_counts_within_the_refresh(house: House) -> None:
    name = house.member(team="staff")
    browser = house.browser()
    browser.sign_in(name)
    before = browser.everywhere("/admin/x")
    house.forum("UPDATE people SET team = '' WHERE username = ?", name)
    time.sleep(REFRESH + 0.2)
    browser.ask("/members/x")

    assert (before, browser.everywhere("/admin/x")) == ({200}, {403})


def test_an_application_that_is_gone_lets_nobody_in_and_shuts_nobody_out(house: House) -> None:
    name, table = house.member(), "people"
    browser = house.browser()
    browser.sign_in(name)
    house.forum(f"ALTER TABLE {table} RENAME TO moved")
    try:
        time.sleep(REFRESH + 0.2)
        living, coming = browser.ask("/members/x"), house.browser().sign_in(name)
    finally:
        house.forum(f"ALTER TABLE moved RENAME TO {table}")

    assert (living.status, living.header("X-SSOGate-Error")) == (503, "sessions_unavailable")
    assert (coming.status, coming.header("X-SSOGate-Error")) == (500, "500E1")
    assert not _opens(coming, SESSION)
    assert browser.everywhere() == {200}


def test_the_door_to_my_account_takes_no_word_for_it(house: House) -> None:
    """D3 in the time between: the page reads the user anew, whatever a worker remembers."""
    who = house.person()
    browser = house.browser()
    browser.sign_in(who)
    browser.everywhere(ACCOUNT)
    house.cli("user", "deactivate", who.identity.username)

    assert browser.everywhere(ACCOUNT) == {303}
    assert browser.ask(PASSWORD).header("Location") == "/_sso/sign-in"
    assert house.browser().ask(new_link(who.identity.username)).status == 404


@dataclass
class Asked:
    """A legacy source that knows somebody by a new name; an operator acts while it is asked."""

    store: Store
    act: Callable[[Store, str], object]

    def refreshed(self, external_id: str, username: str) -> LegacyUser:
        found = self.store.users.get(username.lower())
        assert found
        self.act(self.store, found.identity.subject)
        return LegacyUser(external_id, username, "Joe Renamed", "", frozenset({"a"}), True, "")


def _deactivate(store: Store, subject: str) -> None:
    change_user(store, "joe", active=False, by=By("cli:root"), now=NOW)


def _delete(store: Store, subject: str) -> None:
    delete_user(store, subject, by=By("cli:root"), now=NOW)


@pytest.mark.parametrize("act", [_deactivate, _delete])
def test_an_operator_is_not_overwritten_by_what_the_application_says(
    tmp_path: Path, act: Callable[[Store, str], object]
) -> None:
    store = SQLiteStore(tmp_path / "gate.db", clock=lambda: NOW)
    joe = replace(user("joe", source="forum"), external_id="1")
    store.users.add(joe)
    opened = replace(record(joe), method="forum")
    store.sessions.put(opened)
    sources: dict[str, Any] = {"forum": Asked(store, act)}
    found = Refresh(store, sources, lambda: NOW)(Session(opened, joe.identity, "t"))

    after = store.users.get("joe")
    assert found is None
    assert after is None or not after.active
    assert store.sessions.listed() == []
    store.close()
