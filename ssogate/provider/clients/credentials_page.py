"""The page on which administrators keep the applications that people sign in to: their addresses,
who may sign in to them, and their secrets, each of which is shown once."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Response

from ssogate.directory.activity import by_visitor
from ssogate.directory.client_rules import Judge, post_logout_uri, redirect_uri
from ssogate.directory.clients import CLIENTS, Random, add_client, reset_client_secret
from ssogate.errors import BadForm, Conflict, NoRoute
from ssogate.http.form import form_pairs
from ssogate.http.languages import msgid
from ssogate.http.pages import page, redirect, translated
from ssogate.http.site import OWN
from ssogate.model import Client, ClientAuthentication, GrantType, PersonalPage, Reply, Visitor
from ssogate.provider.addresses import DISCOVERY
from ssogate.provider.issuer import Issuer

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

CREDENTIALS = f"{OWN}admin/clients"
OVERLAPS = {"0": 0, "1d": 86_400, "7d": 7 * 86_400}
"""For how many seconds an old secret may go on, by what the form sends."""

_LINE = msgid("Line %(number)s: %(why)s")


class _Wrong(Exception):
    """What was typed cannot be; `name` is the field."""

    def __init__(self, name: str, number: int, why: str) -> None:
        super().__init__(why)
        self.name, self.number, self.why = name, number, why


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands in the form: texts as they were typed."""

    name: str = ""
    description: str = ""
    logo_uri: str = ""
    scope: str = "openid profile email"
    redirect_uris: str = ""
    post_logout_redirect_uris: str = ""
    backchannel_logout_uri: str = ""
    groups: str = ""
    public: bool = False
    native: bool = False
    pkce: bool = True
    trusted: bool = False

    def of(self, client: Client) -> Client:
        """Give a client with what was typed. Raises `_Wrong`."""
        return replace(
            client,
            name=self.name,
            description=self.description,
            logo_uri=self.logo_uri,
            scopes=frozenset(self.scope.split()),
            redirect_uris=_lines("redirect_uris", self.redirect_uris, redirect_uri),
            post_logout_redirect_uris=_lines(
                "post_logout_redirect_uris", self.post_logout_redirect_uris, post_logout_uri
            ),
            backchannel_logout_uri=self.backchannel_logout_uri,
            groups=frozenset(filter(None, map(str.strip, self.groups.split(",")))),
            native=self.native,
            pkce=self.pkce,
            trusted=self.trusted,
        )


def entry_of(client: Client) -> Entry:
    """Give what the form shows of a client."""
    return Entry(
        client.name,
        client.description,
        client.logo_uri,
        " ".join(sorted(client.scopes)),
        "\n".join(client.redirect_uris),
        "\n".join(client.post_logout_redirect_uris),
        client.backchannel_logout_uri,
        ", ".join(sorted(client.groups)),
        client.authentication is ClientAuthentication.NONE,
        client.native,
        client.pkce,
        client.trusted,
    )


@dataclass(frozen=True, slots=True)
class CredentialsPage:
    """Nobody but administrators finds anything here."""

    issuer: Issuer
    random: Random = field(default=secrets.token_bytes, repr=False)

    def pages(self) -> Mapping[str, PersonalPage]:
        return {CREDENTIALS: self.listed, f"{CREDENTIALS}/": self.one}

    def listed(self, request: Request, visitor: Visitor) -> Response:
        self._admit(visitor)
        clients = [it for it in self.issuer.store.clients.listed() if _is_kept_here(it)]
        return page(request.environ, "credentials.html", clients=clients, url=CREDENTIALS)

    def one(self, request: Request, visitor: Visitor) -> Reply:
        self._admit(visitor)
        which, _, act = request.path.removeprefix(f"{CREDENTIALS}/").partition("/")
        if (which, act) == ("new", ""):
            return self._new(request, visitor)
        client = self._client(which)
        acts: Mapping[str, Callable[[Request, Visitor, Client], Reply]] = {
            "": self._edit,
            "secret": self._reset,
            "delete": self._delete,
        }
        if act not in acts:
            raise NoRoute
        return acts[act](request, visitor, client)

    def _admit(self, visitor: Visitor) -> None:
        if self.issuer.store.administrators.get(visitor.user.identity.subject) is None:
            raise NoRoute

    def _client(self, text: str) -> Client:
        number = int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0
        client = self.issuer.store.clients.get(number)
        if client is None or not _is_kept_here(client) or text != str(number):
            raise NoRoute
        return client

    def _new(self, request: Request, visitor: Visitor) -> Response:
        if request.method != "POST":
            return self._form(request, Entry())
        entry = _typed(request)
        way = ClientAuthentication.NONE if entry.public else ClientAuthentication.SECRET
        blank = Client(
            *(0, "", "", GrantType.AUTHORIZATION_CODE, "", None),
            *(frozenset[str](), "", "", (), 0, 0),
            authentication=way,
        )
        issuer = self.issuer

        def add() -> Response:
            drawn = issuer.settings.offer.checked(entry.of(blank))
            by = by_visitor(visitor, request)
            added = add_client(issuer.store, drawn, random=self.random, by=by, now=issuer.now)
            return self._shown_once(request, *added)

        return self._tried(request, entry, None, add)

    def _edit(self, request: Request, visitor: Visitor, client: Client) -> Response:
        if request.method != "POST":
            return self._form(request, entry_of(client), client)
        entry, issuer, by = _typed(request), self.issuer, by_visitor(visitor, request)

        def changed(old: Client) -> Client:
            return issuer.settings.offer.checked(entry.of(old), old)

        def change() -> Response:
            CLIENTS.change(issuer.store, client.number, changed, by=by, now=issuer.now)
            return redirect(CREDENTIALS)

        return self._tried(request, entry, client, change)

    def _reset(self, request: Request, visitor: Visitor, client: Client) -> Response:
        if request.method != "POST":
            return redirect(f"{CREDENTIALS}/{client.number}")
        wanted = dict(form_pairs(request)).get("overlap", "")
        if wanted not in OVERLAPS or client.authentication is not ClientAuthentication.SECRET:
            raise BadForm("no overlap that the form has, or a client without a secret")
        reset = reset_client_secret(
            self.issuer.store,
            client.number,
            overlap=OVERLAPS[wanted],
            random=self.random,
            by=by_visitor(visitor, request),
            now=self.issuer.now,
        )
        return self._shown_once(request, *reset)

    def _delete(self, request: Request, visitor: Visitor, client: Client) -> Response:
        if request.method != "POST":
            url = f"{CREDENTIALS}/{client.number}"
            return page(request.environ, "credential_delete.html", client=client, url=url)
        by = by_visitor(visitor, request)
        CLIENTS.delete(self.issuer.store, client.number, by=by, now=self.issuer.now)
        return redirect(CREDENTIALS)

    def _tried(
        self, request: Request, entry: Entry, client: Client | None, act: Callable[[], Response]
    ) -> Response:
        """Give what `act` gives, or the form again with what is wrong."""
        again = partial(self._form, request, entry, client)
        try:
            return act()
        except _Wrong as wrong:
            told = translated(request.environ, _LINE, number=wrong.number, why=wrong.why)
            return again(problem=told, wrong=wrong.name)
        except (ValueError, Conflict) as error:
            return again(problem=str(error))

    def _form(
        self,
        request: Request,
        entry: Entry,
        client: Client | None = None,
        *,
        problem: str = "",
        wrong: str = "name",
    ) -> Response:
        return page(
            request.environ,
            "credential.html",
            status=400 if problem else 200,
            entry=entry,
            client=client,
            has_secret=bool(client and client.authentication is ClientAuthentication.SECRET),
            url=CREDENTIALS,
            overlaps=tuple(OVERLAPS),
            problem=problem,
            wrong=wrong,
        )

    def _shown_once(self, request: Request, client: Client, secret: str) -> Response:
        return page(
            request.environ,
            "credential_secret.html",
            client=client,
            secret=secret,
            issuer=self.issuer.name,
            discovery=f"{self.issuer.origin}{DISCOVERY[1]}",
            url=CREDENTIALS,
        )


def _is_kept_here(client: Client) -> bool:
    """A service's client belongs to the service."""
    return client.grant is not GrantType.SINGLE_SIGN_ON


def _typed(request: Request) -> Entry:
    """Read the form: each text once, and those boxes that are ticked. Raises `BadForm` and what
    `form_pairs` raises."""
    pairs = form_pairs(request)
    sent = dict(pairs)
    texts = {it.name for it in fields(Entry) if it.type == "str"}
    if len(sent) != len(pairs) or not texts <= sent.keys():
        raise BadForm("a field is missing, or there twice")
    values: dict[str, Any] = {it.name: it.name in sent for it in fields(Entry)}
    return Entry(**values | {name: sent[name].strip() for name in texts})


def _lines(name: str, text: str, judge: Judge) -> tuple[str, ...]:
    """Give the addresses of a text, one a line. Raises `_Wrong` with the line."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        uri = line.strip()
        if not uri:
            continue
        try:
            judge(uri)
        except ValueError as error:
            raise _Wrong(name, number, str(error)) from None
        found.append(uri)
    return tuple(found)
