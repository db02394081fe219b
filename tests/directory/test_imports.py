from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from ssogate.crypto import SealBroken, hash_password, verify_password
from ssogate.directory import add_user, verify
from ssogate.directory.imports import Import, Refused, Staging, sources
from ssogate.errors import StoreFailure
from ssogate.model import (
    Access,
    AccountStatus,
    DomainStatus,
    Permission,
    ServiceStatus,
    SessionRecord,
    User,
)
from ssogate.storage import PostgreSQLStore, SQLiteStore
from ssogate.storage.store import SQLStore
from tests.directory.importing import BY, SEALER, Desk, counts, everything
from tests.storage.making import NOW, Hands, user

EXAMPLE = Path("examples/directory")
BCRYPT = "$2y$10$gh2BFdcHFiJfsmX/4Lbs/.tXOIoI11g0z2Rl/VLMCqe3zYug1sXPa"
PHPASS = "$P$BJzx9eV7hyxEa0qPXm//9x7cPIGXr/1"
PASSWORD = "correct horse battery staple"

JOE = "id,username,email,groups\n7,Joe,joe@example.com,staff\n"
ACCOUNT = "id,company\nc-1,Bakery\n"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def desk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Desk]:
    store: SQLStore
    if request.param == "sqlite":
        store = SQLiteStore(tmp_path / "store.sqlite", clock=Hands())
    else:
        url = request.getfixturevalue("postgresql").fresh()
        store = PostgreSQLStore(make_url(url), clock=Hands())
    (tmp_path / "files").mkdir()
    yield Desk(tmp_path / "files", store)
    store.close()


def _user(desk: Desk, name: str = "joe") -> User:
    known = desk.store.users.get(name)
    assert known
    return known


def _sign_in(desk: Desk, name: str) -> None:
    subject = _user(desk, name).identity.subject
    record = SessionRecord(f"key of {name}", subject, "password", "", NOW, NOW, NOW + 60)
    desk.store.sessions.put(record)


def _live(desk: Desk) -> set[str]:
    return {identity.canonical for _, identity in desk.store.sessions.listed()}


# --- What comes in ------------------------------------------------------------------------------


def test_the_example_is_whole(desk: Desk) -> None:
    files = {file.name: file.read_bytes() for file in EXAMPLE.iterdir()}

    assert counts(desk.bring(files)) == {
        "users": (8, 0, 0),
        "accounts": (3, 0, 0),
        "members": (7, 0, 0),
        "servers": (4, 0, 0),
        "services": (5, 0, 0),
        "domains": (4, 0, 0),
        "administrators": (2, 0, 0),
    }
    store = desk.store
    people = [*store.users.listed()]
    for one in people:
        assert verify_password(PASSWORD, store.secrets.password(one.identity.subject))
    assert {one.identity.canonical for one in people if not one.welcome} == {"finn", "greta"}
    ann = _user(desk, "ann")
    assert (ann.identity.groups, ann.source, ann.external_id) == (
        frozenset({"members", "staff"}),
        "",
        "u-1",
    )
    harbour = store.accounts.by_external_id("c-1")
    assert harbour
    members = store.memberships.listed(account=harbour.number)
    assert [member.owner for member in members] == [True, False, False]
    assert [account.status for account in store.accounts.listed()] == [
        AccountStatus.ACTIVE,
        AccountStatus.INACTIVE,
        AccountStatus.CLOSED,
    ]
    web2 = store.servers.by_external_id("s-2")
    assert web2
    assert (web2.hosts, web2.port) == (("web2.example.com", "plesk.example.com"), 8443)
    assert (web2.access, web2.role_groups) == (Access.RESTRICTED, frozenset({"group-2"}))
    assert [service.status for service in store.services.listed(server=web2.number)] == [
        ServiceStatus.SUSPENDED
    ]
    gone = store.domains.by_external_id("d-4")
    assert gone
    assert gone.status is DomainStatus.TRANSFERRED_AWAY
    hugo = store.administrators.get(_user(desk, "hugo").identity.subject)
    assert hugo
    assert hugo.role_groups == {"group-2"}


def test_a_second_import_changes_nothing_and_says_so(desk: Desk) -> None:
    files = {file.name: file.read_bytes() for file in EXAMPLE.iterdir()}
    desk.bring(files)
    before = everything(desk.store)
    desk.now += 100

    outcome = desk.bring(files)

    assert not outcome
    assert counts(outcome)["users"] == (0, 0, 8)
    assert everything(desk.store) == before


def test_one_line_of_the_activity_log_tells_of_it(desk: Desk) -> None:
    desk.bring({"users.csv": JOE, "accounts.csv": ACCOUNT})

    (line,) = desk.store.activity.listed()
    assert (line.action, line.actor, line.at) == ("import.done", "cli:tests", NOW)
    assert line.text == "users: 1 new, 0 changed; accounts: 1 new, 0 changed"
    assert not verify(desk.store.activity.listed()).fault


def test_a_dry_run_says_the_same_and_writes_nothing(desk: Desk) -> None:
    files = {file.name: file.read_bytes() for file in EXAMPLE.iterdir()}
    before = everything(desk.store)

    rehearsed = desk.bring(files, dry_run=True)

    assert everything(desk.store) == before
    assert counts(rehearsed) == counts(desk.bring(files))


def test_progress_is_told_in_bytes_and_rows(desk: Desk) -> None:
    desk.bring({"users.csv": JOE, "accounts.csv": ACCOUNT})
    assert desk.steps == [len(JOE) + len(ACCOUNT), 2, 2]

    desk.bring({"users.csv": JOE})
    assert desk.steps == [len(JOE), 1, 0]


def test_more_rows_than_a_chunk_come_in_whole(desk: Desk) -> None:
    many = 2500
    users = "id,username\n" + "".join(f"{n},user{n}\n" for n in range(many))
    members = "account,user,owner\n" + "".join(f"c-1,{n},no\n" for n in range(many))
    files = {"users.csv": users, "members.csv": members, "accounts.csv": ACCOUNT}

    first, second = desk.counts(files), desk.counts(files)

    assert first == {"users": (many, 0, 0), "accounts": (1, 0, 0), "members": (many, 0, 0)}
    assert second == {"users": (0, 0, many), "accounts": (0, 0, 1), "members": (0, 0, many)}


# --- What changes -------------------------------------------------------------------------------


def test_what_is_not_given_stays(desk: Desk) -> None:
    desk.bring({"users.csv": JOE})
    desk.now += 5

    assert desk.counts({"users.csv": "id,name\n7,Joe Doe\n"}) == {"users": (0, 1, 0)}

    joe = _user(desk)
    assert (joe.identity.name, joe.identity.email) == ("Joe Doe", "joe@example.com")
    assert (joe.identity.groups, joe.active) == (frozenset({"staff"}), True)
    assert (joe.created_at, joe.updated_at) == (NOW, NOW + 5)


def test_an_empty_cell_empties_texts_and_groups(desk: Desk) -> None:
    desk.bring({"users.csv": JOE})

    desk.bring({"users.csv": "id,email,groups\n7,,\n"})

    assert _user(desk).identity.groups == frozenset()
    assert _user(desk).identity.email == ""


def test_records_change_by_their_id(desk: Desk) -> None:
    files = {file.name: file.read_bytes() for file in EXAMPLE.iterdir()}
    desk.bring(files)

    changed = desk.counts(
        {
            "accounts.csv": "id,company\nc-1,Harbour RC\n",
            "services.csv": "id,account,server,module\nh-1,c-2,s-2,\n",
            "domains.csv": "id,status\nd-1,expired\n",
            "servers.csv": "id,access\ns-1,unrestricted\n",
            "members.csv": 'account,user,permissions\nc-1,bob,"products"\n',
            "administrators.csv": "user,role_groups\nann,group-2\n",
        }
    )

    assert set(changed.values()) == {(0, 1, 0)}
    store = desk.store
    account, service = store.accounts.by_external_id("c-1"), store.services.by_external_id("h-1")
    domain, server = store.domains.by_external_id("d-1"), store.servers.by_external_id("s-1")
    assert account and service and domain and server  # noqa: PT018
    assert account.company == "Harbour RC"
    assert (service.product, service.module) == ("Hosting L", "plesk")
    assert domain.status is DomainStatus.EXPIRED
    assert (server.access, server.role_groups) == (Access.UNRESTRICTED, frozenset())
    bob = store.memberships.get(account.number, _user(desk, "bob").identity.subject)
    assert bob
    assert bob.permissions == {Permission.PRODUCTS}
    ann = store.administrators.get(_user(desk, "ann").identity.subject)
    assert ann
    assert ann.role_groups == {"group-2"}


@pytest.mark.parametrize("first", ["ann", "bob"])
def test_an_account_gets_its_new_owner_wherever_the_rows_stand(desk: Desk, first: str) -> None:
    users = "id,username\n1,ann\n2,bob\n"
    desk.bring(
        {
            "users.csv": users,
            "accounts.csv": ACCOUNT,
            "members.csv": "account,user,owner\nc-1,ann,yes\nc-1,bob,no\n",
        }
    )
    ann = '{"account": "c-1", "user": "ann", "permissions": ["products"]}'
    bob = '{"account": "c-1", "user": "bob", "owner": true}'

    members = {"members.jsonl": "\n".join([ann, bob] if first == "ann" else [bob, ann])}
    desk.bring(members)

    owner, other = desk.store.memberships.listed(account=1)
    assert (owner.subject, owner.owner) == (_user(desk, "bob").identity.subject, True)
    assert (other.owner, other.permissions) == (False, frozenset({Permission.PRODUCTS}))
    assert not desk.bring(members)


def test_a_service_keeps_to_its_servers_module(desk: Desk) -> None:
    desk.bring({file.name: file.read_bytes() for file in EXAMPLE.iterdir()})

    assert desk.refused({"services.csv": "id,module\nh-1,plesk\n"}) == [
        "services.csv:2: module: its server has the module cpanel"
    ]

    desk.bring({"services.csv": "id,module,server\nh-1,other,\n"})
    service = desk.store.services.by_external_id("h-1")
    assert service
    assert (service.module, service.server) == ("other", None)
    assert desk.counts({"services.csv": "id,module\nh-1,another\n"}) == {"services": (0, 1, 0)}


def test_a_known_accounts_service_comes_with_its_server(desk: Desk) -> None:
    desk.bring({"accounts.csv": ACCOUNT})

    assert desk.counts(
        {
            "servers.csv": "id,name,module,hosts\ns-1,web1,cpanel,a.example\n",
            "services.csv": "id,account,product,server\nh-1,c-1,Hosting,s-1\n",
        }
    ) == {"servers": (1, 0, 0), "services": (1, 0, 0)}


def test_servers_and_services_may_share_a_panels_user_name(desk: Desk) -> None:
    """It is a panel's own: every server has a root, and people take the same name on several."""
    servers = "id,name,module,hosts,username\n"
    services = "id,account,product,server,username\n"
    desk.bring(
        {
            "accounts.csv": ACCOUNT,
            "servers.csv": servers
            + "".join(f"s{n},web{n},cpanel,w{n}.example,root\n" for n in (1, 2)),
            "services.csv": services + "".join(f"h{n},c-1,Hosting,s{n},joe\n" for n in (1, 2)),
        }
    )

    assert [server.username for server in desk.store.servers.listed()] == ["root", "root"]
    assert [service.username for service in desk.store.services.listed()] == ["joe", "joe"]


def test_role_groups_alone_restrict_a_server(desk: Desk) -> None:
    servers = "id,name,module,hosts,role_groups\n1,web1,cpanel,web1.example.com,group-1\n"
    desk.bring({"servers.csv": servers})

    server = desk.store.servers.by_external_id("1")
    assert server
    assert server.access is Access.RESTRICTED


def test_servers_can_be_renamed_and_a_new_one_takes_the_name(desk: Desk) -> None:
    desk.bring({"servers.csv": "id,name,module,hosts\n1,web1,cpanel,a.example\n"})

    files = {"servers.csv": "id,name,module,hosts\n1,old1,cpanel,a.example\n2,web1,x,b.example\n"}
    desk.bring({"servers.csv": "id,name\n1,old1\n"})
    assert desk.counts(files) == {"servers": (1, 0, 1)}


# --- Passwords and secrets ----------------------------------------------------------------------


def test_a_known_password_stays(desk: Desk) -> None:
    users = f"id,username,password_hash\n7,joe,{BCRYPT}\n"
    desk.bring({"users.csv": users})
    subject = _user(desk).identity.subject
    upgraded = hash_password(PASSWORD)
    desk.store.secrets.set_password(subject, upgraded, NOW)
    _sign_in(desk, "joe")

    outcome = desk.bring({"users.csv": users})

    assert not outcome
    assert outcome.kept_passwords == 1
    assert desk.store.secrets.password(subject) == upgraded
    assert _live(desk) == {"joe"}


def test_a_password_that_is_replaced_ends_the_sessions(desk: Desk) -> None:
    desk.bring({"users.csv": f"id,username,password_hash\n7,joe,{BCRYPT}\n8,sue,{BCRYPT}\n"})
    _sign_in(desk, "joe")
    _sign_in(desk, "sue")

    outcome = desk.bring(
        {"users.csv": f"id,password_hash\n7,{PHPASS}\n8,{BCRYPT}\n"}, replace_passwords=True
    )

    assert counts(outcome) == {"users": (0, 1, 1)}
    assert outcome.kept_passwords == 0
    assert desk.store.secrets.password(_user(desk).identity.subject) == PHPASS
    assert _live(desk) == {"sue"}


def test_an_empty_hash_leaves_the_password(desk: Desk) -> None:
    desk.bring({"users.csv": f"id,username,password_hash\n7,joe,{BCRYPT}\n"})

    assert not desk.bring({"users.csv": "id,username,password_hash\n7,joe,\n"})
    assert desk.store.secrets.password(_user(desk).identity.subject) == BCRYPT


SERVER = "id,name,module,hosts,password,access_hash\n1,web1,cpanel,a.example,{},{}\n"


def test_secrets_are_sealed_for_their_place(desk: Desk) -> None:
    desk.bring({"servers.csv": SERVER.format("hush", "line one")})

    (server,) = desk.store.servers.listed()
    assert "hush" not in server.sealed_password
    assert SEALER.open(server.sealed_password, context=f"server:{server.number}:password") == "hush"
    context = f"server:{server.number}:access_hash"
    assert SEALER.open(server.sealed_access_hash, context=context) == "line one"
    with pytest.raises(SealBroken):
        SEALER.open(server.sealed_password, context=context)


def test_a_secret_counts_as_changed_only_when_it_is(desk: Desk) -> None:
    desk.bring({"servers.csv": SERVER.format("hush", "")})

    assert desk.counts({"servers.csv": SERVER.format("hush", "")}) == {"servers": (0, 0, 1)}
    assert desk.counts({"servers.csv": SERVER.format("", "")}) == {"servers": (0, 0, 1)}
    assert desk.counts({"servers.csv": SERVER.format("other", "")}) == {"servers": (0, 1, 0)}
    (server,) = desk.store.servers.listed()
    assert SEALER.open(server.sealed_password, context=f"server:{server.number}:password") == (
        "other"
    )


def test_a_secret_that_the_keys_do_not_open_any_more_is_replaced(desk: Desk) -> None:
    desk.bring({"servers.csv": SERVER.format("hush", "")})
    desk.sealer = type(SEALER)([b"another key of thirty-two bytes!"])

    assert desk.counts({"servers.csv": SERVER.format("hush", "")}) == {"servers": (0, 1, 0)}


def test_other_fields_change_without_a_key(desk: Desk) -> None:
    desk.bring({"servers.csv": SERVER.format("hush", "")})
    (before,) = desk.store.servers.listed()
    desk.sealer = None

    assert desk.counts({"servers.csv": "id,port\n1,2087\n"}) == {"servers": (0, 1, 0)}
    (server,) = desk.store.servers.listed()
    assert (server.port, server.sealed_password) == (2087, before.sealed_password)


def test_secrets_need_a_key_to_be_sealed_with(desk: Desk) -> None:
    desk.sealer = None

    (problem,) = desk.refused({"servers.csv": SERVER.format("hush", "")})

    assert problem.startswith("servers.csv:2: password: gateway.yaml has no sealing_keys")
    assert "hush" not in problem


# --- Who may not come in any more ---------------------------------------------------------------


def test_a_deactivated_users_sessions_end(desk: Desk) -> None:
    desk.bring({"users.csv": "id,username\n1,ann\n2,bob\n"})
    _sign_in(desk, "ann")
    _sign_in(desk, "bob")

    desk.bring({"users.csv": "id,active\n1,false\n2,true\n"})

    assert _live(desk) == {"bob"}


def test_closing_an_account_ends_the_sessions_of_who_acts_for_no_other(desk: Desk) -> None:
    desk.bring(
        {
            "users.csv": "id,username\n1,ann\n2,bob\n3,cara\n",
            "accounts.csv": "id,company\nc-1,Bakery\nc-2,Mill\n",
            "members.csv": "account,user\nc-1,ann\nc-1,bob\nc-2,bob\n",
        }
    )
    for name in ("ann", "bob", "cara"):
        _sign_in(desk, name)

    desk.bring({"accounts.csv": "id,status\nc-1,Closed\n"})

    assert _live(desk) == {"bob", "cara"}
    assert not _user(desk, "ann").welcome


def test_a_new_member_of_a_closed_account_is_out_at_once(desk: Desk) -> None:
    desk.bring({"users.csv": "id,username\n1,ann\n"})
    _sign_in(desk, "ann")

    desk.bring(
        {
            "accounts.csv": "id,company,status\nc-1,Bakery,closed\n",
            "members.csv": "account,user\nc-1,ann\n",
        }
    )

    assert _live(desk) == set()


def test_a_new_administrators_sessions_end(desk: Desk) -> None:
    desk.bring({"users.csv": "id,username\n1,ann\n2,bob\n"})
    _sign_in(desk, "ann")
    _sign_in(desk, "bob")
    desk.bring({"administrators.csv": "user,role_groups\nann,a\n"})
    assert _live(desk) == {"bob"}

    _sign_in(desk, "ann")
    desk.bring({"administrators.csv": "user,role_groups\nann,b\n"})
    assert _live(desk) == {"ann", "bob"}


# --- What contradicts the directory -------------------------------------------------------------


def test_a_name_stays_with_who_has_it(desk: Desk) -> None:
    store = desk.store
    add_user(store, "root", by=BY, now=NOW)
    assert store.users.add(user("linked", source="members"))
    desk.bring({"users.csv": "id,username\n7,joe\n"})

    problems = desk.refused(
        {"users.csv": "id,username\n1,Root\n2,ｌｉｎｋｅｄ\n3,JOE\n7,bill\n8,fine\n"}
    )

    assert problems == [
        "users.csv:2: username: belongs to a user that an operator added:"
        " rename or delete one of them",
        "users.csv:3: username: belongs to a user that came by 'members':"
        " only that source changes it",
        "users.csv:4: username: belongs to a user whose id is '7'",
        "users.csv:5: username: the user of this id has another name, and names do not change",
    ]


def test_a_name_may_be_spelled_anew(desk: Desk) -> None:
    desk.bring({"users.csv": JOE})

    assert desk.counts({"users.csv": "id,username\n7,JOE\n"}) == {"users": (0, 1, 0)}
    assert _user(desk).identity.username == "JOE"


def test_users_may_be_referred_to_by_any_spelling_of_the_name(desk: Desk) -> None:
    desk.bring({"users.csv": JOE, "accounts.csv": ACCOUNT})

    assert desk.counts({"members.csv": "account,user\nc-1,JOE\n"}) == {"members": (1, 0, 0)}


def test_a_word_that_names_two_users_is_refused(desk: Desk) -> None:
    desk.bring({"users.csv": "id,username\n7,joe\njoe,sue\n", "accounts.csv": ACCOUNT})

    assert desk.refused(
        {"members.csv": "account,user\nc-1,joe\n", "administrators.csv": "user\njoe\n"}
    ) == [
        "administrators.csv:2: user: this is the id of one user and the name of another",
        "members.csv:2: user: this is the id of one user and the name of another",
    ]


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        pytest.param(
            {"members.csv": "account,user\nc-9,joe\n"},
            "members.csv:2: account: there is no account of this id",
            id="account of a member",
        ),
        pytest.param(
            {"members.csv": "account,user\nc-1,nobody\n"},
            "members.csv:2: user: there is no user of this id or name",
            id="user of a member",
        ),
        pytest.param(
            {"members.csv": "account,user\nc-1,a\u200bb\n"},
            "members.csv:2: user: holds the invisible character U+200B",
            id="id that nobody can have",
        ),
        pytest.param(
            {"members.csv": "account,user\nc-1,a\u115fb\n"},
            "members.csv:2: user: there is no user of this id or name",
            id="name that nobody can have",
        ),
        pytest.param(
            {"administrators.csv": "user\nnobody\n"},
            "administrators.csv:2: user: there is no user of this id or name",
            id="administrator",
        ),
        pytest.param(
            {"services.csv": "id,account,product\n1,c-9,Hosting\n"},
            "services.csv:2: account: there is no account of this id",
            id="account of a service",
        ),
        pytest.param(
            {"services.csv": "id,account,product,server\n1,c-1,Hosting,s-9\n"},
            "services.csv:2: server: there is no server of this id",
            id="server",
        ),
        pytest.param(
            {"domains.csv": "id,account,name\n1,c-9,a.example\n"},
            "domains.csv:2: account: there is no account of this id",
            id="account of a domain",
        ),
        pytest.param(
            {"services.csv": "id,account,product,server,module\n1,c-1,Hosting,s-1,plesk\n"},
            "services.csv:2: module: its server has the module cpanel",
            id="another module than the server's",
        ),
        pytest.param(
            {"servers.csv": "id,name,module,hosts\n2,web1,plesk,b.example\n"},
            "servers.csv:2: name: is the name of server 1",
            id="name of a server",
        ),
        pytest.param(
            {"servers.csv": "id,name,module,hosts\n2,12,plesk,b.example\n"},
            "servers.csv:2: name: must not be a number, nor begin with ext:",
            id="number as a server's name",
        ),
        pytest.param(
            {"servers.csv": "id,access,role_groups\ns-1,unrestricted,group-1\n"},
            "servers.csv:2: access: the server has role groups:"
            " write restricted, or leave them out",
            id="role groups without effect",
        ),
        pytest.param(
            {"users.csv": "id,name\n9,New\n"},
            "users.csv:2: username: is missing, and nothing of this id is known yet",
            id="too little of a new user",
        ),
        pytest.param(
            {"services.csv": "id,product\n9,Hosting\n"},
            "services.csv:2: account: is missing, and nothing of this id is known yet",
            id="too little of a new service",
        ),
    ],
)
def test_what_contradicts_the_directory_is_refused(
    desk: Desk, files: dict[str, str], problem: str
) -> None:
    desk.bring(
        {
            "users.csv": JOE,
            "accounts.csv": ACCOUNT,
            "servers.csv": "id,name,module,hosts\ns-1,web1,cpanel,a.example\n",
        }
    )

    assert desk.refused(files) == [problem]


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        pytest.param(
            {"users.csv": "id,username\n1,joe\n2,sue\n1,bob\n"},
            "users.csv:4: id: it stands at {}/users.csv:2 already",
            id="id",
        ),
        pytest.param(
            {"users-1.csv": "id,username\n1,joe\n", "users-2.csv": "id,username\n1,sue\n"},
            "users-2.csv:2: id: it stands at {}/users-1.csv:2 already",
            id="id in another file",
        ),
        pytest.param(
            {"users.csv": "id,username\n1,joe\n2,ｊOE\n"},
            "users.csv:3: username: the same name, or one that looks like it,"
            " stands at {}/users.csv:2 already",
            id="name by case and width",
        ),
        pytest.param(
            {
                "users.csv": JOE,
                "accounts.csv": ACCOUNT,
                "members.csv": "account,user\nc-1,7\nc-1,joe\n",
            },
            "members.csv:3: user: is told to be the account's member at {}/members.csv:2 already",
            id="member, by id and by name",
        ),
        pytest.param(
            {
                "users.csv": "id,username\n1,ann\n2,bob\n",
                "accounts.csv": ACCOUNT,
                "members.csv": "account,user,owner\nc-1,1,yes\nc-1,2,yes\n",
            },
            "members.csv:3: owner: the account has another owner at {}/members.csv:2",
            id="two owners",
        ),
        pytest.param(
            {"users.csv": JOE, "administrators.csv": "user\njoe\n7\n"},
            "administrators.csv:3: user: is told to be an administrator at"
            " {}/administrators.csv:2 already",
            id="administrator, by name and by id",
        ),
        pytest.param(
            {"servers.csv": "id,name,module,hosts\n1,web,x,a.example\n2,web,x,b.example\n"},
            "servers.csv:3: name: stands at {}/servers.csv:2 already",
            id="name of a server",
        ),
    ],
)
def test_what_contradicts_itself_is_told_with_both_places(
    desk: Desk, files: dict[str, str], problem: str
) -> None:
    assert desk.refused(files) == [problem.format(desk.folder)]


def test_who_refers_to_a_wrong_row_is_not_wrong_too(desk: Desk) -> None:
    problems = desk.refused(
        {
            "users.csv": "id,username,email\n1,joe,nonsense\n",
            "accounts.csv": "id,company,status\nc-1,Bakery,Shut\n",
            "members.csv": "account,user\nc-1,1\n",
        }
    )

    assert problems == [
        "accounts.csv:2: status: write one of: Active, Inactive, Closed",
        "users.csv:2: email: an e-mail address is a name, one @ and a domain",
    ]


# --- What fails on the way ----------------------------------------------------------------------


def _compared(desk: Desk, staging: Staging, files: dict[str, str]) -> Import:
    for name, content in files.items():
        (desk.folder / name).write_text(content)
    staging.read(sources([desk.folder]), lambda more: None)
    task = Import(staging, desk.store, sealer=None, now=NOW)
    task.compare(lambda more: None)
    return task


def test_a_name_that_is_taken_meanwhile_is_told_and_nothing_is_written(desk: Desk) -> None:
    with Staging() as staging:
        task = _compared(desk, staging, {"users.csv": "id,username\n1,ann\n2,joe\n"})
        add_user(desk.store, "joe", by=BY, now=NOW)

        with pytest.raises(Refused, match="belongs to a user that an operator added"):
            task.write(lambda more: None, by=BY)

    assert [known.identity.canonical for known in desk.store.users.listed()] == ["joe"]


def test_what_is_deleted_meanwhile_is_told_and_nothing_is_written(desk: Desk) -> None:
    files = {"accounts.csv": ACCOUNT}
    desk.bring(files)
    members = {"users.csv": JOE, "members.csv": "account,user\nc-1,7\n"}
    with Staging() as staging:
        task = _compared(desk, staging, members)
        desk.store.accounts.delete(1)

        with pytest.raises(Refused, match="what it refers to was deleted"):
            task.write(lambda more: None, by=BY)

    assert not [*desk.store.users.listed()]


def test_names_that_cannot_be_exchanged_at_once_are_told(desk: Desk) -> None:
    servers = "id,name,module,hosts\n1,{},cpanel,a.example\n2,{},cpanel,b.example\n"
    desk.bring({"servers.csv": servers.format("web1", "web2")})

    (problem,) = desk.refused({"servers.csv": servers.format("web2", "web1")})

    assert problem == (
        "servers.csv:2: in this row or one soon after:"
        " another one has this name or external id already"
    )


class _Failing:
    """A table of the store that fails at its second chunk."""

    def __init__(self, users: object) -> None:
        self._users, self.calls = users, 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._users, name)

    def add_all(self, users: object) -> None:
        self.calls += 1
        if self.calls == 2:
            raise StoreFailure("the disk is full")
        self._users.add_all(users)  # type: ignore[attr-defined]


def test_a_database_that_fails_half_way_leaves_nothing(desk: Desk) -> None:
    before = everything(desk.store)
    users = "id,username\n" + "".join(f"{n},user{n}\n" for n in range(1500))
    desk.store.users = failing = _Failing(desk.store.users)  # type: ignore[misc, assignment]

    with pytest.raises(StoreFailure, match="disk is full"):
        desk.bring({"users.csv": users})

    assert failing.calls == 2
    assert everything(desk.store) == before
