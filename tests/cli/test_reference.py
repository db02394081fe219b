"""REFERENCE.md tells what the program is, and all of it."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from click.testing import CliRunner
from pydantic import Field

from ssogate.cli import main
from ssogate.cli.keys import Key, Section, sections
from ssogate.cli.reference import reference
from ssogate.config import Duration, Secret, Settings
from ssogate.doors import doors
from ssogate.errors import GateError
from ssogate.policy.settings import PolicyFile
from ssogate.settings import GatewaySettings
from tests.cli.conftest import Site
from tests.cli.making import with_sealing_key
from tests.servers import PROJECT

PAGE = reference(main)
SECTIONS = [*sections(GatewaySettings), *sections(PolicyFile)]
KEYS = [
    pytest.param(key, id=f"{section.path}.{key.name}")
    for section in SECTIONS
    for key in section.keys
]


def test_the_file_is_what_the_program_says() -> None:
    written = (PROJECT / "REFERENCE.md").read_text("utf-8")

    assert written == PAGE, "run: make reference"


def test_the_command_prints_it() -> None:
    assert CliRunner().invoke(main, ["reference"]).stdout == PAGE


@pytest.mark.parametrize("key", KEYS)
def test_every_setting_says_what_it_means_and_what_to_write(key: Key) -> None:
    assert key.meaning.endswith((".", "`."))
    assert key.write


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.path or "file")
def test_every_group_of_settings_says_what_it_is(section: Section) -> None:
    assert section.meaning.endswith(".")


def _refusals(kind: type[GateError] = GateError) -> list[type[GateError]]:
    below = [it for it in kind.__subclasses__() if it.__module__ == "ssogate.errors"]
    return [*below, *(deeper for it in below for deeper in _refusals(it))]


def test_no_two_refusals_have_one_code() -> None:
    codes = Counter([GateError.code, *(refusal.code for refusal in _refusals())])

    assert [code for code, times in codes.items() if times > 1] == []


@pytest.mark.parametrize("refusal", _refusals(), ids=lambda refusal: refusal.__name__)
def test_every_refusal_has_a_row_that_says_when_it_happens(refusal: type[GateError]) -> None:
    (row,) = re.findall(rf"^\| `{refusal.code}` \|.*$", PAGE, re.MULTILINE)

    assert refusal.title in row
    assert refusal.public in row
    assert not row.endswith("|  |")


@pytest.mark.parametrize(
    "words",
    [
        pytest.param("### `login[]`", id="entries of a list"),
        pytest.param("### `upstreams.NAME`", id="named entries"),
        pytest.param("### `tests[].as`", id="keys within an entry, by their name in the file"),
        pytest.param("| `X-Remote-Groups` | groups |", id="a header"),
        pytest.param("| `REMOTE_USER` | username |", id="an environ key"),
        pytest.param("| `/_sso/signed-out` | Says that", id="an address"),
        pytest.param("### ssogate session end", id="a command below another"),
        pytest.param("--redirecttype TYPE", id="an option"),
        pytest.param("| `http_parser` | `'python'` |", id="a setting of gunicorn's"),
    ],
)
def test_it_tells_of(words: str) -> None:
    assert words in PAGE


def test_no_text_in_a_table_can_be_taken_for_markup() -> None:
    rows = re.findall(r"^\|.*$", PAGE, re.MULTILINE)
    texts = (re.sub(r"`[^`]*`", "", row).replace("**", "") for row in rows)

    assert [text for text in texts if re.search(r"[*`]|<(?!=)|\]\(", text)] == []


def test_every_table_has_as_many_cells_in_each_row() -> None:
    for table in re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1


def test_no_line_tells_of_the_machine_that_it_was_made_on() -> None:
    assert str(PROJECT) not in PAGE


class Below(Settings):
    """What is below."""

    wait: Duration = 5400.0
    """How long."""


class Sample(Settings):
    many: tuple[Below, ...] = ()
    named: dict[str, Below] = Field(default_factory=dict)
    secret: Secret
    pipe: str = "a|b"


def test_keys_tell_their_default_and_how_they_are_written() -> None:
    first, many, named = sections(Sample)
    rows = {key.name: (key.write, key.default) for key in first.keys}

    assert (many.path, named.path, many.meaning) == ("many[]", "named.NAME", "What is below.")
    assert many.keys == (Key("wait", "such as `90s`, `30m`, `12h`, `7d`", "`90m`", "How long."),)
    assert rows["secret"][1] == "**required**"
    assert rows["many"] == ("a list, each entry: keys and values (below)", "")
    assert rows["pipe"] == ("text", "`a|b`")


def test_every_address_of_the_gate_is_told(site: Site) -> None:
    with_sealing_key(site)
    site.edit("login:\n", "login:\n  - {kind: password}\n")
    own = doors(site.gate()).endpoints

    told = (PROJECT / "REFERENCE.md").read_text("utf-8")

    assert {"/sso.php", "/partners.php"} < {*own}
    assert [path for path in own if path.startswith("/_sso/") and f"`{path}`" not in told] == []
