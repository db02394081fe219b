"""Running legacy apps, one of each for a module's tests."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator

import pytest

from tests.real.apps import WIKI, DokuWiki
from tests.real.apps import radicale as radicale_server
from tests.servers import PROJECT, Gunicorn

sys.path.append(str(PROJECT / "examples"))  # programs, which are not a part of the package


@pytest.fixture(scope="module")
def radicale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    """A calendar server that believes `X-Remote-User`; `.url()`, `.port`."""
    with radicale_server(tmp_path_factory.mktemp("radicale")) as server:
        yield server


@pytest.fixture(scope="module")
def dokuwiki(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DokuWiki]:
    """A wiki that believes the four headers; `.url()`, `.port`."""
    if not (WIKI.is_dir() and shutil.which("php")):
        pytest.skip("DokuWiki and php-cli are not installed: see .ci/run")
    with DokuWiki(tmp_path_factory.mktemp("dokuwiki")) as server:
        yield server
