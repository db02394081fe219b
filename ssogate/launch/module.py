"""The contract of a control panel's module: WHMCS's provisioning modules, as far as they sign
people in (seed 000, "Single Sign-On"), in Python.

A module is a class with `metadata` and the two functions; it keeps no state and opens no connection
of its own: `Panel` speaks to its server, and only to that. Whatever it raises, returns or does not
return ends in an error page for one visitor.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qsl


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A page of the panel that people may open at once (WHMCS's *quick shortcuts*)."""

    app: str
    """The panel's name of the page, as `app` in the address and for the module."""
    label: str


@dataclass(frozen=True, slots=True)
class Metadata:
    """What WHMCS asks a module for by `MetaData()`."""

    display_name: str
    port: int
    """Of the panel over TLS, where a server has none of its own."""
    plain_port: int | None = None
    """Of the panel without TLS; None where there is no such thing."""
    service_label: str = "Log in to the control panel"
    """What the button of a service says (`ServiceSingleSignOnLabel`)."""
    admin_label: str = "Log in to the server"
    """What an administrator's button says (`AdminSingleSignOnLabel`)."""
    shortcuts: tuple[Shortcut, ...] = ()


@dataclass(frozen=True, slots=True)
class ModuleParams:
    """WHMCS's `$params`, by its own names. A value that nobody has is empty or 0."""

    serviceid: int = 0
    userid: int = 0
    """The account (WHMCS's client) that the service belongs to."""
    pid: int = 0
    serverid: int = 0
    domain: str = ""
    username: str = ""
    """Of the service's user in the panel."""
    password: str = field(default="", repr=False)
    producttype: str = ""
    moduletype: str = ""
    configoption: tuple[str, ...] = ()
    """`configoption1` to `configoption24`."""
    clientsdetails: Mapping[str, str] = field(default_factory=dict)
    customfields: Mapping[str, str] = field(default_factory=dict)
    configoptions: Mapping[str, str] = field(default_factory=dict)
    server: bool = False
    """Whether there is a server."""
    serverip: str = ""
    serverhostname: str = ""
    serverusername: str = ""
    serverpassword: str = field(default="", repr=False)
    serveraccesshash: str = field(default="", repr=False)
    serversecure: bool = True
    serverport: int = 0
    serverhttpprefix: str = "https"
    action: str = ""
    """`ServiceSingleSignOn` or `AdminSingleSignOn`."""
    app: str = ""
    """The quick shortcut that was asked for, one of those that the gate knows; empty for none."""
    clientip: str = ""
    """The visitor's address: some panels bind their session to it. Not one of WHMCS's keys."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no log may show. Access hashes of old were copied in lines, and are sent as one."""
        joined = "".join(self.serveraccesshash.split())
        known = (self.password, self.serverpassword, self.serveraccesshash, joined)
        return tuple(dict.fromkeys(filter(None, known)))

    def as_dict(self) -> dict[str, Any]:
        """Give `$params` as WHMCS's modules know it."""
        names = (name for name in self.__slots__ if name != "configoption")
        options = dict.fromkeys(range(1, 25), "") | dict(enumerate(self.configoption[:24], 1))
        return {
            **{name: getattr(self, name) for name in names},
            **{f"configoption{number}": value for number, value in options.items()},
        }


_MASTERS = frozenset({"root", "admin", "administrator"})


def is_master(user: str, server_user: str) -> bool:
    """Whether a panel's user name is an administrator's of its server: where customers choose their
    names, one would be the server's master by it."""
    return user != "" and user.lower() in _MASTERS | {server_user.lower()}


@dataclass(frozen=True, slots=True)
class LaunchResult:
    """What a module answers: `success`, `redirectTo`, `errorMsg` (seed 000)."""

    success: bool
    redirect_to: str = field(default="", repr=False)
    """A whole URL, on the server's own host names; it may hold a secret of the session."""
    error_msg: str = ""
    """In words for the visitor, without secrets."""


class PanelError(Exception):
    """The panel was not reached, or its answer makes no sense. For the log: a module need not catch
    it, and the visitor reads only that it did not work."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a panel answered, whole."""

    status: int
    headers: Mapping[str, str]
    """By their names in lower case."""
    body: bytes = field(repr=False)

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """Raises `PanelError` if it is no JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise PanelError(f"no JSON (status {self.status})") from error

    def form(self) -> dict[str, str]:
        """Read a url-encoded answer; of a name that comes twice, the last."""
        return dict(parse_qsl(self.text, keep_blank_values=True))


class Panel(Protocol):
    """The server of a launch. It calls no other host, follows no redirect, and reads no answer that
    is too large or too late. Each call stands in the module log, without secrets."""

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        port: int | None = None,
    ) -> Answer:
        """Send a request and give the answer, whatever its status. `path` begins with `/`; `auth`
        is user and password for HTTP Basic; `port` another than the server's. Raises `PanelError`.
        """

    def url(
        self, path: str, query: Mapping[str, str] | None = None, *, port: int | None = None
    ) -> str:
        """Give an address of the server for the visitor's browser, by its first host name."""

    def log(
        self,
        action: str,
        request: object,
        response: object,
        processed: object = "",
        replace: Iterable[str] = (),
    ) -> None:
        """WHMCS's `logModuleCall`: a line of the module log, with the secrets of `$params`, the
        values in `replace`, and the values of well-known keys (`password` and its like) masked."""


class Module(Protocol):
    """A control panel. A function that a panel has not raises `NotImplementedError`."""

    @property
    def metadata(self) -> Metadata: ...

    def service_single_sign_on(self, params: ModuleParams, panel: Panel) -> LaunchResult:
        """Give the address that signs the service's user in to the panel, at `params.app` if there
        is one."""

    def admin_single_sign_on(self, params: ModuleParams, panel: Panel) -> LaunchResult:
        """Give the address that signs an administrator in to the server."""
