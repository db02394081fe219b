"""What one setting alone cannot tell: files on the disk, addresses, kinds of workers together."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

from gunicorn.config import Config

Finding = tuple[str, str, bool]
"""The setting, what is wrong with it, and whether that is a warning only."""

# gunicorn's other workers speak ASGI, or bring a parser of their own.
_OURS = "ssogate.worker.GateWorker"
_WORKERS = {
    _OURS: "",
    "gthread": "visitors who do not hang up hold up a whole worker, two seconds each",
    "sync": "one slow visitor holds up a whole worker",
    "gevent": "the gate is not tested with it",
}
_LONG_NAMES = {
    "ssogate.worker.gate_worker.GateWorker": _OURS,
    "gunicorn.workers.gthread.ThreadWorker": "gthread",
    "gunicorn.workers.sync.SyncWorker": "sync",
    "gunicorn.workers.ggevent.GeventWorker": "gevent",
}


def surroundings(cfg: Config, public_scheme: str | None) -> Iterator[Finding]:
    """Judge the settings in the light of one another and of the machine."""
    yield from _of_workers(cfg)
    yield from _of_files(cfg)
    yield from _of_logs(cfg)
    for address in cfg.address:
        yield from _of_address(cfg, _bound(address), public_scheme)


def is_remote(address: Any) -> bool:
    """Whether a (host, port) is reached over a network; a path (a unix socket) or None is not."""
    if not isinstance(address, tuple):
        return False
    host = str(address[0]).partition("%")[0]
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"  # also "", which means every address


def _of_workers(cfg: Config) -> Iterator[Finding]:
    chosen = cfg.settings["worker_class"].get()
    name = f"{chosen.__module__}.{chosen.__qualname__}" if isinstance(chosen, type) else chosen
    name = _LONG_NAMES.get(name, name)
    if name == "sync" and cfg.threads > 1:  # so gunicorn reads it
        name = "gthread"
    doubt = _WORKERS.get(name)
    if doubt is None:
        yield "worker_class", "the gate is not judged with this worker: leave it out", False
    elif doubt:
        yield "worker_class", f"{doubt}: leave it out", True
    elif cfg.threads == 1:
        yield "threads", "one slow visitor holds up a whole worker: write 8 or more", True
    if cfg.dirty_workers and not cfg.dirty_apps:
        yield "dirty_workers", "processes that the gate does not judge: write 0", False


def _of_files(cfg: Config) -> Iterator[Finding]:
    # A certificate's file may hold the key too; then it is the one to guard.
    key = "keyfile" if cfg.keyfile else "certfile"
    path = getattr(cfg, key)
    if path and _mode(path) & 0o077 and (key == "keyfile" or _holds_key(path)):
        yield key, f"others can read the private key: chmod 600 {path}", False
    code = [("chdir", cfg.chdir), ("config", (cfg.config or "").removeprefix("file:"))]
    code += [("pythonpath", path) for path in (cfg.pythonpath or "").split(",")]
    for setting, path in code:
        if path and _mode(path) & stat.S_IWOTH:
            yield setting, f"anybody can put code there that the gate runs: chmod o-w {path}", False


def _mode(path: str) -> int:
    """The mode of what a path leads to, through links; 0 where there is nothing."""
    try:
        return os.stat(path).st_mode
    except (OSError, ValueError):
        return 0


def _holds_key(path: str) -> bool:
    with open(path, "rb") as file:
        return b"PRIVATE KEY-----" in file.read(2**20)


def _of_logs(cfg: Config) -> Iterator[Finding]:
    where = cfg.syslog_addr.partition("://")[2].rpartition(":")[0]
    if cfg.syslog and not cfg.syslog_addr.startswith("unix:") and is_remote((where.strip("[]"), 0)):
        yield "syslog_addr", "names and addresses travel unencrypted: log to this machine", True


def _bound(address: Any) -> Any:
    """An address as a (host, port) or a path; a socket handed over (`fd://3`) is asked for its."""
    if not isinstance(address, int):
        return address
    try:
        with socket.socket(fileno=os.dup(address)) as handed:
            name = handed.getsockname()
    except OSError:
        return None
    return name[:2] if isinstance(name, tuple) else name


def _of_address(cfg: Config, address: Any, public_scheme: str | None) -> Iterator[Finding]:
    if isinstance(address, str) and not cfg.umask & 0o002:
        yield "umask", "anybody on this machine may connect to the unix socket: write 0o007", False
    if not is_remote(address) or cfg.is_ssl:
        return
    if public_scheme == "http":
        message = (
            "visitors' sign-ins would travel unencrypted: bind to 127.0.0.1, or serve https"
            " (certfile and keyfile, or a proxy before the gate) and say so in public_url"
        )
        yield "bind", message, False
    else:
        message = (
            "this port speaks plain http to the network: only your https proxy may reach it,"
            " so bind to 127.0.0.1 or close it to others"
        )
        yield "bind", message, True
