"""A link is good for a short time and opens one session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ssogate.directory import change_user
from ssogate.directory.activity import By
from tests.login.making import (
    ANN,
    JOE,
    Gate,
    code,
    fields_of,
    refused,
    settings,
)
from tests.storage.making import NOW

SLACK = 60
EXPIRY = 300
REFERRER = {"Referer": "https://member.example/list"}
LINK = fields_of(JOE)


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path, settings())


@pytest.mark.parametrize(
    ("passed", "expected"),
    [
        pytest.param(-SLACK - 1, "400E2", id="far ahead"),
        pytest.param(-SLACK, None, id="as far ahead as may be"),
        pytest.param(0, None, id="at once"),
        pytest.param(EXPIRY, None, id="the last second"),
        pytest.param(EXPIRY + 0.001, "400E3", id="just too late"),
        pytest.param(EXPIRY + 1, "400E3", id="too late"),
    ],
)
def test_a_link_is_good_for_as_long_as_is_set(
    gate: Gate, passed: float, expected: str | None
) -> None:
    gate.clock.now = NOW + passed

    assert code(gate.browser().follow(LINK)) == expected


def test_a_link_opens_one_session(gate: Gate) -> None:
    gate.browser().follow(LINK)

    stranger = gate.browser()
    assert refused(stranger.follow(LINK), "400E3")
    assert stranger.who == ""
    assert gate.names == ["joe"]


@pytest.mark.parametrize(
    "again",
    [
        pytest.param({**LINK, "query": LINK["query"].replace("+", " ")}, id="space for plus"),
        pytest.param({**LINK, "redirect": "/elsewhere"}, id="another destination"),
        pytest.param({**LINK, "x": "1"}, id="one more parameter"),
    ],
)
def test_another_spelling_of_a_spent_link_is_spent(gate: Gate, again: dict[str, str]) -> None:
    gate.browser().follow(LINK)

    assert refused(gate.browser().follow(again), "400E3")


def test_a_spent_link_stays_spent_when_the_clock_is_set_back(gate: Gate) -> None:
    gate.clock.now = NOW + EXPIRY
    gate.browser().follow(LINK)
    gate.browser().follow(fields_of({**ANN, "t": str(NOW + EXPIRY)}))
    gate.clock.now = NOW

    assert refused(gate.browser().follow(LINK), "400E3")


def test_the_browser_that_a_link_opened_is_sent_on_again(gate: Gate) -> None:
    browser = gate.browser()
    browser.follow(LINK)
    gate.clock.now = NOW + EXPIRY + 99

    response = browser.follow({**LINK, "redirect": "/there"})

    assert (response.status_code, response.headers["Location"]) == (303, "/there")
    assert "Set-Cookie" not in response.headers
    assert gate.names == ["joe"]


def test_a_reload_needs_no_referrer(tmp_path: Path) -> None:
    gate = Gate(tmp_path, settings(allowed_domains=["member.example"]))
    browser = gate.browser()
    browser.follow(LINK, headers=REFERRER)

    assert browser.follow(LINK).status_code == 303


@pytest.mark.parametrize("out", ["logout", "deactivated", "idle"])
def test_after_the_session_a_link_in_the_history_signs_nobody_in(gate: Gate, out: str) -> None:
    browser = gate.browser()
    browser.follow(LINK)
    if out == "logout":
        browser.follow({"mode": "logout"})
    elif out == "idle":
        gate.clock.now = NOW + 3601
    else:
        change_user(gate.keeper.store, "joe", active=False, by=By("cli:root"), now=NOW)

    assert refused(browser.follow(LINK), "400E3")
    assert browser.who == ""


@pytest.mark.parametrize(
    ("made", "fields"),
    [
        pytest.param({"single_use": False}, LINK, id="single_use off"),
        pytest.param({"verify_timestamp": False}, LINK, id="verify_timestamp off"),
        pytest.param(
            {"verify_timestamp": False},
            fields_of({key: JOE[key] for key in ("username", "name", "email")}),
            id="verify_timestamp off, no t",
        ),
        pytest.param({"verify_timestamp": False}, fields_of({**JOE, "t": "1"}), id="old t"),
    ],
)
def test_a_link_may_be_allowed_to_work_again(
    tmp_path: Path, made: dict[str, Any], fields: dict[str, str]
) -> None:
    gate = Gate(tmp_path, settings(**made))

    for _ in range(2):
        assert gate.browser().follow(fields).status_code == 303
    assert gate.names == ["joe", "joe"]


@pytest.mark.parametrize(
    ("made", "passed", "expected"),
    [
        pytest.param({"expiry": "10s"}, 10, None, id="expiry"),
        pytest.param({"expiry": "10s"}, 11, "400E3", id="after expiry"),
        pytest.param({"clock_skew": "0s"}, 0, None, id="no skew"),
        pytest.param({"clock_skew": "0s"}, -1, "400E2", id="no skew, ahead"),
        pytest.param({"clock_skew": "10m"}, -600, None, id="more skew"),
    ],
)
def test_the_times_are_settings(
    tmp_path: Path, made: dict[str, Any], passed: int, expected: str | None
) -> None:
    gate = Gate(tmp_path, settings(**made))
    gate.clock.now = NOW + passed

    assert code(gate.browser().follow(LINK)) == expected
