"""Customers of a gate, and the programs that ask for tokens for them, over real sockets."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from ssogate.api import ACTIONS
from ssogate.crypto.random_secrets import digest
from ssogate.directory import ACCOUNTS, DOMAINS, SERVICES, By
from ssogate.directory.accounts import set_member
from ssogate.directory.clients import API_ROLES, add_api_credential, add_client
from ssogate.directory.sso_tokens import provision
from ssogate.model import (
    Account,
    AccountStatus,
    ApiCredential,
    ApiRole,
    Client,
    Domain,
    DomainStatus,
    GrantType,
    LocalPath,
    Membership,
    Service,
    ServiceStatus,
    User,
)
from ssogate.storage import Store
from tests.attack.house import FORM, House, house_at
from tests.attack.stage import GTHREAD, HOST
from tests.directory.making import standing
from tests.gate import SENDER
from tests.servers import Answer, ask, request

API, TOKEN, REDEEM = "/includes/api.php", "/oauth/token.php", "/oauth/singlesignon.php"
ACCESS_KEY = "an-access-key-of-the-tests-0123456789"
SUE = By("cli:sue", "192.0.2.1")
TARGET = "/members/billing"
CLIENT_SCOPES = frozenset({"clientarea:profile", "clientarea:product_details"})

BAD_NUMBERS = (
    "0",
    "-1",
    "+1",
    " 1",
    "1 ",
    "1.0",
    "1e0",
    "0x1",
    "01",
    "１",
    "١",
    "1,2",
    "1;DROP TABLE services",
    "9" * 18,
    "9" * 5000,
    "null",
    "1\n",
)
"""What no client ever had as a number of something."""

Pairs = Mapping[str, str] | list[tuple[str, str]]

_numbers = count(1)


def now() -> int:
    return int(time.time())


@dataclass(frozen=True)
class Customer:
    """An account with its owner, and what it has."""

    account: Account
    user: User
    service: Service
    domain: Domain

    @property
    def subject(self) -> str:
        return self.user.identity.subject


@dataclass(frozen=True)
class Program:
    """An API credential or an OAuth client, and its secret."""

    identifier: str
    secret: str
    number: int

    @property
    def pair(self) -> dict[str, str]:
        return {"identifier": self.identifier, "secret": self.secret}

    @property
    def client_pair(self) -> dict[str, str]:
        return {"client_id": self.identifier, "client_secret": self.secret}


@dataclass
class Office:
    """A gate whose API is open to this machine, and a program that may call all of it."""

    house: House
    program: Program

    @property
    def store(self) -> Store:
        return self.house.store

    # --- What there is ----------------------------------------------------------------------------

    def customer(self, **fields: Any) -> Customer:
        number = next(_numbers)
        drawn = Account(0, f"Acme {number}", "", AccountStatus.ACTIVE, True, 0, 0)
        with self.store.transaction():
            user = self.house.person(f"customer{number}", stored="")
            account = ACCOUNTS.add(self.store, replace(drawn, **fields), by=SUE, now=now())
            self.member(account, user, owner=True)
            hosting = Service(0, account.number, "Hosting", ServiceStatus.ACTIVE)
            name = Domain(0, account.number, f"acme{number}.example", DomainStatus.ACTIVE)
            service = SERVICES.add(self.store, hosting, by=SUE, now=now())
            domain = DOMAINS.add(self.store, name, by=SUE, now=now())
        known = self.store.users.of(user.identity.subject)
        assert known
        return Customer(account, known, service, domain)

    def member(self, account: Account, user: User, *, owner: bool = False) -> None:
        membership = Membership(account.number, user.identity.subject, owner, frozenset())
        set_member(self.store, membership, by=SUE, now=now())

    def credential(self, *actions: str, **fields: Any) -> Program:
        role = ApiRole(0, f"role{next(_numbers)}", frozenset(map(str.lower, actions)))
        with self.store.transaction():
            if actions:
                API_ROLES.add(self.store, role, by=SUE, now=now())
            roles = frozenset({role.name}) if actions else frozenset[str]()
            blank = ApiCredential(0, "", "", "", roles, (), frozenset(), True, 0)
            drawn = replace(blank, **fields)
            made, secret = add_api_credential(
                self.store, drawn, random=secrets.token_bytes, by=SUE, now=now()
            )
        return Program(made.identifier, secret, made.number)

    def client(self, customer: Customer, **fields: Any) -> Program:
        grant, service = GrantType.SINGLE_SIGN_ON, customer.service.number
        blank = Client(0, "", "", grant, "", service, CLIENT_SCOPES, "", "", (), 0, 0)
        drawn = replace(blank, **fields)
        made, secret = add_client(self.store, drawn, random=secrets.token_bytes, by=SUE, now=now())
        return Program(made.identifier, secret, made.number)

    def sessions(self, customer: Customer) -> int:
        return len(self.store.sessions.listed(customer.subject))

    def is_spent(self, token: str) -> bool:
        """Spends it, if it is not."""
        return not self.store.one_time.spend(f"sso:{digest(token)}", until=now() + 60)

    # --- What programs send -----------------------------------------------------------------------

    def post(self, fields: Pairs, *lines: str, to: str = API, **how: Any) -> Answer:
        """A form from this machine."""
        return self.send(urlencode(fields).encode(), FORM, *lines, to=to, **how)

    def send(self, body: bytes, *lines: str, to: str = API, **how: Any) -> Answer:
        how = {"method": "POST", "host": HOST, **how}
        return ask(self.house.running.port, request(to, *lines, body=body, **how), timeout=30)

    def call(self, action: str, *lines: str, **fields: object) -> dict[str, Any]:
        """An action, by the program that may all; any answer in JSON."""
        texts = {name: str(value) for name, value in fields.items()}
        return told(self.post({**self.program.pair, "action": action, **texts}, *lines))

    def token(self, customer: Customer, **fields: object) -> str:
        """A token by the API, for the page `TARGET` unless a destination is given."""
        if "destination" not in fields:
            fields |= {"destination": "sso:custom_redirect", "sso_redirect_path": TARGET[1:]}
        found = self.call("CreateSsoToken", client_id=customer.account.number, **fields)
        assert found["result"] == "success", found
        return str(found["access_token"])

    def tokens(self, customers: Iterable[Customer], each: int, *, ago: int = 0) -> list[str]:
        """Many tokens at once, as if they were made so many seconds ago."""
        with self.store.transaction():
            return [
                provision(
                    self.store,
                    standing(self.store, customer.account, customer.user),
                    scope="",
                    service=None,
                    domain=None,
                    target=LocalPath(TARGET),
                    new_token=lambda: secrets.token_hex(20),
                    by=SUE,
                    now=now() - ago,
                )
                for customer in customers
                for _ in range(each)
            ]


def told(answer: Answer) -> dict[str, Any]:
    """Read an answer of the API or the token endpoint, which nobody may keep or sniff."""
    assert answer.header("Content-Type") == "application/json", answer
    assert answer.header("Cache-Control") == "no-store", answer
    assert answer.header("X-Content-Type-Options") == "nosniff", answer
    assert answer.header("Set-Cookie") is None, answer
    found: dict[str, Any] = json.loads(answer.body)
    return found


def link(token: str) -> str:
    return f"{REDEEM}?access_token={token}"


@contextmanager
def office_at(
    folder: Path, upstream: str, *, workers: int = 2, **settings: Any
) -> Iterator[Office]:
    """Serve such a gate in `folder`, by so many processes."""
    key = folder / "access-key"
    key.touch(0o600)
    key.write_text(ACCESS_KEY)
    known = {
        "login": [{**SENDER, "auto_create": False}, {"kind": "password"}, {"kind": "sso_token"}],
        "api": {"networks": ["127.0.0.1/32"], "access_key": {"file": str(key)}},
        **settings,
    }
    args = ("--workers", str(workers), *GTHREAD)
    with house_at(folder / "gate", upstream, args=args, **known) as house:
        office = Office(house, Program("", "", 0))
        office.program = office.credential(*ACTIONS)
        yield office
