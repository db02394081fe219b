from __future__ import annotations

import json
import resource
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from ssogate.directory.imports import Refused, Staging, sources
from ssogate.model import Permission
from ssogate.storage import SQLiteStore
from tests.directory.importing import Desk, counts
from tests.storage.making import Hands

BCRYPT = "$2y$10$gh2BFdcHFiJfsmX/4Lbs/.tXOIoI11g0z2Rl/VLMCqe3zYug1sXPa"
SECRET = "hunter2hunter2"  # what must not be shown


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    store = SQLiteStore(tmp_path / "store.sqlite", clock=Hands())
    (tmp_path / "files").mkdir()
    yield Desk(tmp_path / "files", store)
    store.close()


# --- Formats ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("users.csv", 'id,username,name,groups\n7,joe,"Doe, Joe","a,b"\n', id="commas"),
        pytest.param("users.csv", "id;username;name;groups\n7;joe;Doe, Joe;a,b\n", id="semicolons"),
        pytest.param("users.csv", "id\tusername\tname\tgroups\n7\tjoe\tDoe, Joe\ta,b\n", id="tabs"),
        pytest.param(
            "users.csv",
            "\ufeffid;username;name;groups\r\n7;joe;Doe, Joe;a,b\r\n\r\n",
            id="as spreadsheets write it",
        ),
        pytest.param("users.csv", 'groups,name,username,id\n"b, a","Doe, Joe",joe,7', id="no end"),
        pytest.param("users-2.csv", "id;username;name;groups\n7;joe;Doe, Joe;a,b\n", id="part 2"),
        pytest.param(
            "users.jsonl",
            '\n{"id": 7, "username": "joe", "name": "Doe, Joe", "groups": ["a", "b"]}\n\n',
            id="JSON Lines",
        ),
        pytest.param(
            "users.json",
            '[{"id": "7", "username": "joe", "name": "Doe, Joe", "groups": "a,b"}]',
            id="JSON list",
        ),
        pytest.param(
            "everything.json",
            '{"accounts": [], "users": [\n {"id": "7", "username": "joe", "name": "Doe, Joe",'
            ' "groups": ["a", "b"]} ] }\n',
            id="JSON by kind",
        ),
        pytest.param(
            "users.yaml",
            "- id: 7\n  username: joe\n  name: Doe, Joe\n  groups: [a, b]\n",
            id="YAML list",
        ),
        pytest.param(
            "everything.yaml",
            "users:\n  - {id: 7, username: joe, name: 'Doe, Joe', groups: [a, b]}\naccounts: []\n",
            id="YAML by kind",
        ),
    ],
)
def test_each_format_says_the_same(desk: Desk, name: str, content: str) -> None:
    desk.bring({name: content})

    (user,) = desk.store.users.listed()
    assert (user.external_id, user.identity.username) == ("7", "joe")
    assert user.identity.name == "Doe, Joe"
    assert user.identity.groups == frozenset({"a", "b"})


def test_a_cell_may_hold_line_breaks_and_the_lines_are_still_counted(desk: Desk) -> None:
    problems = desk.refused({"users.csv": 'id,username,name\n1,joe,"a\nb"\n2,sue,\n3,,x\n'})

    assert problems == [
        "users.csv:2: name: holds the invisible character U+000A",
        "users.csv:5: username: a user name must not be empty or begin or end with a space",
    ]


def test_the_option_says_what_the_files_hold(desk: Desk) -> None:
    assert counts(desk.bring({"export.csv": "id,username\n7,joe\n"}, kind="users")) == {
        "users": (1, 0, 0)
    }


def test_notes_beside_the_files_are_not_read(desk: Desk) -> None:
    assert desk.counts({"README.md": "# Hello", "users.csv": "id,username\n7,joe\n"}) == {
        "users": (1, 0, 0)
    }


def test_a_header_alone_brings_nothing(desk: Desk) -> None:
    assert desk.counts({"users.csv": "id,username\n", "accounts.json": "[]"}) == {}


@pytest.mark.parametrize(
    ("written", "meant"),
    [("true", True), ("Yes", True), ("1", True), ("FALSE", False), ("no", False), ("0", False)],
)
def test_yes_and_no_have_many_spellings(desk: Desk, written: str, meant: bool) -> None:
    desk.bring({"users.csv": f"id,username,active\n7,joe,{written}\n"})

    (user,) = desk.store.users.listed()
    assert user.active is meant


def test_words_of_the_directory_count_in_any_case(desk: Desk) -> None:
    desk.bring(
        {
            "accounts.csv": "id,company,status\n1,Bakery,ACTIVE\n",
            "users.csv": "id,username\n7,joe\n",
            "members.csv": 'account,user,permissions\n1,7,"Products, PRODUCTSSO,"\n',
            "domains.csv": "id,account,name,status\n1,1,Bücher.Example.,transferred away\n",
        }
    )

    (member,) = desk.store.memberships.listed()
    assert member.permissions == {Permission.PRODUCTS, Permission.PRODUCT_SSO}
    (domain,) = desk.store.domains.listed()
    assert domain.name == "xn--bcher-kva.example"


# --- Files that cannot be meant -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "kind", "message"),
    [
        pytest.param(["people.csv"], "", "there is no kind 'people': known: users, ", id="kind"),
        pytest.param(["user.csv"], "", "did you mean 'users'?; name the file after", id="close"),
        pytest.param(["users.txt"], "", "there is no kind of file '.txt': known: .csv", id="type"),
        pytest.param(["users.csv", "x.bak"], "", "no kind of file '.bak'", id="type beside good"),
        pytest.param(["users"], "", "there is no kind of file ''", id="no type"),
        pytest.param(["users.csv"], "user", "did you mean 'users'?", id="kind in the command"),
        pytest.param(["README.md"], "", "there is no file to read", id="nothing"),
    ],
)
def test_a_file_that_cannot_be_meant_is_told(
    tmp_path: Path, names: list[str], kind: str, message: str
) -> None:
    for name in names:
        (tmp_path / name).touch()

    with pytest.raises(ValueError, match="there is no") as error:
        sources([tmp_path], kind)

    assert message in str(error.value)


def test_a_folder_in_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "users.csv").mkdir()

    with pytest.raises(ValueError, match="is no file"):
        sources([tmp_path])


# --- Lines that are wrong -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "problems"),
    [
        pytest.param(
            "users.csv",
            "id,usrname,name,name\n1,joe,a,b\n",
            [
                ":1: the column 'name' stands here twice",
                ":1: there is no column 'usrname': did you mean 'username'?",
            ],
            id="columns",
        ),
        pytest.param("users.csv", "username\njoe\n", [":1: the column 'id' is missing"], id="id"),
        pytest.param("users.csv", "", [":1: this line must name the columns"], id="empty"),
        pytest.param(
            "users.csv", f"1,joe,{SECRET}\n", [":1: this line must name the col"], id="no header"
        ),
        pytest.param(
            "users.csv",
            "id,username\n1\n2,sue,x\n3,bob\n",
            [":2: has 1 cells, the header 2", ":3: has 3 cells, the header 2"],
            id="cells",
        ),
        pytest.param(
            "users.csv",
            'id,username\n1,joe\n2,"sue\n3,bob\n',
            [":3: this is not CSV: unexpected end of data; is a quotation mark missing?"],
            id="quote that is not closed",
        ),
        pytest.param(
            "users.csv",
            'id,username\n1,"jo"e\n',
            [":2: this is not CSV: ',' expected after '\"'; is a quotation mark missing?"],
            id="quote within",
        ),
        pytest.param(
            "users.csv",
            b"id,username,name\n1,joe,M\xfcller\n2,sue,Caf\xe9\n",
            [":2: name: this is not UTF-8 text", ":3: name: this is not UTF-8 text"],
            id="Latin-1",
        ),
        pytest.param(
            "users.csv",
            "id,username\n1,joe\n".encode("utf-16"),
            [":1: this line must name the columns, in UTF-8, such as: id, username, "],
            id="UTF-16",
        ),
        pytest.param(
            "users.csv",
            "id,username\n1," + "a" * 300_000 + "\n",
            [":2: this line is longer than 256 KiB"],
            id="line that is too long",
        ),
        pytest.param(
            "users.csv",
            'id,username,name\n1,joe,"' + "a\n" * 100_000 + '"\n',
            [":2: this is not CSV: field larger than field limit (131072)"],
            id="cell that is too long",
        ),
        pytest.param("users.csv", "id,username\n,joe\n", [":2: id: must not be empty"], id="no id"),
        pytest.param(
            "users.csv",
            "id,username\n7 ,joe\n",
            [":2: id: must not begin or end with a space"],
            id="space around an id",
        ),
        pytest.param(
            "users.csv",
            "id,username\n1,joe\u200b\n2, sue\n3,a\u115fb\n",
            [
                ":2: username: holds the invisible character U+200B",
                ":3: username: a user name must not be empty or begin or end with a space",
                ":4: username: a user name must not hold characters that are not seen",
            ],
            id="names that nobody sees",
        ),
        pytest.param(
            "users.csv",
            'id,username,email,groups,active\n1,joe,a@b@c,"a\tb",\n',
            [
                ":2: active: write true or false",
                ":2: email: an e-mail address is a name, one @ and a domain",
                ":2: groups: holds the invisible character U+0009",
            ],
            id="several in one line",
        ),
        pytest.param(
            "users.csv",
            "id,username,password\n1,joe,x\n",
            [":1: a user's password is not taken as plain text: give `password_hash`"],
            id="plain passwords",
        ),
        pytest.param(
            "users.csv",
            f"id,username,password_hash\n1,joe,{SECRET}\n",
            [":2: password_hash: not a whole password hash of a known kind"],
            id="plain password as a hash",
        ),
        pytest.param(
            "users.csv",
            f"id,username,password_hash\n1,joe,{BCRYPT.replace('$10$', '$31$')}\n",
            [":2: password_hash: this bcrypt hash costs too much"],
            id="costly hash",
        ),
        pytest.param(
            "accounts.csv",
            "id,company,status\n1,,Clossed\n",
            [":2: company: must not be empty", ":2: status: write one of: Active, Inactive, "],
            id="account",
        ),
        pytest.param(
            "members.csv",
            'account,user,permissions\n1,2,"products,root"\n',
            [":2: permissions: write one of: profile, "],
            id="permission",
        ),
        pytest.param(
            "servers.csv",
            "id,name,module,hosts,port\n1,web1,cPanel,https://web1/,99999\n2,web2,x,,8\n",
            [
                ":2: hosts: write 1 to 20 host names, such as web1.example.com",
                ":2: module: write the module's name in 1 to 32 small letters, ",
                ":2: port: ",
                ":3: hosts: write 1 to 20 host names, such as web1.example.com",
            ],
            id="server",
        ),
        pytest.param(
            "servers.csv",
            "id,name,module,hosts,port,password\n1,web1,x,a.example,-1," + "x" * 9000 + "\n",
            [
                ":2: password: write text of at most 8192 characters, without zero bytes",
                ":2: port: write a port from 1 to 65535, or nothing for the module's own",
            ],
            id="port and password of a server",
        ),
        pytest.param(
            "users.jsonl",
            json.dumps({"id": "1", "username": "joe", "groups": ["a"] * 1001}),
            [":1: groups: holds more than 1000 entries"],
            id="list that is too long",
        ),
        pytest.param(
            "domains.csv",
            "id,account,name,status\n1,1,a b,Gone\n",
            [":2: name: this is no domain name", ":2: status: write one of: Pending, "],
            id="domain",
        ),
        pytest.param(
            "users.jsonl",
            '{"id": 1}}\n[]\n{"id": 1, "id": 2}\n{"id": NaN}\n' + "[" * 100_000 + "\n{}\n7\n",
            [
                ":1: this is not JSON: Extra data",
                ":2: write a record as keys and values",
                ":3: this is not JSON: a key stands here twice",
                ":4: this is not JSON: NaN is no number in JSON",
                ":5: this is not JSON that can be read: it is nested too deeply",
                ":6: id: is missing",
                ":7: write a record as keys and values",
            ],
            id="JSON Lines",
        ),
        pytest.param(
            "users.jsonl",
            '{"id": null}\n'
            '{"id": 1, "nick": "x", "username": true, "email": 1.5, "groups": {"a": 1}}\n',
            [
                ":1: id: must not be empty",
                ":2: email: write text: put it in quotes",
                ":2: groups: write text: put it in quotes",
                ":2: nick: there is no field 'nick': known: id, username, ",
                ":2: username: write text: put it in quotes",
            ],
            id="fields of JSON",
        ),
        pytest.param(
            "users.jsonl",
            '{"id": "1\\ud800", "username": "joe\\u0000"}\n',
            [
                ":1: id: this is not UTF-8 text",
                ":1: username: holds the invisible character U+0000",
            ],
            id="half a character",
        ),
        pytest.param(
            "users.json",
            '[\n {"id": 1, "username": ""},\n\n {"id": 2, "username": "", "x": 1}\n]',
            [
                ":2: username: a user name must not be empty or begin or end with a space",
                ":4: username: a user name must not be empty or begin or end with a space",
                ":4: x: there is no field 'x': known: id, ",
            ],
            id="lines of JSON",
        ),
        pytest.param(
            "users.json", '[{"id": 1}\n{"id": 2}]', [":2: this is not JSON: here"], id="no comma"
        ),
        pytest.param(
            "users.json",
            '[{"id": 1},\n]',
            [":2: this is not JSON: Expecting value"],
            id="comma at the end",
        ),
        pytest.param("users.json", "[] x", [":1: this is not JSON: something stands"], id="behind"),
        pytest.param("all.json", "{1: []}", [":1: this is not JSON: here should"], id="key"),
        pytest.param("users.json", "", [":1: this is not JSON: here should"], id="empty JSON"),
        pytest.param("users.json", b"[\n\xff]", [":2: this is not UTF-8 text"], id="bytes"),
        pytest.param("all.json", "[]\n", [], id="empty list of nothing"),
        pytest.param("all.json", "{ }\n", [], id="empty document"),
        pytest.param("all.json", "[{}]", [":1: a list of what? Name the file"], id="list of what"),
        pytest.param(
            "all.json",
            '{"users": [],\n"domain": []}',
            [":2: there is no kind 'domain': did you mean 'domains'?"],
            id="kind in JSON",
        ),
        pytest.param(
            "all.yaml",
            "users: []\ndomain: []\n",
            [":2: there is no kind 'domain': did you mean 'domains'?"],
            id="kind in YAML",
        ),
        pytest.param(
            "users.yaml", "- id: 1\n  id: 2\n", [":2: 0.id: this key stands on line 1"], id="YAML"
        ),
        pytest.param(
            "users.yaml",
            "- &a {id: 1}\n- *a\n",
            [":1: 0: anchors and aliases", ":2: 1: anchors and aliases"],
            id="aliases",
        ),
        pytest.param("users.yaml", "joe", [":1: write a list of records"], id="YAML text"),
        pytest.param("all.yaml", "users: 1", [":1: write a list: one"], id="YAML kind"),
        pytest.param(
            "users.yaml",
            "- id: 1\n  username: joe\n- id: 2\n  usrname: sue\n",
            [":3: usrname: there is no field 'usrname': did you mean 'username'?"],
            id="lines of YAML",
        ),
        pytest.param(
            "users.yaml",
            "#" * 1_100_000,
            [":0: larger than 1 MiB, which is read whole: give CSV or JSON Lines"],
            id="long YAML",
        ),
    ],
)
def test_every_line_that_is_wrong_is_told(
    desk: Desk, name: str, content: str | bytes, problems: list[str]
) -> None:
    if not problems:
        assert desk.counts({name: content}) == {}
        return

    told = desk.refused({name: content})

    assert len(told) == len(problems), told
    for problem, start in zip(told, problems, strict=True):
        assert problem.replace(f"{name}: ", f"{name}:0: ").startswith(f"{name}{start}")
        assert SECRET not in problem


def test_what_is_wrong_is_told_of_all_files_at_once(desk: Desk) -> None:
    problems = desk.refused(
        {"users.csv": "id,username\n1,\n", "domains.csv": "id,nme\n", "accounts.json": "[{}]"}
    )

    assert [problem.partition(": ")[0] for problem in problems] == [
        "accounts.json:1",
        "domains.csv:1",
        "users.csv:2",
    ]


def test_of_many_problems_the_first_are_kept_and_all_are_counted(desk: Desk) -> None:
    users = "id,username\n" + "".join(f"{n},\n" for n in range(2500))

    with pytest.raises(Refused) as refused:
        desk.bring({"users.csv": users})

    assert refused.value.count == 2500
    assert [problem.line for problem in refused.value.problems] == [*range(2, 102)]


def test_a_json_document_has_a_limit(desk: Desk) -> None:
    (problem,) = desk.refused({"users.json": b" " * (64 * 2**20 + 1)})

    assert problem.startswith("users.json: larger than 64 MiB, which is read whole: give CSV")


def test_a_file_that_goes_away_is_told(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("id,username\n1,joe\n")
    files = sources([tmp_path])
    (tmp_path / "users.csv").unlink()

    with Staging() as staging, pytest.raises(Refused, match="cannot read it: No such file"):
        staging.read(files, lambda more: None)


def test_what_was_read_counts_whatever_becomes_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_text("id,username\n1,joe\n")

    with Staging() as staging:
        staging.read(sources([file]), lambda more: None)
        file.write_text("id,username\n1,root\n")
        (chunk,) = staging.waiting("users")

    assert chunk[0].fields["username"] == "joe"


def test_rows_do_not_pile_up_in_memory(tmp_path: Path) -> None:
    file = tmp_path / "users.jsonl"
    with file.open("w") as lines:
        for number in range(40_000):
            row = {"id": number, "username": f"user{number}", "groups": ["x" * 60] * 15}
            lines.write(f"{json.dumps(row)}\n")
    with Staging() as staging:
        # The first rows bring whatever is needed once.
        staging.read(sources([_head(file, 5000)], "users"), lambda more: None)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with Staging() as staging:
        staging.read(sources([file]), lambda more: None)
        assert staging.count() == 40_000

    assert file.stat().st_size > 35 * 2**20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8 * 1024  # KiB


def _head(file: Path, lines: int) -> Path:
    head = file.with_name("head.jsonl")
    with file.open() as whole:
        head.write_text("".join(next(whole) for _ in range(lines)))
    return head


def test_the_staging_place_is_gone_with_the_import() -> None:
    with Staging() as staging:
        pass

    with pytest.raises(sqlite3.ProgrammingError):
        staging.count()
