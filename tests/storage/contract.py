"""What every engine must do: `class TestThisEngine(StoreContract)` with a fixture `store`.

A second fixture, `reopen`, gives one more store on the same state, as another process has it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from ssogate.errors import GateError, StoreFailure
from ssogate.model import User
from ssogate.storage import Store
from tests.storage.making import NOW, record, user

Reopen = Callable[[], Store]


class StoreContract:
    """Sessions, one-time values, users, and the transaction around them."""

    # --- One-time values --------------------------------------------------------------------

    def test_a_value_is_spent_once(self, store: Store) -> None:
        assert store.one_time.spend("a", until=NOW)
        assert not store.one_time.spend("a", until=NOW + 60)
        assert store.one_time.spend("A", until=NOW)

    def test_what_one_process_spent_no_other_can(self, store: Store, reopen: Reopen) -> None:
        assert store.one_time.spend("a", until=NOW)

        assert not reopen().one_time.spend("a", until=NOW)

    def test_of_eight_threads_one_spends_a_value(self, store: Store) -> None:
        keys = [f"link:{number}" for number in range(12)]
        start = threading.Barrier(8)

        def race(_: int) -> list[bool]:
            start.wait()
            try:
                return [store.one_time.spend(key, until=NOW) for key in keys]
            finally:
                leave(store)

        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(race, range(8)))

        assert [sum(column) for column in zip(*answers, strict=True)] == [1] * len(keys)

    # --- Users ------------------------------------------------------------------------------

    def test_a_user_is_found_as_it_was_stored(self, store: Store) -> None:
        joe, unknown = user("joe"), user("ann")

        assert store.users.add(joe)
        assert store.users.get("joe") == joe
        assert store.users.get("ann") is None
        assert store.users.get("Joe") is None, "names are compared in canonical form only"
        assert joe != unknown

    def test_a_user_without_groups_has_none(self, store: Store) -> None:
        joe = user("joe")
        joe = replace(joe, identity=replace(joe.identity, groups=frozenset()))
        store.users.add(joe)

        found = store.users.get("joe")

        assert found is not None
        assert found.identity.groups == frozenset()

    def test_a_taken_name_is_not_given_again(self, store: Store) -> None:
        first = user("joe", source="crm")
        store.users.add(first)

        assert not store.users.add(user("joe", source="other"))
        assert store.users.get("joe") == first

    def test_an_update_keeps_subject_name_and_source(self, store: Store) -> None:
        joe = user("joe", source="crm")
        store.users.add(joe)
        changed = replace(joe.identity, name="J", email="j@x.y", groups=frozenset({"c"}))

        store.users.update(replace(joe, identity=changed, source="thief", updated_at=NOW + 9))

        assert store.users.get("joe") == replace(joe, identity=changed, updated_at=NOW + 9)

    def test_an_update_of_an_unknown_user_adds_nobody(self, store: Store) -> None:
        store.users.update(user("ghost"))

        assert list(store.users.listed()) == []

    def test_users_are_listed_by_name(self, store: Store) -> None:
        for name in ("zoe", "ann", "joe"):
            store.users.add(user(name))

        assert [one.identity.canonical for one in store.users.listed()] == ["ann", "joe", "zoe"]

    def test_a_deleted_user_takes_the_sessions_along(self, store: Store) -> None:
        joe, ann = user("joe"), user("ann")
        for owner, key in ((joe, "k1"), (joe, "k2"), (ann, "k3")):
            store.users.add(owner)
            store.sessions.put(record(owner, key))

        assert store.users.delete(joe.identity.subject)
        assert not store.users.delete(joe.identity.subject)
        assert store.sessions.get("k1") is None
        assert [row.key for row, _ in store.sessions.listed()] == ["k3"]

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("joe'; DROP TABLE users; --", id="SQL"),
            pytest.param("jö\u0308é 日本 \U0001f600", id="beyond ASCII"),
            pytest.param("%_?*", id="wildcards"),
        ],
    )
    def test_text_is_kept_to_the_letter(self, store: Store, text: str) -> None:
        joe = user("joe")
        joe = replace(joe, identity=replace(joe.identity, canonical=text, name=text))

        assert store.users.add(joe)
        assert store.users.get(text) == joe

    # --- Sessions ---------------------------------------------------------------------------

    def test_a_session_is_found_with_its_owner_as_of_now(self, store: Store) -> None:
        joe = user("joe")
        store.users.add(joe)
        store.sessions.put(record(joe))
        regrouped = replace(joe.identity, groups=frozenset())

        assert store.sessions.get("k1") == (record(joe), joe.identity)
        store.users.update(replace(joe, identity=regrouped))
        assert store.sessions.get("k1") == (record(joe), regrouped)
        assert store.sessions.get("k2") is None

    def test_an_inactive_users_session_is_none(self, store: Store) -> None:
        joe = user("joe")
        store.users.add(joe)
        store.sessions.put(record(joe))

        store.users.update(replace(joe, active=False))

        assert store.sessions.get("k1") is None
        assert len(store.sessions.listed()) == 1, "the operator still sees it"

    def test_a_session_needs_an_owner(self, store: Store) -> None:
        with pytest.raises(StoreFailure):
            store.sessions.put(record(user("ghost")))

    def test_a_session_id_is_not_given_twice(self, store: Store) -> None:
        joe, ann = user("joe"), user("ann")
        for owner in (joe, ann):
            store.users.add(owner)
        store.sessions.put(record(joe))

        with pytest.raises(StoreFailure):
            store.sessions.put(record(ann))

        assert store.sessions.get("k1") == (record(joe), joe.identity)

    def test_a_touch_only_moves_forward(self, store: Store) -> None:
        joe = user("joe")
        store.users.add(joe)
        store.sessions.put(record(joe))

        seen = []
        for at in (NOW + 10, NOW + 5):
            store.sessions.touch("k1", at)
            seen += [row.seen_at for row, _ in store.sessions.listed()]

        assert seen == [NOW + 10, NOW + 10]

    def test_a_touch_revives_nothing(self, store: Store) -> None:
        store.sessions.touch("gone", NOW)

        assert store.sessions.listed() == []

    def test_a_session_ends_once(self, store: Store) -> None:
        joe = user("joe")
        store.users.add(joe)
        store.sessions.put(record(joe))

        assert store.sessions.delete("k1")
        assert not store.sessions.delete("k1")
        assert store.sessions.get("k1") is None

    def test_all_sessions_of_one_user_end_and_nobody_elses(self, store: Store) -> None:
        joe, ann = user("joe"), user("ann")
        for owner, key in ((joe, "k1"), (joe, "k2"), (ann, "k3")):
            store.users.add(owner)
            store.sessions.put(record(owner, key))

        assert store.sessions.delete_subject(joe.identity.subject) == 2
        assert store.sessions.delete_subject(joe.identity.subject) == 0
        assert [row.key for row, _ in store.sessions.listed()] == ["k3"]

    def test_sessions_are_listed_newest_first(self, store: Store) -> None:
        joe, ann = user("joe"), user("ann")
        for owner, key, at in ((joe, "k1", NOW), (ann, "k2", NOW + 1), (joe, "k3", NOW + 2)):
            store.users.add(owner)
            store.sessions.put(record(owner, key, at=at))

        mine = store.sessions.listed(joe.identity.subject)

        assert [row.key for row, _ in store.sessions.listed()] == ["k3", "k2", "k1"]
        assert [(row.key, owner) for row, owner in mine] == [
            ("k3", joe.identity),
            ("k1", joe.identity),
        ]

    def test_a_purge_drops_what_ended_and_nothing_else(self, store: Store) -> None:
        joe = user("joe")
        store.users.add(joe)
        for key, at, ends in (
            ("ended", NOW, NOW + 10),
            ("idle", NOW - 60, NOW + 99),
            ("live", NOW - 59, NOW + 11),
        ):
            store.sessions.put(record(joe, key, at=at, ends=ends))

        assert store.sessions.purge(expired_at=NOW + 10, idle_since=NOW - 60) == 2
        assert [row.key for row, _ in store.sessions.listed()] == ["live"]

    def test_a_purge_is_bounded_and_gets_there(self, store: Store) -> None:
        joe = user("joe")
        store.users.add(joe)
        with store.transaction():
            for number in range(250):
                store.sessions.put(record(joe, f"k{number}", ends=NOW))

        dropped = [store.sessions.purge(expired_at=NOW, idle_since=0) for _ in range(4)]

        assert sum(dropped) == 250
        assert max(dropped) < 250
        assert dropped[-1] == 0 or dropped[-1] < max(dropped)

    def test_times_beyond_2038_are_kept(self, store: Store) -> None:
        joe = user("joe")
        late = 2**33
        store.users.add(joe)
        store.sessions.put(record(joe, at=late, ends=late + 5))

        assert store.sessions.get("k1") == (record(joe, at=late, ends=late + 5), joe.identity)
        assert store.one_time.spend("a", until=late)

    # --- The number of the last change ------------------------------------------------------

    # --- Transactions -----------------------------------------------------------------------

    @pytest.mark.parametrize("error", [GateError, StoreFailure, ValueError, KeyboardInterrupt])
    def test_a_transaction_that_fails_leaves_nothing(
        self, store: Store, reopen: Reopen, error: type[BaseException]
    ) -> None:
        joe, ann = user("joe"), user("ann")
        store.users.add(joe)
        store.sessions.put(record(joe))

        def fail() -> None:
            with store.transaction():
                store.one_time.spend("a", until=NOW)
                store.users.add(ann)
                store.sessions.put(record(ann, "k2"))
                store.sessions.delete("k1")
                raise error

        with pytest.raises(error):
            fail()

        for seen_by in (store, reopen()):
            assert seen_by.users.get("ann") is None
            assert [row.key for row, _ in seen_by.sessions.listed()] == ["k1"]
        assert store.one_time.spend("a", until=NOW), "the value is not used up"

    def test_a_transaction_that_ends_is_seen_by_all(self, store: Store, reopen: Reopen) -> None:
        joe = user("joe")

        with store.transaction():
            store.users.add(joe)
            store.sessions.put(record(joe))
            assert store.users.get("joe") == joe, "what was written is read in the same transaction"

        assert reopen().sessions.get("k1") == (record(joe), joe.identity)

    def test_nobody_sees_half_of_a_transaction(self, store: Store, reopen: Reopen) -> None:
        other = reopen()

        with store.transaction():
            store.users.add(user("joe"))
            assert other.users.get("joe") is None

    def test_a_transaction_in_a_transaction_is_part_of_it(self, store: Store) -> None:
        def nest() -> None:
            with store.transaction():
                with store.transaction():
                    store.users.add(user("joe"))
                raise LookupError

        with pytest.raises(LookupError):
            nest()

        assert list(store.users.listed()) == []

    def test_after_a_failed_transaction_the_store_works(self, store: Store) -> None:
        def fail() -> None:
            with store.transaction():
                raise GateError

        with pytest.raises(GateError):
            fail()
        with store.transaction():
            store.users.add(user("joe"))

        assert store.users.get("joe") is not None

    def test_closing_in_one_thread_leaves_the_transaction_of_another_whole(
        self, store: Store, reopen: Reopen
    ) -> None:
        def fail() -> None:
            with store.transaction():
                store.one_time.spend("a", until=NOW)
                closer = threading.Thread(target=store.close)
                closer.start()
                closer.join()
                store.users.add(user("joe"))
                raise GateError

        with pytest.raises(GateError):
            fail()

        assert list(reopen().users.listed()) == []

    def test_a_closed_store_opens_again_when_asked(self, store: Store) -> None:
        store.users.add(user("joe"))
        store.close()
        store.close()

        assert store.users.get("joe") is not None


class RemembersContract:
    """What an engine adds whose sessions may be remembered between requests."""

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(lambda store, joe: store.sessions.delete("k1"), id="session ended"),
            pytest.param(
                lambda store, joe: store.sessions.delete_subject(joe.identity.subject),
                id="all of a user's ended",
            ),
            pytest.param(
                lambda store, joe: store.users.update(replace(joe, active=False)), id="user changed"
            ),
            pytest.param(
                lambda store, joe: store.users.delete(joe.identity.subject), id="user deleted"
            ),
        ],
    )
    def test_what_can_end_a_session_is_seen_by_all_at_once(
        self, store: Store, reopen: Reopen, change: Callable[[Store, User], object]
    ) -> None:
        joe, other = user("joe"), reopen()
        store.users.add(joe)
        store.sessions.put(record(joe))
        before = [one.sessions.changes() for one in (store, other)]

        with store.transaction():
            change(store, joe)
            assert [one.sessions.changes() for one in (store, other)] == [None, None]

        after = [one.sessions.changes() for one in (store, other)]
        assert None not in (*before, *after)
        assert before[0] == before[1] != after[0] == after[1]

    def test_what_takes_nothing_from_anybody_changes_nothing(self, store: Store) -> None:
        joe = user("joe")
        before = store.sessions.changes()

        store.users.add(joe)
        store.sessions.put(record(joe))
        store.sessions.touch("k1", NOW + 1)
        store.sessions.get("k1")
        store.sessions.purge(expired_at=0, idle_since=0)
        store.sessions.delete("k9")
        store.sessions.delete_surplus(joe.identity.subject, 1)
        store.one_time.spend("a", until=NOW)

        assert store.sessions.changes() == before is not None

    def test_a_change_that_was_undone_leaves_a_number(self, store: Store) -> None:
        def fail() -> None:
            with store.transaction():
                store.sessions.delete("k1")
                raise GateError

        with pytest.raises(GateError):
            fail()

        assert store.sessions.changes() is not None


def leave(store: Store) -> None:
    """End a thread's use of the store, where each thread has a connection of its own."""
    if store.sessions.at_hand:
        store.close()
