"""What the OpenID provider asks on its way goes by an index: told by SQLite's own plans."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssogate.model import Consent, TokenKind
from ssogate.storage import SQLiteStore
from tests.attack.test_speed import listening, plan, reads_all
from tests.storage.granting import WIKI, code, grant, joe_and_wiki, token
from tests.storage.making import NOW, Hands


@pytest.fixture
def store(tmp_path: Path) -> SQLiteStore:
    return SQLiteStore(tmp_path / "gate.db", clock=Hands())


def test_every_look_up_and_every_purge_goes_by_an_index(store: SQLiteStore) -> None:
    joe = joe_and_wiki(store)
    subject = joe.identity.subject
    with listening(store) as asked:
        given = store.grants.add(grant(joe))
        store.codes.put(code(given))
        store.codes.find("c1")
        store.codes.spend("c1", NOW)
        store.tokens.put(token(given, "r1", TokenKind.REFRESH))
        store.tokens.find("r1")
        store.tokens.succeed("r1", "r2", NOW)
        store.tokens.delete("r1")
        store.tokens.delete_own(WIKI)
        store.consents.put(Consent(subject, WIKI, frozenset(), NOW))
        store.consents.get(subject, WIKI)
        store.consents.listed(subject)
        store.consents.delete(subject, WIKI)
        store.grants.get(given.number)
        store.grants.owned(given.number)
        store.sessions.delete_subject(subject)
        for where in ({"number": given.number}, {"client": WIKI}, {"subject": subject}):
            store.grants.listed(**where)
            store.grants.revoke(now=NOW, **where)
        store.grants.listed(sid="sid1")
        store.grants.listed(session="session")

    reading = {one.sql: steps for one in asked if any(map(reads_all, steps := plan(store, one)))}
    assert len(asked) >= 20
    assert reading == {}


def test_a_token_is_found_in_one_statement(store: SQLiteStore) -> None:
    given = store.grants.add(grant(joe_and_wiki(store)))
    store.tokens.put(token(given))

    with listening(store) as asked:
        assert store.tokens.find("a1")

    assert len(asked) == 1
