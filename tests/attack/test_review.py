"""What a review found: each of these once got past, or brought the gate down."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder

from ssogate.http.log import path_alone
from ssogate.http.target import parse_target
from ssogate.middleware.wrapped import Wrapped
from ssogate.model import Outcome
from ssogate.policy import compile_policy, decide
from ssogate.policy.pattern import parse_pattern
from ssogate.policy.rule import Access, Rule
from ssogate.storage import SQLiteStore
from ssogate.storage.sqlite import BUSY_SECONDS
from ssogate.worker.logger import harmless
from ssogate.worker.start import keep_what_works
from tests.attack.stage import Stage, new_link
from tests.gate import MakeGate

# --- A2, A3: servers behind one another --------------------------------------------------------


def _outcome(path: str, *, case: Any = "sensitive", **openings: bool) -> Outcome:
    rules = [
        Rule("page", (parse_pattern("/admin.php"),), Access.NOBODY),
        Rule("tree", (parse_pattern("/admin/**"),), Access.NOBODY),
        Rule("rest", (parse_pattern("/**"),), Access.PUBLIC),
    ]
    target = parse_target("GET", path, "app.example", **openings)
    return decide(compile_policy(rules, case), target, None, None).outcome


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/admin.php;%3F/x", id="a second URL, then parameters"),
        pytest.param("/admin.php%3B%3F/x", id="the same, escaped"),
        pytest.param("/admin.php;%23/x", id="a fragment, then parameters"),
    ],
)
def test_what_one_server_leaves_the_next_one_reads(path: str) -> None:
    readings = parse_target("GET", path, "app.example").readings

    assert ("admin.php",) in readings


@pytest.mark.parametrize("mark", [";%3F", "%3B%3F", ";%23", "%3b%23"])
def test_no_order_of_servers_opens_a_closed_page(mark: str) -> None:
    assert _outcome(f"/admin.php{mark}/x") is Outcome.DENY


def test_a_reparsed_path_loses_its_fragment_or_its_query() -> None:
    readings = parse_target("GET", "/a%23b%3Fc", "app.example").readings

    assert {("a#b?c",), ("a#b",), ("a",)} <= set(readings)


@pytest.mark.parametrize("path", ["/%3B/%2F;x", "//admin;%3F/x", "/x%3F//;/%2Fadmin"])
def test_openings_are_read_in_every_order(path: str) -> None:
    target = parse_target("GET", path, "app.example", encoded_slash=True, double_slash=True)

    for reading in target.readings:
        squeezed = (*filter(None, reading[:-1]), reading[-1])
        bare = tuple(segment.partition(";")[0] for segment in reading)
        split = tuple("/".join(reading).split("/"))
        assert {squeezed, bare, split} <= set(target.readings)


def test_many_marks_make_few_readings() -> None:
    path = "/a;b%3Fc%23d%2F/" * 500

    started = time.perf_counter()
    target = parse_target("GET", path, "app.example", encoded_slash=True, double_slash=True)

    assert len(target.readings) < 64
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize(
    "unseen", ["%E2%80%8B", "%E2%80%8D", "%C2%AD", "%EF%BB%BF", "%EF%B8%8F", "%F3%A0%80%A0"]
)
def test_a_file_system_that_overlooks_a_sign_finds_no_closed_page(unseen: str) -> None:
    """ext4 with case folding, and HFS+, find `admin` by `ad<zero width space>min`."""
    assert _outcome(f"/AD{unseen}min/x", case="ignore") is Outcome.DENY
    assert _outcome(f"/{unseen}/x", case="ignore") is Outcome.DENY


# --- H3: the log -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mark", ["?", "%3F", "%253f", "%25253F", "&", "%26", "%2526", ";", "%3B", "/", "#", "%23"]
)
def test_a_misspelt_link_leaves_nothing_in_a_log(mark: str) -> None:
    link = f"/sso.php{mark}query=dXNlcm5h&hash=c0ffee"

    assert "dXNl" not in path_alone(link)
    assert "c0ffee" not in path_alone(link)


def test_an_error_log_cuts_an_escaped_query() -> None:
    assert "c0ffee" not in harmless("Error handling request /sso.php%253Fquery=x&hash=c0ffee")


def test_a_long_message_is_cleaned_in_no_time() -> None:
    started = time.perf_counter()
    harmless("Invalid " * 8000)

    assert time.perf_counter() - started < 0.5


@pytest.mark.server
@pytest.mark.parametrize("mark", ["%3F", "%253F", "&", "%26", "/", ";"])
@pytest.mark.parametrize("path", ["/sso.php", "/_sso/sso.php"])
def test_a_link_that_the_gate_does_not_know_stays_out_of_the_log(
    stage: Stage, path: str, mark: str
) -> None:
    query = new_link().partition("?")[2]
    secret = query.partition("hash=")[2]
    before = len(stage.gate.log())

    stage.ask(f"{path}{mark}{query}")

    assert stage.is_alive()
    assert secret not in stage.gate.log()[before:]


@pytest.mark.server
def test_an_address_of_ours_that_there_is_not_fills_no_log(stage: Stage) -> None:
    before = len(stage.gate.log())

    assert stage.ask("/_sso/" + "a" * 8000).status == 404
    assert stage.is_alive()
    assert len(stage.gate.log()) - before < 3000


# --- A6: the host that was judged is the host that is sent ---------------------------------------


@pytest.mark.server
@pytest.mark.parametrize(
    ("host", "sent"),
    [
        pytest.param("APP.Example", "app.example", id="capitals"),
        pytest.param("app.example.", "app.example", id="closing dot"),
        pytest.param("App.Example.:8443", "app.example:8443", id="with a port"),
    ],
)
def test_an_upstream_is_told_the_host_that_was_judged(stage: Stage, host: str, sent: str) -> None:
    stage.seen()

    assert stage.ask("/pub/x", host=host).status == 200
    [seen] = stage.seen()
    assert seen["headers"]["HTTP_HOST"] == seen["headers"]["HTTP_X_FORWARDED_HOST"] == sent


# --- G6: a body that cannot be read, by an app that reads late ------------------------------------


class Lazy:
    """A wrapped app's answer that reads the body when its first block is asked for."""

    def __init__(self, environ: Any, start_response: Any) -> None:
        self.environ, self.start_response, self.closed = environ, start_response, False

    def __iter__(self) -> Iterator[bytes]:
        body = self.environ["wsgi.input"].read()
        self.start_response("200 OK", [("Content-Type", "text/plain")])
        yield body
        yield b"."

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("length", "status"),
    [pytest.param("4", "200", id="whole"), pytest.param("9", "400", id="cut short")],
)
def test_an_app_that_reads_late_is_told_in_time(length: str, status: str) -> None:
    answers: list[Lazy] = []

    def app(environ: Any, start_response: Any) -> Lazy:
        answers.append(Lazy(environ, start_response))
        return answers[-1]

    environ = EnvironBuilder(method="POST", data=b"body").get_environ()
    environ["CONTENT_LENGTH"] = length
    statuses: list[str] = []

    body = Wrapped(app)(environ, lambda told, *_: statuses.append(told))  # type: ignore[arg-type]

    assert [told[:3] for told in statuses] == [status]
    assert (b"".join(body) == b"body.") is (status == "200")
    if hasattr(body, "close"):
        body.close()
    assert answers[0].closed


# --- The store and the server ----------------------------------------------------------------


def test_a_store_that_is_up_to_date_opens_while_somebody_writes(tmp_path: Path) -> None:
    path = tmp_path / "store"
    SQLiteStore(path, clock=time.time).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as backup:
        backup.execute("BEGIN IMMEDIATE")
        started = time.monotonic()

        SQLiteStore(path, clock=time.time).close()

        assert time.monotonic() - started < BUSY_SECONDS


@pytest.mark.server
def test_a_worker_that_dies_during_a_backup_takes_no_gate_down(gate: MakeGate) -> None:
    running = gate("http://127.0.0.1:9")
    first = _worker(running.log)
    store = running.site.folder / "var" / "ssogate.sqlite"
    with closing(sqlite3.connect(store, isolation_level=None)) as backup:
        backup.execute("BEGIN IMMEDIATE")

        os.kill(first, signal.SIGKILL)
        deadline = time.monotonic() + 8
        while _worker(running.log) == first and time.monotonic() < deadline:
            time.sleep(0.05)

        assert running.ask("/_sso/health").status == 200
        assert "failed to boot" not in running.log()


def _worker(log: Callable[[], str]) -> int:
    return int(log().rpartition("Booting worker with pid: ")[2].split()[0])


def test_a_reload_that_cannot_even_look_changes_nothing() -> None:
    told: list[str] = []
    reloads: list[None] = []
    log = SimpleNamespace(error=told.append, exception=told.append)
    server = SimpleNamespace(handle_hup=lambda: reloads.append(None), log=log)

    def ready() -> None:
        raise PermissionError("var")

    keep_what_works(server, ready)
    server.handle_hup()

    assert (reloads, told) == ([], ["not reloaded"])
