"""Clients hear that a session has ended, by a token that they can verify; over real sockets."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from ssogate.config import Secret
from ssogate.crypto.jwk import verify
from ssogate.directory import logouts
from ssogate.directory.logouts import LEASE, RETRIES, join_session
from ssogate.http.outgoing import Outgoing, trust
from ssogate.model import Client, Grant, Logout
from ssogate.oauth.claims import pairwise_sub
from ssogate.provider.issuer import Issuer, sid_of
from ssogate.provider.logout.back_channel import LogoutSender
from ssogate.provider.logout.logout_token import (
    EVENT,
    LIFETIME,
    call_for,
    logout_token,
)
from ssogate.storage import SQLiteStore
from tests.launch.tls import Authority, Listener, Request, Script, authority
from tests.provider.making_openid import ISSUER, Provided
from tests.storage.making import NOW, Hands

SALT = "a salt of more than thirty-two characters"


def answer(status: str) -> Script:
    said = f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
    return lambda _request: said


def token_of(request: Request) -> str:
    ((name, token),) = parse_qsl(request.body.decode(), strict_parsing=True)
    assert name == "logout_token"
    return token


class Ended(Provided):
    """A provider whose clients are told over plain http on loopback, as when it is tried out."""

    def __init__(self, store: SQLiteStore, **settings: Any) -> None:
        super().__init__(store, **settings)
        self.issuer = replace(self.issuer, origin="http://127.0.0.1:8000")
        self.issuer.keys.public()  # made now, before a test forks or hurries
        self.senders: list[LogoutSender] = []

    def client(self, identifier: str, port: int, **fields: Any) -> Client:
        fields = {"backchannel_logout_uri": f"http://127.0.0.1:{port}/bye?x=1", **fields}
        return self.add_client(identifier, **fields)

    def end(self, *clients: Client) -> None:
        """Let Joe in to these, and end the session."""
        session = self.opened(self.joe)
        for client in clients:
            join_session(self.store, session.record.key, self.grant(client, session.record.key))
        assert self.store.sessions.delete(session.record.key)

    def grant(self, client: Client, session: str) -> Grant:
        return Grant(
            0,
            client.identifier,
            self.joe.identity.subject,
            None,
            scopes=frozenset({"openid", "offline_access"}),
            resources=(),
            auth_time=NOW,
            nonce="",
            sid=sid_of(session),
            claims="",
            created_at=NOW,
            until=NOW + 9999,
        )

    def send(self, ca_file: Path | None = None) -> LogoutSender:
        sender = LogoutSender(self.issuer, Outgoing(), trust(ca_file))
        self.senders.append(sender)
        sender.start()
        return sender

    def left(self) -> list[tuple[str, int, int]]:
        with self.store.database.connected() as connection:
            found = connection.exec_driver_sql("SELECT client, attempts, due_at FROM logouts")
            return [(row[0], row[1], row[2]) for row in found]

    def claims(self, token: str, client: str = "WIKI") -> Any:
        return verify(
            token,
            self.issuer.keys.public(),
            issuer=ISSUER,
            audience=frozenset({client}),
            types=frozenset({"logout+jwt"}),
            now=self.clock.now,
        )


@pytest.fixture
def ended(tmp_path: Path) -> Iterator[Ended]:
    made = Ended(SQLiteStore(tmp_path / "gate.db", clock=Hands()))
    yield made
    for sender in made.senders:
        sender.stop()
    made.store.close()


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("trusted"))


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.01)


# --- What is told ---------------------------------------------------------------------------------


def test_a_client_hears_by_a_token_that_it_can_verify(ended: Ended) -> None:
    with Listener(answer("200 OK")) as listener:
        wiki = ended.change(backchannel_logout_uri=f"http://127.0.0.1:{listener.port}/bye?x=1")
        ended.end(wiki)
        ended.send()
        until(lambda: not ended.left())
    (request,) = listener.requests
    claims = ended.claims(token_of(request))

    assert (request.method, request.target) == ("POST", "/bye?x=1")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["host"] == f"127.0.0.1:{listener.port}"
    assert claims.keys() == {"iss", "aud", "iat", "exp", "jti", "sub", "sid", "events"}
    assert claims["events"] == {EVENT: {}}
    assert claims["sub"] == ended.joe.identity.subject
    assert claims["exp"] - claims["iat"] == LIFETIME <= 120


def test_a_token_names_the_person_as_the_client_knows_him(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "gate.db", clock=Hands())
    ended = Ended(store, pairwise_salt=Secret(SALT))
    wiki = ended.change(pairwise=True)
    logout = Logout(1, "WIKI", ended.joe.identity.subject, "sid", 1, NOW)
    claims = ended.claims(logout_token(logout, wiki, ended.issuer))

    assert claims["sub"] == pairwise_sub("wiki.example", ended.joe.identity.subject, SALT.encode())
    assert claims["sid"] == "sid"


@pytest.mark.parametrize("alg", ["RS256", "ES256"])
def test_a_token_is_signed_as_the_clients_id_tokens_are(tmp_path: Path, alg: str) -> None:
    store = SQLiteStore(tmp_path / "gate.db", clock=Hands())
    ended = Ended(store, algorithms=("RS256", "ES256"))
    wiki = ended.change(algorithm=alg)
    logout = Logout(1, "WIKI", ended.joe.identity.subject, "sid", 1, NOW)
    token = logout_token(logout, wiki, ended.issuer)

    assert ended.claims(token)
    assert header(token)["alg"] == alg
    assert header(token)["typ"] == "logout+jwt"


def header(token: str) -> Any:
    first = token.partition(".")[0]
    return json.loads(urlsafe_b64decode(first + "=" * (-len(first) % 4)))


# --- How often ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "400 Bad Request"])
def test_who_has_heard_or_will_not_is_told_once(ended: Ended, status: str) -> None:
    with Listener(answer(status)) as listener:
        ended.end(ended.client("A", listener.port))
        ended.send()
        until(lambda: not ended.left())

    assert len(listener.requests) == 1


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(answer("500 Internal Server Error"), id="500"),
        pytest.param(answer("404 Not Found"), id="404"),
        pytest.param(
            lambda _: b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
            id="a redirect, which is not followed",
        ),
        pytest.param(lambda _: b"nonsense\r\n\r\n", id="nonsense"),
        pytest.param(
            lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n",
            id="half an answer",
        ),
    ],
)
def test_who_has_not_heard_is_told_again_later(ended: Ended, said: Script) -> None:
    with Listener(said) as listener:
        ended.end(ended.client("A", listener.port))
        ended.send()
        until(lambda: ("A", 1, NOW + RETRIES[0]) in ended.left())
        ended.clock.now += RETRIES[0]
        until(lambda: ("A", 2, int(ended.clock.now) + RETRIES[1]) in ended.left())

    assert [request.target for request in listener.requests] == ["/bye?x=1"] * 2


def test_who_never_hears_is_given_up_after_a_while(
    ended: Ended, caplog: pytest.LogCaptureFixture
) -> None:
    with Listener(answer("503 Service Unavailable")) as listener:
        ended.end(ended.client("A", listener.port))
        ended.send()
        for seconds in RETRIES:
            until(lambda: any(due > ended.clock.now + 1 for *_, due in settled(ended)))
            ended.clock.now += seconds
        until(lambda: not ended.left())

    assert len(listener.requests) == len(RETRIES) + 1
    last = json.loads(caplog.messages[-1])
    assert last["given_up"] is True
    assert last["client"] == "A"
    assert not any(token_of(request) in caplog.text for request in listener.requests)


def settled(ended: Ended) -> list[tuple[str, int, int]]:
    """What is left and not being sent just now."""
    return [row for row in ended.left() if row[2] != ended.clock.now + LEASE]


def test_who_is_not_there_is_told_again_later(ended: Ended) -> None:
    with Listener(answer("200 OK")) as gone:
        pass
    ended.end(ended.client("A", gone.port))
    ended.send()

    until(lambda: ("A", 1, NOW + RETRIES[0]) in ended.left())


# --- Many, and at the same time -------------------------------------------------------------------


def test_two_senders_tell_each_of_a_hundred_once(ended: Ended) -> None:
    with Listener(answer("200 OK")) as listener:
        clients = [ended.client(f"C{number}", listener.port) for number in range(10)]
        for _ in range(10):
            ended.end(*clients)
        assert len(ended.left()) == 100
        ended.send()
        ended.send()
        until(lambda: not ended.left())
    told = [token_of(request) for request in listener.requests]

    assert len(told) == len(set(told)) == 100


def test_a_client_that_hangs_holds_up_no_other(ended: Ended) -> None:
    release = threading.Event()

    def hang(_request: Request) -> bytes:
        release.wait(30)
        return b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

    with Listener(hang) as slow, Listener(answer("200 OK")) as quick:
        hanging, other = ended.client("SLOW", slow.port), ended.client("QUICK", quick.port)
        for _ in range(20):
            ended.end(hanging)
        ended.end(other)
        ended.send()
        until(lambda: quick.requests)
        assert len(slow.requests) <= 2, "a few at a time"
        release.set()
        until(lambda: not ended.left())

    assert len(slow.requests) == 20


def test_what_a_killed_worker_had_begun_another_finishes(ended: Ended) -> None:
    with Listener(answer("200 OK")) as listener:
        ended.end(ended.client("A", listener.port))
        child = os.fork()
        if child == 0:  # it sets out, and dies before it has told
            logouts.set_out(ended.store, most=1, busy=(), now=NOW)
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(child, 0)
        assert ended.left() == [("A", 1, NOW + LEASE)]
        ended.send()
        ended.clock.now += LEASE
        until(lambda: not ended.left())

    assert len(listener.requests) == 1


def test_a_sender_that_stops_finishes_what_it_has_begun(ended: Ended) -> None:
    begun = threading.Event()

    def slow(_request: Request) -> bytes:
        begun.set()
        time.sleep(0.2)
        return b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

    with Listener(slow) as listener:
        ended.end(ended.client("A", listener.port))
        sender = ended.send()
        assert begun.wait(30)
        sender.stop()

        assert ended.left() == []


def test_a_store_that_fails_for_a_while_ends_nothing(
    ended: Ended, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Listener(answer("200 OK")) as listener:
        ended.end(ended.client("A", listener.port))
        (tmp_path / "gate.db").rename(tmp_path / "away.db")
        ended.send()
        until(lambda: "logouts cannot be delivered now" in caplog.text)
        (tmp_path / "away.db").rename(tmp_path / "gate.db")
        until(lambda: listener.requests)


def test_a_fault_of_our_own_is_told_and_ends_nothing(
    ended: Ended, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> str:
        raise KeyError("no more tokens")

    whole, ended.issuer = ended.issuer, replace(ended.issuer, new_token=broken)
    with Listener(answer("200 OK")) as listener:
        ended.end(ended.client("A", listener.port))
        sender = ended.send()
        until(lambda: "no more tokens" in caplog.text)
        sender.stop()
        ended.issuer = whole
        ended.send()
        ended.clock.now += LEASE
        until(lambda: not ended.left())

    assert len(listener.requests) == 1


# --- Whom -----------------------------------------------------------------------------------------


def test_over_tls_the_client_must_prove_to_be_it(ended: Ended, trusted: Authority) -> None:
    with (
        Listener(answer("200 OK"), trusted.context("127.0.0.1")) as right,
        Listener(answer("200 OK"), trusted.context("other.example")) as wrong,
    ):
        ended.end(
            ended.client("R", 0, backchannel_logout_uri=f"https://127.0.0.1:{right.port}/bye"),
            ended.client("W", 0, backchannel_logout_uri=f"https://127.0.0.1:{wrong.port}/bye"),
        )
        ended.send(trusted.ca_file)
        until(lambda: [client for client, *_ in settled(ended)] == ["W"])

    assert [request.target for request in right.requests] == ["/bye"]
    assert wrong.requests == []


@pytest.mark.parametrize(
    ("origin", "uri", "registered", "address", "allowed"),
    [
        pytest.param("https", "https://rp.example/", False, "10.0.0.1", True, id="an operator's"),
        pytest.param("https", "https://rp.example/", True, "10.0.0.1", False, id="private"),
        pytest.param("https", "https://rp.example/", True, "127.0.0.1", False, id="ourselves"),
        pytest.param("https", "https://rp.example/", True, "169.254.169.254", False, id="cloud"),
        pytest.param("https", "https://rp.example/", True, "8.8.8.8", True, id="public"),
        pytest.param("http", "https://rp.example/", True, "127.0.0.1", True, id="tried out"),
        pytest.param("http", "http://rp.example/", False, "127.0.0.1", True, id="in clear"),
        pytest.param("http", "http://rp.example/", False, "8.8.8.8", False, id="in clear, abroad"),
    ],
)
def test_where_a_logout_may_go(
    ended: Ended, *, origin: str, uri: str, registered: bool, address: str, allowed: bool
) -> None:
    issuer = replace(ended.issuer, origin=f"{origin}://127.0.0.1")
    client = replace(
        ended.wiki, backchannel_logout_uri=uri, registration_digest="d" * 64 if registered else ""
    )

    assert called(issuer, client).peer.allows(ip_address(address)) is allowed


def called(issuer: Issuer, client: Client) -> Any:
    return call_for(Logout(1, "WIKI", "joe", "sid", 1, NOW), client, issuer, trust())


@pytest.mark.parametrize(
    ("uri", "port", "target", "authority"),
    [
        pytest.param("https://rp.example", 443, "/", "rp.example", id="bare"),
        pytest.param("https://rp.example:1443/a?b=%20", 1443, "/a?b=%20", "rp.example:1443"),
        pytest.param("HTTPS://rp.example?a=/b", 443, "/?a=/b", "rp.example", id="no path"),
        pytest.param("https://[::1]:1/x", 1, "/x", "[::1]:1", id="IPv6"),
    ],
)
def test_a_logout_uri_is_read_to_the_letter(
    ended: Ended, uri: str, port: int, target: str, authority: str
) -> None:
    call = called(ended.issuer, replace(ended.wiki, backchannel_logout_uri=uri))

    assert (call.peer.port, call.target, call.authority) == (port, target, authority)
    assert not {"[", "]"} & set(call.peer.host)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "ftp://rp.example/",
        "https://",
        "https:///x",
        "https://joe@rp.example/",
        "https://rp.example:0/",
        "https://rp.example:70000/",
        "https://rp.example/a#b",
        "https://rp.example/a b",
        "https://rp.example\\@evil.example/",
        "https://rp.example/\r\nX: y",
        "https://rp.example?x#y",
        "https://rp.example/" + "a" * 3000,
    ],
)
def test_what_is_no_logout_uri_is_not_called(ended: Ended, uri: str) -> None:
    with pytest.raises(ValueError, match="logout URI"):
        called(ended.issuer, replace(ended.wiki, backchannel_logout_uri=uri))


def test_a_gate_that_is_not_tried_out_tells_nobody_in_clear(ended: Ended) -> None:
    ended.issuer = replace(ended.issuer, origin=ISSUER)
    with Listener(answer("200 OK")) as listener:
        ended.end(ended.client("A", listener.port))
        ended.send()
        until(lambda: not ended.left())

    assert listener.requests == []
