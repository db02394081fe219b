"""What a request costs, told by counting and by the databases' own plans, not by a clock."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import event, make_url, text
from werkzeug.test import Client

from ssogate.app import stack
from ssogate.directory.activity import By
from ssogate.directory.consents import consented, give_consent, withdraw_consent
from ssogate.directory.grants import (
    GrantRefused,
    Presented,
    begin_grant,
    introspect,
    redeem,
    redeemable,
    refreshable,
    revoke_token,
    rotate,
)
from ssogate.directory.logouts import done, failed, join_session, set_out
from ssogate.gate import open_gate
from ssogate.login.password.pace import AT_ONCE, PLACES
from ssogate.model import Code, Grant, Logout, Membership, SessionRecord, Ticket, Token, TokenKind
from ssogate.settings import load
from ssogate.storage import PostgreSQLStore, SQLiteStore
from tests.attack.house import House, at_once, house_at
from tests.attack.stage import GTHREAD
from tests.databases import PostgreSQL
from tests.gate import site
from tests.login.forms import HASH, RIGHT, SITE, WRONG
from tests.servers import Gunicorn
from tests.storage.making import traced, user

USERS, OTHERS = 200_000, 20_000
FAR = 4_000_000_000  # Unix seconds
BY = By("tests", "")

Sql = SQLiteStore | PostgreSQLStore

# Each table's rows, of the numbers `n` from 1. Every user acts for an account, by turns.
FILL: Mapping[str, tuple[int, str]] = {
    "users": (
        USERS,
        "(subject, canonical, username, name, email, groups, active, source, created_at,"
        " updated_at, email_canonical, external_id, number) SELECT 's' || n, 'u' || n, 'u' || n,"
        " '', 'u' || n || '@x.example', '', {true}, 'forum', 1, 1, 'u' || n || '@x.example',"
        " 'x' || n, -n",
    ),
    "sessions": (OTHERS, "SELECT 'k' || n, 's' || n, 'm', '', 1, 1, 3000000000 + n"),
    "spent": (OTHERS, "SELECT 'k' || n, 3000000000 + n"),
    "tickets": (OTHERS, "SELECT 'k' || n, 'kind', 's' || n, '', 3000000000 + n"),
    "counters": (OTHERS, "SELECT 'k' || n, 1, 3000000000 + n"),
    "passwords": (OTHERS, "SELECT 's' || n, 'hash', 1"),
    "second_factors": (OTHERS, "SELECT 's' || n, 'sealed', 1"),
    "recovery_codes": (OTHERS, "SELECT 's' || n, 'k' || n"),
    "devices": (OTHERS, "SELECT 's' || n, 'k' || n, 1"),
    "administrators": (OTHERS, "SELECT 's' || n, '', 1"),
    "accounts": (
        OTHERS,
        "(company, email, status, allow_single_sign_on, created_at, updated_at, external_id)"
        " SELECT 'c', '', 'Active', {true}, 1, 1, 'x' || n",
    ),
    "memberships": (OTHERS, "SELECT n, 's' || n, {true}, ''"),
    "activity": (OTHERS, "SELECT n, 1, '', '', '', '', ''"),
    "clients": (
        OTHERS,
        '(identifier, secret_digest, "grant", name, scopes, description, logo_uri, redirect_uris,'
        " created_at, updated_at, external_id, backchannel_logout_uri) SELECT 'c' || n, '',"
        " 'authorization_code', 'C', 'openid', '', '', '', 1, 1, 'x' || n, 'https://c.example/'",
    ),
    "grants": (
        OTHERS,
        "(client, subject, session, scopes, resources, auth_time, nonce, sid, claims, created_at,"
        " until, agreed) SELECT 'c' || n, 's' || n, 'k' || n, 'openid', '', 1, '', 'sid' || n, '',"
        " 1, 3000000000 + n, 'openid'",
    ),
    "codes": (OTHERS, "SELECT 'k' || n, n, '', '', 3000000000 + n, '', NULL"),
    "tokens": (
        OTHERS,
        "SELECT 'k' || n, 'refresh', n, 'c' || n, 'openid', '', 1, 3000000000 + n, NULL, '', ''",
    ),
    "consents": (OTHERS, "SELECT 's' || n, 'c' || n, 'openid', 1"),
    "participants": (OTHERS, "SELECT 'k' || n, 'c' || n, 's' || n, 'sid' || n"),
    "logouts": (
        OTHERS,
        "(client, subject, sid, attempts, due_at) SELECT 'c' || n, 's' || n, 'sid' || n, 0,"
        " 3000000000 + n",
    ),
}
# Of signing keys there is a handful, which is read whole every few seconds.
NUMBERS = {
    "sqlite": "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < {most})",
    "postgresql": "WITH t(n) AS (SELECT generate_series(1, {most}))",
}
TRUE = {"sqlite": "1", "postgresql": "true"}


def fill(store: Sql) -> None:
    dialect = store.database.dialect
    with store.transaction():
        for table, (most, rows) in FILL.items():
            columns, select, values = rows.partition("SELECT")
            numbers = NUMBERS[dialect].format(most=most)
            wanted = f"{columns}{numbers} {select}{values} FROM t".format(true=TRUE[dialect])
            store.database.write(text(f"INSERT INTO {table} {wanted}"))
    store.database.write(text("ANALYZE"))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def large(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sql]:
    """A store of many people."""
    store: Sql
    if request.param == "sqlite":
        store = SQLiteStore(tmp_path_factory.mktemp("large") / "gate.db", clock=time.time)
    else:
        server: PostgreSQL = request.getfixturevalue("postgresql")
        store = PostgreSQLStore(make_url(server.fresh()), clock=time.time)
    with closing(store):
        fill(store)
        yield store


@dataclass(frozen=True)
class Asked:
    """A statement as it went to the database."""

    sql: str
    values: Any = None


@contextmanager
def listening(store: Sql) -> Iterator[list[Asked]]:
    """Give the statements that this thread runs meanwhile, at the end."""
    found: list[Asked] = []
    if isinstance(store, SQLiteStore):
        with traced(store) as statements:
            yield found
        apart = ("BEGIN", "COMMIT", "PRAGMA")
        found += [Asked(sql) for sql in statements if not sql.startswith(apart)]
        return

    def note(_c: Any, _cursor: Any, sql: str, values: Any, _context: Any, _many: bool) -> None:
        if not sql.startswith(("SELECT pg_advisory", "SET LOCAL")):
            found.append(Asked(sql, values))

    engine: Any = store.database.__dict__["_engine"]
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)


def plan(store: Sql, asked: Asked) -> list[str]:
    """How the database would run it, a line a step."""
    explain = "EXPLAIN QUERY PLAN " if store.database.dialect == "sqlite" else "EXPLAIN "
    with store.database.connected() as connection:
        values = asked.values[0] if isinstance(asked.values, list) else asked.values
        rows = connection.exec_driver_sql(explain + asked.sql, values).all()
        connection.rollback()
    return [str(row[-1]).strip() for row in rows]


def reads_all(step: str) -> bool:
    """Whether a step of a plan reads a whole table or index."""
    return "Seq Scan" in step or (step.startswith("SCAN ") and "CONSTANT ROW" not in step)


def of_users(s: Sql) -> None:
    s.users.get("u77")
    s.users.of("s77")
    s.users.by_email("u77@x.example")
    s.users.by_external_id("forum", "x77")
    s.users.add(user("new"))
    s.users.update(replace(user("u78"), source="forum"))


def of_sessions(s: Sql) -> None:
    s.sessions.get("k77")
    s.sessions.put(SessionRecord("new", "s7", "m", "", 1, 1, FAR))
    s.sessions.touch("k77", 5)
    s.sessions.listed("s77")
    s.sessions.delete("k78")
    s.sessions.delete_subject("s79")
    s.sessions.purge(expired_at=1, idle_since=0)


def of_one_time_values(s: Sql) -> None:
    s.one_time.spend("new", until=FAR)
    s.tickets.put(Ticket("new", "kind", "s7", "", FAR))
    s.tickets.get("k77", "kind")
    s.tickets.take("k77", "kind")


def of_counters(s: Sql) -> None:
    s.counters.read("k77", now=1)
    s.counters.count("k77", now=1, window=9)
    s.counters.reset("k77")


def of_secrets(s: Sql) -> None:
    s.secrets.password("s77")
    s.secrets.set_password("s77", "x", 1)
    s.secrets.replace_password("s77", "x", "y", 1)
    s.secrets.set_password("s77", "", 1)
    s.secrets.second_factor("s77")
    s.secrets.recovery_codes("s77")
    s.secrets.spend_recovery_code("s77", "k77")
    s.secrets.set_second_factor("s78", "x", ["a"], 1)
    s.secrets.knows_device("s77", "k77")
    s.secrets.add_device("s77", "k", 1)


def of_accounts(s: Sql) -> None:
    s.accounts.get(77)
    s.accounts.by_external_id("x77")
    s.memberships.get(77, "s77")
    s.memberships.listed(subject="s77")
    s.memberships.listed(account=77)
    s.memberships.put(Membership(77, "s78", owner=True))
    s.administrators.get("s77")


def of_clients(s: Sql) -> None:
    s.clients.named("c77")
    s.clients.get(77)
    s.clients.by_external_id("x77")


def of_authorizations(s: Sql) -> None:
    assert consented(s, "s77", "c77")
    give_consent(s, "s77", "c78", frozenset({"openid"}), by=BY, now=5)
    begun = begin_grant(s, grant(0, "k77"), Code("new", 0, "", "", FAR))
    join_session(s, "k77", begun)
    assert withdraw_consent(s, "s76", "c76", by=BY, now=5)


def of_redemptions(s: Sql) -> None:
    code = Presented("k80", "c80", "", "")
    found = redeemable(s, code, by=BY, now=5)
    redeem(s, found, [token(80, "access", TokenKind.ACCESS)], by=BY, now=5)
    with pytest.raises(GrantRefused):
        redeemable(s, code, by=BY, now=6)


def of_tokens(s: Sql) -> None:
    assert introspect(s, "k81", now=5)
    found = refreshable(s, "k81", client="c81", by=BY, now=5)
    rotate(s, found, token(81, "k81b"), token(81, "k81c", TokenKind.ACCESS), by=BY, now=5)
    assert revoke_token(s, "k81c", client="c81", by=BY, now=6)
    with pytest.raises(GrantRefused):
        refreshable(s, "k81", client="c81", by=BY, now=99)


def of_logouts(s: Sql) -> None:
    """What each worker asks every second, and what is written of each call."""
    assert set_out(s, most=16, busy=(), now=-1) == []
    assert s.sessions.delete("k82")
    told = Logout(83, "c83", "s83", "sid83", 1, FAR)
    assert failed(s, told, now=6)
    done(s, told)


LOOK_UPS = [
    *(of_users, of_sessions, of_one_time_values, of_counters, of_secrets, of_accounts),
    *(of_clients, of_authorizations, of_redemptions, of_tokens, of_logouts),
]


def grant(number: int, session: str) -> Grant:
    scopes = frozenset({"openid"})
    return Grant(number, "c77", "s77", session, scopes, (), 1, "", "sid", "", 1, FAR)


def token(of: int, key: str, kind: TokenKind = TokenKind.REFRESH) -> Token:
    return Token(key, kind, of, f"c{of}", frozenset({"openid"}), (), 1, FAR)


@pytest.mark.server
@pytest.mark.parametrize("look_ups", LOOK_UPS)
def test_every_look_up_of_a_request_goes_by_an_index(
    large: Sql, look_ups: Callable[[Sql], None]
) -> None:
    with listening(large) as asked:
        look_ups(large)

    # The table of the numbers that were given has one row; of the log, see below.
    apart = ("UPDATE numbers", "FROM activity")
    plans = {it.sql: plan(large, it) for it in asked if not any(one in it.sql for one in apart)}
    reading = {sql: steps for sql, steps in plans.items() if any(map(reads_all, steps))}
    assert len(plans) >= 3
    assert reading == {}


@pytest.mark.server
def test_the_last_line_of_the_log_is_found_from_its_end(large: Sql) -> None:
    with listening(large) as asked:
        large.activity.last()
    steps = str(plan(large, asked[0]))

    assert "TEMP B-TREE" not in steps
    assert "Seq Scan" not in steps


# --- A sign-in, counted ---------------------------------------------------------------------------


@dataclass
class Inside:
    """A gate in this process."""

    store: SQLiteStore
    client: Client

    def sign_in(self, username: str, password: str = RIGHT) -> int:
        form = {"username": username, "password": password, "return_to": "/"}
        return self.client.post(
            "/_sso/password",
            base_url=SITE,
            data=urlencode(form),
            content_type="application/x-www-form-urlencoded",
            headers=[("Origin", SITE), ("Accept", "text/html")],
        ).status_code


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[Inside]:
    written = site(
        tmp_path / "gate",
        "http://127.0.0.1:9",
        public_url=SITE,
        sender={"auto_create": False},
        password={},
    )
    gate = open_gate(load(written.config))
    assert isinstance(gate.store, SQLiteStore)
    for name in ("joe", "sue"):
        made = replace(user(name, source=""))
        gate.store.users.add(made)
        gate.store.secrets.set_password(made.identity.subject, HASH, 1)
    with closing(gate.store):
        yield Inside(gate.store, Client(stack(gate, _nothing, identity={})))


def _nothing(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "0")])
    return [b""]


RIGHT_COSTS, WRONG_COSTS = 30, 16  # statements; each that writes alone is a wait for the disk


SWEEP = re.compile(r"DELETE FROM .*(until|expires_at) <", re.DOTALL)


def costs(asked: Sequence[Asked]) -> int:
    """How many statements were run but for those that sweep old rows away, once a second."""
    return sum(1 for it in asked if not SWEEP.match(it.sql))


def test_a_sign_in_costs_a_fixed_number_of_statements(inside: Inside) -> None:
    numbers = []
    for name in ("joe", "sue", "joe"):
        inside.client = Client(inside.client.application)
        with listening(inside.store) as asked:
            assert inside.sign_in(name) == 303
        numbers.append(costs(asked))

    assert numbers[0] == numbers[1] == numbers[2] <= RIGHT_COSTS


def test_a_wrong_password_costs_as_much_for_nobody_as_for_somebody(inside: Inside) -> None:
    numbers = {}
    for name in ("joe", "nobody"):
        with listening(inside.store) as asked:
            assert inside.sign_in(name, WRONG) == 401
        numbers[name] = costs(asked)

    # Somebody's stored password is looked up: one search of an index, before half a second's wait.
    assert 0 <= numbers["joe"] - numbers["nobody"] <= 1
    assert max(numbers.values()) <= WRONG_COSTS


def test_a_session_that_is_remembered_costs_none(inside: Inside) -> None:
    inside.sign_in("joe")
    inside.client.get("/members/x", base_url=SITE)
    with listening(inside.store) as asked:
        assert inside.client.get("/members/x", base_url=SITE).status_code == 200

    assert asked == []


# --- Hashing beside other requests ----------------------------------------------------------------

SLOW = """
import time
from ssogate.cli.gunicorn_conf import *
def post_fork(server, worker):
    from ssogate.login.password import method
    method.verify_nobody = lambda password: time.sleep(0.7)
"""


@pytest.fixture
def slow(echo: Gunicorn, tmp_path: Path) -> Iterator[House]:
    """A gate of one worker, in which hashing for nobody takes all of 0.7 s."""
    conf = tmp_path / "slow.py"
    conf.write_text(SLOW)
    args = ("-c", str(conf), "--workers", "1", *GTHREAD)
    upstream = echo.url("").rstrip("/")
    with house_at(tmp_path / "gate", upstream, args=args, password={"sources": []}) as house:
        yield house


@pytest.mark.server
def test_hashing_does_not_stall_who_is_signed_in(slow: House) -> None:
    browser, people = slow.browser(), [slow.browser() for _ in range(24)]
    assert browser.sign_in(slow.person()).status == 303
    refused: list[float] = []

    def work(number: int) -> float:
        if number < len(people):
            status = people[number].sign_in("nobody.here", WRONG).status
            assert status in (401, 503)
            refused.extend([time.monotonic()] if status == 401 else [])
            return 0
        time.sleep(0.3)  # until all turns and all places to wait are taken
        for _ in range(5):
            assert browser.ask("/members/x").status == 200
        return time.monotonic()

    served = at_once(work, list(range(len(people) + 1)), threads=len(people) + 1)[-1]

    assert len(refused) == PLACES, "who finds no place is told at once"
    assert served < sorted(refused)[-AT_ONCE - 1], "all turns at hashing are taken until then"
