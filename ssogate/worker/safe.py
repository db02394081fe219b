"""The gunicorn settings that a gate needs, and what is wrong with any others.

Strategy: `SAFE` sets what gunicorn's defaults leave open (measured with 27.0.1, see
tests/worker/test_gunicorn_real.py), and a table judges whatever is in force at the start: files,
`GUNICORN_CMD_ARGS` and the command line can all change a setting after we gave it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gunicorn.config import Config

from ssogate.errors import Problem
from ssogate.worker.logger import GateLogger
from ssogate.worker.surroundings import is_remote, surroundings

WHERE = "gunicorn"  # stands where a file name does: a setting may come from several places

SAFE: Mapping[str, object] = {
    # The C parser, which is used as soon as it is installed, takes bare LF and folded lines.
    "http_parser": "python",
    # `X_Remote_User` and `X-Remote-User` are one name to an app: refuse the first, never drop it.
    "header_map": "refuse",
    # By default anybody on loopback or a unix socket may set SCRIPT_NAME, and so move the path
    # that is judged away from the path that is served.
    "forwarder_headers": "",
    # The gate judges forwarded headers itself, by `trusted_proxies` in gateway.yaml.
    "forwarded_allow_ips": "",
    "secure_scheme_headers": {},
    # Request smuggling needs two readers that disagree; none of these leniencies is needed.
    "permit_obsolete_folding": False,
    "strip_header_spaces": False,
    "permit_unconventional_http_method": False,
    "permit_unconventional_http_version": False,
    "casefold_http_method": False,
    # One protocol is judged: HTTP/1.1.
    "protocol": "http",
    "http_protocols": "h1",
    "http2_cleartext": "off",
    "proxy_protocol": "off",
    # A signed link with a long return address takes some 4 KiB; 8190 is gunicorn's ceiling.
    "limit_request_line": 8190,
    "limit_request_fields": 100,
    # Cookies of several apps behind one name, or a Kerberos ticket.
    "limit_request_field_size": 16384,
    # It would let whoever is this user reconfigure the server.
    "control_socket_disable": True,
    # Log lines without queries (links and tokens stand there), which no visitor can forge.
    "logger_class": "ssogate.worker.logger.GateLogger",
    "accesslog": "-",
    # GateLogger does not use it; whoever takes another logger gets this rather than the default.
    "access_log_format": '%(h)s %(t)s "%(m)s %(U)s" %(s)s %(b)s %(D)s',
    # A unix socket for this user and group only; gunicorn's own default is 0, for everybody.
    "umask": 0o007,
    # Workers open the store and the upstream connections for themselves; shared across a fork,
    # one visitor could be given another's answer.
    "preload_app": False,
    # A worker that hangs is replaced.
    "timeout": 30,
    # With gunicorn's own default one slow visitor holds up a whole worker, and with its own gthread
    # a few who send nothing, or do not hang up.
    "worker_class": "ssogate.worker.GateWorker",
    "threads": 16,
    # Of a worker; an idle one costs some 1 KiB.
    "worker_connections": 20_000,
}

_LEAKS = re.compile(
    r"%\((?:r|q|f|\{(?:cookie|authorization|proxy-authorization|referer|x-accesskey)\}i"
    r"|\{set-cookie\}o|\{location\}o|\{(?:raw_uri|query_string|http_\w+)\}e)\)",
    re.IGNORECASE,
)
_WEAK_CIPHERS = re.compile(r"(?:^|[:, ])\+?(?:\w*NULL|EXP\w*|LOW|RC4|3?DES|MD5|ALL)\b")


@dataclass(frozen=True, slots=True)
class Check:
    """One setting, when it is unsafe, and what to write instead."""

    setting: str
    unsafe: Callable[[Any], bool]
    """Takes the setting's value."""
    message: str
    warning: bool = False


def problems(cfg: Config, *, public_scheme: str | None = None) -> list[Problem]:
    """Judge the settings in force; one problem for each unsafe one, in the order of the table.

    `public_scheme` is the scheme of the gate's public URL, if known: it tells whether visitors'
    cookies would travel in clear.
    """
    found = [
        Problem(WHERE, 0, check.setting, check.message, check.warning)
        for check in CHECKS
        if check.unsafe(getattr(cfg, check.setting))
    ]
    return [*found, *(Problem(WHERE, 0, *rest) for rest in surroundings(cfg, public_scheme))]


def _is_on(value: Any) -> bool:
    return bool(value)


def _is_not(safe: object) -> Callable[[Any], bool]:
    return lambda value: bool(value != safe)


def _is_not_positive(value: int) -> bool:
    return value <= 0


def _is_outside(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: not low <= value <= high


def _is_another_logger(value: Any) -> bool:
    if isinstance(value, type):
        return not issubclass(value, GateLogger)
    return bool(value != SAFE["logger_class"])


CHECKS: tuple[Check, ...] = (
    Check(
        "http_parser",
        _is_not("python"),
        "the C parser takes line ends that others do not: write 'python'",
    ),
    Check("header_map", _is_not("refuse"), "a header with an underscore can pass: write 'refuse'"),
    Check("forwarder_headers", _is_on, "a caller could move the path that is judged: write ''"),
    Check(
        "forwarded_allow_ips",
        _is_on,
        "the gate judges forwarded headers itself: write '' here, and list the proxies in"
        " trusted_proxies of gateway.yaml",
    ),
    Check(
        "secure_scheme_headers",
        _is_on,
        "the gate judges forwarded headers itself: write {} here",
    ),
    Check("permit_obsolete_folding", _is_on, "folded lines hide headers: write False"),
    Check("strip_header_spaces", _is_on, "'Name :' is read in two ways: write False"),
    Check("permit_unconventional_http_method", _is_on, "odd methods pass policies: write False"),
    Check("permit_unconventional_http_version", _is_on, "odd versions smuggle: write False"),
    Check("casefold_http_method", _is_on, "methods are case-sensitive: write False"),
    Check("limit_request_line", _is_outside(1, 8190), "write a limit from 1 to 8190 bytes"),
    Check("limit_request_fields", _is_outside(1, 1000), "write a limit from 1 to 1000 headers"),
    Check("limit_request_field_size", _is_outside(1, 65536), "write a limit from 1 to 65536 bytes"),
    Check("protocol", _is_not("http"), "only HTTP/1.1 is judged: write 'http'"),
    Check("http_protocols", _is_not(["h1"]), "only HTTP/1.1 is judged: write 'h1'"),
    Check("http2_cleartext", _is_not("off"), "only HTTP/1.1 is judged: write 'off'"),
    Check(
        "proxy_allow_ips",
        lambda allowed: "*" in allowed,
        "anybody could say where he comes from: list the addresses of your proxies",
    ),
    Check(
        "control_socket_disable",
        lambda disabled: not disabled,
        "a socket that commands the server: write True",
    ),
    Check("reload", _is_on, "for development only: write False"),
    Check("spew", _is_on, "it writes every line that runs, with secrets: write False"),
    Check(
        "preload_app",
        _is_on,
        "workers would share the store's and the upstreams' connections: write False",
    ),
    Check("dirty_apps", _is_on, "processes that the gate does not judge: write []"),
    Check("timeout", _is_not_positive, "a hanging worker is never replaced: write seconds, say 30"),
    Check(
        "logger_class",
        _is_another_logger,
        f"its log would hold queries, and so links and tokens: write {SAFE['logger_class']!r}",
    ),
    Check(
        "access_log_format",
        lambda text: bool(_LEAKS.search(text)),
        "the log would hold queries, cookies or credentials: leave out %(r)s, %(q)s, %(f)s and"
        " their like; %(U)s is the path alone",
    ),
    Check(
        "loglevel",
        lambda level: level.lower() == "debug",
        "the log holds every setting, raw_env too: 'info' says what operators need",
        warning=True,
    ),
    Check("statsd_host", is_remote, "unencrypted over the network: use an agent on localhost"),
    Check(
        "ciphers",
        lambda listed: bool(_WEAK_CIPHERS.search(listed or "")),
        "it allows ciphers that protect nobody: leave it unset",
    ),
    Check(
        "user",
        lambda uid: uid == 0,
        "workers run as root, who may do everything: name a user of their own",
        warning=True,
    ),
    Check(
        "raw_env",
        lambda listed: (
            any(entry.startswith("SCRIPT_NAME=") for entry in listed)
            or bool(os.environ.get("SCRIPT_NAME"))
        ),
        "SCRIPT_NAME moves the path that is judged: unset it",
    ),
)
