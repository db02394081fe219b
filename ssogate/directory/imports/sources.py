"""What the command line names becomes the list of files to read, each with its kind."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from ssogate.directory.imports.readers import READERS, Source
from ssogate.directory.imports.rows import KINDS, unknown

_STREAMS = frozenset({".csv", ".jsonl"})  # they hold rows of one kind and cannot say of which
_NAME = re.compile(r"([a-z]+)(?:[-_.].*)?", re.DOTALL)


def sources(paths: Iterable[Path], kind: str = "") -> list[Source]:
    """Find the files, those of a folder by name; `kind` is theirs, whatever they are called.

    Raises `ValueError`, in words, for a file that cannot be meant, or for none.
    """
    if kind and kind not in KINDS:
        raise ValueError(unknown("kind", kind, KINDS))
    found = [_source(path, kind) for given in paths for path in _files(given)]
    if not found:
        raise ValueError("there is no file to read: give CSV, JSON Lines, JSON or YAML files")
    return found


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    # A file that is not read must be noticed: only what explains the others may stand beside them.
    return sorted(file for file in path.iterdir() if file.suffix != ".md")


def _source(path: Path, kind: str) -> Source:
    if not path.is_file():
        raise ValueError(f"{path} is no file")
    if path.suffix not in READERS:
        raise ValueError(f"{path}: {unknown('kind of file', path.suffix, READERS)}")
    named = _NAME.fullmatch(path.stem)
    word = kind or (named[1] if named else path.stem)
    if word in KINDS:
        return Source(path, word)
    if path.suffix in _STREAMS:
        advice = "name the file after what is in it, such as users.csv, or use --kind"
        raise ValueError(f"{path}: {unknown('kind', word, KINDS)}; {advice}")
    return Source(path, "")
