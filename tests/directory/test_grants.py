"""What a sign-in lets a client do, from its code to its last refresh token, and who comes first."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from ssogate.crypto.random_secrets import digest
from ssogate.directory.consents import allowed, consented, give_consent, withdraw_consent
from ssogate.directory.grants import (
    GRACE,
    GrantRefused,
    Presented,
    Reason,
    Redeemable,
    Refreshable,
    begin_grant,
    code_key,
    family_token,
    introspect,
    redeem,
    redeemable,
    refreshable,
    revoke_all,
    revoke_token,
    rotate,
    successor_of,
)
from ssogate.errors import Conflict
from ssogate.model import Consent, Grant, Held, Token, TokenKind, User
from ssogate.storage import PostgreSQLStore, SQLiteStore, Store
from tests.databases import PostgreSQL
from tests.directory.making import SUE
from tests.directory.making import texts as all_texts
from tests.storage.contract import leave
from tests.storage.granting import SHOP, WIKI, code, grant, joe_and_wiki, token
from tests.storage.making import NOW, Hands, traced

SECRET = b"of the gate's own"
REFRESH = "refresh token"
PRESENTED = Presented("c1", WIKI, "https://wiki.example/back", "challenge")
OPENID = frozenset({"openid"})


@dataclass(frozen=True)
class Place:
    """Where a store is, as another process can be told."""

    engine: str
    where: str

    def open(self) -> Store:
        if self.engine == "sqlite":
            return SQLiteStore(Path(self.where), clock=Hands())
        return PostgreSQLStore(make_url(self.where), clock=Hands())


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)],
)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return Place("sqlite", str(tmp_path / "raced.db"))
    server: PostgreSQL = request.getfixturevalue("postgresql")
    return Place("postgresql", server.fresh())


@pytest.fixture
def raced(place: Place) -> Iterator[Store]:
    """A store that others race on."""
    store = place.open()
    yield store
    store.close()


def begun(store: Store, key: str = "c1", **given: Any) -> tuple[User, Grant]:
    joe = joe_and_wiki(store)
    drawn = grant(joe, **given)
    return joe, begin_grant(store, drawn, code(drawn, key))


def drawn(of: Grant, key: str, kind: TokenKind, now: int = NOW) -> Token:
    return family_token(of, kind, key, scopes=OPENID, audience=(), lifetime=300, now=now)


def redeemed(store: Store, of: Grant) -> None:
    """Turn the code into an access token `a0` and a refresh token."""
    found = redeemable(store, PRESENTED, by=SUE, now=NOW)
    access = drawn(of, "a0", TokenKind.ACCESS)
    refresh = drawn(of, digest(REFRESH), TokenKind.REFRESH)
    redeem(store, found, [access, refresh], by=SUE, now=NOW)


def refreshed(store: Store, old: str, access: str, now: int = NOW) -> str:
    """Exchange a refresh token as the token endpoint does; give the next one."""
    found = refreshable(store, digest(old), client=WIKI, by=SUE, now=now)
    new = successor_of(old, SECRET)
    successor = drawn(found.grant, digest(new), TokenKind.REFRESH, now)
    rotate(
        store, found, successor, drawn(found.grant, access, TokenKind.ACCESS, now), by=SUE, now=now
    )
    return new


def counts(store: Store, key: str, now: int = NOW) -> bool:
    return introspect(store, key, now=now) is not None


def texts(store: Store) -> list[tuple[str, str]]:
    """What the activity log says, besides that clients signed somebody in."""
    return [(action, text) for action, text in all_texts(store) if action != "client.signed-in"]


def actions(store: Store) -> list[str]:
    return [action for action, _ in texts(store)]


def refusal(attempt: Callable[[], object]) -> Reason:
    with pytest.raises(GrantRefused) as caught:
        attempt()
    return caught.value.reason


# --- Codes -----------------------------------------------------------------------------------


def test_who_signed_in_is_in_the_activity_log(store: SQLiteStore) -> None:
    joe, given = begun(store)
    redeemed(store, given)

    told = f"client {WIKI}, user {joe.identity.subject}"
    assert all_texts(store) == [("client.signed-in", told)]


def test_a_code_dies_with_the_boot_in_which_it_was_made(store: SQLiteStore) -> None:
    assert store.boot
    before = code_key(store, "x")
    store.boot = "the next one"
    after = code_key(store, "x")
    store.boot = ""

    assert len({before, after, code_key(store, "x")}) == 3
    assert code_key(store, "x") == digest("x")


@pytest.mark.parametrize("told_apart", [True, False])
def test_who_redeems_a_code_waits_for_the_disk_if_a_power_cut_could_bring_it_back(
    store: SQLiteStore, told_apart: bool
) -> None:
    _, given = begun(store)
    store.boot = store.boot if told_apart else ""

    with traced(store) as statements:
        redeemed(store, given)

    assert ("PRAGMA synchronous = FULL" in statements) is not told_apart


def test_who_comes_second_ends_the_family_for_good(store: SQLiteStore) -> None:
    _, given = begun(store)
    found = redeemable(store, PRESENTED, by=SUE, now=NOW)
    redeemed(store, given)

    with traced(store) as statements, pytest.raises(GrantRefused):
        redeem(store, found, [], by=SUE, now=NOW)

    assert "PRAGMA synchronous = FULL" in statements


def test_a_code_stands_for_its_grant(store: SQLiteStore) -> None:
    joe, given = begun(store)

    found = redeemable(store, PRESENTED, by=SUE, now=NOW + 59)

    assert found == Redeemable(code(given), given, joe.identity)
    assert given.subject == joe.identity.subject
    assert actions(store) == []


@pytest.mark.parametrize(
    ("wrong", "passed", "reason"),
    [
        pytest.param({"key": "c2"}, 0, Reason.UNKNOWN, id="code"),
        pytest.param({"client": SHOP}, 0, Reason.CLIENT, id="injected into another client"),
        pytest.param(
            {"redirect_uri": "https://wiki.example/back/"}, 0, Reason.REDIRECT_URI, id="URI"
        ),
        pytest.param({"redirect_uri": ""}, 0, Reason.REDIRECT_URI, id="no URI"),
        pytest.param({"challenge": "other"}, 0, Reason.VERIFIER, id="verifier"),
        pytest.param({"challenge": ""}, 0, Reason.VERIFIER, id="no verifier"),
        pytest.param({"challenge": "ä"}, 0, Reason.VERIFIER, id="not ASCII"),
        pytest.param({}, 60, Reason.STALE, id="too late"),
    ],
)
def test_a_code_that_does_not_fit_is_refused_and_not_wasted(
    store: SQLiteStore, wrong: dict[str, str], passed: int, reason: Reason
) -> None:
    _, given = begun(store)
    presented = replace(PRESENTED, **wrong)

    assert refusal(lambda: redeemable(store, presented, by=SUE, now=NOW + passed)) is reason

    assert redeemable(store, PRESENTED, by=SUE, now=NOW).grant == given
    assert actions(store) == []


def test_a_verifier_without_a_challenge_is_a_downgrade(store: SQLiteStore) -> None:
    joe = joe_and_wiki(store)
    begin_grant(store, grant(joe), replace(code(grant(joe)), code_challenge=""))

    assert refusal(lambda: redeemable(store, PRESENTED, by=SUE, now=NOW)) is Reason.VERIFIER
    assert redeemable(store, replace(PRESENTED, challenge=""), by=SUE, now=NOW)


def _revoke(store: Store, joe: User) -> None:
    revoke_all(store, client=WIKI, by=SUE, now=NOW)


def _deactivate(store: Store, joe: User) -> None:
    store.users.update(replace(joe, active=False))


def _end_session(store: Store, joe: User) -> None:
    store.sessions.delete("session")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(_revoke, Reason.REVOKED, id="revoked"),
        pytest.param(_deactivate, Reason.USER, id="user not welcome"),
        pytest.param(_end_session, Reason.UNKNOWN, id="session ended"),
    ],
)
def test_what_has_ended_gives_nothing_more(
    store: SQLiteStore, change: Callable[[Store, User], None], reason: Reason
) -> None:
    joe, given = begun(store)
    store.tokens.put(token(given), token(given, "r1", TokenKind.REFRESH))

    change(store, joe)

    assert refusal(lambda: redeemable(store, PRESENTED, by=SUE, now=NOW)) is reason
    assert refusal(lambda: refreshable(store, "r1", client=WIKI, by=SUE, now=NOW)) is reason
    assert not counts(store, "a1")
    assert not counts(store, "r1")


def test_a_code_that_comes_again_ends_all_that_it_gave(store: SQLiteStore) -> None:
    _, given = begun(store)
    redeemed(store, given)
    assert counts(store, "a0")

    for _ in range(2):
        assert refusal(lambda: redeemable(store, PRESENTED, by=SUE, now=NOW)) is Reason.REUSED

    assert not counts(store, "a0")
    assert not counts(store, digest(REFRESH))
    told = f"client {WIKI}, user {given.subject}, grant {given.number}"
    assert texts(store) == [("code.reused", told)]


def test_a_code_that_comes_again_hours_later_ends_all_that_it_gave(tmp_path: Path) -> None:
    clock, late = Hands(), NOW + 80_000
    store = SQLiteStore(tmp_path / "gate.db", clock=clock)
    joe, given = begun(store, until=late + 1000)
    redeemed(store, given)
    clock.now = late
    for key in ("c2", "c3"):  # each clears away what is past
        another = grant(joe, until=late + 60)
        begin_grant(store, another, code(another, key, until=late + 60))

    assert refusal(lambda: redeemable(store, PRESENTED, by=SUE, now=late)) is Reason.REUSED
    assert store.grants.get(given.number) == replace(given, revoked_at=late)


def test_another_client_cannot_end_a_family_by_its_code(store: SQLiteStore) -> None:
    _, given = begun(store)
    redeemed(store, given)
    presented = replace(PRESENTED, client=SHOP)

    assert refusal(lambda: redeemable(store, presented, by=SUE, now=NOW)) is Reason.CLIENT
    assert counts(store, "a0")


def test_of_two_who_found_the_same_code_the_second_ends_the_family(store: SQLiteStore) -> None:
    _, given = begun(store)
    found = redeemable(store, PRESENTED, by=SUE, now=NOW)
    first, second = (drawn(given, key, TokenKind.ACCESS) for key in ("a1", "a2"))
    redeem(store, found, [first], by=SUE, now=NOW)

    assert refusal(lambda: redeem(store, found, [second], by=SUE, now=NOW)) is Reason.REUSED

    assert store.tokens.find("a2") is None
    assert not counts(store, "a1")
    assert actions(store) == ["code.reused"]


def test_a_grant_whose_session_has_gone_meanwhile_is_not_begun(store: SQLiteStore) -> None:
    joe = joe_and_wiki(store)
    store.sessions.delete("session")

    with pytest.raises(Conflict):
        begin_grant(store, grant(joe), code(grant(joe)))
    assert store.codes.find("c1") is None


# --- Tokens ----------------------------------------------------------------------------------


def test_a_token_is_never_wider_nor_of_longer_life_than_its_grant(store: SQLiteStore) -> None:
    _, given = begun(store)
    made = family_token(
        given,
        TokenKind.ACCESS,
        "k",
        scopes=frozenset({"openid", "admin"}),
        audience=("urn:x",),
        lifetime=10**6,
        now=NOW,
    )

    assert made.scopes == {"openid"}
    assert made.until == given.until
    assert (made.grant, made.client, made.audience) == (given.number, WIKI, ("urn:x",))


def test_introspection_tells_whose_a_token_is(store: SQLiteStore) -> None:
    joe, given = begun(store)
    redeemed(store, given)

    access = drawn(given, "a0", TokenKind.ACCESS)
    assert introspect(store, "a0", now=NOW + 299) == Held(access, given, joe.identity)
    assert introspect(store, "a0", now=NOW + 300) is None
    assert introspect(store, "nobody's", now=NOW) is None


def test_a_clients_own_token_counts_without_a_user(store: SQLiteStore) -> None:
    joe_and_wiki(store)
    store.tokens.put(token(None))

    assert introspect(store, "a1", now=NOW) == Held(token(None), None, None)
    revoke_all(store, client=WIKI, by=SUE, now=NOW)
    assert introspect(store, "a1", now=NOW) is None
    assert texts(store) == [
        ("grants.revoked", f"client {WIKI}: 0 grants, 1 tokens of its own"),
    ]


# --- Refreshing ------------------------------------------------------------------------------


def test_a_refresh_token_gives_the_next_and_no_longer_counts(store: SQLiteStore) -> None:
    _, given = begun(store)
    redeemed(store, given)

    new = refreshed(store, REFRESH, "a1")

    assert new == successor_of(REFRESH, SECRET) != REFRESH
    assert not counts(store, digest(REFRESH))
    assert counts(store, digest(new))
    assert counts(store, "a1")
    assert counts(store, "a0"), "access tokens live on"


def test_a_successor_depends_on_the_token_and_on_the_gates_secret() -> None:
    all_ = {successor_of(t, s) for t in ("a", "b") for s in (SECRET, b"other")}

    assert len(all_) == 4
    assert {len(text) for text in all_} == {43}, "256 bits"


def test_within_the_grace_it_gives_the_same_successor(store: SQLiteStore) -> None:
    _, given = begun(store)
    redeemed(store, given)

    first = refreshed(store, REFRESH, "a1")
    again = refreshed(store, REFRESH, "a2", NOW + GRACE)

    assert first == again
    assert all(counts(store, key, NOW + GRACE) for key in ("a1", "a2", digest(first)))
    assert actions(store) == []


def test_after_the_grace_it_ends_the_family(store: SQLiteStore) -> None:
    _, given = begun(store)
    redeemed(store, given)
    new = refreshed(store, REFRESH, "a1")
    late = NOW + GRACE + 1

    for _ in range(2):
        assert refusal(lambda: refreshed(store, REFRESH, "a2", late)) is Reason.REUSED

    assert not any(counts(store, key) for key in ("a0", "a1", "a2", digest(new)))
    assert refusal(lambda: refreshed(store, new, "a3")) is Reason.REVOKED
    assert actions(store) == ["token.reused"]


def test_a_thief_and_a_client_with_the_same_token_do_not_both_go_on(store: SQLiteStore) -> None:
    _, given = begun(store)
    redeemed(store, given)
    stolen = refreshed(store, REFRESH, "a1")
    thiefs = refreshed(store, stolen, "a2", NOW + 100)

    assert refusal(lambda: refreshed(store, stolen, "a3", NOW + 200)) is Reason.REUSED
    assert refusal(lambda: refreshed(store, thiefs, "a4", NOW + 200)) is Reason.REVOKED


def test_who_found_the_token_in_time_and_comes_too_late_ends_the_family(
    store: SQLiteStore,
) -> None:
    _, given = begun(store)
    redeemed(store, given)
    found = refreshable(store, digest(REFRESH), client=WIKI, by=SUE, now=NOW)
    new = refreshed(store, REFRESH, "a1")
    successor, access = (
        drawn(given, key, kind)
        for key, kind in ((digest(new), TokenKind.REFRESH), ("a2", TokenKind.ACCESS))
    )
    late = NOW + GRACE + 1

    refused = refusal(lambda: rotate(store, found, successor, access, by=SUE, now=late))
    assert refused is Reason.REUSED
    assert not counts(store, digest(new))


def test_a_grace_gives_no_second_chain(store: SQLiteStore) -> None:
    _, given = begun(store)
    redeemed(store, given)
    new = refreshed(store, REFRESH, "a1")
    found = refreshable(store, digest(REFRESH), client=WIKI, by=SUE, now=NOW)
    other = drawn(given, "of another secret", TokenKind.REFRESH)
    access = drawn(given, "a2", TokenKind.ACCESS)

    assert refusal(lambda: rotate(store, found, other, access, by=SUE, now=NOW)) is Reason.REUSED

    assert not any(counts(store, key) for key in ("a2", other.key, digest(new)))


def test_a_family_that_ends_while_somebody_refreshes_stays_ended(store: SQLiteStore) -> None:
    _, given = begun(store)
    redeemed(store, given)
    refreshed(store, REFRESH, "a1")
    found = refreshable(store, digest(REFRESH), client=WIKI, by=SUE, now=NOW)
    successor = drawn(given, digest(successor_of(REFRESH, SECRET)), TokenKind.REFRESH)
    revoke_all(store, client=WIKI, by=SUE, now=NOW)
    access = drawn(given, "a2", TokenKind.ACCESS)

    with pytest.raises(GrantRefused):
        rotate(store, found, successor, access, by=SUE, now=NOW)
    assert not counts(store, "a2")
    assert actions(store) == ["grants.revoked"]


def test_a_session_that_ends_while_somebody_comes_leaves_nothing(store: SQLiteStore) -> None:
    joe, given = begun(store)
    code_found = redeemable(store, PRESENTED, by=SUE, now=NOW)
    store.tokens.put(drawn(given, digest(REFRESH), TokenKind.REFRESH))
    token_found = refreshable(store, digest(REFRESH), client=WIKI, by=SUE, now=NOW)

    _end_session(store, joe)

    for attempt in (partial(_redeem, code_found), partial(_rotate, token_found)):
        assert _tried(partial(attempt, store, "a1")) == "REUSED"
    assert store.tokens.find("a1") is None
    assert actions(store) == []


@pytest.mark.parametrize(
    ("key", "client", "passed", "reason"),
    [
        pytest.param("a0", WIKI, 0, Reason.UNKNOWN, id="an access token"),
        pytest.param("nobody's", WIKI, 0, Reason.UNKNOWN, id="nobody's"),
        pytest.param(digest(REFRESH), SHOP, 0, Reason.CLIENT, id="another client's"),
        pytest.param(digest(REFRESH), WIKI, 300, Reason.STALE, id="too late"),
    ],
)
def test_what_is_no_live_refresh_token_of_the_clients_is_refused(
    store: SQLiteStore, key: str, client: str, passed: int, reason: Reason
) -> None:
    _, given = begun(store)
    redeemed(store, given)

    assert (
        refusal(lambda: refreshable(store, key, client=client, by=SUE, now=NOW + passed)) is reason
    )
    assert counts(store, digest(REFRESH)), "nothing ended"


def test_a_clients_own_refresh_token_is_none(store: SQLiteStore) -> None:
    joe_and_wiki(store)
    store.tokens.put(token(None, "r1", TokenKind.REFRESH))

    refused = refusal(lambda: refreshable(store, "r1", client=WIKI, by=SUE, now=NOW))
    assert refused is Reason.UNKNOWN


# --- Revoking --------------------------------------------------------------------------------


def test_an_access_token_is_revoked_alone(store: SQLiteStore) -> None:
    _, given = begun(store)
    redeemed(store, given)

    assert revoke_token(store, "a0", client=WIKI, by=SUE, now=NOW)
    assert not revoke_token(store, "a0", client=WIKI, by=SUE, now=NOW)
    assert not counts(store, "a0")
    assert counts(store, digest(REFRESH))


def test_a_refresh_token_is_revoked_with_its_family(store: SQLiteStore) -> None:
    _, given = begun(store)
    redeemed(store, given)

    assert revoke_token(store, digest(REFRESH), client=WIKI, by=SUE, now=NOW)
    assert not counts(store, "a0")
    assert actions(store) == ["grant.revoked"]


def test_nobody_revokes_another_clients_token(store: SQLiteStore) -> None:
    _, given = begun(store)
    redeemed(store, given)

    for key in ("a0", digest(REFRESH), "nobody's"):
        assert not revoke_token(store, key, client=SHOP, by=SUE, now=NOW)
    assert counts(store, "a0")


def test_a_grant_is_revoked_once(store: SQLiteStore) -> None:
    begun(store)

    assert revoke_all(store, client=WIKI, by=SUE, now=NOW) == 1
    assert revoke_all(store, client=WIKI, by=SUE, now=NOW) == 0
    assert actions(store) == ["grants.revoked"]


def test_all_of_a_user_or_a_client_are_revoked_in_one_line(store: SQLiteStore) -> None:
    joe, given = begun(store)
    shops = store.grants.add(grant(joe, of=SHOP))
    store.tokens.put(token(given), token(shops, "a2"), token(None, "own"))

    assert revoke_all(store, subject=joe.identity.subject, client=WIKI, by=SUE, now=NOW) == 1
    assert [counts(store, key) for key in ("a1", "a2", "own")] == [False, True, True]
    assert revoke_all(store, subject=joe.identity.subject, by=SUE, now=NOW) == 1
    assert not counts(store, "a2")
    assert revoke_all(store, subject=joe.identity.subject, by=SUE, now=NOW) == 0
    assert actions(store) == ["grants.revoked"] * 2
    with pytest.raises(ValueError, match="whose"):
        revoke_all(store, by=SUE, now=NOW)


# --- Consents --------------------------------------------------------------------------------


def test_a_consent_grows_and_is_told_where_it_is_new(store: SQLiteStore) -> None:
    joe = joe_and_wiki(store).identity.subject
    for scopes in ({"openid"}, {"openid"}, {"email"}):
        give_consent(store, joe, WIKI, frozenset(scopes), by=SUE, now=NOW)

    assert consented(store, joe, WIKI) == {"openid", "email"}
    assert consented(store, joe, SHOP) == frozenset()
    given = f"client {WIKI}, user {joe}"
    assert texts(store) == [
        ("consent.given", f"{given}: openid"),
        ("consent.given", f"{given}: email"),
    ]


def test_a_consent_withdrawn_ends_what_the_client_had(store: SQLiteStore) -> None:
    joe, given = begun(store)
    redeemed(store, given)
    give_consent(store, given.subject, WIKI, OPENID, by=SUE, now=NOW)

    assert withdraw_consent(store, joe.identity.subject, WIKI, by=SUE, now=NOW)
    assert not withdraw_consent(store, joe.identity.subject, WIKI, by=SUE, now=NOW)

    assert consented(store, given.subject, WIKI) == frozenset()
    assert not counts(store, "a0")
    assert actions(store) == ["consent.given", "grants.revoked", "consent.withdrawn"]


def test_what_is_allowed_is_what_was_consented_to_and_what_is_granted_without(
    store: SQLiteStore,
) -> None:
    joe = joe_and_wiki(store)
    subject = joe.identity.subject
    give_consent(store, subject, WIKI, frozenset({"groups"}), by=SUE, now=NOW + 7)
    for wider in (frozenset({"profile"}), OPENID):
        drawn = grant(joe, of=SHOP, session=None)
        store.grants.add(replace(drawn, agreed=wider, scopes=OPENID))
    store.grants.add(grant(joe, until=NOW + 5))

    shops = Consent(subject, SHOP, frozenset({"openid", "profile"}), NOW)
    wikis = Consent(subject, WIKI, frozenset({"groups"}), NOW + 7)
    before, after = (allowed(store, subject, now=at) for at in (NOW + 4, NOW + 5))
    assert {one.client: one.scopes for one in before}[WIKI] > wikis.scopes
    assert sorted(after, key=lambda one: one.client) == [shops, wikis]

    assert withdraw_consent(store, subject, SHOP, by=SUE, now=NOW)
    assert allowed(store, subject, now=NOW + 5) == [wikis]
    assert allowed(store, "nobody", now=NOW) == []


def test_the_activity_log_names_no_code_and_no_token(store: SQLiteStore) -> None:
    _, given = begun(store, digest("code"))
    store.tokens.put(token(given, digest(REFRESH), TokenKind.REFRESH))
    revoke_token(store, digest(REFRESH), client=WIKI, by=SUE, now=NOW)

    assert not any(
        secret in text
        for _, text in texts(store)
        for secret in ("code", REFRESH, digest("code"), digest(REFRESH))
    )


# --- Races -----------------------------------------------------------------------------------

THREADS, TRIES = 4, 25  # a hundred attempts
Attempt = Callable[[Store, str], None]


def _tried(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except GrantRefused as refused:
        return refused.reason.name
    return "won"


def _redeem(found: Redeemable, store: Store, name: str) -> None:
    redeem(store, found, [drawn(found.grant, name, TokenKind.ACCESS)], by=SUE, now=NOW)


def _rotate(found: Refreshable, store: Store, name: str) -> None:
    next_ = drawn(found.grant, digest(successor_of(REFRESH, SECRET)), TokenKind.REFRESH)
    access = drawn(found.grant, name, TokenKind.ACCESS)
    rotate(store, found, next_, access, by=SUE, now=NOW)


def _race(store: Store, attempt: Attempt, name: str, start: Any) -> list[str]:
    """Try again and again from the moment at which all others do."""
    start.wait()
    try:
        return [_tried(partial(attempt, store, f"{name}.{at}")) for at in range(TRIES)]
    finally:
        leave(store)


def _race_elsewhere(place: Place, attempt: Attempt, name: str, start: Any, told: Any) -> None:
    store = place.open()
    told.put(_race(store, attempt, name, start))
    store.close()


def by_threads(place: Place, store: Store, attempt: Attempt) -> list[str]:
    start, names = threading.Barrier(THREADS), map(str, range(THREADS))
    with ThreadPoolExecutor(THREADS) as threads:
        told = threads.map(lambda name: _race(store, attempt, name, start), names)
        return list(chain.from_iterable(told))


def by_processes(place: Place, store: Store, attempt: Attempt) -> list[str]:
    processes = multiprocessing.get_context("forkserver")
    start, told = processes.Barrier(2), processes.Queue()
    racers = [
        processes.Process(target=_race_elsewhere, args=(place, attempt, name, start, told))
        for name in "ab"
    ]
    for racer in racers:
        racer.start()
    words = list(chain.from_iterable(told.get(timeout=60) for _ in racers))
    for racer in racers:
        racer.join()
    return words


RACES = pytest.mark.parametrize(
    "race", [pytest.param(by_threads, id="threads"), pytest.param(by_processes, id="processes")]
)
Race = Callable[[Place, Store, Attempt], list[str]]


@RACES
def test_of_all_who_redeem_a_code_at_once_one_wins(place: Place, raced: Store, race: Race) -> None:
    begun(raced)
    found = redeemable(raced, PRESENTED, by=SUE, now=NOW)

    told = race(place, raced, partial(_redeem, found))

    assert sorted(set(told)) == ["REUSED", "won"]
    assert told.count("won") == 1
    assert actions(raced) == ["code.reused"]


@RACES
def test_all_who_refresh_at_once_get_the_one_successor(
    place: Place, raced: Store, race: Race
) -> None:
    _, given = begun(raced)
    redeemed(raced, given)
    found = refreshable(raced, digest(REFRESH), client=WIKI, by=SUE, now=NOW)

    told = race(place, raced, partial(_rotate, found))

    assert set(told) == {"won"}
    assert counts(raced, digest(successor_of(REFRESH, SECRET)))
    assert actions(raced) == []
    late = NOW + GRACE + 1
    assert refusal(lambda: refreshed(raced, REFRESH, "late", late)) is Reason.REUSED
