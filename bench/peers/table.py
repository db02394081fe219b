"""The table and the picture of what was found, with the versions of everything."""

from __future__ import annotations

import os
import platform
import re
import statistics
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from chart import bars
from measuring import CONNECTIONS, Pair

from peers.connections import KINDS, Found
from peers.rows import CHANGING, CONSTANT, LATE, Row, cpu, p99, rate, ratio
from peers.servers import NGINX, tool
from peers.slow import EVERY

_VERSIONS = {
    "nginx": ("nginx", "-v"),
    "HAProxy": ("haproxy", "-v"),
    "Apache": ("apache2", "-v"),
    "mod_auth_openidc": ("dpkg-query", "-W", "libapache2-mod-auth-openidc"),
    "mod_auth_pubtkt": ("dpkg-query", "-W", "libapache2-mod-auth-pubtkt"),
    "Caddy": ("caddy", "version"),
    "oauth2-proxy": ("oauth2-proxy", "--version"),
    "wrk": ("wrk", "-v"),
}


def table(
    found: Sequence[tuple[Row, Pair]],
    held: Sequence[Found],
    notes: Sequence[str],
    rounds: int,
    seconds: int,
) -> str:
    """Give the whole of bench/lane.md."""
    lines = [
        "# The gate beside its peers",
        "",
        f"`make bench` on {platform.machine()} with {os.cpu_count()} cores, Linux "
        f"{platform.release()}: {_versions()}. One worker of the gate and one process of each "
        f"of the others, as they log by default, to a file; {CONNECTIONS} kept-alive connections "
        f"and answers of 1 KiB where nothing else is said; medians of {rounds} rounds of {seconds} "
        f"s, {LATE.times} times as long for the slow upstream. What each is given to do is in "
        "bench/peers/. Load, upstream and server share the cores. Each row was measured in turn "
        "with what stands beside it, under the same load; × are ratios within each such pair. CPU "
        "is that of all processes of a server.",
        "",
        "| | beside | requests/s | × | min … max | CPU µs | × | p99 ms | × | aim | met |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
        *(_line(row, pair) for row, pair in found),
        *(_connections(held) if held else []),
        *(["", *(f"- {note}" for note in notes)] if notes else []),
    ]
    return "\n".join(lines) + "\n"


def picture(found: Sequence[tuple[Row, Pair]]) -> str:
    """Give the throughput of those that were measured beside plain nginx."""
    shown = {
        f"{row.server}{', changing headers' if row.job is CHANGING else ''}": ratio(pair, rate)
        for row, pair in found
        if row.job in (CONSTANT, CHANGING) and row.beside == NGINX
    }
    title = "Throughput, × nginx as a plain proxy, which signs nobody in"
    return bars(title, {NGINX: 1.0, **shown})


def _line(row: Row, pair: Pair) -> str:
    rates = pair.ratios(rate)
    missed = [aim.says for aim in row.aims if not aim.is_met(pair)]
    return (
        f"| {row.name} | {row.beside} | {pair.median(rate):.0f} | {ratio(pair, rate):.2f} "
        f"| {min(rates):.2f} … {max(rates):.2f} | {pair.median(cpu):.0f} | {ratio(pair, cpu):.2f} "
        f"| {pair.median(p99):.1f} | {ratio(pair, p99):.2f} "
        f"| {', '.join(aim.says for aim in row.aims)} | {_judged(row.aims, missed)} |"
    )


def _judged(aims: Sequence[object], missed: Sequence[str]) -> str:
    return "no: " + ", ".join(missed) if missed else "yes" if aims else ""


def _connections(held: Sequence[Found]) -> list[str]:
    seen = [
        (
            f"{kind.count} {kind.name}",
            f"{min(each.held[number] for each in held)} held",
            statistics.median(each.kib[number] for each in held),
            kind.aim,
        )
        for number, kind in enumerate(KINDS)
    ]
    tail = statistics.median(each.beside / each.alone for each in held)
    both = [statistics.median(it) for it in zip(*((e.alone, e.beside) for e in held), strict=True)]
    return [
        "",
        "## Connections that stay",
        "",
        f"All at once at one worker, {len(held)} times; a stream has an event every {EVERY:.0f} s. "
        "Held is what still answered at the end, in the worst round; memory is what each added to "
        "the worker's own, without the kernel's.",
        "",
        "| | found | KiB each | aim | met |",
        "|---|---|---|---|---|",
        *(_kind(*each) for each in seen),
        f"| ordinary traffic's p99 meanwhile | {both[0]:.1f} → {both[1]:.1f} ms, {tail:.2f}× | "
        f"| ≤ 2× | {'yes' if tail <= 2 else 'no'} |",
    ]


def _kind(name: str, found: str, kib: float, aim: float | None) -> str:
    is_met = found == f"{name.split(maxsplit=1)[0]} held" and (aim is None or kib <= aim)
    wanted = f"held{'' if aim is None else f', ≤ {aim:.0f} KiB'}"
    return f"| {name} | {found} | {kib:.1f} | {wanted} | {'yes' if is_met else 'no'} |"


def _versions() -> str:
    """Say which versions are here of everything. Programs tell theirs in many ways."""
    found = [f"Python {platform.python_version()}", f"gunicorn {version('gunicorn')}"]
    for name, (program, *arguments) in _VERSIONS.items():
        if Path(tool(program)).exists():
            command = [tool(program), *arguments]
            said = subprocess.run(command, capture_output=True, text=True, check=False)
            number = re.search(r"\d+(?:\.\d+)+", said.stdout + said.stderr)
            found += [f"{name} {number[0]}"] if number else []
    return ", ".join(found)
