"""JSON of strangers: strict, and record by record with the line on which each begins."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands here twice")
    return found


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number in JSON")


_JSON = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_number)
_SPACE = re.compile(r"[ \t\n\r]*")


def read(text: str) -> Any:
    """Read one value. Raises `ValueError` or `RecursionError`: `why` says it in words."""
    return _JSON.decode(text)


class Scanner:
    """Reads the outside of a JSON document by hand and its records by the library, so that each
    has its line. Raises `ValueError`."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        self._counted, self._lines = 0, 1
        self.line = 1
        """Where the last value began."""

    def next(self, wanted: str) -> str:
        self._skip()
        found = self._text[self._at : self._at + 1]
        if not found or found not in wanted:
            raise ValueError(f"here should stand one of {' '.join(wanted)}")
        self._at += 1
        return found

    def items(self) -> Iterator[Any]:
        """The values of an array whose bracket was read."""
        if self._is_next("]"):
            return
        yield self._value()
        while self.next(",]") == ",":
            yield self._value()

    def kinds(self) -> Iterator[str]:
        """The keys of an object whose brace was read; whoever asks for the next read the value."""
        if self._is_next("}"):
            return
        yield self._key()
        while self.next(",}") == ",":
            yield self._key()

    def end(self) -> None:
        self._skip()
        if self._at < len(self._text):
            raise ValueError("something stands behind the end")

    def reached(self) -> int:
        """The line that the scanner has come to."""
        self._lines += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._lines

    def _key(self) -> str:
        key = self._value()
        if not isinstance(key, str):
            raise ValueError("here should stand a key")
        self.next(":")
        return key

    def _value(self) -> Any:
        self._skip()
        self.line = self.reached()
        value, self._at = _JSON.raw_decode(self._text, self._at)
        return value

    def _is_next(self, mark: str) -> bool:
        self._skip()
        found = self._text.startswith(mark, self._at)
        self._at += found
        return found

    def _skip(self) -> None:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at


def why(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "this is not JSON that can be read: it is nested too deeply"
    return f"this is not JSON: {error.msg if isinstance(error, json.JSONDecodeError) else error}"
