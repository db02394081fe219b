"""The keys that sign: published before they do and after, whatever workers and clocks do."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import make_url

from ssogate.crypto import SealBroken, Sealer
from ssogate.crypto.jwk import Algorithm, BadToken, generate, verify
from ssogate.directory.sealing import census, reseal
from ssogate.directory.signing_keys import (
    REREAD,
    RIPENS,
    KeyState,
    SigningKeys,
    drop,
    rotate,
    states,
)
from ssogate.errors import Conflict, StoreFailure
from ssogate.storage import PostgreSQLStore, SQLiteStore, Store
from tests.databases import PostgreSQL
from tests.directory.making import SUE, actions
from tests.storage.making import NOW, Hands

OLD, NEW = b"a sealing key of 32 bytes or more", b"another sealing key of 32 bytes.."
LIFETIME, OVERLAP = 1000.0, 200.0
ALGORITHMS: tuple[Algorithm, ...] = ("EdDSA",)


@pytest.fixture
def clock() -> Hands:
    return Hands()


Worker = Callable[[], SigningKeys]


@pytest.fixture
def worker(store: SQLiteStore, clock: Hands) -> Worker:
    """Start a worker process, as it were. EdDSA keys are made at once."""
    return lambda: SigningKeys(store, Sealer([OLD]), clock, ("EdDSA",), LIFETIME, OVERLAP)


def rotated(store: SQLiteStore, now: float) -> str:
    made = rotate(store, Sealer([OLD]), "EdDSA", OVERLAP, by=SUE, now=int(now))
    assert made
    return made.kid


def published(keys: SigningKeys) -> list[str]:
    listed = [key["kid"] for key in json.loads(keys.jwks())["keys"]]
    assert listed == [key.kid for key in keys.public()]
    return listed


def test_the_first_key_is_made_when_it_is_needed(store: SQLiteStore, worker: Worker) -> None:
    keys = worker()

    key = keys.signing("EdDSA")

    assert published(keys) == [key.kid]
    assert actions(store) == ["signing-key.made"]
    assert b'"d"' not in keys.jwks()


def test_each_algorithm_has_a_key_of_its_own(store: SQLiteStore, clock: Hands) -> None:
    keys = SigningKeys(store, Sealer([OLD]), clock, ("ES256", "EdDSA"), LIFETIME, OVERLAP)

    assert {keys.signing(alg).alg for alg in ("ES256", "EdDSA")} == {"ES256", "EdDSA"}
    assert len(keys.public()) == 2


def test_two_workers_that_start_at_once_sign_by_one_key(store: SQLiteStore, worker: Worker) -> None:
    workers = [worker() for _ in range(4)]

    with ThreadPoolExecutor(4) as pool:
        kids = set(pool.map(lambda keys: keys.signing("EdDSA").kid, workers * 2))

    assert len(kids) == 1
    assert actions(store) == ["signing-key.made"]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """Open the store as another process does, on either engine."""
    if request.param == "sqlite":
        return lambda: SQLiteStore(tmp_path / "shared.db", clock=Hands())
    server: PostgreSQL = request.getfixturevalue("postgresql")
    url = make_url(server.fresh())
    return lambda: PostgreSQLStore(url, clock=Hands())


def test_processes_that_share_a_store_share_the_keys(
    open_store: Callable[[], Store], clock: Hands
) -> None:
    """From the first key to a stolen one, and sealed anew."""
    with ExitStack() as opened:
        stores = [opened.enter_context(closing(open_store())) for _ in range(3)]
        workers = [
            SigningKeys(store, Sealer([OLD]), clock, ALGORITHMS, LIFETIME, OVERLAP)
            for store in stores
        ]
        with ThreadPoolExecutor(3) as pool:
            (first,) = set(pool.map(lambda keys: keys.signing("EdDSA").kid, workers))
        clock.now += LIFETIME
        with ThreadPoolExecutor(3) as pool:
            assert len(set(pool.map(SigningKeys.jwks, workers))) == 1
        clock.now += RIPENS
        (second,) = {keys.signing("EdDSA").kid for keys in workers}
        assert second != first

        drop(stores[0], Sealer([OLD]), second, ALGORITHMS, OVERLAP, by=SUE, now=int(clock.now))
        clock.now += REREAD
        (third,) = {keys.signing("EdDSA").kid for keys in workers}
        assert third not in (first, second)
        assert all(second not in published(keys) for keys in workers)
        assert actions(stores[0]).count("signing-key.made") == 3

        assert reseal(stores[1], Sealer([NEW, OLD]), by=SUE, now=NOW) == 2
        after = SigningKeys(stores[2], Sealer([NEW]), clock, ALGORITHMS, LIFETIME, OVERLAP)
        assert after.signing("EdDSA").kid == third


def test_a_key_is_published_before_it_signs(
    store: SQLiteStore, worker: Worker, clock: Hands
) -> None:
    keys = worker()
    first = keys.signing("EdDSA").kid
    clock.now += RIPENS
    second = rotated(store, clock.now)

    clock.now += RIPENS - 1
    assert keys.signing("EdDSA").kid == first
    assert published(keys) == [second, first]

    clock.now += 1
    assert keys.signing("EdDSA").kid == second
    assert published(keys) == [second, first]


def test_a_worker_that_lags_behind_knows_every_key_that_signs(
    store: SQLiteStore, worker: Worker, clock: Hands
) -> None:
    """Step by step through a rotation, with one worker that has just read and one that is about
    to."""
    ahead, behind = worker(), worker()
    ahead.signing("EdDSA")
    behind.public()
    clock.now += LIFETIME
    for _ in range(int(RIPENS + OVERLAP + 20)):
        clock.now += 1
        if int(clock.now) % 3:
            behind.public()
        token = ahead.signing("EdDSA").sign(
            {"iss": "i", "iat": clock.now, "exp": clock.now + OVERLAP}, typ="JWT"
        )
        verify(
            token,
            behind.public(),
            issuer="i",
            audience=None,
            types=frozenset({"JWT"}),
            now=clock.now,
        )
        kept = states(store.sealed_keys.published(int(clock.now)), OVERLAP, clock.now)
        assert [state for _, state in kept].count(KeyState.SIGNING) == 1
    assert actions(store) == ["signing-key.made"] * 2


def test_what_an_old_key_signed_last_counts_to_its_end(
    store: SQLiteStore, worker: Worker, clock: Hands
) -> None:
    keys = worker()
    first = keys.signing("EdDSA").kid
    clock.now += RIPENS
    rotated(store, clock.now)
    clock.now += RIPENS - 1
    assert keys.signing("EdDSA").kid == first

    clock.now += OVERLAP
    assert first in published(keys)
    clock.now += REREAD + 1
    assert first not in published(keys)


def test_an_old_key_is_followed_by_another_once(
    store: SQLiteStore, worker: Worker, clock: Hands
) -> None:
    one, other = worker(), worker()
    first = one.signing("EdDSA").kid
    clock.now += LIFETIME - 1
    assert published(one) == [first]

    clock.now += REREAD
    assert len(published(one)) == 2
    assert published(one) == published(other)
    assert one.signing("EdDSA").kid == first


def test_keys_that_are_rotated_again_and_again_ripen_all_the_same(
    store: SQLiteStore, worker: Worker, clock: Hands
) -> None:
    keys = worker()
    kids = [keys.signing("EdDSA").kid]
    clock.now += RIPENS
    for _ in range(3):
        kids.append(rotated(store, clock.now))
        clock.now += 10
    signed = []
    for _ in range(12):
        signed.append(keys.signing("EdDSA").kid)
        assert set(signed) <= {*published(keys)}
        clock.now += 10

    order = [kids.index(kid) for kid in signed]
    assert order[0] == 0
    assert order[-1] == 3
    assert all(before <= after for before, after in pairwise(order))


def test_a_clock_that_is_set_back_makes_no_keys_and_finds_one(
    store: SQLiteStore, worker: Worker, clock: Hands
) -> None:
    keys = worker()
    first = keys.signing("EdDSA").kid
    clock.now -= 10 * LIFETIME

    assert keys.signing("EdDSA").kid == first
    assert worker().signing("EdDSA").kid == first
    assert actions(store) == ["signing-key.made"]


def test_a_worker_reads_again_only_after_a_while(
    store: SQLiteStore, worker: Worker, clock: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = worker()
    keys.public()
    monkeypatch.setattr(store.sealed_keys, "published", _fail)

    clock.now += REREAD - 1
    assert keys.public()
    clock.now += 1
    with pytest.raises(StoreFailure):
        keys.public()
    monkeypatch.undo()
    assert keys.public()


def _fail(now: int) -> None:
    raise StoreFailure("gone")


def test_nobody_is_believed_by_a_key_that_is_not_ours(worker: Worker, clock: Hands) -> None:
    stranger = generate("EdDSA").sign({"iss": "i", "exp": NOW + 10}, typ="JWT")

    with pytest.raises(BadToken):
        verify(
            stranger,
            worker().public(),
            issuer="i",
            audience=None,
            types=frozenset({"JWT"}),
            now=NOW,
        )


# --- A stolen key -----------------------------------------------------------------------------


def dropped(store: SQLiteStore, kid: str, now: float) -> None:
    drop(store, Sealer([OLD]), kid, ALGORITHMS, OVERLAP, by=SUE, now=int(now))


def test_a_dropped_key_is_not_published_and_another_signs_at_once(
    store: SQLiteStore, worker: Worker, clock: Hands
) -> None:
    keys = worker()
    stolen = keys.signing("EdDSA").kid

    dropped(store, stolen, clock.now)
    clock.now += REREAD

    assert keys.signing("EdDSA").kid != stolen
    assert published(keys) == [keys.signing("EdDSA").kid]
    assert actions(store) == ["signing-key.made", "signing-key.dropped", "signing-key.made"]


def test_the_next_key_takes_over_from_a_dropped_one(
    store: SQLiteStore, worker: Worker, clock: Hands
) -> None:
    keys = worker()
    stolen = keys.signing("EdDSA").kid
    clock.now += RIPENS
    following = rotated(store, clock.now)

    dropped(store, stolen, clock.now)
    clock.now += REREAD

    assert keys.signing("EdDSA").kid == following
    assert published(keys) == [following]


@pytest.mark.parametrize(
    ("passed", "back"),
    [
        pytest.param(0, True, id="its tokens would be believed to their end"),
        pytest.param(RIPENS + 10, False, id="some would outlive it"),
    ],
)
def test_an_older_key_signs_again_only_while_that_is_of_use(
    store: SQLiteStore, worker: Worker, clock: Hands, passed: int, back: bool
) -> None:
    keys = worker()
    first = keys.signing("EdDSA").kid
    clock.now += RIPENS
    stolen = rotated(store, clock.now)
    clock.now += passed

    dropped(store, stolen, clock.now)
    clock.now += REREAD

    assert (keys.signing("EdDSA").kid == first) is back
    assert stolen not in published(keys)
    assert len(published(keys)) == 2


def test_a_retiring_key_goes_without_a_successor(
    store: SQLiteStore, worker: Worker, clock: Hands
) -> None:
    keys = worker()
    first = keys.signing("EdDSA").kid
    second = rotated(store, clock.now)

    dropped(store, first, clock.now)
    clock.now += REREAD

    assert published(keys) == [second]


@pytest.mark.parametrize("kid", ["", "x", "x\0"])
def test_only_a_key_that_there_is_can_be_dropped(
    store: SQLiteStore, worker: Worker, kid: str
) -> None:
    worker().public()

    with pytest.raises(Conflict):
        dropped(store, kid, NOW)
    assert len(store.sealed_keys.published(NOW)) == 1


# --- Sealing ----------------------------------------------------------------------------------


def test_signing_keys_are_counted_and_sealed_anew(store: SQLiteStore, worker: Worker) -> None:
    before = worker().public()
    both = Sealer([NEW, OLD])
    assert (census(store, both).current, census(store, both).older) == (0, 1)

    assert reseal(store, both, by=SUE, now=NOW) == 1

    alone = Sealer([NEW])
    assert (census(store, alone).current, census(store, alone).broken) == (1, ())
    after = SigningKeys(store, alone, Hands(), ("EdDSA",), LIFETIME, OVERLAP)
    assert after.public() == before


def test_a_key_that_no_sealing_key_opens_signs_nothing(store: SQLiteStore, worker: Worker) -> None:
    worker().public()
    blind = SigningKeys(store, Sealer([NEW]), Hands(), ("EdDSA",), LIFETIME, OVERLAP)

    with pytest.raises(SealBroken):
        blind.signing("EdDSA")
    assert len(census(store, Sealer([NEW])).broken) == 1
    assert actions(store) == ["signing-key.made"]


def test_no_private_key_is_in_a_repr(worker: Worker) -> None:
    keys = worker()
    keys.public()

    assert "PRIVATE" not in repr(keys)
    assert "s1." not in repr(keys)
