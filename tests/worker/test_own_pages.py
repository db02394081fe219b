"""Pages of the gate's own, over real connections: read once, answered by a thread, sent by the
loop, in turn with everything else."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.gate import HOST, RunningGate
from tests.servers import RawClient
from tests.worker.stage import RESET, Pages, access_lines, asked, standing, until, visitors, worker

pytestmark = pytest.mark.server

HEALTH, SIGN_IN, PASSWORD = "/_sso/health", "/_sso/sign-in", "/_sso/password"
_numbers = count()


@pytest.fixture(scope="module")
def upstream() -> Iterator[Pages]:
    with Pages() as pages:
        yield pages


@pytest.fixture(scope="module")
def gate(upstream: Pages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGate]:
    folder = tmp_path_factory.mktemp("own") / "gate"
    with standing(folder, upstream.url, password={}) as running:
        yield running


@pytest.fixture(scope="module")
def cookie(gate: RunningGate) -> str:
    """John's. A link works once, and two of one second are one link."""
    return gate.sign_in()


@pytest.fixture
def client(gate: RunningGate) -> Iterator[RawClient]:
    with RawClient(gate.port, timeout=20) as opened:
        yield opened


def guess() -> bytes:
    """Somebody's wrong password, which takes a tenth of a second to be judged."""
    line = "Content-Type: application/x-www-form-urlencoded"
    form = f"return_to=%2F&username=nobody{next(_numbers)}&password={'w' * 20}".encode()
    origin = f"Origin: http://{HOST}"
    return asked(PASSWORD, line, origin, method="POST", body=form)


def test_all_that_comes_at_once_is_answered_in_turn(client: RawClient, cookie: str) -> None:
    client.send(
        b"".join((asked(HEALTH), guess(), asked("/first", cookie), asked(SIGN_IN), asked("/a")))
    )

    found = [client.answer() for _ in range(5)]

    assert [one.status for one in found] == [200, 401, 200, 200, 401]
    assert b'"ok"' in found[0].body
    assert found[2].body == b"/first"
    assert b"<html" in found[3].body


def test_a_form_may_come_in_pieces(client: RawClient) -> None:
    data = guess()
    for at in range(0, len(data), 40):
        client.send(data[at : at + 40])

    assert client.answer().status == 401
    assert client.send(asked(HEALTH)).answer().status == 200


def test_a_form_that_is_none_is_refused_as_ever(client: RawClient) -> None:
    answer = client.send(asked(PASSWORD, method="POST", body=b"x" * 200_000)).answer()

    assert answer.status in (403, 413)


@pytest.mark.parametrize(
    ("version", "line", "stays"),
    [
        ("1.0", "X-A: b", False),
        ("1.0", "Connection: keep-alive", True),
        ("1.1", "X-A: b", True),
        ("1.1", "Connection: close", False),
    ],
)
def test_the_connection_goes_on_as_the_visitor_wants(
    client: RawClient, version: str, line: str, stays: bool
) -> None:
    data = asked(HEALTH, line).replace(b"HTTP/1.1", b"HTTP/" + version.encode())

    answer = client.send(data).answer()

    assert (answer.status, answer.header("connection")) == (
        200,
        "keep-alive" if stays else "close",
    )
    assert client.is_closed() is not stays


def test_a_head_is_answered_without_a_body(client: RawClient) -> None:
    whole = client.send(asked(SIGN_IN)).answer()
    head = client.send(asked(SIGN_IN, method="HEAD")).answer(to_head=True)

    assert (head.status, head.body) == (200, b"")
    assert head.header("content-length") == whole.header("content-length")
    assert client.send(asked(HEALTH)).answer().status == 200


def test_the_access_log_says_who_it_was(gate: RunningGate, client: RawClient, cookie: str) -> None:
    path = "/_sso/account/sessions"
    answer = client.send(asked(f"{path}?secret=1", cookie)).answer()

    def lines() -> list[dict[str, object]]:
        return [line for line in access_lines(gate) if line["path"] == path]

    until(lines)
    (line,) = lines()
    assert line["status"] == answer.status
    assert line["bytes"] == len(answer.body)
    assert line["user"] == "john"
    assert (line["client"], line["method"]) == ("127.0.0.1", "GET")
    assert line["request_id"]
    assert "secret=1" not in gate.log()


@pytest.mark.parametrize("ends", ["hangs up", "resets", "finishes"])
def test_who_does_not_wait_for_the_answer_harms_nobody(gate: RunningGate, ends: str) -> None:
    for _ in range(2):
        with RawClient(gate.port) as leaving:
            leaving.send(guess())
            if ends == "resets":
                leaving._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            if ends == "finishes":
                assert leaving.finish().answer().status == 401, "who only says no more is answered"

    until(lambda: not visitors(worker(gate), gate.port))
    with RawClient(gate.port) as client:
        assert client.send(asked(HEALTH)).answer().status == 200


def test_a_stop_waits_for_what_the_layers_say(upstream: Pages, tmp_path: Path) -> None:
    with (
        standing(tmp_path / "gate", upstream.url, password={}) as gate,
        RawClient(gate.port, timeout=20) as client,
    ):
        client.send(asked(HEALTH)).answer()
        client.send(guess())
        gate.send_signal(signal.SIGTERM)

        answer = client.answer()

        assert (answer.status, answer.header("connection")) == (401, "close")
