"""What the tests run: sources, or where `make compiled` says so, what was made of them."""

from __future__ import annotations

import os
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import ssogate

PACKAGE = Path(ssogate.__file__).parent
PROJECT = tomllib.loads(Path(__file__).parents[2].joinpath("pyproject.toml").read_text())
PATTERNS = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["mypyc"]["include"]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_what_was_to_be_tested_is_what_runs(pattern: str) -> None:
    sources = [*PACKAGE.parent.glob(pattern.lstrip("/"))]
    assert sources
    for source in sources:
        name = ".".join(source.relative_to(PACKAGE.parent).with_suffix("").parts)
        file = import_module(name.removesuffix(".__init__")).__file__
        assert file is not None
        # An .so beside the sources would hide them from then on: `git clean -X` takes it away.
        assert file.endswith(".so") is ("SSOGATE_TEST_COMPILED" in os.environ)
