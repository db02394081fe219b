"""Which gunicorn settings serve the gate, and what is wrong with them, before a server runs."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from traceback import extract_tb
from typing import Any

from gunicorn.config import Config
from gunicorn.errors import ConfigError

from ssogate.errors import Problem
from ssogate.worker import safe

PACKAGED = "python:ssogate.cli.gunicorn_conf"


def server_file(config: Path) -> Path | None:
    """Give the gunicorn.conf.py beside gateway.yaml, if there is one."""
    file = config.parent / "gunicorn.conf.py"
    return file if file.is_file() else None


def server_settings(file: Path | None) -> tuple[Config, list[Problem]]:
    """Give the settings that gunicorn would read from `file` (None: from our own) and from
    `GUNICORN_CMD_ARGS`, with what is wrong in the file. The file is run, as gunicorn runs it."""
    cfg = Config()
    try:
        values = _run(file) if file else safe.SAFE
    except Exception as error:  # whatever the operator's code raises
        return cfg, [_failed(file, error)]
    problems = [*_set(cfg, values, str(file))]
    if file:
        cfg.set("config", str(file))
    given = vars(cfg.parser().parse_args(cfg.get_cmd_args_from_env()))
    given = {name: value for name, value in given.items() if value is not None}
    return cfg, [*problems, *_set(cfg, given, "GUNICORN_CMD_ARGS")]


def _set(cfg: Config, values: Mapping[str, Any], file: str) -> Iterator[Problem]:
    for name, value in values.items():
        if name in cfg.settings:
            try:
                cfg.set(name, value)
            except (ConfigError, TypeError, ValueError, OSError) as error:
                yield Problem(file, 0, name, str(error))


def _run(file: Path) -> Mapping[str, Any]:
    with _importable(Path.cwd()):
        return runpy.run_path(str(file))


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """gunicorn looks for modules in its working folder, too."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _failed(file: Path | None, error: Exception) -> Problem:
    lines = [
        frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename == str(file)
    ]
    line = error.lineno if isinstance(error, SyntaxError) else next(reversed(lines), 0)
    return Problem(str(file), line or 0, "", f"{type(error).__name__}: {error}")
