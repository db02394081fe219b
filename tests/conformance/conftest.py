"""One provider with two workers for all checks, Sue, who has a password, and relying parties that
an operator has created by the command line."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.person import Person
from tests.conformance.relying_party import CALLBACK, Credentials, RelyingParty
from tests.real.relying_parties import PASSWORD, Provider

ALGORITHMS = ("RS256", "ES256", "EdDSA")
INITIAL_TOKEN = "an-initial-token-of-the-tests-0123456789"
QUARTER = 15 * 60  # seconds in which right passwords are counted, too
NOWHERE = "http://127.0.0.1:9"
SCOPE = "openid profile email groups offline_access"


@dataclass(frozen=True)
class Gate:
    """The provider, and what its operator does."""

    provider: Provider

    @property
    def discovery_url(self) -> str:
        return f"{self.provider.issuer}/.well-known/openid-configuration"

    def credentials(
        self, *options: str, grant: str = "authorization_code", method: str = "", key: Any = None
    ) -> Credentials:
        """Create a client."""
        told = self.provider.add_client(
            "RP", "--scope", SCOPE, "--redirect-uri", CALLBACK, *options, grant=grant
        )
        secret = told.get("CLIENT_SECRET", "")
        return Credentials(told["CLIENT_ID"], secret, method or "client_secret_basic", key)

    def relying_party(self, *options: str, **how: Any) -> RelyingParty:
        """Create one that sends no code challenge, as those of the Foundation's suite."""
        return RelyingParty(self.discovery_url, self.credentials("--no-pkce", *options), **how)

    def later(self, seconds: int) -> None:
        """Let all codes be older than they are, and everybody have waited for so long."""
        (file,) = self.provider.site.folder.glob("var/*.sqlite")
        with closing(sqlite3.connect(file, timeout=10)) as store, store:
            passed = {"s": seconds}
            store.execute("UPDATE codes SET until = until - :s, spent_at = spent_at - :s", passed)
            store.execute("UPDATE counters SET until = until - :s", passed)


@pytest.fixture(scope="session")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    folder = tmp_path_factory.mktemp("conformance") / "gate"
    settings: dict[str, Any] = {
        "algorithms": list(ALGORITHMS),
        "registration": {"initial_token": {"file": "initial-token"}},
    }
    provider = Provider(folder, NOWHERE, **settings)
    file: Path = folder / "initial-token"
    file.touch(0o600)
    file.write_text(INITIAL_TOKEN)
    with provider:
        provider.add_sue()
        yield Gate(provider)


@pytest.fixture
def sue(gate: Gate) -> Person:
    """Sue with a new browser, who has not signed in lately: nobody may all the time."""
    gate.later(QUARTER)
    return Person(gate.provider.issuer, "sue", PASSWORD)


@pytest.fixture(scope="session")
def rp(gate: Gate) -> RelyingParty:
    """The suite's first client."""
    return gate.relying_party()


@pytest.fixture(scope="session")
def other(gate: Gate) -> RelyingParty:
    """The suite's second client."""
    return gate.relying_party()
