"""The gunicorn.conf.py of the project: plain `gunicorn` serves the gate, or says why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers import PROJECT, Gunicorn, ServerDied, ask, request

pytestmark = pytest.mark.server

CONF = PROJECT / "gunicorn.conf.py"
GATEWAY = """\
public_url: http://localhost:8000
store:
  path: gate.sqlite
login:
  - kind: signed_link
    name: members
    label: the members' site
    secrets:
      - env: LINK_SECRET
    return_url: http://127.0.0.1:9/
policy:
  files: policies/*.yaml
upstreams:
  club:
    url: http://127.0.0.1:9
routes:
  - path: /
    upstream: club
"""
POLICY = "rules:\n  - name: members\n    path: /**\n    allow: signed_in\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "gateway.yaml").write_text(GATEWAY)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "site.yaml").write_text(POLICY)
    return tmp_path


def start(folder: Path, *args: str, bind: str = "127.0.0.1:0") -> Gunicorn:
    env = {"LINK_SECRET": "x" * 40, "SSOGATE_BIND": bind}
    return Gunicorn(None, *args, conf=CONF, cwd=folder, env=env, bind=None)


def refusal(folder: Path, *args: str, bind: str = "127.0.0.1:0") -> str:
    with pytest.raises(ServerDied) as died, start(folder, *args, bind=bind):
        pytest.fail("it started")
    assert died.value.status == 2
    assert "Traceback" not in died.value.log
    return died.value.log


def test_the_gate_is_served(folder: Path) -> None:
    with start(folder) as server:
        answer = ask(server.port, request("/", "Accept: text/html", host="localhost:8000"))

    assert answer.status in (302, 303)
    assert "127.0.0.1:9" in (answer.header("Location") or "")
    assert (folder / "gate.sqlite").exists()


def test_what_is_wrong_in_every_file_is_told_at_once(folder: Path) -> None:
    path = folder / "gateway.yaml"
    path.write_text(GATEWAY.replace("return_url", "retrun_url"))

    log = refusal(folder, "--header-map", "drop")

    assert "gateway.yaml:10: login.0.retrun_url: unknown key 'retrun_url'; did you mean" in log
    assert "gunicorn: header_map: " in log


def test_a_missing_gateway_yaml_is_one_line(folder: Path) -> None:
    (folder / "gateway.yaml").unlink()

    assert "gateway.yaml: cannot read it: No such file or directory" in refusal(folder)


def test_plain_http_for_everybody_is_refused(folder: Path) -> None:
    assert "gunicorn: bind: visitors' sign-ins would travel unencrypted" in refusal(
        folder, bind="0.0.0.0:0"
    )
