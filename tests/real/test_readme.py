"""README.md shows what works: its files load, and its links are good."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from ssogate.http.target import parse_target
from ssogate.model import Outcome
from ssogate.policy import decide
from ssogate.settings import load
from tests.servers import PROJECT

README = (PROJECT / "README.md").read_text("utf-8")
SECRET = "a secret of the readme's tests, long enough"


def block(language: str, holding: str) -> str:
    """The one block of code in that language with these words in it."""
    (found,) = (
        text
        for text in re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
        if holding in text
    )
    return str(found)


def test_its_gateway_yaml_and_policies_load(tmp_path: Path) -> None:
    secret = tmp_path / "link-secret"
    secret.touch(0o600)
    secret.write_text(SECRET)
    config = tmp_path / "gateway.yaml"
    config.write_text(block("yaml", "# gateway.yaml").replace("/etc/ssogate", str(tmp_path)))
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/10-app.yaml").write_text(block("yaml", "# policies/"))

    loaded = load(config)

    members = parse_target("GET", "/members/", "app.example.com")
    assert loaded.warnings == ()
    assert decide(loaded.policy, members, None, None).outcome is Outcome.CHALLENGE


def python_link() -> str:
    names = {"secret": SECRET, "urlencode": urlencode, "time": time}
    names |= {"base64": base64, "hashlib": hashlib}
    exec(block("python", "hashlib.sha256"), names)
    return str(names["link"])


def php_link() -> str:
    if not shutil.which("php"):
        pytest.skip("no php here")
    code = f'$secret = "{SECRET}";\n{block("php", "hash(")}\necho $link;'
    made = subprocess.run(
        ["php", "-r", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert made.stderr == ""
    return made.stdout


@pytest.mark.parametrize("make", [python_link, php_link])
def test_its_link_is_signed_and_says_who(make: Callable[[], str]) -> None:
    link = urlsplit(make())

    outer = {key: value for key, (value,) in parse_qs(link.query, strict_parsing=True).items()}
    inner = dict(parse_qs(base64.b64decode(outer["query"]).decode(), strict_parsing=True))
    assert (link.netloc, link.path, outer["mode"]) == ("app.example.com", "/sso.php", "login")
    assert outer["hash"] == hashlib.sha256((outer["query"] + SECRET).encode()).hexdigest()
    assert (inner["username"], inner["name"]) == (["john"], ["John Smith"])
    assert abs(int(inner["t"][0]) - time.time()) < 60


@pytest.mark.parametrize("name", re.findall(r"\]\((?!https?:)([^)#]+)\)", README))
def test_what_it_links_to_is_there(name: str) -> None:
    assert (PROJECT / name).exists()


def test_its_make_targets_exist() -> None:
    makefile = (PROJECT / "Makefile").read_text("utf-8")

    for target in set(re.findall(r"(?:`|\$ )make (\w+)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
