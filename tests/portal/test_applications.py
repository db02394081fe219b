"""My applications: what I have let them know, and how I take it back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ssogate.directory.consents import consented, give_consent
from ssogate.errors import BadForm, CrossSite
from ssogate.model import Administrator, Client, Endpoint, GrantType, User
from ssogate.portal import AccountPage, ApplicationsPage, Door
from tests.directory.making import SUE
from tests.portal.making import IDLE, Home, _challenge, sent_to
from tests.storage.granting import grant
from tests.storage.making import NOW

ACCOUNT, APPLICATIONS = "/_sso/account", "/_sso/account/applications"
CREDENTIALS = "/_sso/admin/clients"
WIKI = Client(
    *(0, "WIKI", "", GrantType.AUTHORIZATION_CODE, "The <Wiki>", None),
    *(frozenset({"openid", "email", "files:read"}), "", "", (), NOW, NOW),
)


class Visited(Home):
    """Joe has let the wiki know his address; Ann has let the shop know her name."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.ann = self.add("ann", stored="")
        for client in (WIKI, replace(WIKI, identifier="SHOP", name="The shop")):
            self.store.clients.add(client)
        self.consent(self.joe, "WIKI", "openid", "email", "files:read")
        self.consent(self.ann, "SHOP", "openid", "profile")

    def consent(self, user: User, client: str, *scopes: str) -> None:
        subject = user.identity.subject
        give_consent(self.store, subject, client, frozenset(scopes), by=SUE, now=NOW)

    def consented(self, user: User, client: str) -> bool:
        return bool(consented(self.store, user.identity.subject, client))

    def table(self) -> dict[str, Endpoint]:
        account = AccountPage(
            self.store,
            self.clock,
            IDLE,
            labels={},
            passwords=None,
            sealer=None,
            applications_url=APPLICATIONS,
            credentials_url=CREDENTIALS,
        )
        pages = {**ApplicationsPage(self.store, self.clock).pages(), **account.pages()}
        return dict(Door(self.store, _challenge).endpoints(pages))


@pytest.fixture
def home(tmp_path: Path) -> Visited:
    return Visited(tmp_path)


def test_it_says_which_application_may_know_what_since_when(home: Visited) -> None:
    text = home.text(APPLICATIONS)

    assert "The &lt;Wiki&gt;" in text
    assert "See your e-mail address" in text
    assert "files:read" in text
    assert '<time datetime="2027-01-15T08:00:00+00:00">' in text
    assert "The shop" not in text, "it is Ann's"


def test_my_account_leads_there_and_an_administrators_to_credentials_too(home: Visited) -> None:
    assert f'href="{APPLICATIONS}"' in home.text(ACCOUNT)
    assert CREDENTIALS not in home.text(ACCOUNT)

    home.store.administrators.put(Administrator(home.joe.identity.subject, frozenset(), NOW))
    assert f'href="{CREDENTIALS}"' in home.text(ACCOUNT)


def test_there_may_be_none(home: Visited) -> None:
    nobody = home.opened(home.add("bob", stored=""), 9)

    assert "There is none yet." in home.text(APPLICATIONS, session=nobody)


def test_a_consent_is_withdrawn(home: Visited) -> None:
    home.consent(home.joe, "SHOP", "openid")

    assert sent_to(home.visit(APPLICATIONS, {"client": "WIKI"}), APPLICATIONS)

    assert not home.consented(home.joe, "WIKI")
    assert home.consented(home.joe, "SHOP")
    line = [*home.store.activity.listed()][-1]
    assert (line.action, line.actor) == ("consent.withdrawn", "user:joe")


def test_what_an_application_may_do_without_having_asked_is_shown_and_withdrawn(
    home: Visited,
) -> None:
    """A device, and what an operator trusts."""
    given = home.store.grants.add(grant(home.joe, of="SHOP", session=None))

    assert "The shop" in home.text(APPLICATIONS)
    assert "See your name" in home.text(APPLICATIONS)

    home.visit(APPLICATIONS, {"client": "SHOP"})

    ended = home.store.grants.get(given.number)
    assert ended
    assert ended.revoked_at == NOW
    assert "The shop" not in home.text(APPLICATIONS)
    assert home.consented(home.ann, "SHOP"), "hers"


def test_nobody_withdraws_anothers_consent(home: Visited) -> None:
    home.visit(APPLICATIONS, {"client": "SHOP"})

    assert home.consented(home.ann, "SHOP")


@pytest.mark.parametrize("client", ["", "x", "\0"], ids=repr)
def test_what_is_no_application_is_not_withdrawn(home: Visited, client: str) -> None:
    assert sent_to(home.visit(APPLICATIONS, {"client": client}), APPLICATIONS)
    assert home.consented(home.joe, "WIKI")


@pytest.mark.parametrize("form", [{}, [("client", "WIKI"), ("client", "SHOP")]], ids=len)
def test_a_form_names_one(home: Visited, form: Any) -> None:
    with pytest.raises(BadForm):
        home.visit(APPLICATIONS, form)
    assert home.consented(home.joe, "WIKI")


def test_no_other_site_withdraws(home: Visited) -> None:
    with pytest.raises(CrossSite):
        home.visit(APPLICATIONS, {"client": "WIKI"}, Sec_Fetch_Site="cross-site")
    assert home.consented(home.joe, "WIKI")
