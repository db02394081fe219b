"""The modules by name: those that ship, those of gateway.yaml, and packages' own."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssogate.errors import ConfigurationError
from ssogate.launch.module import Metadata
from ssogate.launch.modules import BUILT_IN
from ssogate.launch.plugins import open_modules
from ssogate.launch.settings import LaunchSettings, PluginSettings

ACME = """
from ssogate.launch import Metadata

class Acme:
    metadata = Metadata("Acme", port=9443)

class Odd:
    metadata = "Acme"

class Broken:
    def __init__(self):
        raise RuntimeError("no licence")
"""
ENTRIES = """[ssogate.modules]
acme = acme_panel:Acme
odd = acme_panel:Odd
broken = acme_panel:Broken
gone = acme_panel:Gone
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an installed package."""
    (tmp_path / "acme_panel.py").write_text(ACME)
    about = tmp_path / "acme_panel-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-panel\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(ENTRIES)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def named(entry_point: str) -> LaunchSettings:
    return LaunchSettings(modules={"mine": PluginSettings(kind="plugin", entry_point=entry_point)})


def test_the_modules_that_ship_are_there_without_a_word(tmp_path: Path) -> None:
    assert open_modules(LaunchSettings(), tmp_path) == BUILT_IN
    assert {"cpanel", "plesk", "directadmin", "virtualmin"} <= BUILT_IN.keys()


def test_a_package_brings_a_module(installed: Path) -> None:
    modules = open_modules(named("acme"), installed)

    assert modules["mine"].metadata == Metadata("Acme", port=9443)


@pytest.mark.parametrize(
    ("entry_point", "words"),
    [
        ("nobody", "no installed package has 'nobody'"),
        ("odd", "its `metadata` is no Metadata"),
        ("broken", "RuntimeError: no licence"),
        ("gone", "AttributeError"),
    ],
)
def test_a_module_that_cannot_be_had_stops_the_start(
    installed: Path, entry_point: str, words: str
) -> None:
    with pytest.raises(ConfigurationError) as told:
        open_modules(named(entry_point), installed)

    assert told.value.problems[0].where == "launch.modules.mine"
    assert words in told.value.problems[0].message


@pytest.mark.server
def test_a_php_module_says_what_it_is_at_the_start(tmp_path: Path) -> None:
    source = Path(__file__).parent / "php" / "mypanel.php"
    (tmp_path / "mypanel.php").write_bytes(source.read_bytes())
    settings = LaunchSettings(modules={"mine": {"kind": "php", "file": "mypanel.php"}})

    assert open_modules(settings, tmp_path)["mine"].metadata.service_label
    (tmp_path / "mypanel.php").unlink()
    with pytest.raises(ConfigurationError, match=r"mypanel\.php"):
        open_modules(settings, tmp_path)
