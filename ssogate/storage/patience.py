"""A connection to PostgreSQL that does not wait for ever.

libpq has no time limit for an answer: a server that stands still, with its network up, would hold
each thread that asks it. psycopg waits in steps of 0.1 s, and between two of them we look.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from functools import partial
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from sqlalchemy import Engine, event

_Result = TypeVar("_Result")


class Impatient(psycopg.Connection[Any]):
    """A connection that closes itself when an answer takes longer than `patience` seconds."""

    patience = 10.0

    def wait(self, gen: PQGen[_Result], *args: Any, **options: Any) -> _Result:
        return super().wait(self._in_time(gen), *args, **options)

    def _in_time(self, gen: PQGen[_Result]) -> Generator[Any, Any, _Result]:
        deadline = time.monotonic() + self.patience
        try:
            state = next(gen)
            while True:
                state = gen.send((yield state))
                if time.monotonic() > deadline:
                    self.close()  # an answer that still came would be taken for the next one's
                    raise psycopg.OperationalError("no answer in time")
        except StopIteration as end:
            result: _Result = end.value
            return result


def make_impatient(engine: Engine, seconds: float) -> None:
    """Have the engine open such connections."""
    event.listen(engine, "do_connect", partial(_connect, seconds))


def _connect(seconds: float, _dialect: Any, _record: Any, args: Any, options: Any) -> Impatient:
    connection = Impatient.connect(*args, **options)
    connection.patience = seconds
    return connection
