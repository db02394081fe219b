"""Mistakes under `launch` are told when gateway.yaml is read."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copy
from typing import Any

import certifi
import pytest

from ssogate.errors import ConfigurationError
from ssogate.settings import Loaded, load


def loaded(folder: Path, launch: dict[str, Any]) -> Loaded:
    (folder / "policies").mkdir()
    rule = {"name": "all", "path": "/**", "allow": "signed_in"}
    (folder / "policies" / "all.yaml").write_text(json.dumps({"rules": [rule]}))
    tree = {
        "public_url": "https://app.example",
        "upstreams": {"app": {"url": "http://127.0.0.1:1"}},
        "routes": [{"path": "/", "upstream": "app"}],
        "launch": launch,
    }
    (folder / "gateway.yaml").write_text(json.dumps(tree))
    return load(folder / "gateway.yaml")


def php(file: str) -> dict[str, Any]:
    return {"modules": {"old": {"kind": "php", "file": file}}}


def test_files_that_are_there_are_no_mistake(tmp_path: Path) -> None:
    copy(certifi.where(), tmp_path / "ca.pem")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "old.php").touch()
    launch = {"servers": {"web1": {"ca": "ca.pem", "hosts": ["panel.example"]}}}

    found = loaded(tmp_path, {**launch, **php("old/old.php"), "base": "/billing"})

    assert found.settings.launch
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("launch", "words"),
    [
        pytest.param({"servers": {"w": {"ca": "no.pem"}}}, "there is no file", id="no CA file"),
        pytest.param({"servers": {"w": {"ca": "gateway.php"}}}, "in PEM", id="no certificates"),
        pytest.param(php("no/no.php"), "there is no file", id="no PHP file"),
        pytest.param(php("gateway.php"), "a folder of its own", id="PHP beside gateway.yaml"),
        pytest.param({"servers": {"w": {"hosts": ["*.a.example"]}}}, "name each host", id="hosts"),
        pytest.param({"base": "billing"}, "plain path", id="base without a slash"),
        pytest.param({"base": "/billing?x=1"}, "plain path", id="base with a query"),
        pytest.param({"limit": "10m"}, "limit", id="patience of ten minutes"),
        pytest.param({"modules": {"x": {"kind": "perl"}}}, "kind", id="unknown kind"),
    ],
)
def test_a_mistake_is_told_with_its_place(
    tmp_path: Path, launch: dict[str, Any], words: str
) -> None:
    (tmp_path / "gateway.php").touch()

    with pytest.raises(ConfigurationError) as told:
        loaded(tmp_path, launch)

    assert any(p.where.startswith("launch") and words in str(p) for p in told.value.problems)
