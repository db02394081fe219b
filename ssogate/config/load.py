"""A YAML text becomes plain values that remember on which line they stood.

Strategy: read libyaml's events and build the values here, so that everything that makes YAML
surprising is refused with its line and nothing is ever constructed from a tag: no aliases, no
tags, no merge keys, no second document, no key twice. Plain scalars are read as YAML 1.2 does
(`no`, `on` and `12:30` are text), which keeps a country code `NO` from turning into false.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from ssogate.config.mistakes import mistakes
from ssogate.errors import ConfigurationError, Problem

MAX_BYTES = 2**20  # of one file; ten thousand rules take some 800 KiB
MAX_DEPTH = 32  # of nesting; the deepest setting stands at 6

M = TypeVar("M", bound=BaseModel)
Where = tuple[str | int, ...]

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# What YAML 1.2 (section 5.1) calls printable, less what would make our line numbers differ from
# an editor's (NEL, LS, PS) or show the text in another order than it has (bidirectional marks).
_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\ufefe\uff00-\ufffd"
    "\U00010000-\U0010ffff]"
)
# YAML 1.2, section 10.3.2 (core schema); hexadecimal, octal, inf and nan stay text.
_CORE = re.compile(
    r"(?P<null>~|null|Null|NULL|)|(?P<true>true|True|TRUE)|(?P<false>false|False|FALSE)"
    r"|(?P<int>[-+]?[0-9]{1,18})|(?P<float>[-+]?[0-9]{1,18}\.[0-9]{1,18})"
)
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")


@dataclass(frozen=True, slots=True)
class Document:
    """What a YAML file says, and where. Its repr shows no value: one may be a misplaced secret."""

    file: str
    data: Any = field(repr=False)
    _lines: Mapping[Where, int] = field(repr=False)

    def line(self, path: Where) -> int:
        """The line of a setting, or of its nearest ancestor that the file has. Counts from 1."""
        return next((self._lines[path[:n]] for n in _downwards(path) if path[:n] in self._lines), 1)

    def problem(self, path: Where, message: str, *, warning: bool = False) -> Problem:
        """A problem with the setting at `path`, for checks that span several settings."""
        return Problem(self.file, self.line(path), _dotted(path), message, warning)

    def validate(self, model: type[M], context: Mapping[str, Any] | None = None) -> M:
        """Read the document as `model`.

        The validation context holds `base`, the file's folder, unless `context` says otherwise.
        Raises `ConfigurationError` with everything that is wrong, by line.
        """
        context = {"base": Path(self.file).parent, **(context or {})}
        try:
            return model.model_validate({} if self.data is None else self.data, context=context)
        except ValidationError as error:
            found = mistakes(error, model, self.data)
        raise ConfigurationError(sorted(self.problem(path, text) for path, text in found))


def read(path: Path) -> Document:
    """Read and parse a file. Raises `ConfigurationError`, also when it cannot be read."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "not a file name"
        raise ConfigurationError([Problem(str(path), 0, "", f"cannot read it: {reason}")]) from None
    if stat.S_ISREG(mode) and mode & stat.S_IWOTH:
        message = f"anybody on this machine can change it: chmod o-w {path}"
        raise ConfigurationError([Problem(str(path), 0, "", message)])
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = Problem(str(path), line, "", "this is not UTF-8 text")
        raise ConfigurationError([problem]) from None
    return document(text, str(path))


def document(text: str, file: str) -> Document:
    """Parse a YAML text. `file` is its name in problems. Raises `ConfigurationError` only."""
    text = text.removeprefix("\ufeff")
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise ConfigurationError([Problem(file, 0, "", "larger than 1 MiB")])
    if odd := _UNPRINTABLE.search(text):
        line = text.count("\n", 0, odd.start()) + 1
        message = f"the character U+{ord(odd[0]):04X} does not belong in a configuration"
        raise ConfigurationError([Problem(file, line, "", message)])
    builder = _Builder(file)
    try:
        data = builder.build(yaml.parse(text, Loader=_LOADER))
    except yaml.YAMLError as error:
        builder.problems.append(_syntax_problem(error, text, file))
    if builder.problems:
        raise ConfigurationError(sorted(builder.problems))
    return Document(file, data, builder.lines)


class _Builder:
    """Builds values from events and notes their lines and what must not be in the file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[Where, int] = {}
        self.problems: list[Problem] = []

    def build(self, events: Iterator[Any]) -> Any:
        """The one document's value; None when the file is empty."""
        data, documents = None, 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._complain(event, (), "a second document: one file holds one")
                    return data
            elif isinstance(event, yaml.NodeEvent):
                data = self._value(event, events, ())
        return data

    def _value(self, event: Any, events: Iterator[Any], path: Where) -> Any:
        self.lines.setdefault(path, _line(event))
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            self._complain(
                event, path, "anchors and aliases (& and *) are not read here: repeat it"
            )
        if getattr(event, "tag", None) is not None:
            self._complain(event, path, "tags (!…) are not read here: write the plain value")
        if len(path) > MAX_DEPTH:
            self._give_up(event, path, "nested too deeply")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(events, path)
        if isinstance(event, yaml.SequenceStartEvent):
            items = takewhile(lambda item: not isinstance(item, yaml.SequenceEndEvent), events)
            return [self._value(item, events, (*path, n)) for n, item in enumerate(items)]
        return self._scalar(event, path) if isinstance(event, yaml.ScalarEvent) else None

    def _mapping(self, events: Iterator[Any], path: Where) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for event in takewhile(lambda key: not isinstance(key, yaml.MappingEndEvent), events):
            key = self._key(event, events, path)
            here = (*path, key)
            if key in found:
                first = self.lines[here]
                self._complain(event, here, f"this key stands on line {first} already")
            self.lines.setdefault(here, _line(event))
            value = self._value(next(events), events, here)
            found.setdefault(key, value)
        return found

    def _key(self, event: Any, events: Iterator[Any], path: Where) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            self._value(event, events, path)
            self._give_up(event, path, "a key is a word, not a list or another mapping")
        if event.value == "<<" and event.implicit[0]:
            self._complain(event, path, "merge keys (<<) are not read here: write the keys out")
        key = self._value(event, events, (*path, event.value))
        if not isinstance(key, str):
            self._complain(
                event, path, f"the key {event.value[:40]!r} is no text: put it in quotes"
            )
        return str(event.value)

    def _scalar(self, event: Any, path: Where) -> Any:
        text: str = event.value
        if not event.implicit[0]:  # quoted, or a block
            return text
        if _LEADING_ZERO.fullmatch(text):
            message = "a number with a leading zero is read in two ways: drop it, or use quotes"
            self._complain(event, path, message)
        found = _CORE.fullmatch(text)
        match found.lastgroup if found else None:
            case "null":
                return None
            case "true" | "false" as truth:
                return truth == "true"
            case "int":
                return int(text)
            case "float":
                return float(text)
        return text

    def _complain(self, event: Any, path: Where, message: str) -> None:
        self.problems.append(Problem(self.file, _line(event), _dotted(path), message))

    def _give_up(self, event: Any, path: Where, message: str) -> NoReturn:
        self._complain(event, path, message)
        raise ConfigurationError(sorted(self.problems))


def _syntax_problem(error: yaml.YAMLError, text: str, file: str) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    number = mark.line if mark else 0
    lines = text.splitlines() or [""]
    line = lines[min(number, len(lines) - 1)]
    if "\t" in line[: len(line) - len(line.lstrip())]:
        message = "indent with spaces: YAML allows no tabs there"
    else:
        reason, context = getattr(error, "problem", None), getattr(error, "context", None)
        message = f"this is not YAML: {reason or 'it cannot be read'}"
        message += f" ({context})" if context else ""
    return Problem(file, number + 1, "", message)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _downwards(path: Where) -> range:
    return range(len(path), -1, -1)


def _dotted(path: Where) -> str:
    return ".".join(str(part) for part in path)
