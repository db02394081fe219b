"""Clients are told that a session has ended (OpenID Connect Back-Channel Logout 1.0).

Strategy: one thread a process asks the store for what is due, and alone works with the store; each
client is called by a thread of its own, which ends with the call. A few calls for each client and
some in all, so that one that hangs holds up no other. Several processes share the work, and what
one has not finished when it ends, another does: a client may be told twice, but is not forgotten.
"""

from __future__ import annotations

import ssl
import time
from collections import Counter
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread

from ssogate.directory import logouts
from ssogate.errors import StoreFailure
from ssogate.http.log import log
from ssogate.http.outgoing import ExchangeFailed, Outgoing
from ssogate.model import Logout
from ssogate.provider.errors import NoPairwiseSub
from ssogate.provider.issuer import Issuer
from ssogate.provider.logout.logout_token import Call, call_for

POLL = 1.0  # seconds between two looks at the store: one indexed query each
SECONDS = 5.0  # that a client may take
EACH = 2  # calls at a time to one client
MOST = 16  # calls at a time

_HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "User-Agent": "ssogate",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of telling a client. No `fault`: it knows."""

    logout: Logout
    fault: str = ""
    again: bool = False


class LogoutSender:
    """Tells the clients of `issuer`. `trust` says whom to believe over TLS.

    Make one in each process; it does nothing before `start`.
    """

    def __init__(self, issuer: Issuer, outgoing: Outgoing, trust: ssl.SSLContext) -> None:
        self._issuer, self._outgoing, self._trust = issuer, outgoing, trust
        self._outcomes: SimpleQueue[Outcome | None] = SimpleQueue()
        self._under_way: Counter[str] = Counter()
        self._open, self._failing = True, False
        self._thread = Thread(target=self._run, name="logout", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing more, and wait for what is under way."""
        self._open = False
        self._outcomes.put(None)
        self._thread.join(SECONDS + POLL)

    def _run(self) -> None:
        while self._open or self._under_way:
            try:
                begun = self._open and self._begin()
                self._finish(wait=not begun)
            except StoreFailure as error:  # what is claimed and not finished will be due again
                self._tell_once(str(error))
                time.sleep(POLL)
            except Exception:  # nobody else would see it, and all other clients still wait
                log.exception("logouts")
                time.sleep(POLL)
            else:
                self._failing = False

    def _begin(self) -> bool:
        """Call some clients; False if there is nothing to do, or too much already."""
        free = MOST - self._under_way.total()
        if not free:
            return False
        busy = [client for client, calls in self._under_way.items() if calls >= EACH]
        now = self._issuer.now
        found = logouts.set_out(self._issuer.store, most=free, busy=busy, now=now)
        for logout in found:
            self._call(logout)
        return bool(found)

    def _call(self, logout: Logout) -> None:
        client = self._issuer.store.clients.named(logout.client)
        try:
            if client is None:
                raise ValueError("it is gone")
            call = call_for(logout, client, self._issuer, self._trust)
            Thread(target=self._deliver, args=(call,), name="logout-call", daemon=True).start()
        except (ValueError, NoPairwiseSub) as error:
            self._settle(Outcome(logout, str(error)))
        except RuntimeError as error:  # the process has as many threads as it may have
            self._settle(Outcome(logout, str(error), again=True))
        else:
            self._under_way[logout.client] += 1

    def _deliver(self, call: Call) -> None:
        outcome = Outcome(call.logout, "a fault of the gate's own", again=True)
        try:
            outcome = deliver(call, self._outgoing)
        finally:
            self._outcomes.put(outcome)

    def _finish(self, *, wait: bool) -> None:
        """Settle what has come to an end; wait for something to, or for the next look."""
        try:
            outcome = self._outcomes.get(block=wait, timeout=POLL)
        except Empty:
            return
        if outcome is not None:
            client = outcome.logout.client
            self._under_way[client] -= 1
            self._under_way = +self._under_way
            self._settle(outcome)

    def _settle(self, outcome: Outcome) -> None:
        logout, store = outcome.logout, self._issuer.store
        again = outcome.again and logouts.failed(store, logout, now=self._issuer.now)
        if not outcome.again:
            logouts.done(store, logout)
        if outcome.fault:
            write = log.info if again else log.warning
            told = {"client": logout.client, "attempt": logout.attempts, "fault": outcome.fault}
            write("logout not delivered", given_up=not again, **told)

    def _tell_once(self, fault: str) -> None:
        if not self._failing:
            log.error("logouts cannot be delivered now", fault=fault)
        self._failing = True


def deliver(call: Call, outgoing: Outgoing) -> Outcome:
    """Tell one client. It has heard if it says 200, or 204 as many do; 400 says that it will not
    (section 2.8)."""
    try:
        answer = outgoing.exchange(
            call.peer,
            "POST",
            call.target,
            headers={"Host": call.authority, **_HEADERS},
            body=call.body,
            until=time.monotonic() + SECONDS,
        )
    except ExchangeFailed as error:
        return Outcome(call.logout, str(error), again=True)
    if answer.status in (200, 204):
        return Outcome(call.logout)
    return Outcome(call.logout, f"status {answer.status}", again=answer.status != 400)
