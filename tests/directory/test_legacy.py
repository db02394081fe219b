"""The app's own people, in real databases: found as they are, and never somebody else."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import ValidationError
from sqlalchemy import Connection, make_url

from ssogate.config import Secret
from ssogate.directory.legacy import LegacySettings, LegacySource, LegacyUser, memory
from ssogate.directory.legacy.database import RESTRICTIONS, Database, Found
from ssogate.errors import StoreFailure
from ssogate.storage import url
from tests.databases import PASSWORD, MariaDB, PostgreSQL
from tests.storage.making import Hands

DATA = Path(__file__).parent / "legacy"
BCRYPT = "$2y$10$iUSNPaEQqFlu4JyB638vRe7ziWdNBgJWkdMYqQ7WelhO7tkAJUmrK"
ALLOWED = ("staff", "members")

PHPBB = {
    "user": """
        SELECT user_id AS id, username, user_email AS email, user_password AS password,
               user_type IN (0, 3) AS active
        FROM phpbb_users WHERE username_clean = lower(:name) OR user_email = :name""",
    "by_id": """
        SELECT user_id AS id, username, user_email AS email, user_password AS password,
               user_type IN (0, 3) AS active
        FROM phpbb_users WHERE user_id = :id""",
    "groups": """
        SELECT group_name FROM phpbb_user_group JOIN phpbb_groups USING (group_id)
        WHERE user_id = :id AND NOT user_pending""",
}
MEDIAWIKI = {
    "user": """
        SELECT user_id AS id, user_name AS username, user_real_name AS name, user_email AS email,
               user_password AS password, NOT EXISTS (
                   SELECT 1 FROM ipblocks
                   WHERE ipb_user = user_id AND ipb_sitewide = 1 AND ipb_expiry > now()
               ) AS active
        FROM mwuser WHERE user_name = upper(left(:name, 1)) || substr(:name, 2)
            OR user_email = :name""",
    "by_id": """
        SELECT user_id AS id, user_name AS username, user_real_name AS name, user_email AS email,
               user_password AS password, NOT EXISTS (
                   SELECT 1 FROM ipblocks
                   WHERE ipb_user = user_id AND ipb_sitewide = 1 AND ipb_expiry > now()
               ) AS active
        FROM mwuser WHERE user_id = :id""",
    "groups": """
        SELECT ug_group FROM user_groups
        WHERE ug_user = :id AND (ug_expiry IS NULL OR ug_expiry > now())""",
}
PLAIN = {
    "user": """
        SELECT id, login AS username, full_name AS name, mail AS email, hash AS password,
               NOT banned AS active
        FROM people WHERE login = :name OR mail = :name""",
    "groups": "SELECT role FROM roles WHERE person = :id",
}


@dataclass
class App:
    """An app's database, and how its people are asked for."""

    url: str
    """With the password in it."""
    execute: Callable[..., None]
    queries: dict[str, str]
    clock: Hands = field(default_factory=Hands)
    sources: list[LegacySource] = field(default_factory=list)

    def settings(self, **changes: Any) -> LegacySettings:
        url = make_url(self.url)
        password = Secret(url.password) if url.password else None
        plain = url.set(drivername=url.get_backend_name())._replace(password=None)
        fields = {"url": str(plain), "password": password, "groups_allowed": ALLOWED, "timeout": 1}
        return LegacySettings(**{"name": "app", **fields, **self.queries, **changes})

    def source(self, **changes: Any) -> LegacySource:
        made = LegacySource(self.settings(**changes), base=Path("/nowhere"), clock=self.clock)
        self.sources.append(made)
        return made

    def close(self) -> None:
        while self.sources:
            self.sources.pop().close()


def statements(name: str) -> list[str]:
    return (DATA / name).read_text("utf-8").split(";\n")[:-1]


def a_phpbb(server: MariaDB) -> App:
    url = server.fresh()
    server.execute(url, *statements("phpbb.sql"))
    return App(url, lambda *sql: server.execute(url, *sql), PHPBB)


def a_mediawiki(server: PostgreSQL) -> App:
    url = server.fresh()
    server.execute(url, *statements("mediawiki.sql"))
    return App(url, lambda *sql: server.execute(url, *sql), MEDIAWIKI)


def a_plain_app(folder: Path) -> App:
    file = folder / "a plain app's ?data#.db"

    def execute(*sql: str) -> None:
        connection = sqlite3.connect(file)
        connection.executescript(";\n".join(sql))
        connection.close()

    execute(*statements("plain.sql"))
    return App(f"sqlite:///{file}".replace("?", "%3F"), execute, PLAIN)


@pytest.fixture
def phpbb(mariadb: MariaDB) -> Iterator[App]:
    with closing(a_phpbb(mariadb)) as app:
        yield app


@pytest.fixture
def mediawiki(postgresql: PostgreSQL) -> Iterator[App]:
    with closing(a_mediawiki(postgresql)) as app:
        yield app


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[App]:
    with closing(a_plain_app(tmp_path)) as app:
        yield app


@pytest.fixture(scope="module", params=["phpBB", "MediaWiki", "plain"])
def standing(request: pytest.FixtureRequest) -> App:
    if request.param == "phpBB":
        return a_phpbb(request.getfixturevalue("mariadb"))
    if request.param == "MediaWiki":
        return a_mediawiki(request.getfixturevalue("postgresql"))
    return a_plain_app(request.getfixturevalue("tmp_path_factory").mktemp("plain"))


@pytest.fixture
def app(standing: App) -> Iterator[App]:
    """One after the other, for tests that change nothing in them."""
    with closing(standing):
        yield standing


def events(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(record.message) for record in caplog.records]


# --- Who is found ------------------------------------------------------------------------------


def test_a_person_comes_with_all_that_the_app_tells(app: App) -> None:
    joe = app.source().find("joe")

    assert joe is not None
    assert (joe.external_id, joe.username, joe.email) == ("2", "Joe", "joe@example.com")
    assert joe.active
    assert "staff" in joe.groups
    assert joe.groups <= set(ALLOWED)
    assert joe.password_hash.startswith(("$2y$10$", ":pbkdf2:"))
    assert joe.password_hash not in repr(joe)


@pytest.mark.parametrize("name", ["Joe", "JOE", "joe@example.com"])
def test_case_and_an_address_find_a_person_where_the_query_does(phpbb: App, name: str) -> None:
    assert phpbb.source().find(name) == phpbb.source().find("joe") is not None


def test_a_name_beyond_ascii_is_found(app: App) -> None:
    anne = app.source().find("Änne")

    assert anne is not None
    assert (anne.external_id, anne.groups) == ("49", frozenset())


def test_an_old_hash_is_handed_out_as_it_is(phpbb: App) -> None:
    anne = phpbb.source().find("änne")

    assert anne is not None
    assert anne.password_hash == "$H$93Vt4ri3qSSnd/PDHluqvvb.sf390F/"


def test_somebody_whom_the_app_shut_out_is_not_active(app: App) -> None:
    eve = app.source().find("eve")

    assert eve is not None
    assert not eve.active


def test_a_person_without_a_password_has_an_empty_hash(plain: App) -> None:
    anne = plain.source().find("Änne")

    assert anne == LegacyUser("49", "Änne", active=True, password_hash="")


def test_only_the_groups_that_policies_name_count_if_none_are_listed(app: App) -> None:
    settings = app.settings(groups_allowed=None)
    named = frozenset({"staff", "other"})
    source = LegacySource(settings, base=Path(), clock=app.clock, policy_groups=named)
    unnamed = LegacySource(settings, base=Path(), clock=app.clock)
    app.sources += [source, unnamed]

    assert [found and found.groups for found in (source.find("joe"), unnamed.find("joe"))] == [
        {"staff"},
        frozenset(),
    ]


def test_without_a_groups_query_nobody_is_in_a_group(app: App) -> None:
    joe = app.source(groups=None).find("joe")

    assert joe is not None
    assert joe.groups == frozenset()


# --- Who is not --------------------------------------------------------------------------------

HOSTILE = [
    pytest.param("nobody", id="unknown"),
    pytest.param("", id="empty"),
    pytest.param("' OR 1=1 --", id="quote"),
    pytest.param("\\' OR 1=1 -- ", id="escaped quote"),
    pytest.param("\\' OR 1=1 #", id="escaped quote, MySQL's comment"),
    pytest.param('" OR ""="', id="double quote"),
    pytest.param("%", id="any"),
    pytest.param("_oe", id="any letter"),
    pytest.param("j%e", id="any in between"),
    pytest.param("%(name)s", id="a parameter of the driver"),
    pytest.param(":name", id="a parameter of ours"),
    pytest.param("$1", id="a parameter of the server"),
    pytest.param("joe\0", id="NUL at the end"),
    pytest.param("joe\0x", id="NUL within"),
    pytest.param("joe ", id="space behind"),
    pytest.param(" joe", id="space before"),
    pytest.param("joe\n", id="line end"),
    pytest.param("joe\u200b", id="zero width"),
    pytest.param("jo\ud800e", id="surrogate"),
    pytest.param("joe\u3164", id="filler"),
    pytest.param("jöe", id="accent"),
    pytest.param("j\u043ee", id="Cyrillic"),
    pytest.param("joe@example.com ", id="address, space behind"),
    pytest.param("joe@éxample.com", id="address, accent"),
    pytest.param("j" * 10_240, id="10 KiB"),
    pytest.param("'" * 255, id="255 quotes"),
    pytest.param("😀" * 255, id="255 of four bytes"),
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_finds_nobody(app: App, name: str) -> None:
    source = app.source()

    assert source.find(name) is None
    assert source.find("joe") is not None


def test_nor_does_it_where_backslashes_do_not_escape(mariadb: MariaDB, phpbb: App) -> None:
    mariadb.execute(mariadb.url(), "SET GLOBAL sql_mode = 'NO_BACKSLASH_ESCAPES'")
    try:
        source = phpbb.source()
        found = [source.find(str(parameter.values[0])) for parameter in HOSTILE]
    finally:
        mariadb.execute(mariadb.url(), "SET GLOBAL sql_mode = DEFAULT")

    assert set(found) == {None}


@pytest.mark.parametrize("name", ["nobody", "joe@example.com"])
def test_as_much_is_asked_about_nobody_as_about_somebody(
    plain: App, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    asked, read = [], Database.read

    def recording(self: Database, sql: str, **values: str) -> Found:
        asked.append(sql)
        return read(self, sql, **values)

    monkeypatch.setattr(Database, "read", recording)
    plain.source().find(name)

    assert asked == [PLAIN["user"], PLAIN["groups"]]


@pytest.mark.parametrize(
    ("name", "is_found"),
    [
        pytest.param("joe", True, id="himself"),
        pytest.param("JOE", True, id="capitals"),
        pytest.param("jöe", False, id="accent"),
        pytest.param("ĵoe", False, id="another accent"),
        pytest.param("joe@example.com", True, id="address"),
        pytest.param("jöe@example.com", False, id="address with an accent"),
        pytest.param("joe@exämple.com", False, id="domain with an accent"),
    ],
)
def test_who_merely_looks_equal_to_the_database_is_not_found(
    phpbb: App, name: str, is_found: bool
) -> None:
    loose = """
        SELECT user_id AS id, username, user_email AS email, user_password AS password
        FROM phpbb_users WHERE username COLLATE utf8_general_ci = :name
            OR user_email COLLATE utf8_general_ci = :name"""
    source = phpbb.source(user=loose)
    seen = Database(phpbb.settings(), Path()).ask(loose, name=name)

    assert len(seen.rows) == 1, "the database does not think them equal: the test shows nothing"
    assert (source.find(name) is not None) == is_found


@pytest.mark.parametrize("name", ["joe@", "@", "a@b@c", "joe@-", "Joe@example.com."])
def test_what_is_no_address_is_nobodys_whatever_the_app_finds(plain: App, name: str) -> None:
    sql = (
        "SELECT 2 AS id, 'joe' AS username, '' AS password, 'joe@example.org' AS email, :name AS x"
    )

    assert plain.source(user=sql).find(name) is None


def test_of_two_people_neither_is_found(plain: App, caplog: pytest.LogCaptureFixture) -> None:
    plain.execute("INSERT INTO people (id, login, hash) VALUES (50, 'joe@example.com', 'x')")

    assert plain.source().find("joe@example.com") is None
    assert [event["reason"] for event in events(caplog)] == ["the query finds more than one person"]


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param("1 AS id, 'joe ' AS username", id="space behind the name"),
        pytest.param("1 AS id, 'joe' || char(8203) AS username", id="zero width in the name"),
        pytest.param("1 AS id, '' AS username", id="no name"),
        pytest.param("1 AS id, NULL AS username", id="NULL as name"),
        pytest.param("1 AS id, x'ff' AS username", id="not UTF-8"),
        pytest.param("NULL AS id, 'joe' AS username", id="NULL as id"),
        pytest.param("'' AS id, 'joe' AS username", id="empty id"),
        pytest.param("'2 ' AS id, 'joe' AS username", id="space behind the id"),
        pytest.param("hex(zeroblob(200)) AS id, 'joe' AS username", id="endless id"),
    ],
)
def test_whom_we_cannot_name_is_not_found(
    plain: App, caplog: pytest.LogCaptureFixture, columns: str
) -> None:
    sql = f"SELECT {columns}, 'x' AS password WHERE :name = 'joe'"

    assert plain.source(user=sql).find("joe") is None
    assert [event["event"] for event in events(caplog)] == ["legacy person refused"]


@pytest.mark.parametrize(
    ("value", "active"),
    [
        pytest.param("1", True, id="1"),
        pytest.param("0", False, id="0"),
        pytest.param("2", True, id="2"),
        pytest.param("NULL", False, id="NULL"),
        pytest.param("'1'", True, id="text 1"),
        pytest.param("'0'", False, id="text 0"),
        pytest.param("'Y'", True, id="Y"),
        pytest.param("'N'", False, id="N"),
        pytest.param("'true'", True, id="true"),
        pytest.param("'f'", False, id="f"),
        pytest.param("'inactive'", False, id="inactive"),
        pytest.param("''", False, id="empty"),
        pytest.param("x'01'", True, id="bit 1"),
        pytest.param("x'00'", False, id="bit 0"),
        pytest.param("x'ff'", False, id="not UTF-8"),
    ],
)
def test_truth_is_read_as_apps_write_it(plain: App, value: str, active: bool) -> None:
    sql = f"SELECT 1 AS id, :name AS username, 'x' AS password, {value} AS active"
    found = plain.source(user=sql).find("joe")

    assert (found is not None and found.active) == active


def test_a_name_or_address_that_cannot_be_shown_is_left_out(plain: App) -> None:
    sql = """SELECT 1 AS id, :name AS username, 'x' AS password,
             'a' || char(8238) AS name, 'no address' AS email"""
    found = plain.source(user=sql).find("joe")

    assert found == LegacyUser("1", "joe", password_hash="x")


def test_groups_that_cannot_be_named_are_told_of_once(
    phpbb: App, caplog: pytest.LogCaptureFixture
) -> None:
    source = phpbb.source()

    assert source.find("joe") == source.find("joe")
    assert [(event["event"], event["group"]) for event in events(caplog)] == [
        ("legacy group ignored", "'Hops, Malt and Yeast'")
    ]


# --- Looking again -------------------------------------------------------------------------------


@pytest.mark.parametrize("by_id", [True, False], ids=["by id", "by name"])
def test_somebody_looked_at_again_is_the_same_without_the_password(app: App, by_id: bool) -> None:
    source = app.source() if by_id else app.source(by_id=None)
    joe = app.source().find("joe")

    assert joe is not None
    assert source.refreshed("2", "Joe") == replace(joe, password_hash="")
    assert source.refreshed("2", "Joe") == replace(joe, password_hash="")


@pytest.mark.parametrize("by_id", [True, False], ids=["by id", "by name"])
def test_an_id_that_is_gone_is_nobody(app: App, by_id: bool) -> None:
    source = app.source() if by_id else app.source(by_id=None)

    assert source.refreshed("777", "nobody") is None


def test_a_name_that_somebody_else_bears_by_now_is_nobody(app: App) -> None:
    assert app.source(by_id=None).refreshed("48", "Joe") is None


def test_an_id_that_the_database_merely_takes_for_another_is_nobody(phpbb: App) -> None:
    assert phpbb.source().refreshed("2 and more", "Joe") is None


def test_who_changed_the_name_is_found_by_id(phpbb: App) -> None:
    phpbb.execute("UPDATE phpbb_users SET username = 'Joseph' WHERE user_id = 2")
    found = phpbb.source().refreshed("2", "Joe")

    assert found is not None
    assert found.username == "Joseph"


def test_an_answer_is_remembered_for_as_long_as_refresh_says(phpbb: App) -> None:
    source = phpbb.source(refresh=60)
    before = source.refreshed("2", "Joe")
    phpbb.execute("UPDATE phpbb_users SET user_type = 1 WHERE user_id = 2")
    phpbb.clock.now += 59

    assert source.refreshed("2", "Joe") == before

    phpbb.clock.now += 1
    after = source.refreshed("2", "Joe")

    assert before is not None
    assert after == replace(before, active=False)


def test_nothing_is_remembered_when_the_clock_went_back(phpbb: App) -> None:
    source = phpbb.source(refresh=60)
    source.refreshed("2", "Joe")
    phpbb.execute("DELETE FROM phpbb_users WHERE user_id = 2")
    phpbb.clock.now -= 1

    assert source.refreshed("2", "Joe") is None


def test_with_refresh_at_nothing_every_look_is_new(phpbb: App) -> None:
    source = phpbb.source(refresh=0)
    source.refreshed("2", "Joe")
    phpbb.execute("DELETE FROM phpbb_users WHERE user_id = 2")

    assert source.refreshed("2", "Joe") is None


def test_a_sign_in_renews_what_is_remembered(phpbb: App) -> None:
    source = phpbb.source(refresh=60)
    assert source.refreshed("48", "Eve") == source.refreshed("48", "Eve")
    phpbb.execute("UPDATE phpbb_users SET user_type = 0 WHERE username = 'Eve'")
    source.find("eve")
    again = source.refreshed("48", "Eve")

    assert again is not None
    assert again.active
    assert not again.password_hash


def test_the_memory_is_bounded_and_never_empties_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "GENERATION", 3)
    answers = memory.Answers(60, Hands())
    for number in range(100):
        answers.keep(str(number), None, Hands.now)
    kept = [number for number in range(100) if answers.recall(str(number)) is not None]

    assert 3 <= len(kept) <= 6
    assert kept[-1] == 99


# --- Nothing is written --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("INSERT INTO {} VALUES (1)", id="insert"),
        pytest.param("DELETE FROM {}", id="delete"),
        pytest.param("DROP TABLE {}", id="drop"),
    ],
)
@pytest.mark.parametrize("where", ["phpbb", "mediawiki", "plain"])
def test_the_database_itself_refuses_to_write(
    request: pytest.FixtureRequest, where: str, sql: str
) -> None:
    app: App = request.getfixturevalue(where)
    app.execute("CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (7)")
    database = Database(app.settings(), Path())

    with pytest.raises(StoreFailure):
        database.read(sql.format("kept"))
    assert database.read("SELECT n FROM kept").rows == [(7,)]
    database.close()


def test_a_function_that_writes_fails_on_postgresql(mediawiki: App) -> None:
    mediawiki.execute(
        "CREATE FUNCTION sly(t text) RETURNS text LANGUAGE plpgsql AS"
        " $$ BEGIN SET transaction_read_only = off; DELETE FROM mwuser; RETURN t; END $$"
    )
    source = mediawiki.source(user=MEDIAWIKI["user"].replace("upper(", "sly(:name) || upper("))

    with pytest.raises(StoreFailure):
        source.find("joe")
    assert mediawiki.source().find("joe") is not None


def test_a_function_that_writes_fails_on_mariadb(phpbb: App) -> None:
    phpbb.execute(
        "CREATE FUNCTION sly(t text) RETURNS text DETERMINISTIC"
        " BEGIN DELETE FROM phpbb_user_group; RETURN t; END"
    )
    source = phpbb.source(user=PHPBB["user"].replace("lower(", "sly("))

    with pytest.raises(StoreFailure):
        source.find("joe")
    joe = phpbb.source().find("joe")
    assert joe is not None
    assert joe.groups


class Recorder:
    """Takes statements as a connection to MySQL does, which is no MariaDB."""

    def __init__(self) -> None:
        self.dialect, self.said = SimpleNamespace(is_mariadb=False), list[str]()

    def exec_driver_sql(self, sql: str) -> None:
        self.said.append(sql)


def test_mysql_is_told_the_same_in_its_own_words() -> None:
    recorder = Recorder()
    RESTRICTIONS["mysql"](cast(Connection, recorder), 0.5)

    assert recorder.said == [
        "SET SESSION max_execution_time = 500",
        "SET SESSION TRANSACTION READ ONLY",
        "START TRANSACTION READ ONLY",
    ]


# --- A database that fails -----------------------------------------------------------------------

SLOW = {
    "phpbb": "SELECT 1 AS id, :name AS username, SLEEP(20) AS password",
    "mediawiki": "SELECT 1 AS id, :name AS username, pg_sleep(20) AS password",
    "plain": """
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
        SELECT count(*) AS id, :name AS username, '' AS password FROM n""",
}


@pytest.mark.parametrize("where", SLOW)
def test_a_slow_answer_is_not_waited_for(request: pytest.FixtureRequest, where: str) -> None:
    app: App = request.getfixturevalue(where)
    source = app.source(user=SLOW[where], timeout=0.3)
    start = time.monotonic()

    with pytest.raises(StoreFailure, match="the legacy source does not answer"):
        source.find("joe")
    assert time.monotonic() - start < 10


@pytest.mark.server
@pytest.mark.parametrize("kind", [PostgreSQL, MariaDB])
def test_a_server_that_went_away_is_found_again(kind: type[PostgreSQL | MariaDB]) -> None:
    with kind() as server:
        table = "CREATE TABLE p (id int, username varchar(99), password varchar(99))"
        url = server.fresh()
        server.execute(url, table, "INSERT INTO p VALUES (2, 'joe', 'x')")
        app = App(url, server.execute, {"user": "SELECT * FROM p WHERE username = :name"})
        source = app.source()
        assert source.find("joe") is not None

        server.stop()
        with pytest.raises(StoreFailure) as failed:
            source.find("joe")
        assert source.check()[0].startswith("cannot connect: ")
        assert PASSWORD not in f"{failed.value} {source.check()}"

        server.start()
        assert source.find("joe") is not None
        app.close()


@pytest.mark.server
@pytest.mark.parametrize("kind", [PostgreSQL, MariaDB])
def test_a_server_that_hangs_is_given_up(kind: type[PostgreSQL | MariaDB]) -> None:
    with kind() as server:
        query = "SELECT 2 AS id, 'joe' AS username, 'x' AS password WHERE :name = 'joe'"
        app = App(server.fresh(), server.execute, {"user": query})
        source = app.source(timeout=0.5)
        assert source.find("joe") is not None

        server.hang()
        start = time.monotonic()
        with pytest.raises(StoreFailure):
            source.find("joe")
        assert time.monotonic() - start < 15
        app.close()


def test_a_file_that_is_not_there_fails_and_is_not_made(tmp_path: Path) -> None:
    settings = LegacySettings(name="app", url="sqlite:///sub/app.db", **PLAIN)
    source = LegacySource(settings, base=tmp_path, clock=Hands())

    with pytest.raises(StoreFailure):
        source.find("joe")
    assert source.check()[0].startswith("cannot connect: unable to open database file")
    assert list(tmp_path.iterdir()) == []


def test_the_path_of_a_file_counts_from_the_folder_of_the_configuration(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "app.db")
    connection.executescript(";\n".join(statements("plain.sql")))
    connection.close()
    settings = LegacySettings(name="app", url="sqlite:///app.db", **PLAIN)

    assert LegacySource(settings, base=tmp_path, clock=Hands()).find("joe") is not None


LOST = {
    "phpbb": "ALTER TABLE phpbb_users DROP COLUMN user_password",
    "mediawiki": "ALTER TABLE mwuser DROP COLUMN user_password",
    "plain": "ALTER TABLE people DROP COLUMN hash",
}


@pytest.mark.parametrize("where", LOST)
def test_a_table_that_lost_a_column_fails_and_is_told(
    request: pytest.FixtureRequest, where: str
) -> None:
    app: App = request.getfixturevalue(where)
    source = app.source()
    assert source.check() == []
    app.execute(LOST[where])

    with pytest.raises(StoreFailure):
        source.find("joe")
    assert source.check()[0].startswith("user: ")
    assert "hash" in source.check()[0] or "user_password" in source.check()[0]


def test_a_failure_says_nothing_of_who_was_asked_for(mediawiki: App) -> None:
    source = mediawiki.source(user=MEDIAWIKI["user"] + " OR user_id = CAST(:name AS int)")

    with pytest.raises(StoreFailure) as failed:
        source.find("a-secret-name")
    assert "a-secret-name" not in f"{failed.value!r} {failed.value.__cause__!r}"
    assert "22P02" in str(failed.value)


@pytest.mark.parametrize("where", ["phpbb", "mediawiki"])
def test_a_wrong_password_fails_without_showing_one(
    request: pytest.FixtureRequest, where: str
) -> None:
    app: App = request.getfixturevalue(where)
    source = app.source(password=Secret("of-somebody-else"))
    [problem] = source.check()

    assert problem.startswith("cannot connect: ")
    assert "of-somebody-else" not in problem
    with pytest.raises(StoreFailure) as failed:
        source.find("joe")
    assert "of-somebody-else" not in str(failed.value)


@pytest.mark.parametrize(
    ("where", "option"),
    [
        pytest.param("phpbb", "nonsense=1", id="pymysql knows no such option"),
        pytest.param("phpbb", "ssl_ca=/nowhere", id="no such file"),
        pytest.param("phpbb", "ssl_ca=/etc/ssl/certs/ca-certificates.crt", id="MariaDB, no TLS"),
        pytest.param("mediawiki", "nonsense=1", id="libpq knows no such option"),
        pytest.param("mediawiki", "sslmode=require", id="PostgreSQL, no TLS"),
    ],
)
def test_options_go_to_the_driver(request: pytest.FixtureRequest, where: str, option: str) -> None:
    app: App = request.getfixturevalue(where)
    source = app.source(url=f"{app.settings().url}?{option}")

    with pytest.raises(StoreFailure):
        source.find("joe")
    assert source.check()[0].startswith("cannot connect: ")


# --- What `ssogate check` is told ----------------------------------------------------------------


def test_the_queries_of_real_apps_are_in_order(app: App) -> None:
    assert app.source().check() == []


def test_ids_may_be_uuids(mediawiki: App) -> None:
    joe = "0f5f0e0c-6f5d-4c1e-9d3e-1c9d5f0f7a11"
    mediawiki.execute(
        "CREATE TABLE p (id uuid PRIMARY KEY, username text, password text)",
        f"INSERT INTO p VALUES ('{joe}', 'joe', 'x')",
    )
    source = mediawiki.source(
        user="SELECT * FROM p WHERE username = :name",
        by_id="SELECT * FROM p WHERE id = :id",
        groups="SELECT 'staff' FROM p WHERE id = :id",
    )

    assert source.check() == []
    assert source.find("nobody") is None
    assert source.refreshed(joe, "joe") == LegacyUser(joe, "joe", groups=frozenset({"staff"}))


@pytest.mark.parametrize(
    ("queries", "problems"),
    [
        pytest.param(
            {"user": "SELECT id, login FROM people WHERE login = :name"},
            [
                "user: the query gives no column `password`",
                "user: the query gives no column `username`",
                "user: nothing is known of a column `login`",
            ],
            id="columns",
        ),
        pytest.param(
            {"user": "SELECT id, login AS username, hash AS password FROM people WHERE :name > ''"},
            ["user: the query finds somebody for a name or an id that nobody has"],
            id="everybody",
        ),
        pytest.param(
            {"groups": "SELECT role, person FROM roles WHERE person = :id"},
            ["groups: the query must give one column"],
            id="two columns of groups",
        ),
        pytest.param(
            {"groups": "SELECT rôle FROM roles WHERE person = :id"},
            ["groups: no such column: rôle (OperationalError SQLITE_ERROR)"],
            id="misspelt",
        ),
        pytest.param(
            {"by_id": "SELECT FROM people WHERE id = :id"},
            ['by_id: near "FROM": syntax error (OperationalError SQLITE_ERROR)'],
            id="syntax",
        ),
    ],
)
def test_mistakes_in_queries_are_told_in_words(
    plain: App, queries: dict[str, str], problems: list[str]
) -> None:
    assert plain.source(**queries).check() == problems


def test_a_query_that_gives_too_little_fails(plain: App) -> None:
    source = plain.source(user="SELECT id, login AS username FROM people WHERE login = :name")

    with pytest.raises(StoreFailure, match="gives no password"):
        source.find("joe")


# --- Settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"url": "mysql://u:pass@h/db"}, "password must not stand here", id="password"),
        pytest.param({"url": "mysql://u:@h/db"}, "password must not stand here", id="empty one"),
        pytest.param(
            {"url": "postgresql://u@h/db?password=pass"}, "must not stand here", id="in the query"
        ),
        pytest.param({"url": "mysql://u@h/db?passwd=pass"}, "must not stand here", id="passwd"),
        pytest.param({"url": "oracle://u@h/db"}, "write mysql://", id="another kind"),
        pytest.param({"url": "mysql+mysqldb://u@h/db"}, "write mysql://", id="another driver"),
        pytest.param({"url": "mysql://u@h"}, "write mysql://", id="no database"),
        pytest.param({"url": "sqlite://"}, "write mysql://", id="memory"),
        pytest.param({"url": "mysql://u@h:port/db"}, "write mysql://", id="port"),
        pytest.param({"url": "people"}, "write mysql://", id="no URL"),
        pytest.param({"user": "SELECT 1; SELECT :name"}, "one statement", id="two statements"),
        pytest.param({"user": "SELECT :name -- it"}, "without comments", id="comment"),
        pytest.param({"user": "SELECT /*! 1 */ :name"}, "without comments", id="MySQL's comment"),
        pytest.param({"user": "DELETE FROM p WHERE n = :name"}, "write a SELECT", id="delete"),
        pytest.param({"user": "CALL p(:name)"}, "write a SELECT", id="call"),
        pytest.param({"user": "SELECT :name INTO t"}, "nothing that writes", id="into"),
        pytest.param(
            {"user": "WITH x AS (DELETE FROM p RETURNING *) SELECT * FROM x WHERE n = :name"},
            "nothing that writes",
            id="with delete",
        ),
        pytest.param({"user": "SELECT 1"}, "must use :name", id="everybody"),
        pytest.param({"user": "SELECT :name, :other"}, "no other parameter", id="another"),
        pytest.param({"user": "SELECT '{name}'"}, "must use :name", id="not a parameter"),
        pytest.param({"by_id": "SELECT :name"}, "must use :id", id="by_id"),
        pytest.param({"groups": "SELECT :name"}, "must use :id", id="groups"),
        pytest.param({"groups_allowed": ("a,b",)}, "comma", id="group"),
        pytest.param({"refresh": 7200}, "at most 1h", id="refresh"),
        pytest.param({"timeout": 0}, "100ms to 60s", id="no timeout"),
        pytest.param({"timeout": 600}, "100ms to 60s", id="endless timeout"),
    ],
)
def test_what_cannot_work_is_refused_in_words(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message) as refused:
        LegacySettings(**{"name": "app", "url": "sqlite:///app.db", **PLAIN, **changes})
    assert "pass@" not in str(refused.value)
    assert "=pass" not in str(refused.value)


def test_a_missing_driver_is_told_with_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(url, "find_spec", lambda name: None)

    with pytest.raises(ValidationError, match=r"pip install 'ssogate\[mysql\]'"):
        LegacySettings(name="app", url="mysql://u@h/db", **PLAIN)
    with pytest.raises(ValidationError, match=r"pip install 'ssogate\[postgres\]'"):
        LegacySettings(name="app", url="postgresql://u@h/db", **PLAIN)


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("select 'x;y' from p where n = :name", id="a semicolon in a text"),
        pytest.param("SELECT n::text FROM p WHERE n = :name", id="a cast"),
        pytest.param(" WITH x AS (SELECT :name AS n) SELECT * FROM x", id="with"),
        pytest.param("SELECT deleted, updated FROM p WHERE n = :name", id="words in words"),
    ],
)
def test_harmless_queries_are_taken(sql: str) -> None:
    assert LegacySettings(name="app", url="sqlite:///app.db", user=sql).user == sql
