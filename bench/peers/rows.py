"""What is measured: which server, beside which other, at what, and what it should reach."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gates import SESSIONS
from measuring import CONNECTIONS, HERE, MIXED, Measured, Pair

from peers.servers import (
    AUTH_REQUEST,
    BIG,
    CADDY,
    COMPILED,
    COMPILED_AUTH_REQUEST,
    FEW_SESSIONS,
    GATE,
    HAPROXY,
    MANY_RULES,
    MANY_SESSIONS,
    NGINX,
    OAUTH2_PROXY,
    OPENIDC,
    PAGE,
    PUBTKT,
    SLOW,
)

UPSTREAM = "the slow upstream itself"


@dataclass(frozen=True, slots=True)
class Job:
    """What is asked of a server."""

    name: str
    path: str = PAGE
    answer: int = 1024
    """Bytes."""
    script: Path | None = None
    connections: int = CONNECTIONS
    times: int = 1
    """How much longer it is measured than others."""


@dataclass(frozen=True, slots=True)
class Aim:
    says: str
    is_met: Callable[[Pair], bool]


@dataclass(frozen=True, slots=True)
class Row:
    server: str
    beside: str
    job: Job
    aims: Sequence[Aim] = ()

    @property
    def name(self) -> str:
        return f"{self.server}, {self.job.name}"


def rate(it: Measured) -> float:
    return it.rate


def cpu(it: Measured) -> float:
    return it.cpu


def p99(it: Measured) -> float:
    return it.p99


def ratio(pair: Pair, of: Callable[[Measured], float]) -> float:
    return statistics.median(pair.ratios(of))


def at_least(least: float) -> Aim:
    return Aim(f"≥ {least:.2f}", lambda pair: ratio(pair, rate) >= least)


def at_most(most: float, of: Callable[[Measured], float], says: str) -> Aim:
    return Aim(f"{says} ≤ {most}×", lambda pair: ratio(pair, of) <= most)


CONSTANT = Job("constant headers")
CHANGING = Job(f"{SESSIONS} sessions with changing headers", script=MIXED)
OF_SOME = Job("1000 of them with changing headers", script=MIXED)
LARGE = Job("1 MiB answers", BIG, 2**20)
UPLOAD = Job("64 KiB uploads", script=HERE / "upload.lua")
# In two seconds each connection is answered 19 times or 18, which is too coarse.
LATE = Job("100 ms upstream and 256 connections", SLOW, connections=256, times=3)

LEAN = (at_most(1.5, cpu, "CPU"), at_most(1.5, p99, "p99"))
# A cost of 1.2 times is a throughput of 1 / 1.2.
NO_DEARER = (at_least(1 / 1.2), at_most(1.2, cpu, "CPU"))
IN_TIME = Aim("p99 ≤ 150 ms", lambda pair: pair.median(p99) <= 150)

GATES = (GATE, COMPILED)  # as it is shipped, and as `make compiled` builds it
ROWS = (
    *(Row(gate, NGINX, CONSTANT, (at_least(0.80), *LEAN)) for gate in GATES),
    *(Row(peer, NGINX, CONSTANT) for peer in (HAPROXY, PUBTKT, OPENIDC, CADDY, OAUTH2_PROXY)),
    *(Row(gate, NGINX, CHANGING, (at_least(0.75), *LEAN)) for gate in GATES),
    Row(HAPROXY, NGINX, CHANGING),
    *(Row(it, NGINX, CONSTANT, (at_least(0.57),)) for it in (AUTH_REQUEST, COMPILED_AUTH_REQUEST)),
    *(Row(gate, NGINX, LARGE, (at_least(1.0),)) for gate in GATES),
    Row(HAPROXY, NGINX, LARGE),
    *(Row(gate, HAPROXY, UPLOAD, (at_least(0.9),)) for gate in GATES),
    Row(GATE, NGINX, UPLOAD),
    Row(NGINX, UPSTREAM, LATE),
    Row(GATE, UPSTREAM, LATE, (at_least(0.95), IN_TIME)),
    *(Row(peer, UPSTREAM, LATE) for peer in (HAPROXY, OPENIDC)),
    Row(MANY_RULES, GATE, CHANGING, NO_DEARER),
    Row(MANY_SESSIONS, FEW_SESSIONS, OF_SOME, NO_DEARER),
)
