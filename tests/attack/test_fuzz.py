"""Seeded mutations of valid requests against the running gate, as many as there is time for.

`SSOGATE_FUZZ=1000000` says how many, `SSOGATE_FUZZ_SEED` which; a failure tells seed and number.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.attack.stage import GTHREAD, HOST, Stage, Told, new_link
from tests.attack.test_properties import assert_harmless
from tests.gate import RunningGate, site
from tests.servers import GONE, RawClient, answers, request

pytestmark = [pytest.mark.server, pytest.mark.timeout(0)]

MUTATIONS = int(os.environ.get("SSOGATE_FUZZ", "2000"))
SEED = int(os.environ.get("SSOGATE_FUZZ_SEED", "20261122"))
GROWTH = 32 * 1024  # KiB that a worker may grow: caches fill up, and stay full
TOKENS = (
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"\t",
    b":",
    b";",
    b",",
    b"%",
    b"%2e",
    b"..",
    b"/",
    b"//",
)
WORDS = (
    b"chunked",
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"0\r\n\r\n",
    b"X-A: b",
)

Mutation = Callable[[random.Random, bytes], bytes]


def corpus(stage: Stage) -> list[bytes]:
    """Valid requests of every kind that the gate knows."""
    cookie = stage.sign_in("john")
    form = "Content-Type: application/x-www-form-urlencoded"
    chunks = b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    return [
        request("/", host=HOST),
        request("/pub/x?a=b", "Accept: text/html", host=HOST),
        request("/admin", "Sec-Fetch-Mode: navigate", host=HOST),
        request("/members/x", cookie, "X-Remote-User: admin", host=HOST),
        request("/members/x", cookie, method="HEAD", host=HOST),
        request("/forms/x", cookie, form, method="POST", body=b"a=b&c=d", host=HOST),
        request("/forms/x", "Transfer-Encoding: chunked", method="POST", body=chunks, host=HOST),
        request(new_link(), host=HOST),
        request("/sso.php?mode=logout", form, method="POST", body=b"mode=logout", host=HOST),
        request("/_sso/sign-in?return_to=/x", "Accept: text/html", host=HOST),
        request("/go/x?y", "Connection: keep-alive, X-A", host=HOST),
        request("/app/pub/x", "Expect: 100-continue", method="PUT", body=b"abc", host=HOST),
        request("http://raw.example/pub/%7Ex", host="raw.example"),
    ]


def flip(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def insert(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.choice(TOKENS + WORDS) + data[at:]


def delete(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + data[at + chance.choice((1, 1, 2, 5, 40)) :]


def double(chance: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\r\n")
    at = chance.randrange(len(lines))
    return b"\r\n".join([*lines[: at + 1], *lines[at:]])


def shuffle(chance: random.Random, data: bytes) -> bytes:
    first, *lines = data.split(b"\r\n")
    chance.shuffle(lines)
    return b"\r\n".join([first, *lines])


def swell(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data) + 1)
    return (
        data[:at] + bytes([chance.randrange(256)]) * chance.choice((64, 1024, 20_000)) + data[at:]
    )


def cut(chance: random.Random, data: bytes) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def randomise(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + chance.randbytes(chance.randrange(1, 9)) + data[at + 8 :]


KINDS: tuple[Mutation, ...] = (
    flip,
    flip,
    insert,
    insert,
    delete,
    double,
    shuffle,
    swell,
    cut,
    randomise,
)


def mutated(number: int, seeds: list[bytes]) -> bytes:
    """The mutation of this number: each can be made again alone."""
    chance = random.Random(SEED + number)
    data = chance.choice(seeds)
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        data = chance.choice(KINDS)(chance, data) if data else data
    if chance.random() < 0.1:
        data += chance.choice(seeds)
    return data


def workers(gate: RunningGate) -> list[int]:
    return [int(p) for p in Path(f"/proc/{gate.pid}/task/{gate.pid}/children").read_text().split()]


def resident(pid: int) -> int:
    """KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


@pytest.fixture
def fuzzed(stage: Stage) -> Stage:
    """The stage, with its worker warm: what is loaded at first use is not growth."""
    for _ in range(50):
        stage.is_alive()
    return stage


def test_mutated_requests_never_break_the_gate(fuzzed: Stage) -> None:
    seeds = corpus(fuzzed)
    before = workers(fuzzed.gate)
    size = resident(before[0])
    for number in range(MUTATIONS):
        data = mutated(number, seeds)
        with RawClient(fuzzed.gate.port, timeout=10) as client:
            with suppress(*GONE, OSError):
                client.send(data).finish()
            found = answers(client.rest(), to_head=data.startswith(b"HEAD "))
        told = f"SSOGATE_FUZZ_SEED={SEED}, number {number}: {data!r}"
        try:
            # What is echoed comes from the visitor; only our own answers are judged.
            assert_harmless([answer for answer in found if b'"sha256"' not in answer.body])
        except AssertionError as error:
            raise AssertionError(told) from error
        if number % 500 == 0:
            reached = fuzzed.seen() + [vars(r) for r in fuzzed.recorder.seen()]
            assert all("admin" not in str(r.get("uri", "")) for r in reached), told
            assert workers(fuzzed.gate) == before, told

    assert workers(fuzzed.gate) == before
    assert resident(before[0]) - size < GROWTH
    assert fuzzed.is_alive()
    assert "Traceback" not in fuzzed.gate.log()


def test_header_names_that_visitors_make_up_do_not_fill_the_memory(tmp_path: Path) -> None:
    """Names are remembered once they are judged, and some of these are 15 KB."""
    with Told() as upstream, RunningGate(site(tmp_path / "named", upstream.url), *GTHREAD) as gate:
        for _ in range(30):
            gate.ask("/pub/x")
        (pid,) = workers(gate)
        size = resident(pid)
        for number in range(12):
            names = (f"X-{number}-{n}{'a' * 15_000}: b" for n in range(80))
            gate.ask("/pub/x", *names)
            gate.ask("/pub/x", "Connection: " + ",".join(f"{n}-{'b' * 90}" for n in range(150)))

        assert resident(pid) - size < 16 * 1024
