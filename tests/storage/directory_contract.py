"""What every engine must do with the directory's tables; beside `contract.py`, same fixtures."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from ssogate.errors import Conflict, StoreFailure
from ssogate.model import (
    Access,
    Account,
    AccountStatus,
    Activity,
    Administrator,
    ApiCredential,
    ApiRole,
    Arrival,
    Client,
    Domain,
    DomainStatus,
    GrantType,
    Membership,
    Permission,
    Server,
    Service,
    ServiceStatus,
    Standing,
    Ticket,
    User,
)
from ssogate.storage import Store
from tests.storage.contract import Reopen, leave
from tests.storage.making import NOW, record, user

ACME = Account(0, "Acme, Inc.", "a@acme.example", AccountStatus.ACTIVE, True, NOW, NOW, "crm:1")
WEB1 = Server(
    0,
    "web1",
    "cpanel",
    ("web1.example.com", "10.0.0.1"),
    2087,
    username="root",
    sealed_password="sealed",
    access=Access.RESTRICTED,
    role_groups=frozenset({"support", "level 2"}),
)


def known(store: Store, name: str = "joe", **fields: object) -> User:
    """A stored user."""
    joe = replace(user(name), **fields)  # type: ignore[arg-type]
    assert store.users.add(joe)
    return joe


def line(number: int, text: str = "did it") -> Activity:
    return Activity(number, NOW, "cli:root", "192.0.2.1", "user.added", text, f"{number:064x}")


class DirectoryContract:
    """Tickets, counters, secrets, accounts and all that accounts have, the activity log."""

    # --- Tickets and counters -----------------------------------------------------------------

    def test_a_ticket_is_taken_once_and_by_its_kind(self, store: Store) -> None:
        ticket = Ticket("k", "second_factor", "s", '{"a": 1}', NOW)
        store.tickets.put(ticket)

        assert store.tickets.get("k", "token") is None
        assert store.tickets.take("k", "token") is None
        assert store.tickets.get("k", "second_factor") == ticket
        assert store.tickets.take("k", "second_factor") == ticket
        assert store.tickets.take("k", "second_factor") is None
        assert store.tickets.get("k", "second_factor") is None

    def test_of_eight_threads_one_takes_a_ticket(self, store: Store) -> None:
        for number in range(6):
            store.tickets.put(Ticket(f"k{number}", "x", "s", "{}", NOW))
        start = threading.Barrier(8)

        def race(_: int) -> list[bool]:
            start.wait()
            try:
                return [store.tickets.take(f"k{number}", "x") is not None for number in range(6)]
            finally:
                leave(store)

        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(race, range(8)))

        assert [sum(column) for column in zip(*answers, strict=True)] == [1] * 6

    def test_a_ticket_tells_whether_its_proof_is_spent(self, store: Store) -> None:
        tickets = [Ticket(key, kind, "s", "{}", NOW) for key, kind in (("k", "x"), ("l", "x"))]
        store.tickets.put(*tickets)

        assert store.one_time.spend(tickets[0].proof, until=NOW)
        assert store.one_time.spend("y:l", until=NOW), "another kind's"

        assert store.tickets.get("k", "x") == replace(tickets[0], spent=True)
        assert store.tickets.get("l", "x") == tickets[1]

    def test_tickets_go_with_the_sessions_of_their_user(self, store: Store) -> None:
        for key, subject in (("k1", "joe"), ("k2", "ann")):
            store.tickets.put(Ticket(key, "x", subject, "{}", NOW))

        assert store.sessions.delete_subject("joe") == 0

        assert store.tickets.get("k1", "x") is None
        assert store.tickets.get("k2", "x")

    def test_a_users_tickets_of_one_kind_are_dropped(self, store: Store) -> None:
        for key, kind, subject in (("k1", "x", "s"), ("k2", "y", "s"), ("k3", "x", "t")):
            store.tickets.put(Ticket(key, kind, subject, "{}", NOW))

        store.tickets.drop("s", "x")

        assert store.tickets.get("k1", "x") is None
        assert store.tickets.get("k2", "y")
        assert store.tickets.get("k3", "x")

    def test_old_tickets_go_when_a_new_one_comes(self, store: Store, reopen: Reopen) -> None:
        store.tickets.put(*(Ticket(f"k{n}", "x", "s", "{}", NOW - 1 + n) for n in range(3)))

        # Of another process: this one has looked in this second.
        reopen().tickets.put(Ticket("k3", "x", "s", "{}", NOW))

        assert store.tickets.get("k0", "x") is None
        assert store.tickets.get("k1", "x")

    def test_a_counter_counts_within_its_window(self, store: Store, reopen: Reopen) -> None:
        assert [store.counters.count("a", now=NOW, window=60) for _ in range(3)] == [1, 2, 3]
        assert reopen().counters.read("a", now=NOW + 59) == 3
        assert store.counters.read("a", now=NOW + 60) == 0
        assert store.counters.count("a", now=NOW + 60, window=60) == 1
        assert store.counters.read("b", now=NOW) == 0
        store.counters.reset("a")
        assert store.counters.read("a", now=NOW + 60) == 0

    def test_no_count_is_lost_between_threads(self, store: Store) -> None:
        def count(_: int) -> None:
            for _ in range(10):
                store.counters.count("a", now=NOW, window=60)
            leave(store)

        with ThreadPoolExecutor(6) as threads:
            list(threads.map(count, range(6)))

        assert store.counters.read("a", now=NOW) == 60

    # --- Users --------------------------------------------------------------------------------

    def test_a_user_is_found_by_everything_that_is_unique(self, store: Store) -> None:
        joe = known(store, external_id="7", source="crm")

        assert store.users.of(joe.identity.subject) == joe
        assert store.users.by_email("JOE@Example.COM.") == joe
        assert store.users.by_external_id("crm", "7") == joe
        assert store.users.by_external_id("other", "7") is None
        assert store.users.by_external_id("crm", "") is None
        assert store.users.by_email("nobody") is None

    def test_a_users_number_is_never_given_twice(self, store: Store) -> None:
        joe, ann = known(store), known(store, "ann")
        numbers = [found.number for name in ("joe", "ann") if (found := store.users.get(name))]
        assert numbers == [1, 2]
        assert store.users.numbered(2) == ann

        store.users.delete(ann.identity.subject)
        store.users.add_all([user("bob"), user("eve")])

        assert store.users.numbered(2) is None
        assert [one.number for one in store.users.listed()] == [3, 4, 1]
        store.users.update(replace(joe, number=99))
        assert store.users.numbered(1) == joe

    def test_credentials_are_found_by_their_identifier(self, store: Store) -> None:
        role = store.api_roles.add(ApiRole(0, "sso", frozenset({"createssotoken"})))
        credential = store.api_credentials.add(
            ApiCredential(
                *(0, "id", "digest", "CRM", frozenset({"sso"}), ("10.0.0.0/8", "::1/128")),
                *(frozenset({"clientarea:sso"}), True, NOW),
            )
        )
        uris = ("https://a.example/cb?x=1,2", "app:/cb")
        client = store.clients.add(
            Client(
                *(0, "ACME.1", "digest", GrantType.AUTHORIZATION_CODE, "App", None, frozenset()),
                *("", "", uris, NOW, NOW),
            )
        )

        assert store.api_roles.named("sso") == role
        assert store.api_credentials.named("id") == credential
        assert store.clients.named("ACME.1") == client
        assert store.clients.named("acme.1") is None
        for nobodys in ("ACME.1\0", "\0", "\ud800"):  # some engines refuse to look them up
            assert store.clients.named(nobodys) is None
        with pytest.raises(Conflict):
            store.clients.add(client)

    def test_a_hasty_write_is_followed_by_durable_ones(self, store: Store) -> None:
        with store.transaction(durable=False):
            known(store)
        assert store.users.get("joe")
        with store.transaction():
            known(store, "ann")

        assert store.one_time.spend("a", until=NOW)
        assert [one.identity.canonical for one in store.users.listed()] == ["ann", "joe"]

    def test_an_address_that_two_have_is_nobodys(self, store: Store) -> None:
        joe = known(store)
        ann = user("ann")
        store.users.add(replace(ann, identity=replace(ann.identity, email=joe.identity.email)))

        assert store.users.by_email(joe.identity.email) is None

    def test_an_external_id_is_taken_once_in_a_source(self, store: Store) -> None:
        known(store, external_id="7")

        assert not store.users.add(replace(user("ann"), external_id="7"))
        assert store.users.add(replace(user("ann", source="other"), external_id="7"))

    def test_users_are_stored_in_bulk_or_not_at_all(self, store: Store) -> None:
        many = [replace(user(f"u{number:04}"), external_id=str(number)) for number in range(2500)]
        store.users.add_all(many)
        with pytest.raises(Conflict):
            store.users.add_all([user("new"), user("u0001")])

        assert store.users.get("new") is None
        assert len(store.users.known("crm", [str(n) for n in range(1000)])) == 1000
        assert store.users.named(["u0001", "u0002", "u9999"]).keys() == {"u0001", "u0002"}
        assert list(store.users.listed()) == many, "read in pages, none lost between them"
        store.users.update_all([replace(one, active=False) for one in many[:2]])
        assert [one.active for one in store.users.listed()][:3] == [False, False, True]

    @pytest.mark.parametrize(
        ("statuses", "welcome"),
        [
            pytest.param((), True, id="acts for none"),
            pytest.param((AccountStatus.ACTIVE,), True, id="active"),
            pytest.param((AccountStatus.INACTIVE,), True, id="inactive"),
            pytest.param((AccountStatus.CLOSED,), False, id="closed"),
            pytest.param((AccountStatus.CLOSED, AccountStatus.ACTIVE), True, id="one is open"),
            pytest.param((AccountStatus.CLOSED, AccountStatus.CLOSED), False, id="all closed"),
        ],
    )
    def test_who_finds_every_account_closed_is_not_welcome(
        self, store: Store, statuses: tuple[AccountStatus, ...], welcome: bool
    ) -> None:
        joe = known(store)
        store.sessions.put(record(joe))
        for number, status in enumerate(statuses):
            account = store.accounts.add(replace(ACME, status=status, external_id=str(number)))
            store.memberships.put(Membership(account.number, joe.identity.subject))

        found = store.users.get("joe")

        assert found is not None
        assert found.welcome is welcome
        assert (store.sessions.get("k1") is not None) is welcome

    # --- Secrets ------------------------------------------------------------------------------

    def test_a_password_is_stored_replaced_and_taken_away(self, store: Store) -> None:
        subject = known(store).identity.subject
        assert store.secrets.password(subject) == ""

        store.secrets.set_password(subject, "one", NOW)
        store.secrets.set_password(subject, "two", NOW)
        assert not store.secrets.replace_password(subject, "one", "three", NOW)
        assert store.secrets.replace_password(subject, "two", "three", NOW)
        assert store.secrets.password(subject) == "three"
        store.secrets.set_password(subject, "", NOW)
        assert store.secrets.password(subject) == ""

    def test_a_password_needs_an_owner(self, store: Store) -> None:
        with pytest.raises(Conflict):
            store.secrets.set_passwords({"nobody": "hash"}, NOW)

    def test_a_recovery_code_works_once(self, store: Store) -> None:
        subject = known(store).identity.subject
        store.secrets.set_second_factor(subject, "old", ["x"], NOW)

        store.secrets.set_second_factor(subject, "sealed", ["a", "b"], NOW)

        assert store.secrets.second_factor(subject) == "sealed"
        assert store.secrets.recovery_codes(subject) == 2
        assert not store.secrets.spend_recovery_code(subject, "x")
        assert not store.secrets.spend_recovery_code("other", "a")
        assert store.secrets.spend_recovery_code(subject, "a")
        assert not store.secrets.spend_recovery_code(subject, "a")
        store.secrets.set_second_factor(subject, "", [], NOW)
        assert store.secrets.second_factor(subject) == ""
        assert store.secrets.recovery_codes(subject) == 0

    def test_the_latest_twenty_browsers_are_known(self, store: Store) -> None:
        joe, ann = known(store).identity.subject, known(store, "ann").identity.subject
        store.secrets.add_device(ann, "d0", NOW)
        for number in range(21):
            store.secrets.add_device(joe, f"d{number}", NOW + number)

        assert not store.secrets.knows_device(joe, "d0")
        assert store.secrets.knows_device(joe, "d1")
        assert store.secrets.knows_device(joe, "d20")
        assert store.secrets.knows_device(ann, "d0")
        assert not store.secrets.knows_device(ann, "d1")

    def test_the_browser_that_has_just_signed_in_is_known(self, store: Store) -> None:
        joe = known(store).identity.subject
        for number in range(40, 0, -1):  # of one second, or while the clock goes back
            store.secrets.add_device(joe, f"d{number:02}", NOW + number // 4)

            assert store.secrets.knows_device(joe, f"d{number:02}")

    def test_who_arrives_is_one_look(self, store: Store) -> None:
        joe, ann, sue = (known(store, name) for name in ("joe", "ann", "sue"))
        store.administrators.put(Administrator(ann.identity.subject, frozenset(), NOW))
        store.secrets.set_second_factor(sue.identity.subject, "sealed", ["code"], NOW)

        assert store.users.arriving("joe") == Arrival(joe, administrator=False, second_factor=False)
        assert store.users.arriving("ann") == Arrival(ann, administrator=True, second_factor=False)
        assert store.users.arriving("sue") == Arrival(sue, administrator=False, second_factor=True)
        assert store.users.arriving("nobody") is None

    # --- Accounts and what they have ----------------------------------------------------------

    def test_how_somebody_stands_to_an_account_is_one_look(self, store: Store) -> None:
        joe, ann, sue = (known(store, name) for name in ("joe", "ann", "sue"))
        acme = store.accounts.add(ACME)
        owner = Membership(acme.number, joe.identity.subject, owner=True)
        member = Membership(
            acme.number, ann.identity.subject, permissions=frozenset({Permission.PRODUCTS})
        )
        store.memberships.put(owner)
        store.memberships.put(member)
        store.administrators.put(Administrator(ann.identity.subject, frozenset(), NOW))

        def standing(user: User, number: int = acme.number) -> Standing | None:
            return store.memberships.standing(number, user.identity.subject)

        assert standing(joe) == Standing(acme, joe, owner, administrator=False)
        assert store.memberships.owner(acme.number) == standing(joe)
        assert standing(ann) == Standing(acme, ann, member, administrator=True)
        assert standing(sue) == Standing(acme, sue, None, administrator=False)
        assert standing(joe, 99) is store.memberships.owner(99) is None

        other = store.accounts.add(replace(ACME, external_id="", allow_single_sign_on=False))
        store.memberships.put(Membership(other.number, ann.identity.subject, owner=True))
        store.memberships.put(Membership(other.number, joe.identity.subject))
        assert standing(ann) == Standing(acme, ann, member, administrator=True, switched_off=True)
        assert standing(joe) == Standing(acme, joe, owner, administrator=False)
        store.accounts.delete(other.number)

        store.accounts.update(replace(acme, status=AccountStatus.CLOSED))
        closed = standing(joe)
        assert closed
        assert closed.user
        assert not closed.user.welcome
        store.users.delete(joe.identity.subject)
        ownerless = store.memberships.owner(acme.number)
        assert ownerless
        assert (ownerless.user, ownerless.membership) == (None, None)

    def test_records_are_kept_as_they_are(self, store: Store) -> None:
        account = store.accounts.add(ACME)
        server = store.servers.add(WEB1)
        service = store.services.add(
            Service(0, account.number, "Web S", ServiceStatus.ACTIVE, "cpanel", server.number)
        )
        domain = store.domains.add(
            Domain(0, account.number, "acme.example", DomainStatus.TRANSFERRED_AWAY)
        )

        assert account == replace(ACME, number=1)
        assert store.accounts.get(1) == account == store.accounts.by_external_id("crm:1")
        assert store.servers.get(server.number) == replace(WEB1, number=server.number)
        assert list(store.services.listed(account=account.number)) == [service]
        assert list(store.services.listed(account=99)) == []
        assert list(store.domains.listed(name="acme.example")) == [domain]
        assert store.accounts.update(replace(account, allow_single_sign_on=False))
        assert not store.accounts.update(replace(account, number=99))
        changed = store.accounts.get(1)
        assert changed is not None
        assert not changed.allow_single_sign_on

    def test_a_number_is_never_given_twice(self, store: Store) -> None:
        first = store.accounts.add(ACME)
        assert store.accounts.delete(first.number)

        assert store.accounts.add(ACME).number > first.number

    @pytest.mark.parametrize(
        "add",
        [
            pytest.param(
                lambda store: store.servers.add(replace(WEB1, external_id="x")), id="name"
            ),
            pytest.param(lambda store: store.accounts.add(ACME), id="external id"),
            pytest.param(
                lambda store: store.services.add(Service(0, 99, "p", ServiceStatus.ACTIVE)),
                id="unknown account",
            ),
            pytest.param(
                lambda store: store.services.add(
                    Service(0, 1, "p", ServiceStatus.ACTIVE, server=99)
                ),
                id="unknown server",
            ),
            pytest.param(lambda store: store.memberships.put(Membership(1, "ghost")), id="no user"),
            pytest.param(lambda store: store.servers.delete(1), id="server in use"),
        ],
    )
    def test_what_contradicts_is_refused(self, store: Store, add: object) -> None:
        assert store.accounts.add(ACME).number == store.servers.add(WEB1).number == 1
        store.services.add(Service(0, 1, "p", ServiceStatus.ACTIVE, server=1))

        with pytest.raises(Conflict):
            add(store)  # type: ignore[operator]

        assert len(list(store.accounts.listed())) == len(list(store.services.listed())) == 1

    def test_an_account_takes_all_that_it_has_along(self, store: Store) -> None:
        joe, number = known(store), store.accounts.add(ACME).number
        store.memberships.put(Membership(number, joe.identity.subject))
        store.services.add(Service(0, number, "p", ServiceStatus.ACTIVE))
        store.domains.add(Domain(0, number, "acme.example", DomainStatus.ACTIVE))

        assert store.accounts.delete(number)

        assert not store.memberships.listed(subject=joe.identity.subject)
        assert not list(store.services.listed())
        assert not list(store.domains.listed())

    def test_records_are_stored_in_bulk(self, store: Store) -> None:
        many = [replace(ACME, external_id=str(number)) for number in range(1500)]
        store.accounts.add_all(many)
        known_ones = store.accounts.known(["1", "2", "x"])
        store.accounts.update_all([replace(one, company="New") for one in known_ones.values()])

        assert len(list(store.accounts.listed())) == 1500
        assert {one.company for one in store.accounts.known(["1", "2"]).values()} == {"New"}

    def test_an_account_has_one_owner(self, store: Store) -> None:
        number = store.accounts.add(ACME).number
        joe, ann = known(store).identity.subject, known(store, "ann").identity.subject
        some = frozenset({Permission.PRODUCTS, Permission.PRODUCT_SSO})

        store.memberships.put(Membership(number, joe, owner=True, permissions=some))
        store.memberships.put(Membership(number, ann, owner=True))

        assert store.memberships.get(number, joe) == Membership(number, joe, False, some)
        listed = store.memberships.listed(account=number)
        assert [(one.subject, one.owner) for one in listed] == [(ann, True), (joe, False)]
        assert store.memberships.delete(number, joe)
        assert not store.memberships.delete(number, joe)

    def test_administrators_are_users(self, store: Store) -> None:
        subject = known(store).identity.subject
        boss = Administrator(subject, frozenset({"level 2", "support"}), NOW)

        store.administrators.put(replace(boss, role_groups=frozenset()))
        store.administrators.put(boss)

        assert store.administrators.get(subject) == boss
        assert store.administrators.listed() == [boss]
        assert store.users.delete(subject)
        assert store.administrators.get(subject) is None
        with pytest.raises(Conflict):
            store.administrators.put(boss)

    # --- The activity log ---------------------------------------------------------------------

    def test_lines_are_read_in_their_order(self, store: Store) -> None:
        assert store.activity.last() is None
        with store.transaction():
            for number in range(1, 1102):
                store.activity.put(line(number, "100 % of it" if number == 7 else "did it"))

        assert store.activity.last() == line(1101)
        assert [one.number for one in store.activity.listed(after=3)] == list(range(4, 1102))
        assert [one.number for one in store.activity.latest(2)] == [1101, 1100]
        assert [one.number for one in store.activity.latest(9, containing="0 % o")] == [7]
        assert store.activity.latest(9, containing="_") == []

    def test_no_line_is_written_over(self, store: Store) -> None:
        store.activity.put(line(1))

        with pytest.raises(StoreFailure):
            store.activity.put(line(1, "something else"))

        assert store.activity.last() == line(1)

    @pytest.mark.parametrize(
        "statement", ["UPDATE activity SET text = 'x'", "DELETE FROM activity"]
    )
    def test_the_database_itself_refuses_to_change_a_line(
        self, store: Store, statement: str
    ) -> None:
        from sqlalchemy import text

        store.activity.put(line(1))

        with pytest.raises(StoreFailure):
            store.database.write(text(statement))  # type: ignore[attr-defined]

        assert store.activity.last() == line(1)
