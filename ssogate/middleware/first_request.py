"""What goes on beside the requests of a process begins with the first of them: a thread would not
live through a fork, and whoever only builds the stack needs none."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class FirstRequest:
    """Call `begin` once in each process, before `app` has its first request there."""

    def __init__(self, app: WSGIApplication, begin: Callable[[], object]) -> None:
        self.app, self.begin = app, begin
        self._process, self._lock = 0, Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if self._process != os.getpid():
            self._begin()
        return self.app(environ, start_response)

    def _begin(self) -> None:
        with self._lock:
            if self._process != os.getpid():
                self._process = os.getpid()
                self.begin()
