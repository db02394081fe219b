"""A server with unsafe settings does not start: all problems, a line each, and exit status 2."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, Final, NoReturn, TextIO

from gunicorn.errors import HaltServer

from ssogate.errors import ConfigurationError, Problem
from ssogate.worker.safe import problems

REFUSED: Final = 2
"""The exit status of a server that refuses its configuration, as of most programs misused."""


def stop_if_unsafe(
    server: Any,
    others: Iterable[Problem] = (),
    *,
    public_scheme: str | None = None,
    out: TextIO | None = None,
) -> None:
    """Tell every problem of `server.cfg`, and `others`; stop unless all of them are warnings.

    For gunicorn's `on_starting` and `on_reload`; `server` is its arbiter. `others` are what else
    was found (in gateway.yaml), so that an operator sees all of it at once. `public_scheme` is the
    scheme of the public URL, if known.
    """
    found = [*others, *problems(server.cfg, public_scheme=public_scheme)]
    for problem in found:
        print(problem, file=out or sys.stderr, flush=True)
    if any(not problem.warning for problem in found):
        _stop(server)


def keep_what_works(server: Any, ready: Callable[[], object]) -> None:
    """Have a SIGHUP change nothing while the configuration is broken, but tell what is wrong.

    `ready` raises `ConfigurationError` for a configuration that must not be used. gunicorn itself
    knows no way back once it has begun to reload.
    """
    reload = server.handle_hup

    def handle_hup() -> None:
        try:
            ready()
        except ConfigurationError as error:
            for problem in error.problems:
                server.log.error("not reloaded: %s", problem)
        except Exception:  # a folder that may not be read, say: gunicorn would end for it
            server.log.exception("not reloaded")
        else:
            reload()

    server.handle_hup = handle_hup


def _stop(server: Any) -> NoReturn:
    if server.WORKERS:  # a reload: gunicorn ends them in an orderly way
        raise HaltServer("the configuration is refused", REFUSED)
    if server.pidfile is not None:
        server.pidfile.unlink()  # written before `on_starting` runs
    sys.exit(REFUSED)
