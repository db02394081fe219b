"""`POST /includes/api.php`: from a request to a call, from a call to an answer in WHMCS's shape.

The order of the checks is the order of the lines: form, address, credential, action, role.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Set
from typing import TYPE_CHECKING

from ssogate.api.access import CREDENTIALS, Access
from ssogate.api.answers import written
from ssogate.api.call import Answer, Call, Function, Parameters, Refused, parameters
from ssogate.api.clients import Clients
from ssogate.api.credentials import Credentials
from ssogate.api.people import NewPasswords
from ssogate.api.records import Records
from ssogate.api.settings import ApiSettings
from ssogate.api.tokens import CheckPassword, Tokens
from ssogate.api.users import Users
from ssogate.directory import By, note
from ssogate.directory.client_rules import Offer
from ssogate.directory.clients import Random
from ssogate.directory.destinations import Destinations
from ssogate.errors import AccountNotFound, Conflict, DatabaseError, GateError, StoreFailure
from ssogate.http import environ as env
from ssogate.http.form import sent_pairs
from ssogate.http.log import log, log_refusal
from ssogate.model import Clock, Endpoint
from ssogate.policy.networks import networks
from ssogate.storage import Store

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from werkzeug.wrappers import Request, Response

API = "/includes/api.php"
LONGEST_ACTION = 64  # characters of one that a refusal repeats

ACTIONS = (
    "CreateSsoToken",
    "ValidateLogin",
    "CreateOAuthCredential",
    "ListOAuthCredentials",
    "UpdateOAuthCredential",
    "DeleteOAuthCredential",
    "AddClient",
    "GetClients",
    "GetClientsDetails",
    "UpdateClient",
    "CloseClient",
    "DeleteClient",
    "AddUser",
    "GetUsers",
    "UpdateUser",
    "GetPermissionsList",
    "GetUserPermissions",
    "UpdateUserPermissions",
    "GetClientsProducts",
    "GetServers",
    "GetActivityLog",
    "LogActivity",
)
"""What a role may allow."""

# What is noted in one line, with whom the token is for: there are many of these calls.
_TOLD = frozenset({"createssotoken"})
_OWN = CREDENTIALS | {"action", "responsetype"}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}(\[[0-9]{0,3}\])?")


class Api:
    """The endpoint. `random` gives so many random bytes, `new_token` a token of 40 hex digits;
    `check_password` is None where nobody has a password here; `offer` is what OAuth clients may
    have."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        settings: ApiSettings,
        *,
        destinations: Destinations,
        origin: str,
        new_token: Callable[[], str],
        random: Random,
        check_password: CheckPassword | None,
        passwords: NewPasswords,
        offer: Offer | None = None,
    ) -> None:
        self._store, self._clock = store, clock
        self._access = Access(store, networks(settings.networks), settings.access_key)
        groups = (
            Tokens(store, destinations, origin, new_token, check_password),
            Credentials(store, offer or Offer(), random),
            Clients(store, passwords),
            Users(store, passwords),
            Records(store),
        )
        self._functions: Mapping[str, Function] = {
            name.lower(): function
            for group in groups
            for name, function in group.functions().items()
        }

    @property
    def actions(self) -> Set[str]:
        """What there is to call, in lower case."""
        return self._functions.keys()

    def endpoints(self) -> Mapping[str, Endpoint]:
        return {API: self}

    def __call__(self, request: Request) -> Response:
        asked = Parameters({})
        try:
            if request.method != "POST":
                raise Refused("Method Not Allowed", 405)
            asked = parameters(sent_pairs(request))
            answer, status = {"result": "success", **self._answer(asked, request)}, 200
        except (Refused, GateError, StoreFailure) as error:
            refused = _refused(error, request.environ)
            answer, status = {"result": "error", "message": refused.message}, refused.status
        action = asked.text("action").lower()[:LONGEST_ACTION]
        return written(asked.text("responsetype").lower(), action, answer, status=status)

    def _answer(self, asked: Parameters, request: Request) -> Answer:
        client = env.program(request.environ)
        credential = self._access.credential(asked, client)
        by = By(f"api:{credential.identifier}", str(client or ""))
        call = Call(asked, credential, by, int(self._clock()))
        action = asked.text("action").lower()
        try:
            answer = self._called(action, call)
        except Refused as refused:
            self._note(action, call, refused.message)
            raise
        if action not in _TOLD:
            self._note_success(action, call, request.environ)
        return answer

    def _called(self, action: str, call: Call) -> Answer:
        if not action:
            raise Refused("Empty action request", 400)
        function = self._functions.get(action)
        if function is None:
            raise Refused(f'Invalid API Action: "{action[:LONGEST_ACTION]}"', 400)
        self._access.judge_action(call.credential, action)
        try:
            return function(call)
        except (ValueError, Conflict, AccountNotFound) as error:
            raise Refused(str(error)) from error
        except GateError as error:
            raise Refused(error.public, error.status) from error

    def _note_success(self, action: str, call: Call, environ: WSGIEnvironment) -> None:
        """Note a call that is done, and cannot fail any more: its answer may hold a secret that
        nobody is told twice."""
        try:
            self._note(action, call, "success")
        except StoreFailure as error:
            log_refusal(
                DatabaseError(f"{action} is done but not noted: {error}"), environ, rule=API
            )

    def _note(self, action: str, call: Call, outcome: str) -> None:
        """Note a call, with the names of its parameters: a value may be a secret. What it changed
        is noted for itself, so a power cut may take this line."""
        names = [
            name for name in call.parameters.given if name not in _OWN and _NAME.fullmatch(name)
        ]
        known = f"api.{action}" if action in self._functions else "api.refused"
        with self._store.transaction(durable=False):
            note(
                self._store, call.by, known, f"{', '.join(names) or 'nothing'}: {outcome}", call.now
            )


def _refused(error: Refused | GateError | StoreFailure, environ: WSGIEnvironment) -> Refused:
    """Say why there is no answer; to the log, with what nobody is told."""
    if isinstance(error, GateError):
        log_refusal(error, environ, rule=API)
        return Refused(error.public, error.status)
    if isinstance(error, StoreFailure):
        log_refusal(DatabaseError(str(error)), environ, rule=API)
        return Refused("The database does not answer: try again in a minute", 503)
    if error.status != 200:
        log.info(
            "refused",
            status=error.status,
            rule=API,
            detail=error.message,
            client=str(env.program(environ) or ""),
            request_id=env.request_id(environ),
        )
    return error
