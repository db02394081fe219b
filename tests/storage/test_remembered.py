"""A client that is named again and again is read once, until anything has changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ssogate.model import Account, AccountStatus, Client, Service, ServiceStatus
from ssogate.storage import SQLiteStore, schema
from ssogate.storage.records import RememberedRecords
from tests.storage.granting import WIKI, client
from tests.storage.making import NOW, Hands, traced


class Naming:
    """A store with a client of a service's, and another process's view of the same file."""

    def __init__(self, path: Path, clock: Hands) -> None:
        self.store, self.other = SQLiteStore(path, clock=clock), SQLiteStore(path, clock=clock)
        self.now, database = 100.0, self.store.database
        known: Any = RememberedRecords(database, schema.clients, Client, clock=lambda: self.now)
        self.clients = self.store.clients = known
        account = self.store.accounts.add(
            Account(0, "Acme Ltd", "a@acme.example", AccountStatus.ACTIVE, True, NOW, NOW)
        )
        self.service = self.store.services.add(
            Service(0, account.number, "Hosting", ServiceStatus.ACTIVE)
        )
        self.wiki = self.store.clients.add(replace(client(WIKI), service=self.service.number))

    def reads(self) -> int:
        """How often the file is asked for the client by who asks for it once."""
        with traced(self.store) as statements:
            assert self.clients.named(WIKI) is not None
        return len(statements)


@pytest.fixture
def naming(tmp_path: Path) -> Iterator[Naming]:
    made = Naming(tmp_path / "gate.db", Hands())
    yield made
    made.other.close()
    made.store.close()


def test_a_client_that_is_named_again_is_not_read_again(naming: Naming) -> None:
    assert [naming.reads(), naming.reads()] == [1, 0]
    naming.now += 0.99
    assert naming.reads() == 0
    naming.now += 0.01
    assert naming.reads() == 1, "a lost signal costs a second"


def test_nobody_is_remembered_who_is_not_there(naming: Naming) -> None:
    assert naming.clients.named("SHOP.1") is None
    naming.other.clients.add(client("SHOP.1"))
    assert naming.clients.named("SHOP.1")


@pytest.mark.parametrize("who", ["store", "other"])
def test_a_client_that_was_changed_is_read_anew_at_once(naming: Naming, who: str) -> None:
    naming.reads()

    assert getattr(naming, who).clients.update(replace(naming.wiki, secret_digest="another"))

    found = naming.clients.named(WIKI)
    assert found
    assert found.secret_digest == "another"


@pytest.mark.parametrize("what", ["client", "service", "account"])
@pytest.mark.parametrize("who", ["store", "other"])
def test_a_client_that_is_gone_is_forgotten_at_once(naming: Naming, who: str, what: str) -> None:
    naming.reads()
    store: SQLiteStore = getattr(naming, who)

    deleted = {
        "client": lambda: store.clients.delete(naming.wiki.number),
        "service": lambda: store.services.delete(naming.service.number),
        "account": lambda: store.accounts.delete(naming.service.account),
    }[what]()

    assert deleted
    assert naming.clients.named(WIKI) is None


def test_while_somebody_changes_something_nothing_is_remembered(naming: Naming) -> None:
    naming.reads()
    with naming.other.transaction():
        naming.other.clients.update(replace(naming.wiki, secret_digest="another"))
        assert [naming.reads(), naming.reads()] == [1, 1]
        before = naming.clients.named(WIKI)
    after = naming.clients.named(WIKI)

    assert before
    assert after
    assert (before.secret_digest, after.secret_digest) == ("d" * 64, "another")
