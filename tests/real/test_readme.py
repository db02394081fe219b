"""README.md shows what works: its files load, its commands run, and its links are good."""

from __future__ import annotations

import base64
import hashlib
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import yaml
from click.testing import CliRunner

from ssogate.cli import main
from ssogate.http.target import parse_target
from ssogate.launch import LaunchResult, Module
from ssogate.model import Outcome
from ssogate.policy import decide
from ssogate.settings import load
from tests.directory.test_legacy import PHPBB
from tests.launch.making import WITH_TOKEN, MemoryPanel
from tests.launch.tls import authority
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


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the README's reader has it, with its first gateway.yaml and policies. The tests
    work in it; the checkout's examples and sources are where its commands look for them."""
    for name in ("link-secret", "sealing-key", "forum-password", "db-password"):
        (tmp_path / name).touch(0o600)
        (tmp_path / name).write_text(SECRET if name == "link-secret" else f"{SECRET} {name}")
    for name in ("examples", "ssogate"):
        (tmp_path / name).symlink_to(PROJECT / name)
    authority(tmp_path, name="node1-ca")
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/10-app.yaml").write_text(block("yaml", "# policies/"))
    (tmp_path / "gateway.yaml").write_text(block("yaml", "# gateway.yaml\n"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def change(config: Path, holding: str) -> None:
    """Write what a block says into gateway.yaml, in place of what stands there."""
    tree = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump({**tree, **yaml.safe_load(block("yaml", holding))}))


def test_its_gateway_yaml_and_policies_load(folder: Path) -> None:
    loaded = load(folder / "gateway.yaml")

    members = parse_target("GET", "/members/", "app.example.com")
    assert loaded.warnings == ()
    assert decide(loaded.policy, members, None, None).outcome is Outcome.CHALLENGE


@pytest.mark.parametrize(
    "holding",
    [
        "sealing_keys:",
        "sources:",
        "kind: postgresql",
        "kind: sso_token",
        "provider: {}",
        "launch:",
        "pages:",
    ],
)
def test_its_further_settings_load(folder: Path, holding: str) -> None:
    (folder / "theme/translations").mkdir(parents=True)
    shutil.copy(PROJECT / "ssogate/http/translations/de.po", folder / "theme/translations/fr.po")
    for step in ("sealing_keys:", holding):
        change(folder / "gateway.yaml", step)

    assert load(folder / "gateway.yaml").warnings == ()


def test_its_queries_are_the_ones_that_a_real_board_answers() -> None:
    (way,) = yaml.safe_load(block("yaml", "sources:"))["login"]
    (source,) = way["sources"]

    assert {name: squeezed(source[name]) for name in PHPBB} == {
        name: squeezed(sql) for name, sql in PHPBB.items()
    }


def squeezed(sql: str) -> str:
    return " ".join(sql.split())


def commands() -> list[str]:
    """All that the README types after it has made a gateway.yaml, but for what goes on running."""
    console = "".join(re.findall(r"^```console\n(.*?)^```$", README, re.MULTILINE | re.DOTALL))
    typed = re.findall(r"^\$ (.*)$", console, re.MULTILINE)
    begin = next(n for n, line in enumerate(typed) if "> link-secret" in line)
    end = next(n for n, line in enumerate(typed) if line.startswith("make test"))
    return [line for line in typed[begin:end] if not re.match(r"ssogate serve\b", line)]


def test_its_commands_work_one_after_the_other(folder: Path) -> None:
    for step in ("sealing_keys:", "provider: {}", "launch:"):
        change(folder / "gateway.yaml", step)

    said = {line: run(line) for line in commands()}

    failed = {line: output for line, (status, output) in said.items() if status}
    # Whose answer is no: there is no panel at node1.example.com.
    assert [*failed] == [line for line in said if re.search("explain|launch", line)], failed
    outputs = {line.split("#")[0].strip(): output for line, (_, output) in said.items()}
    assert "8    0        0" in outputs["ssogate import examples/directory --dry-run"]
    assert "user.password-set" in outputs["ssogate activity list --containing sue"]
    assert "Unable to auto-login" in outputs["ssogate launch 1 --as sue"]
    assert "all whole" in outputs["ssogate activity verify"]
    assert (folder / "theme/translations/fr.po").exists()


def run(line: str) -> tuple[int, str]:
    """Run a line in a shell; a command of ours right here, which answers its questions."""
    if not line.startswith("ssogate "):
        done = subprocess.run(["bash", "-euc", line], check=False)
        return done.returncode, ""
    words = shlex.split(line, comments=True)[1:]
    result = CliRunner().invoke(main, words, input="a password of sue's\n" * 2)
    return result.exit_code, result.output


def test_its_module_signs_people_in() -> None:
    names: dict[str, Any] = {}
    exec(block("python", "class Acme"), names)
    module: Module = names["Acme"]()
    panel = MemoryPanel({"ticket": "t1"}, status=201)

    result = module.service_single_sign_on(WITH_TOKEN, panel)

    assert result == LaunchResult(True, panel.url("/enter", {"ticket": "t1"}))
    assert panel.asked[0].form == {"user": "joe"}
    refused = module.service_single_sign_on(WITH_TOKEN, MemoryPanel({}, status=404))
    assert not refused.success
    assert len(block("python", "class Acme").splitlines()) <= 18


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
