"""gunicorn's threaded worker, in which nobody waits for a visitor to hang up.

After an answer that ends a connection, gunicorn 27 waits up to two seconds for the visitor's end
of it, in the one thread that accepts all others: a handful of visitors who do not hang up stop a
worker. Here such connections wait in the poller, beside the kept-alive ones.
"""

from __future__ import annotations

import ssl
import time
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from socket import SHUT_WR, socket
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

LINGER = 2.0  # seconds in which the visitor may take the answer and hang up (RFC 9112, section 9.6)
MAX_DRAIN = 65_536  # bytes of an unwanted body that are read meanwhile, so that no reset is sent


class GateThreadWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """`worker_class = "ssogate.worker.threads.GateThreadWorker"`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.leaving: deque[TConn] = deque()

    def finish_request(self, conn: TConn, done: Future[object]) -> None:
        """Put a connection that goes on back; see one that ends off."""
        if not done.cancelled() and done.exception() is None and done.result():
            super().finish_request(conn, done)
            return
        conn.timeout, conn.drained = time.monotonic() + LINGER, 0
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(SHUT_WR)
            self.poller.register(conn.sock, EVENT_READ, partial(self._drain, conn))
        except (OSError, ValueError, KeyError):  # it is closed already
            self._gone(conn)
        else:
            self.leaving.append(conn)

    def murder_pending(self) -> None:
        """Close what has waited long enough; the worker's loop calls it about once a second."""
        super().murder_pending()
        while self.leaving and self.leaving[0].timeout <= time.monotonic():
            self._gone(self.leaving.popleft())

    def _drain(self, conn: TConn, sock: socket) -> None:
        try:
            data = sock.recv(MAX_DRAIN)
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except OSError:
            data = b""
        conn.drained += len(data)
        if not data or conn.drained > MAX_DRAIN:
            self.leaving.remove(conn)
            self._gone(conn)

    def _gone(self, conn: TConn) -> None:
        with suppress(OSError, ValueError, KeyError):
            self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()
