"""Files become rows, one at a time: CSV and JSON Lines as streams, JSON and YAML as documents.

Whatever is wrong with a line is a `Problem` in its place, and the next line is read. What makes
the rest of a file unreadable raises `Unreadable`. Every amount of input is capped here.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from ssogate.config.load import MAX_BYTES as MAX_YAML
from ssogate.config.load import document
from ssogate.directory.imports.json_text import Scanner, read, why
from ssogate.directory.imports.rows import KINDS, unknown
from ssogate.errors import ConfigurationError, Problem

MAX_LINE = 2**18  # bytes; the longest row that can be good has some 50 KiB
MAX_JSON = 64 * 2**20  # bytes; it is read whole, JSON Lines are not
_BOM = "\ufeff"

Advance = Callable[[int], object]
"""Is told how many bytes more were read."""


class Unreadable(Exception):
    """The rest of a file cannot be read. Holds the problems that say so."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Source:
    """A file to read. `kind` is what its name says; empty: it must name the kinds inside."""

    path: Path
    kind: str

    @property
    def name(self) -> str:
        """What the file is called in messages."""
        return os.fsencode(self.path).decode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True)
class Row:
    """What a file says of one record."""

    kind: str
    file: str
    line: int
    fields: Mapping[str, Any] = field(repr=False)

    def problem(self, where: str, message: str) -> Problem:
        return Problem(self.file, self.line, where, message)


Found = Iterator[Row | Problem]


def rows(source: Source, advance: Advance) -> Found:
    """Read a file. Raises `Unreadable`, also after some rows."""
    reader = READERS[source.path.suffix]
    try:
        with source.path.open("rb") as file:
            yield from reader(source, _Bytes(source.name, file, advance))
    except OSError as error:
        reason = f"cannot read it: {error.strerror}"
        raise Unreadable(Problem(source.name, 0, "", reason)) from None


class _Bytes:
    """A file's bytes as text, by lines or whole. What is not UTF-8 is left as lone surrogates,
    which no field takes, so that each bad line is told."""

    def __init__(self, name: str, file: BinaryIO, advance: Advance) -> None:
        self.name, self.line = name, 0
        self._file, self._advance = file, advance

    def __iter__(self) -> Iterator[str]:
        while content := self._file.readline(MAX_LINE + 1):
            self.line += 1
            if len(content) > MAX_LINE:
                raise self.unreadable(f"this line is longer than {MAX_LINE // 1024} KiB")
            self._advance(len(content))
            line = content.decode("utf-8", "surrogateescape")
            yield line.removeprefix(_BOM) if self.line == 1 else line

    def whole(self, limit: int) -> str:
        content = self._file.read(limit + 1)
        if len(content) > limit:
            raise self.unreadable(
                f"larger than {limit // 2**20} MiB, which is read whole: give CSV or JSON Lines,"
                " which may have any size"
            )
        self._advance(len(content))
        try:
            return content.decode("utf-8").removeprefix(_BOM)
        except UnicodeDecodeError as error:
            self.line = content.count(b"\n", 0, error.start) + 1
            raise self.unreadable("this is not UTF-8 text") from None

    def unreadable(self, message: str, line: int | None = None) -> Unreadable:
        return Unreadable(Problem(self.name, self.line if line is None else line, "", message))


# --- CSV (RFC 4180) -----------------------------------------------------------------------------


def _csv(source: Source, text: _Bytes) -> Found:
    lines = iter(text)
    first = next(lines, "")
    # A separator is what most often stands in the header, whose names hold none of the three.
    delimiter = max(",;\t", key=first.count)
    records = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
    header: list[str] = []
    start = 1
    try:
        for cells in records:
            if not header:
                header = _header(source.kind, cells, text)
            elif cells:
                yield _record(source.kind, header, cells, text.name, start)
            start = text.line + 1
    except csv.Error as error:
        message = f"this is not CSV: {error}; is a quotation mark missing?"
        raise text.unreadable(message, start) from None


def _header(kind: str, cells: list[str], text: _Bytes) -> list[str]:
    header, known = [cell.strip() for cell in cells], KINDS[kind]
    if not known.fields.keys() & set(header):
        # A first line of data is not repeated: it may hold a secret.
        names = ", ".join(known.fields)
        raise text.unreadable(f"this line must name the columns, in UTF-8, such as: {names}", 1)
    alien = [name for name in header if name not in known.fields]
    wrong = [unknown("column", name, known.fields, known.hints) for name in alien]
    wrong += [f"the column {n!r} stands here twice" for n in known.fields if header.count(n) > 1]
    wrong += [f"the column {n!r} is missing" for n in known.key if n not in header]
    if wrong:
        raise Unreadable(*(Problem(text.name, 1, "", message) for message in wrong))
    return header


def _record(kind: str, header: list[str], cells: list[str], file: str, line: int) -> Row | Problem:
    if len(cells) != len(header):
        message = f"has {len(cells)} cells, the header {len(header)}"
        return Problem(file, line, "", message)
    return Row(kind, file, line, dict(zip(header, cells, strict=True)))


# --- JSON ---------------------------------------------------------------------------------------


def _json_lines(source: Source, text: _Bytes) -> Found:
    for line in text:
        if line.strip():
            try:
                value = read(line)
            except (ValueError, RecursionError) as error:
                yield Problem(text.name, text.line, "", why(error))
            else:
                yield _item(source.kind, value, text.name, text.line)


def _json(source: Source, text: _Bytes) -> Found:
    scanner = Scanner(text.whole(MAX_JSON))
    try:
        if scanner.next("[{") == "[":
            for value in scanner.items():
                yield _item(_named(source, text), value, text.name, scanner.line)
        else:
            for key in scanner.kinds():
                kind = _kind(key, text, scanner.line)
                scanner.next("[")
                for value in scanner.items():
                    yield _item(kind, value, text.name, scanner.line)
        scanner.end()
    except (ValueError, RecursionError) as error:
        raise text.unreadable(why(error), scanner.reached()) from None


# --- YAML ---------------------------------------------------------------------------------------


def _yaml(source: Source, text: _Bytes) -> Found:
    try:
        found = document(text.whole(MAX_YAML), text.name)
    except ConfigurationError as error:
        raise Unreadable(*error.problems) from None
    if isinstance(found.data, list):
        kind = _named(source, text)
        for number, value in enumerate(found.data):
            yield _item(kind, value, text.name, found.line((number,)))
        return
    if not isinstance(found.data, dict):
        raise text.unreadable("write a list of records, or lists by the name of their kind", 1)
    for key, values in found.data.items():
        kind = _kind(key, text, found.line((key,)))
        if not isinstance(values, list):
            raise text.unreadable("write a list: one '- entry' a line", found.line((key,)))
        for number, value in enumerate(values):
            yield _item(kind, value, text.name, found.line((key, number)))


# --- What both have in common -------------------------------------------------------------------


def _item(kind: str, value: Any, file: str, line: int) -> Row | Problem:
    if not isinstance(value, dict):
        return Problem(file, line, "", "write a record as keys and values")
    return Row(kind, file, line, value)


def _named(source: Source, text: _Bytes) -> str:
    if not source.kind:
        raise text.unreadable(
            "a list of what? Name the file after its kind (users.json), or use --kind", 1
        )
    return source.kind


def _kind(key: str, text: _Bytes, line: int) -> str:
    if key not in KINDS:
        raise text.unreadable(unknown("kind", key, KINDS), line)
    return key


READERS: Mapping[str, Callable[[Source, _Bytes], Found]] = {
    ".csv": _csv,
    ".jsonl": _json_lines,
    ".json": _json,
    ".yaml": _yaml,
}
