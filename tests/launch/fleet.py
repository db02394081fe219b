"""Servers, services and people of a launch, and a module that answers what a test says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ssogate.crypto import Sealer
from ssogate.directory import ACCOUNTS, SERVERS, SERVICES
from ssogate.directory.accounts import set_member
from ssogate.directory.activity import By
from ssogate.directory.administrators import add_administrator
from ssogate.directory.servers import set_server_secrets
from ssogate.directory.services import set_service_password
from ssogate.launch.bulkhead import Bulkheads
from ssogate.launch.launcher import Launcher
from ssogate.launch.masking import ModuleCall
from ssogate.launch.module import LaunchResult, Metadata, ModuleParams, Panel, Shortcut
from ssogate.launch.panel import Connections
from ssogate.launch.settings import LaunchSettings
from ssogate.model import (
    Access,
    Membership,
    Permission,
    Server,
    Service,
    ServiceStatus,
    User,
)
from ssogate.policy.networks import networks
from ssogate.storage import Store
from tests.directory.making import SUE, customer, member, person
from tests.storage.making import NOW, Hands

KEYS = [b"a sealing key of more than 32 characters"]
PASSWORD, ACCESS_HASH, USERS_PASSWORD = "servers-pässword", "ACCESSHASH0123", "users-password"
URL = "https://web1.example.com:2083/cpsess1/?session=s"
BY = By("user:joe", "192.0.2.1")


class Scripted:
    """A module that does what `does` says, and keeps what it was given."""

    metadata = Metadata(
        "Scripted", port=2087, shortcuts=(Shortcut("Email", "E-mail"), Shortcut("Files", "Files"))
    )

    def __init__(self) -> None:
        self.does: Callable[[], Any] = lambda: LaunchResult(True, URL)
        self.given: list[ModuleParams] = []

    def service_single_sign_on(self, params: ModuleParams, panel: Panel) -> LaunchResult:
        self.given.append(params)
        result: LaunchResult = self.does()
        return result

    admin_single_sign_on = service_single_sign_on

    def answers(self, redirect_to: Any = "", *, success: Any = True, said: Any = "") -> None:
        self.does = lambda: LaunchResult(success, redirect_to, said)

    def raises(self, error: BaseException) -> None:
        def fail() -> None:
            raise error

        self.does = fail


class Fleet:
    """web1 to web3; Joe owns Acme with a service on web1, Ann is a member, Sue an administrator."""

    def __init__(self, store: Store) -> None:
        self.store, self.clock, self.sealer = store, Hands(), Sealer(KEYS)
        self.module, self.calls = Scripted(), list[ModuleCall]()
        self.web1, self.web2, self.web3 = (self.server(f"web{number}") for number in (1, 2, 3))
        self.acme, self.other = customer(store), customer(store, "Other")
        self.joe, self.ann = person(store, "joe"), person(store, "ann")
        member(store, self.acme, self.joe, owner=True)
        self.allow(self.ann, Permission.PRODUCTS, Permission.PRODUCT_SSO)
        self.sue = person(store, "sue")
        self.service = self.add_service()
        self.others = self.add_service(account=self.other.number)
        self.settings = LaunchSettings(networks=())

    def server(self, name: str, **fields: Any) -> Server:
        drawn = Server(0, name, "scripted", (f"{name}.example.com", "192.0.2.8"), username="root")
        made = SERVERS.add(self.store, replace(drawn, **fields), by=SUE, now=NOW)
        return set_server_secrets(
            self.store,
            made.number,
            password=PASSWORD,
            access_hash=ACCESS_HASH,
            sealer=self.sealer,
            by=SUE,
            now=NOW,
        )

    def add_service(self, **fields: Any) -> Service:
        known = {"account": self.acme.number, "server": self.web1.number, **fields}
        drawn = Service(0, 0, "Hosting", ServiceStatus.ACTIVE, username="joe1", domain="a.example")
        made = SERVICES.add(self.store, replace(drawn, **known), by=SUE, now=NOW)
        return set_service_password(
            self.store, made.number, USERS_PASSWORD, sealer=self.sealer, by=SUE, now=NOW
        )

    def allow(self, user: User, *permissions: Permission) -> None:
        membership = Membership(
            self.acme.number, user.identity.subject, permissions=frozenset(permissions)
        )
        set_member(self.store, membership, by=SUE, now=NOW)

    def administrator(self, *groups: str, user: User | None = None) -> str:
        """Make somebody, Sue unless another is named, an administrator; give the subject."""
        who = (user or self.sue).identity
        add_administrator(self.store, who.subject, groups, by=SUE, now=NOW)
        return who.subject

    def restrict(self, server: Server, *groups: str) -> None:
        SERVERS.change(
            self.store,
            server.number,
            lambda old: replace(old, access=Access.RESTRICTED, role_groups=frozenset(groups)),
            by=SUE,
            now=NOW,
        )

    def change_service(self, **fields: Any) -> None:
        SERVICES.change(
            self.store,
            self.service.number,
            lambda old: replace(old, **fields),
            by=SUE,
            now=NOW,
        )

    def change_account(self, **fields: Any) -> None:
        ACCOUNTS.change(
            self.store, self.acme.number, lambda old: replace(old, **fields), by=SUE, now=NOW
        )

    @property
    def launcher(self) -> Launcher:
        return Launcher(
            self.store,
            self.clock,
            self.sealer,
            self.settings,
            {"scripted": self.module},
            Connections(networks=networks([]), ca_files={}),
            Bulkheads(each=4, waiting=8),
            self.calls.append,
        )

    def launch(self, user: User | None = None, number: int | None = None, app: str = "") -> str:
        """Sign Joe, if nobody else is named, in to his service, if no other is."""
        subject = (user or self.joe).identity.subject
        return self.launcher.service(number or self.service.number, subject, app=app, by=BY)
