"""examples/websocket behind the gate, as a browser meets it: its page's own WebSocket opens, and
another site's page opens none, although the browser sends the very same cookie."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Page, expect

from tests.gate import HOST, RunningGate, site
from tests.servers import PROJECT, Process
from tests.upstream.scripted import Scripted, ok

pytestmark = [pytest.mark.server, pytest.mark.browser]

EXAMPLE = PROJECT / "examples/websocket"
# Tells in its title whether a WebSocket of the gate's opens, and what it says.
FOREIGN = """<!doctype html><title>trying</title><script>
  const theirs = new WebSocket("ws://{gate}/live");
  theirs.onmessage = ({{ data }}) => {{ document.title = `heard ${{data}}`; }};
  theirs.onerror = () => {{ document.title = "refused"; }};
</script>"""


class App(Process):
    """The example, on a free port."""

    port: int

    def __init__(self) -> None:
        super().__init__([sys.executable, str(EXAMPLE / "app.py"), "0"])

    def wait_until_ready(self) -> None:
        self.port = int(self.until(r"listening at (\d+)")[1])


@pytest.fixture(scope="module")
def app() -> Iterator[App]:
    with App() as running:
        yield running


@pytest.fixture(scope="module")
def gate(app: App, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGate]:
    """The gate as the example's gateway.yaml sets it up."""
    shown = yaml.safe_load((EXAMPLE / "gateway.yaml").read_text("utf-8"))
    assert shown["upstreams"] == {"live": {"url": "http://127.0.0.1:8002"}}
    upstreams = {"live": {"url": f"http://127.0.0.1:{app.port}"}}
    rules = {"rules": [{"name": "all", "path": "/**", "allow": "signed_in"}]}
    folder = tmp_path_factory.mktemp("live") / "gate"
    written = site(folder, "", policy=rules, upstreams=upstreams, routes=shown["routes"])
    with RunningGate(written, "--workers", "1", "--graceful-timeout", "1") as running:
        yield running


def sign_in(page: Page, gate: RunningGate, username: str) -> None:
    """Come by a link, and go on to the example's page."""
    page.goto(gate.link(username))
    page.goto(gate.url("/"))
    expect(page.locator("#state")).to_have_text("Connected")


def test_the_page_hears_who_it_is_what_it_says_and_what_the_time_is(
    page: Page, gate: RunningGate
) -> None:
    sign_in(page, gate, "ann")

    expect(page.locator("#user")).to_have_text("ann")
    page.locator("#said").fill("Grüße aus dem Hafen")
    page.get_by_role("button", name="Say").click()
    expect(page.locator("#heard li")).to_have_text(["Grüße aus dem Hafen"])
    first = page.locator("#clock").text_content() or ""
    assert len(first) == len("12:34:56")
    expect(page.locator("#clock")).not_to_have_text(first)


def test_the_page_is_cut_off_when_its_visitor_signs_out_elsewhere(
    page: Page, gate: RunningGate
) -> None:
    sign_in(page, gate, "bea")
    other = page.context.new_page()
    other.goto(gate.url("/sso.php?mode=logout"), wait_until="commit")

    expect(page.locator("#state")).to_have_text("Signed out, or the server is gone")


def test_a_page_of_another_site_is_refused_with_the_very_same_cookie(
    page: Page, gate: RunningGate, app: App
) -> None:
    sign_in(page, gate, "cyd")
    html = FOREIGN.format(gate=f"{HOST}:{gate.port}").encode()
    with Scripted(otherwise=ok(html).replace(b"text/plain", b"text/html")) as foreign:
        page.goto(foreign.url)  # the same host, so the browser sends the cookie there, too
        expect(page).to_have_title("refused")

    assert '"code": "cross_site"' in gate.log()
    assert '"user":"cyd","request_id"' in gate.log().rpartition('"status":403')[2]


def test_the_page_alone_knows_nobody(app: App, tmp_path: Path) -> None:
    """It is the gate that says who is there; and what is no page of the app's is none."""
    fetched = subprocess.run(
        ["curl", "-s", "-w", " %{http_code}", f"http://{HOST}:{app.port}/other"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert fetched.stdout == "There is no such page.\n 404"
