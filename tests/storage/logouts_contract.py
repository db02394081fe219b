"""What every engine must do with the clients that are to be told of a session's end; beside
`contract.py`, with the same fixtures."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import pytest

from ssogate.errors import Conflict
from ssogate.model import Logout, Participant, User
from ssogate.storage import Store
from tests.storage.contract import Reopen, leave
from tests.storage.granting import SHOP, WIKI, client, grant, joe_and_wiki
from tests.storage.making import NOW, record

LATER = NOW + 60
HEARS = "https://wiki.example/logout"


def joe_is_in(store: Store, *sessions: str) -> User:
    """A user with these sessions, each of which lets in both clients; only Wiki wants to hear."""
    joe = joe_and_wiki(store)
    hears(store, WIKI)
    for key in sessions:
        if key != "session":
            store.sessions.put(record(joe, key, at=NOW + len(key)))
        for of in (WIKI, SHOP):
            store.participants.put(Participant(key, of, joe.identity.subject, f"sid {key}"))
    return joe


def hears(store: Store, identifier: str, uri: str = HEARS) -> None:
    found = store.clients.named(identifier)
    assert found
    assert store.clients.update(replace(found, backchannel_logout_uri=uri))


def due(store: Store, *, now: int = NOW, most: int = 9, busy: tuple[str, ...] = ()) -> list[Logout]:
    return store.logouts.claim(now=now, until=now + 60, most=most, busy=busy)


def all_due(store: Store) -> list[Logout]:
    """Claim as long as there is something."""
    found: list[Logout] = []
    while more := due(store):
        found += more
    return found


def roll_back(store: Store, joe: User) -> None:
    with suppress(KeyError), store.transaction():
        store.sessions.delete("session")
        raise KeyError


Change = Callable[[Store, User], object]
ENDS = [
    pytest.param(lambda store, joe: store.sessions.delete("session"), id="sign-out"),
    pytest.param(
        lambda store, joe: store.sessions.delete_subject(joe.identity.subject), id="everywhere"
    ),
    pytest.param(
        lambda store, joe: store.sessions.delete_surplus(joe.identity.subject, 0), id="surplus"
    ),
    pytest.param(
        lambda store, joe: store.sessions.purge(expired_at=NOW + 999, idle_since=0), id="expired"
    ),
    pytest.param(
        lambda store, joe: store.sessions.purge(expired_at=0, idle_since=NOW + 999), id="idle"
    ),
    pytest.param(lambda store, joe: store.users.delete(joe.identity.subject), id="user deleted"),
]


class LogoutsContract:
    """Participants of sessions, and what is left to tell them."""

    @pytest.mark.parametrize("end", ENDS)
    def test_however_a_session_ends_its_clients_are_to_be_told_once(
        self, store: Store, reopen: Reopen, end: Change
    ) -> None:
        joe = joe_is_in(store, "session")
        assert due(store) == []
        end(store, joe)

        (found,) = due(reopen())
        wanted = Logout(found.number, WIKI, joe.identity.subject, "sid session", 1, LATER)
        assert found == wanted
        assert due(store) == []

    def test_each_session_is_told_of_by_itself(self, store: Store) -> None:
        joe = joe_is_in(store, "session", "phone", "desk")
        store.sessions.delete("phone")
        assert [it.sid for it in all_due(store)] == ["sid phone"]

        store.sessions.delete_subject(joe.identity.subject)
        assert {it.sid for it in all_due(store)} == {"sid session", "sid desk"}

    @pytest.mark.parametrize(
        "change_nothing",
        [
            pytest.param(lambda store, joe: store.sessions.delete("other"), id="another session"),
            pytest.param(lambda store, joe: store.sessions.touch("session", LATER), id="touched"),
            pytest.param(roll_back, id="rolled back"),
        ],
    )
    def test_nobody_is_told_of_a_session_that_goes_on(
        self, store: Store, change_nothing: Change
    ) -> None:
        joe = joe_is_in(store, "session")
        change_nothing(store, joe)

        assert due(store) == []

    def test_a_client_that_takes_part_twice_is_told_once(self, store: Store) -> None:
        joe = joe_is_in(store, "session", "session")
        store.sessions.delete_subject(joe.identity.subject)

        assert len(all_due(store)) == 1

    def test_a_client_is_told_of_the_session_by_the_name_it_knows_last(self, store: Store) -> None:
        joe = joe_is_in(store, "session")
        store.participants.put(Participant("session", WIKI, joe.identity.subject, "sid later"))
        store.sessions.delete("session")

        assert [it.sid for it in all_due(store)] == ["sid later"]

    def test_what_takes_a_session_s_place_keeps_its_clients_and_grants(self, store: Store) -> None:
        joe = joe_is_in(store, "session")
        begun = store.grants.add(grant(joe))
        store.sessions.put(record(joe, "again", at=NOW + 5))
        store.sessions.replace("session", "again")

        assert store.sessions.get("session") is None
        assert due(store) == []
        kept = store.grants.get(begun.number)
        assert kept
        assert kept.session == "again"
        store.sessions.delete("again")
        assert [it.sid for it in all_due(store)] == ["sid session"]
        assert store.grants.get(begun.number) is None

    def test_who_may_be_told_is_decided_when_the_session_ends(self, store: Store) -> None:
        joe_is_in(store, "session")
        hears(store, WIKI, "")
        hears(store, SHOP)
        store.sessions.delete("session")

        assert [it.client for it in all_due(store)] == [SHOP]

    @pytest.mark.parametrize("before", [True, False], ids=["before the end", "after it"])
    def test_a_client_that_is_deleted_leaves_nothing_to_do(
        self, store: Store, before: bool
    ) -> None:
        joe_is_in(store, "session")
        wiki = store.clients.named(WIKI)
        assert wiki
        if not before:
            store.sessions.delete("session")
        assert store.clients.delete(wiki.number)
        store.sessions.delete("session")

        assert due(store) == []

    @pytest.mark.parametrize(
        "drawn",
        [
            pytest.param(Participant("gone", WIKI, "joe", "sid"), id="session"),
            pytest.param(Participant("session", "GONE", "joe", "sid"), id="client"),
        ],
    )
    def test_nobody_takes_part_in_what_is_not_there(self, store: Store, drawn: Participant) -> None:
        joe_and_wiki(store)

        with pytest.raises(Conflict):
            store.participants.put(drawn)

    def test_one_of_each_client_is_given_but_of_busy_ones_none(self, store: Store) -> None:
        joe = joe_is_in(store, "session", "phone")
        hears(store, SHOP)
        store.sessions.delete_subject(joe.identity.subject)

        assert [it.client for it in due(store, most=1)] in ([WIKI], [SHOP])
        assert len(due(store, busy=(WIKI, SHOP))) == 0
        assert {it.client for it in due(store, busy=(WIKI,))} == {SHOP}

    def test_what_was_claimed_and_not_finished_is_due_again(self, store: Store) -> None:
        joe_is_in(store, "session")
        store.sessions.delete("session")
        (first,) = due(store)

        assert due(store, now=LATER - 1) == []
        (again,) = due(store, now=LATER)
        assert (again.number, again.attempts) == (first.number, 2)

    def test_what_is_put_off_waits_and_what_is_deleted_is_gone(self, store: Store) -> None:
        joe_is_in(store, "session")
        store.sessions.delete("session")
        (first,) = due(store)
        store.logouts.put_off(first.number, NOW + 5)

        assert due(store, now=NOW + 4) == []
        assert len(due(store, now=NOW + 5)) == 1
        assert store.logouts.delete(first.number)
        assert not store.logouts.delete(first.number)
        assert due(store, now=NOW + 9999) == []

    def test_of_many_who_claim_at_once_each_gets_others(self, store: Store) -> None:
        joe = joe_and_wiki(store)
        for number in range(40):
            identifier = f"C.{number}"
            store.clients.add(replace(client(identifier), backchannel_logout_uri=HEARS))
            drawn = Participant("session", identifier, joe.identity.subject, "sid")
            store.participants.put(drawn)
        store.sessions.delete("session")

        def claim(_: int) -> list[int]:
            try:
                return [it.number for _ in range(5) for it in due(store, most=3)]
            finally:
                leave(store)

        with ThreadPoolExecutor(4) as threads:
            claimed = [number for found in threads.map(claim, range(4)) for number in found]

        assert len(claimed) == len(set(claimed)) == 40
