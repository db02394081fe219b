"""How many sign-ins are looked at, how many passwords are hashed at once, and how long a no takes.

A password hash takes a core and 64 MiB for a tenth of a second. Hashes of other programs, and
people who are looked up elsewhere, take other times: a clock would tell them from names that
nobody has. So every no is held back until it is as old as all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

from ssogate.crypto import TooBusy, Turns, hash_password
from ssogate.errors import SignInBusy, WrongPassword

STEP = 1.0  # seconds; longer than a look-up and any hash that is taken in take together

# In a process, which has 16 threads by default: whoever is signed in already keeps half of them,
# however many people guess. Held-back answers count: a place is what bounds them.
PLACES = 8
OF_PROGRAMS = 4  # of these places: whoever guesses at a program's form stops no one at the gate's
AT_ONCE = 2
PATIENCE = 5.0  # seconds


def _places() -> Turns:
    return Turns(at_once=PLACES, waiting=0, patience=0)


def _places_of_programs() -> Turns:
    return Turns(at_once=OF_PROGRAMS, waiting=0, patience=0)


def _hashing() -> Turns:
    return Turns(at_once=AT_ONCE, waiting=PLACES, patience=PATIENCE)


@dataclass(frozen=True, slots=True)
class Pace:
    """The bounds of one process."""

    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    places: Turns = field(default_factory=_places)
    places_of_programs: Turns = field(default_factory=_places_of_programs)
    hashing: Turns = field(default_factory=_hashing)

    @contextmanager
    def even(self, *, by_program: bool = False) -> Iterator[None]:
        """Judge a password inside; a `WrongPassword` comes out at the next full `STEP`.

        At a step, not merely after one: when much is going on and it takes longer than one, the
        next covers it as well. Raises `SignInBusy`.
        """
        of_program = _turn(self.places_of_programs) if by_program else nullcontext()
        with of_program, _turn(self.places):
            began = self.monotonic()
            try:
                yield
            except WrongPassword:
                self.sleep(STEP - (self.monotonic() - began) % STEP)
                raise

    @contextmanager
    def hash(self) -> Iterator[None]:
        """Hash inside. Raises `SignInBusy`."""
        with _turn(self.hashing):
            yield

    def hashed(self, password: str) -> str:
        """Hash a new password in turn. Raises `SignInBusy`."""
        with self.hash():
            return hash_password(password)


@contextmanager
def _turn(turns: Turns) -> Iterator[None]:
    try:
        with turns.turn():
            yield
    except TooBusy as error:
        raise SignInBusy(str(error)) from error
