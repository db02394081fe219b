"""What every engine must do with the OpenID provider's tables; beside `contract.py`, with the same
fixtures. Another store, as another process has it, purges what this one has just looked for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from ssogate.errors import Conflict
from ssogate.model import (
    Account,
    AccountStatus,
    Consent,
    Grant,
    Held,
    Membership,
    SealedKey,
    TokenKind,
    User,
)
from ssogate.storage import Store
from ssogate.storage.writing import PURGE_ROWS
from tests.storage.contract import Reopen, leave
from tests.storage.granting import SHOP, WIKI, code, grant, joe_and_wiki, token
from tests.storage.making import NOW, user

REFRESH = TokenKind.REFRESH


def _close_accounts(store: Store, joe: User) -> None:
    acme = store.accounts.add(Account(0, "Acme", "", AccountStatus.CLOSED, True, NOW, NOW))
    store.memberships.put(Membership(acme.number, joe.identity.subject))


def _delete_client(store: Store, joe: User) -> None:
    wiki = store.clients.named(WIKI)
    assert wiki
    assert store.clients.delete(wiki.number)


GONE = [
    pytest.param(lambda store, joe: store.users.delete(joe.identity.subject), id="user"),
    pytest.param(_delete_client, id="client"),
    pytest.param(lambda store, joe: store.sessions.delete("session"), id="session"),
    pytest.param(
        lambda store, joe: store.sessions.delete_subject(joe.identity.subject), id="all sessions"
    ),
]
UNWELCOME = [
    pytest.param(lambda store, joe: store.users.update(replace(joe, active=False)), id="inactive"),
    pytest.param(_close_accounts, id="all accounts Closed"),
]
Change = Callable[[Store, User], object]


class GrantsContract:
    """Signing keys, grants, codes, tokens, consents."""

    # --- Signing keys -------------------------------------------------------------------------

    def test_keys_are_published_newest_first_until_they_retire(self, store: Store) -> None:
        old, new = (
            SealedKey(kid, "RS256", f"sealed {kid}", at) for kid, at in (("a", 1), ("b", 2))
        )
        store.sealed_keys.put(old)
        store.sealed_keys.put(new)

        assert store.sealed_keys.retire("a", NOW + 10)
        retired = replace(old, retires_at=NOW + 10)
        assert store.sealed_keys.published(NOW) == [new, retired]
        assert store.sealed_keys.published(NOW + 9) == [new, retired]
        assert store.sealed_keys.published(NOW + 10) == [new]

    def test_a_key_retires_once(self, store: Store) -> None:
        store.sealed_keys.put(SealedKey("a", "RS256", "sealed", 1))

        assert store.sealed_keys.retire("a", NOW + 10)
        assert not store.sealed_keys.retire("a", NOW + 99)
        assert not store.sealed_keys.retire("b", NOW + 10)
        assert store.sealed_keys.published(NOW + 10) == []

    def test_a_kid_is_given_once(self, store: Store) -> None:
        store.sealed_keys.put(SealedKey("a", "RS256", "sealed", 1))

        with pytest.raises(Conflict):
            store.sealed_keys.put(SealedKey("a", "ES256", "other", 2))

    def test_a_new_key_clears_away_those_long_retired(self, store: Store, reopen: Reopen) -> None:
        store.sealed_keys.put(SealedKey("a", "RS256", "sealed", 1))
        store.sealed_keys.retire("a", NOW)
        reopen().sealed_keys.put(SealedKey("b", "RS256", "sealed", 2))

        assert [key.kid for key in store.sealed_keys.published(0)] == ["b"]

    def test_a_sealed_key_is_not_in_its_repr(self) -> None:
        assert "hidden" not in repr(SealedKey("a", "RS256", "hidden", 1))

    # --- Grants -------------------------------------------------------------------------------

    def test_a_grant_is_found_as_it_was_stored(self, store: Store, reopen: Reopen) -> None:
        drawn = grant(joe_and_wiki(store))
        added = store.grants.add(drawn)

        assert added.number > 0
        assert added == replace(drawn, number=added.number)
        assert reopen().grants.get(added.number) == added
        assert store.grants.get(added.number + 1) is None

    def test_the_number_of_a_grant_that_is_gone_is_not_given_again(self, store: Store) -> None:
        joe = joe_and_wiki(store)
        first = store.grants.add(grant(joe))
        store.sessions.delete("session")

        assert store.grants.add(grant(joe, session=None)).number > first.number

    @pytest.mark.parametrize(
        "wrong",
        [
            pytest.param({"client": "nobody"}, id="client"),
            pytest.param({"subject": "nobody"}, id="user"),
            pytest.param({"session": "nobody"}, id="session"),
        ],
    )
    def test_a_grant_needs_what_it_names(self, store: Store, wrong: dict[str, str]) -> None:
        drawn = grant(joe_and_wiki(store))

        with pytest.raises(Conflict):
            store.grants.add(replace(drawn, **wrong))  # type: ignore[arg-type]

    @pytest.mark.parametrize("end", GONE)
    def test_a_grant_goes_with_what_it_names_and_takes_all_along(
        self, store: Store, end: Change
    ) -> None:
        joe = joe_and_wiki(store)
        given = store.grants.add(grant(joe))
        store.codes.put(code(given))
        store.tokens.put(token(given), token(given, "r1", REFRESH))

        end(store, joe)

        assert store.grants.get(given.number) is None
        assert store.codes.find("c1") is None
        assert store.tokens.find("a1") is None
        assert store.tokens.find("r1") is None

    def test_an_offline_grant_outlives_the_session(self, store: Store) -> None:
        joe = joe_and_wiki(store)
        given = store.grants.add(grant(joe, session=None))
        store.tokens.put(token(given, "r1", REFRESH))

        store.sessions.delete("session")

        assert store.grants.get(given.number) == given
        assert store.tokens.find("r1")

    def test_an_offline_grant_ends_with_all_sessions_and_nobody_elses(self, store: Store) -> None:
        joe, ann = joe_and_wiki(store), user("ann")
        assert store.users.add(ann)
        joes, anns = (store.grants.add(grant(one, session=None)) for one in (joe, ann))
        store.tokens.put(token(joes, "r1", REFRESH))
        store.sessions.delete("session")  # there may be no session left to end

        assert store.sessions.delete_subject(joe.identity.subject) == 0

        assert store.grants.listed() == [anns]
        assert store.tokens.find("r1") is None

    def test_a_grant_is_found_with_whoever_gave_it(self, store: Store) -> None:
        joe = joe_and_wiki(store)
        given = store.grants.add(grant(joe))

        assert store.grants.owned(given.number) == (given, joe.identity)
        assert store.grants.owned(given.number + 1) is None

    def test_grants_are_listed_by_what_is_asked_newest_first(self, store: Store) -> None:
        joe = joe_and_wiki(store)
        first, second = store.grants.add(grant(joe)), store.grants.add(grant(joe, of=SHOP))
        third = store.grants.add(replace(grant(joe, session=None), sid="other"))

        assert store.grants.listed(subject=joe.identity.subject) == [third, second, first]
        assert store.grants.listed(sid="sid1") == [second, first]
        assert store.grants.listed(sid="sid1", client=WIKI) == [first]
        assert store.grants.listed(subject="nobody") == []

    @pytest.mark.parametrize(
        ("where", "ended"),
        [
            pytest.param(lambda one: {"number": one.number}, [0], id="one"),
            pytest.param(lambda one: {"client": WIKI}, [0, 2], id="a client's"),
            pytest.param(lambda one: {"subject": one.subject}, [0, 1, 2], id="a user's"),
            pytest.param(
                lambda one: {"subject": one.subject, "client": SHOP}, [1], id="a user's at a client"
            ),
            pytest.param(lambda one: {"subject": "nobody"}, [], id="nobody's"),
        ],
    )
    def test_grants_are_revoked_once(
        self, store: Store, where: Callable[[Grant], dict[str, object]], ended: list[int]
    ) -> None:
        joe = joe_and_wiki(store)
        all_ = [store.grants.add(grant(joe, of=of)) for of in (WIKI, SHOP, WIKI)]

        assert store.grants.revoke(now=NOW + 1, **where(all_[0])) == len(ended)
        assert store.grants.revoke(now=NOW + 2, **where(all_[0])) == 0

        found = [store.grants.get(one.number) for one in all_]
        assert found == [
            replace(one, revoked_at=NOW + 1 if place in ended else None)
            for place, one in enumerate(all_)
        ]

    # --- Codes --------------------------------------------------------------------------------

    def test_a_code_is_found_with_its_grant_and_its_user(self, store: Store) -> None:
        joe = joe_and_wiki(store)
        given = store.grants.add(grant(joe))
        store.codes.put(code(given))

        assert store.codes.find("c1") == Held(code(given), given, joe.identity)
        assert store.codes.find("c2") is None

    def test_a_code_is_spent_once_and_still_tells_whose_it_was(
        self, store: Store, reopen: Reopen
    ) -> None:
        given = store.grants.add(grant(joe_and_wiki(store)))
        store.codes.put(code(given))

        assert store.codes.spend("c1", NOW + 1)
        assert not reopen().codes.spend("c1", NOW + 2)
        assert not store.codes.spend("c2", NOW)
        held = store.codes.find("c1")
        assert held
        assert (held.of.spent_at, held.grant) == (NOW + 1, given)

    def test_of_eight_threads_one_spends_a_code(self, store: Store) -> None:
        given = store.grants.add(grant(joe_and_wiki(store)))
        keys = [f"c{number}" for number in range(12)]
        for key in keys:
            store.codes.put(code(given, key))
        start = threading.Barrier(8)

        def race(_: int) -> list[bool]:
            start.wait()
            try:
                return [store.codes.spend(key, NOW) for key in keys]
            finally:
                leave(store)

        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(race, range(8)))

        assert [sum(column) for column in zip(*answers, strict=True)] == [1] * len(keys)

    @pytest.mark.parametrize("change", UNWELCOME)
    def test_a_user_who_is_not_welcome_owns_nothing(self, store: Store, change: Change) -> None:
        joe = joe_and_wiki(store)
        given = store.grants.add(grant(joe))
        store.codes.put(code(given))
        store.tokens.put(token(given))

        change(store, joe)

        assert store.grants.owned(given.number) == (given, None)
        assert store.codes.find("c1") == Held(code(given), given, None)
        assert store.tokens.find("a1") == Held(token(given), given, None)

    # --- Tokens -------------------------------------------------------------------------------

    def test_a_token_is_found_with_its_grant_and_its_user(self, store: Store) -> None:
        joe = joe_and_wiki(store)
        given = store.grants.add(grant(joe))
        store.tokens.put(token(given), token(given, "r1", REFRESH))

        assert store.tokens.find("r1") == Held(token(given, "r1", REFRESH), given, joe.identity)
        assert store.tokens.find("a2") is None

    def test_a_clients_own_token_has_no_grant_and_no_user(self, store: Store) -> None:
        joe_and_wiki(store)
        store.tokens.put(token(None))

        assert store.tokens.find("a1") == Held(token(None), None, None)

    def test_tokens_are_stored_together_or_not_at_all(self, store: Store) -> None:
        given = store.grants.add(grant(joe_and_wiki(store)))

        with pytest.raises(Conflict):
            store.tokens.put(token(given), replace(token(given, "a2"), grant=given.number + 1))
        assert store.tokens.find("a1") is None

    def test_a_token_has_one_successor(self, store: Store) -> None:
        given = store.grants.add(grant(joe_and_wiki(store)))
        store.tokens.put(token(given, "r1", REFRESH))

        assert store.tokens.succeed("r1", "r2", NOW + 1)
        assert not store.tokens.succeed("r1", "r3", NOW + 2)
        held = store.tokens.find("r1")
        assert held
        assert (held.of.replaced_at, held.of.successor) == (NOW + 1, "r2")

    def test_a_token_is_deleted_alone(self, store: Store) -> None:
        given = store.grants.add(grant(joe_and_wiki(store)))
        store.tokens.put(token(given), token(given, "r1", REFRESH))

        assert store.tokens.delete("a1")
        assert not store.tokens.delete("a1")
        assert store.tokens.find("r1")

    def test_what_a_client_has_for_itself_is_deleted_alone(self, store: Store) -> None:
        given = store.grants.add(grant(joe_and_wiki(store)))
        others = replace(token(None, "a3"), client=SHOP)
        store.tokens.put(token(given), token(None, "a2"), others)

        assert store.tokens.delete_own(WIKI) == 1
        assert [bool(store.tokens.find(key)) for key in ("a1", "a2", "a3")] == [True, False, True]

    # --- Consents -----------------------------------------------------------------------------

    def test_a_consent_is_kept_replaced_and_forgotten(self, store: Store) -> None:
        joe = joe_and_wiki(store).identity.subject
        first, other = (
            Consent(joe, of, frozenset({"openid", "email"}), NOW) for of in (WIKI, SHOP)
        )
        later = Consent(joe, WIKI, frozenset({"openid"}), NOW + 1)
        store.consents.put(first)
        store.consents.put(other)
        assert store.consents.get(joe, WIKI) == first
        store.consents.put(later)

        assert store.consents.listed(joe) == [other, later]
        assert store.consents.delete(joe, WIKI)
        assert not store.consents.delete(joe, WIKI)
        assert store.consents.get(joe, WIKI) is None

    @pytest.mark.parametrize("end", GONE[:2])
    def test_a_consent_goes_with_user_and_client(self, store: Store, end: Change) -> None:
        joe = joe_and_wiki(store)
        store.consents.put(Consent(joe.identity.subject, WIKI, frozenset({"openid"}), NOW))

        end(store, joe)

        assert store.consents.listed(joe.identity.subject) == []

    def test_all_consents_to_a_client_are_forgotten_alone(self, store: Store) -> None:
        joe = joe_and_wiki(store).identity.subject
        for of in (WIKI, SHOP):
            store.consents.put(Consent(joe, of, frozenset({"openid"}), NOW))

        assert store.consents.delete_all(WIKI) == 1
        assert store.consents.delete_all(WIKI) == 0
        assert [it.client for it in store.consents.listed(joe)] == [SHOP]

    def test_a_consent_needs_user_and_client(self, store: Store) -> None:
        joe = joe_and_wiki(store).identity.subject

        for subject, of in ((joe, "nobody"), ("nobody", WIKI)):
            with pytest.raises(Conflict):
                store.consents.put(Consent(subject, of, frozenset(), NOW))

    # --- Purging ------------------------------------------------------------------------------

    def test_what_is_past_goes_when_something_new_comes_and_nothing_else(
        self, store: Store, reopen: Reopen
    ) -> None:
        joe = joe_and_wiki(store)
        live, past = store.grants.add(grant(joe)), store.grants.add(grant(joe, until=NOW))
        store.codes.put(code(live, "c1", until=NOW))
        store.codes.put(code(live, "c2", until=NOW + 1))
        store.codes.spend("c1", NOW - 86_400)
        store.tokens.put(token(live, "a1", until=NOW), token(live, "a2", until=NOW + 1))

        other = reopen()
        other.grants.add(grant(joe))
        other.codes.put(code(live, "c3"))
        other.tokens.put(token(live, "a3"))

        assert [bool(store.grants.get(one.number)) for one in (live, past)] == [True, False]
        assert [bool(store.codes.find(key)) for key in ("c1", "c2", "c3")] == [False, True, True]
        assert [bool(store.tokens.find(key)) for key in ("a1", "a2", "a3")] == [False, True, True]

    def test_the_grant_of_a_code_that_nobody_redeemed_goes_with_it(
        self, store: Store, reopen: Reopen
    ) -> None:
        joe = joe_and_wiki(store)
        forsaken, redeemed, waiting = (store.grants.add(grant(joe)) for _ in range(3))
        store.codes.put(code(forsaken, "c1", until=NOW))
        store.codes.put(code(redeemed, "c2", until=NOW))
        store.codes.put(code(waiting, "c3", until=NOW + 1))
        store.codes.spend("c2", NOW - 1)

        reopen().codes.put(code(waiting, "c4"))

        found = [bool(store.grants.get(one.number)) for one in (forsaken, redeemed, waiting)]
        assert found == [False, True, True]
        assert store.codes.find("c1") is None

    def test_a_spent_code_is_known_for_a_day_and_one_of_a_grant_that_ended_is_not(
        self, store: Store, reopen: Reopen
    ) -> None:
        joe = joe_and_wiki(store)
        live, past = store.grants.add(grant(joe)), store.grants.add(grant(joe, until=NOW))
        store.codes.put(code(live, "c1", until=NOW - 86_300))
        store.codes.put(code(past, "c2", until=NOW))
        assert store.codes.spend("c1", NOW - 86_399)
        assert store.codes.spend("c2", NOW - 1)

        other = reopen()
        other.grants.add(grant(joe))
        other.codes.put(code(live, "c3"))

        held = store.codes.find("c1")
        assert held
        assert held.grant == live
        assert store.codes.find("c2") is None

    def test_one_token_clears_a_bounded_number_of_old_ones(
        self, store: Store, reopen: Reopen
    ) -> None:
        given = store.grants.add(grant(joe_and_wiki(store)))
        keys = [f"old{number}" for number in range(PURGE_ROWS + 20)]
        store.tokens.put(*(token(given, key, until=NOW) for key in keys))

        other = reopen()
        other.tokens.put(token(given, "a1"))
        left = sum(store.tokens.find(key) is not None for key in keys)
        other.tokens.put(token(given, "a2"))

        assert left == 20
        assert not any(store.tokens.find(key) for key in keys)
