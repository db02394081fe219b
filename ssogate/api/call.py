"""A call as the functions see it: parameters with their kinds of values, who calls, and when."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from ssogate.directory import By
from ssogate.model import ApiCredential

PAGE, LONGEST_PAGE = 25, 250  # records of one answer: WHMCS's default, and a cap of our own

# In one spelling, and no more than the 64 bits of a database's numbers.
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
_FLAGS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("", "0", "false", "no", "off"), False),
}

T = TypeVar("T")


class Refused(Exception):
    """An answer whose result is `error`: a message for the caller, and an HTTP status."""

    def __init__(self, message: str, status: int = 200) -> None:
        super().__init__(message)
        self.message, self.status = message, status


@dataclass(frozen=True, slots=True)
class Parameters:
    """Values by their names in lower case."""

    given: Mapping[str, str] = field(repr=False)

    def __contains__(self, name: str) -> bool:
        return name in self.given

    def text(self, name: str) -> str:
        """Give a text; empty if there is none."""
        return self.given.get(name, "")

    def number(self, name: str) -> int | None:
        """Give a number; None if there is none, and 0, which no record has, for what is none."""
        text = self.text(name)
        if not text:
            return None
        return int(text) if _NUMBER.fullmatch(text) else 0

    def flag(self, name: str) -> bool | None:
        """Give yes or no in PHP's spelling or JavaScript's; None if there is neither."""
        if name not in self.given:
            return None
        try:
            return _FLAGS[self.given[name].lower()]
        except KeyError:
            raise Refused(f"{name} is neither true nor false") from None

    def several(self, name: str) -> tuple[str, ...] | None:
        """Give the values of a list, written as `name`, `name[0]` and so on; None if it is not
        there. Empty ones do not count."""
        own = re.compile(rf"{re.escape(name)}(\[[^\[\]]*\])?")
        values = [value for key, value in self.given.items() if own.fullmatch(key)]
        return tuple(filter(None, values)) if values else None


def parameters(pairs: Iterable[tuple[str, str]]) -> Parameters:
    """Merge what query and body hold. Names are compared in lower case, and the elements of a PHP
    list (`name[]`) get their numbers.

    Raises `Refused` for a name with two values: nobody can say which of them was judged elsewhere.
    """
    given: dict[str, str] = {}
    for sent, value in pairs:
        name = sent.lower()
        if name.endswith("[]"):
            name = next(
                key for n in range(len(given) + 1) if (key := f"{name[:-1]}{n}]") not in given
            )
        if given.setdefault(name, value) != value:
            raise Refused("A parameter was given twice", 400)
        if "\0" in value:  # no database takes it
            raise Refused("A parameter holds a zero byte", 400)
    return Parameters(given)


@dataclass(frozen=True, slots=True)
class Call:
    """What an authenticated program asks for."""

    parameters: Parameters
    credential: ApiCredential
    by: By
    now: int


Answer = Mapping[str, object]
"""What follows `result: success`."""

Function = Callable[[Call], Answer]
"""An action. Raises `Refused`; `ValueError`, `Conflict` and `AccountNotFound`, whose words the
caller is told; `StoreFailure`; and other `GateError`s, of which only `public` is told."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of many records, and WHMCS's words about it."""

    records: list[object]
    counts: Answer


def page(
    asked: Parameters, records: Callable[[], Iterator[T]], shown: Callable[[T], object]
) -> Page:
    """Give the part that `limitstart`, `limitnum` and `sorting` ask for, of any number of records.
    They are read twice, so that few are held at a time."""
    total = sum(1 for _ in records())
    start = asked.number("limitstart") or 0
    most = min(asked.number("limitnum") or PAGE, LONGEST_PAGE)
    backwards = asked.text("sorting").upper() == "DESC"
    first = total - start - most if backwards else start
    part = [shown(record) for record in islice(records(), max(first, 0), max(first + most, 0))]
    if backwards:
        part.reverse()
    counts = {"totalresults": total, "startnumber": start, "numreturned": len(part)}
    return Page(part, counts)
