"""What a one-time token stands for, and when it is made and redeemed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest

from ssogate.crypto.random_secrets import digest
from ssogate.directory import ACCOUNTS, DOMAINS, SERVICES, change_user
from ssogate.directory.accounts import remove_member
from ssogate.directory.sso_tokens import (
    KIND,
    LIFETIME,
    Reason,
    TokenRefused,
    grant_of,
    owner_of,
    provision,
    redeemable,
    redemption_url,
    set_single_sign_on,
)
from ssogate.errors import Conflict
from ssogate.model import (
    Account,
    AccountStatus,
    Domain,
    DomainStatus,
    LocalPath,
    Service,
    ServiceStatus,
    Ticket,
    User,
)
from ssogate.storage import SQLiteStore
from tests.directory.making import SUE, customer, member, person, standing, texts
from tests.storage.making import NOW

TOKEN = "0123456789abcdef0123456789abcdef01234567"


class Acme:
    """An account with an owner, a service and a domain, beside somebody else's."""

    def __init__(self, store: SQLiteStore) -> None:
        self.store = store
        account = customer(store)
        self.joe = person(store, "joe")
        member(store, account, self.joe, owner=True)
        self.number = account.number
        self.service = self._service(account)
        self.domain = self._domain(account, "acme.example")
        other = customer(store, "Other")
        self.others_service = self._service(other)
        self.others_domain = self._domain(other, "other.example")

    def _service(self, account: Account) -> Service:
        drawn = Service(0, account.number, "Hosting", ServiceStatus.ACTIVE)
        return SERVICES.add(self.store, drawn, by=SUE, now=NOW)

    def _domain(self, account: Account, name: str) -> Domain:
        drawn = Domain(0, account.number, name, DomainStatus.ACTIVE)
        return DOMAINS.add(self.store, drawn, by=SUE, now=NOW)

    @property
    def account(self) -> Account:
        return ACCOUNTS.known(self.store, self.number)

    def change(self, **fields: object) -> None:
        ACCOUNTS.change(
            self.store,
            self.number,
            lambda account: replace(account, **fields),  # type: ignore[arg-type]
            by=SUE,
            now=NOW + 1,
        )

    def token(self, user: User | None = None, **given: int | None) -> str:
        return provision(
            self.store,
            standing(self.store, self.account, user or self.joe),
            scope="clientarea:services",
            service=given.get("service"),
            domain=given.get("domain"),
            target=LocalPath("/clientarea.php?action=services"),
            new_token=lambda: TOKEN,
            by=SUE,
            now=NOW,
        )

    def redeemed(self, passed: float = 0) -> Ticket:
        """The ticket, if its token is Joe's and may be redeemed."""
        found = redeemable(self.store, digest(TOKEN), now=NOW + passed)
        assert found
        assert found.user == self.joe
        return found.ticket


@pytest.fixture
def acme(store: SQLiteStore) -> Acme:
    return Acme(store)


def test_a_token_stands_for_one_user_one_account_and_one_target(acme: Acme) -> None:
    token = acme.token(service=acme.service.number, domain=acme.domain.number)

    assert token == TOKEN
    grant = grant_of(acme.redeemed())
    assert (grant.subject, grant.account) == (acme.joe.identity.subject, acme.number)
    assert (grant.service, grant.domain) == (acme.service.number, acme.domain.number)
    assert grant.scope == "clientarea:services"
    assert grant.target == LocalPath("/clientarea.php?action=services")


def test_a_token_dies_when_the_machine_restarts(acme: Acme) -> None:
    """Or a power cut could bring back one that was spent: nobody waited for the disk."""
    acme.token()
    assert acme.redeemed()
    assert acme.store.boot

    acme.store.boot = "the next one"

    with pytest.raises(TokenRefused) as refused:
        acme.redeemed()
    assert refused.value.reason is Reason.STALE


def test_a_token_outlives_restarts_where_nobody_could_tell(acme: Acme) -> None:
    acme.store.boot = ""
    acme.token()

    acme.store.boot = "known by now"

    assert grant_of(acme.redeemed()).boot == ""


def test_the_store_holds_no_token(acme: Acme) -> None:
    acme.token()

    ticket = acme.redeemed()
    assert TOKEN not in json.dumps([ticket.key, ticket.subject, ticket.data])
    assert all(TOKEN not in text for _, text in texts(acme.store))


def test_each_token_has_its_line_in_the_activity_log(acme: Acme) -> None:
    acme.token()

    (line,) = acme.store.activity.latest(1)
    assert (line.actor, line.client, line.action) == ("cli:sue", "192.0.2.1", "sso-token.made")
    assert line.text == "account 1 (Acme): user joe, clientarea:services"


def test_a_token_is_redeemed_at_the_sites_own_address() -> None:
    assert redemption_url("https://app.example:8443", TOKEN) == (
        f"https://app.example:8443/oauth/singlesignon.php?access_token={TOKEN}"
    )


@pytest.mark.parametrize(
    ("passed", "fresh"),
    [(-5, True), (0, True), (LIFETIME - 0.001, True), (LIFETIME, False), (LIFETIME + 1, False)],
)
def test_a_token_is_good_for_a_minute(acme: Acme, passed: float, fresh: bool) -> None:
    acme.token()

    if fresh:
        acme.redeemed(passed)
    else:
        with pytest.raises(TokenRefused) as refused:
            acme.redeemed(passed)
        assert refused.value.reason is Reason.STALE


def _closed(acme: Acme) -> None:
    acme.change(status=AccountStatus.CLOSED)


def _switched_off(acme: Acme) -> None:
    acme.change(allow_single_sign_on=False)


def _closed_and_off(acme: Acme) -> None:
    acme.change(status=AccountStatus.CLOSED, allow_single_sign_on=False)


def _another_off(acme: Acme) -> None:
    """The user owns another account, whose switch is off: the session would be the same."""
    other = customer(acme.store, "Joes other one", external_id="off")
    member(acme.store, other, acme.joe, owner=True)
    set_single_sign_on(acme.store, other.number, False, by=SUE, now=NOW)


def _deactivated(acme: Acme) -> None:
    change_user(acme.store, "joe", active=False, by=SUE, now=NOW)


def _closed_elsewhere(acme: Acme) -> None:
    """Every account that the user acts for is Closed, and this one is not the user's any more."""
    other = customer(acme.store, "Closed", external_id="c")
    member(acme.store, other, acme.joe)
    closed = replace(other, status=AccountStatus.CLOSED)
    ACCOUNTS.change(acme.store, other.number, lambda _: closed, by=SUE, now=NOW)
    _no_member(acme)


def _no_member(acme: Acme) -> None:
    remove_member(acme.store, acme.number, acme.joe.identity.subject, by=SUE, now=NOW)


def _service_moved(acme: Acme) -> None:
    other = acme.others_service.account
    SERVICES.change(
        acme.store, acme.service.number, lambda it: replace(it, account=other), by=SUE, now=NOW
    )


def _service_deleted(acme: Acme) -> None:
    SERVICES.delete(acme.store, acme.service.number, by=SUE, now=NOW)


def _domain_moved(acme: Acme) -> None:
    other = acme.others_domain.account
    DOMAINS.change(
        acme.store, acme.domain.number, lambda it: replace(it, account=other), by=SUE, now=NOW
    )


def _domain_deleted(acme: Acme) -> None:
    DOMAINS.delete(acme.store, acme.domain.number, by=SUE, now=NOW)


CHANGES = [
    pytest.param(_closed, Reason.CLOSED, id="closed"),
    pytest.param(_switched_off, Reason.SWITCHED_OFF, id="switched off"),
    pytest.param(_another_off, Reason.SWITCHED_OFF, id="another of the owner's switched off"),
    pytest.param(_closed_and_off, Reason.CLOSED, id="closed counts first"),
    pytest.param(_deactivated, Reason.USER, id="user deactivated"),
    pytest.param(_closed_elsewhere, Reason.USER, id="user not welcome"),
    pytest.param(_no_member, Reason.USER, id="no member any more"),
    pytest.param(_service_moved, Reason.SERVICE, id="service moved"),
    pytest.param(_service_deleted, Reason.SERVICE, id="service deleted"),
    pytest.param(_domain_moved, Reason.DOMAIN, id="domain moved"),
    pytest.param(_domain_deleted, Reason.DOMAIN, id="domain deleted"),
]


@pytest.mark.parametrize(("happens", "reason"), CHANGES)
def test_no_token_is_made_where_none_may_be(
    acme: Acme, happens: Callable[[Acme], None], reason: Reason
) -> None:
    happens(acme)
    before = texts(acme.store)

    with pytest.raises(TokenRefused) as refused:
        acme.token(service=acme.service.number, domain=acme.domain.number)

    assert refused.value.reason is reason
    assert acme.store.tickets.get(digest(TOKEN), KIND) is None
    assert texts(acme.store) == before


@pytest.mark.parametrize(("happens", "reason"), CHANGES)
def test_all_is_judged_anew_when_a_token_is_redeemed(
    acme: Acme, happens: Callable[[Acme], None], reason: Reason
) -> None:
    acme.token(service=acme.service.number, domain=acme.domain.number)
    happens(acme)

    with pytest.raises(TokenRefused) as refused:
        acme.redeemed()

    assert refused.value.reason is reason


def test_the_switch_of_an_account_that_somebody_else_owns_does_not_count(acme: Acme) -> None:
    other = customer(acme.store, "Joe only helps there", external_id="off")
    member(acme.store, other, acme.joe)
    set_single_sign_on(acme.store, other.number, False, by=SUE, now=NOW)

    acme.token()

    assert acme.redeemed()


def test_a_token_dies_with_its_account(acme: Acme) -> None:
    acme.token()
    ACCOUNTS.delete(acme.store, acme.number, by=SUE, now=NOW)

    with pytest.raises(TokenRefused) as refused:
        acme.redeemed()
    assert refused.value.reason is Reason.USER


@pytest.mark.parametrize("whose", ["service", "domain"])
@pytest.mark.parametrize("number", ["others", "nobodys"])
def test_nobody_elses_service_or_domain_is_reached(acme: Acme, whose: str, number: str) -> None:
    others = {"service": acme.others_service.number, "domain": acme.others_domain.number}[whose]

    with pytest.raises(TokenRefused) as refused:
        acme.token(None, **{whose: others if number == "others" else 99})

    assert refused.value.reason is Reason[whose.upper()]


def test_an_account_that_is_inactive_may(acme: Acme) -> None:
    acme.change(status=AccountStatus.INACTIVE)

    assert acme.token() == TOKEN
    assert acme.redeemed()


def test_a_user_who_is_no_member_gets_no_token(acme: Acme) -> None:
    with pytest.raises(TokenRefused) as refused:
        acme.token(person(acme.store, "eve"))

    assert refused.value.reason is Reason.USER


def test_a_token_for_an_account_that_changed_meanwhile_is_born_dead(acme: Acme) -> None:
    stale = standing(acme.store, acme.account, acme.joe)
    acme.change(company="Acme Ltd")

    provision(
        acme.store,
        stale,
        scope="",
        service=None,
        domain=None,
        target=LocalPath("/"),
        new_token=lambda: TOKEN,
        by=SUE,
        now=NOW,
    )

    with pytest.raises(TokenRefused) as refused:
        acme.redeemed()
    assert refused.value.reason is Reason.STALE


def test_a_new_password_ends_tokens(acme: Acme) -> None:
    acme.token()
    acme.store.sessions.delete_subject(acme.joe.identity.subject)

    assert acme.store.tickets.get(digest(TOKEN), KIND) is None


# --- The account's own switch ---------------------------------------------------------------------


def turn(acme: Acme, allowed: bool) -> Account:
    return set_single_sign_on(acme.store, acme.number, allowed, by=SUE, now=NOW)


def test_the_switch_is_noted(acme: Acme) -> None:
    assert turn(acme, False) == acme.account
    assert not acme.account.allow_single_sign_on
    assert texts(acme.store)[-1] == (
        "account.changed",
        "account 1 (Acme): allow single sign on: yes → no",
    )


@pytest.mark.parametrize("times", [1, 2])
def test_what_the_switch_ended_does_not_come_back_with_it(acme: Acme, times: int) -> None:
    """All of it in one second."""
    acme.token()
    for _ in range(times):
        turn(acme, False)
        turn(acme, True)

    with pytest.raises(TokenRefused) as refused:
        acme.redeemed()
    assert refused.value.reason is Reason.STALE


def test_after_the_switch_is_back_there_are_new_tokens(acme: Acme) -> None:
    turn(acme, False)
    turn(acme, True)
    acme.token()

    acme.redeemed()


def test_a_switch_that_stands_so_already_ends_nothing(acme: Acme) -> None:
    acme.token()
    before = texts(acme.store)
    turn(acme, True)

    acme.redeemed()
    assert texts(acme.store) == before


def test_an_account_that_is_not_there_has_no_switch(store: SQLiteStore) -> None:
    with pytest.raises(Conflict, match="there is no account 9"):
        set_single_sign_on(store, 9, False, by=SUE, now=NOW)


# --- Whose account it is --------------------------------------------------------------------------


def test_an_account_has_one_owner_or_none(acme: Acme) -> None:
    member(acme.store, acme.account, person(acme.store, "ann"))

    assert owner_of(acme.store, acme.account) == acme.joe
    assert owner_of(acme.store, ACCOUNTS.known(acme.store, 2)) is None


def test_tokens_of_many_are_told_apart(acme: Acme) -> None:
    numbers = count(1)
    ann = person(acme.store, "ann")
    member(acme.store, acme.account, ann)
    made = [
        provision(
            acme.store,
            standing(acme.store, acme.account, user),
            scope="",
            service=None,
            domain=None,
            target=LocalPath("/"),
            new_token=lambda: f"{next(numbers):040x}",
            by=SUE,
            now=NOW,
        )
        for user in (acme.joe, ann)
    ]
    found = [redeemable(acme.store, digest(token), now=NOW) for token in made]

    assert [it.user for it in found if it] == [acme.joe, ann]
