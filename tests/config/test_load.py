"""YAML in, values with lines out; what surprises is refused with its line."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssogate.config import document, read
from ssogate.errors import ConfigurationError, Problem


def refused(text: str) -> list[tuple[int, str]]:
    with pytest.raises(ConfigurationError) as caught:
        document(text, "gateway.yaml")
    return [(problem.line, problem.message) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "data"),
    [
        pytest.param("", None, id="nothing"),
        pytest.param("# only a remark\n", None, id="a remark"),
        pytest.param("---\na: 1\n...\n", {"a": 1}, id="explicit start and end"),
        pytest.param("a:\n  - 1\n  - b: x\n", {"a": [1, {"b": "x"}]}, id="nested"),
        pytest.param("\ufeffa: 1", {"a": 1}, id="byte order mark"),
        pytest.param("a: 'it''s'\nb: |\n  x\n  y\n", {"a": "it's", "b": "x\ny\n"}, id="text"),
        pytest.param("a: ~\nb:\nc: null", {"a": None, "b": None, "c": None}, id="null"),
        pytest.param("a: true\nb: False", {"a": True, "b": False}, id="booleans"),
        pytest.param("a: -5\nb: 0\nc: 1.5", {"a": -5, "b": 0, "c": 1.5}, id="numbers"),
        pytest.param("a: NO\nb: on\nc: y", {"a": "NO", "b": "on", "c": "y"}, id="not booleans"),
        pytest.param("a: 12:30:45\nb: 1_000", {"a": "12:30:45", "b": "1_000"}, id="not numbers"),
        pytest.param("a: 2026-01-02\nb: .inf", {"a": "2026-01-02", "b": ".inf"}, id="not dates"),
        pytest.param("a: 0x1F\nb: 1e9", {"a": "0x1F", "b": "1e9"}, id="no other number formats"),
        pytest.param("a: '010'\nb: \"no\"", {"a": "010", "b": "no"}, id="quoted stays text"),
        pytest.param("on: 1\nno: 2", {"on": 1, "no": 2}, id="keys that YAML 1.1 misreads"),
        pytest.param("'<<': 1", {"<<": 1}, id="a quoted merge key is a key"),
        pytest.param("a: x#y & * !b", {"a": "x#y & * !b"}, id="signs inside text"),
    ],
)
def test_plain_values_are_read_as_they_are_written(text: str, data: Any) -> None:
    assert document(text, "f").data == data


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        pytest.param("a: 1\nb: 2\na: 3\n", 3, "this key stands on line 1 already", id="key twice"),
        pytest.param("a:\n  b: 1\n  'b': 2", 3, "stands on line 2 already", id="quoted key twice"),
        pytest.param("a: {b: 1, b: 2}", 1, "stands on line 1 already", id="key twice in a flow"),
        pytest.param("a: 1\nb: &x 2\n", 2, "anchors and aliases", id="anchor"),
        pytest.param("a: &x [1]\nb: [*x, *x]", 2, "anchors and aliases", id="alias"),
        pytest.param("a: 1\n&k b: 2\n", 2, "anchors and aliases", id="anchor on a key"),
        pytest.param("a:\n  <<: {b: 1}\n", 2, "merge keys", id="merge key"),
        pytest.param("x: 1\na: !!python/object/apply:os.system [x]", 2, "tags", id="python tag"),
        pytest.param("a: !foo x", 1, "tags", id="own tag"),
        pytest.param("a: !!str 1", 1, "tags", id="standard tag"),
        pytest.param("a: ! 1", 1, "tags", id="non-specific tag"),
        pytest.param("!!set {a}", 1, "tags", id="tag on a mapping"),
        pytest.param("a: !!binary aGk=", 1, "tags", id="binary"),
        pytest.param("%TAG ! tag:x,2000:\n---\na: !b 1", 3, "tags", id="tag directive"),
        pytest.param("a: 1\n---\nb: 2\n", 2, "a second document", id="two documents"),
        pytest.param("a: 1\n404: x\n", 2, "the key '404' is no text", id="number as key"),
        pytest.param("a: 1\ntrue: x\n", 2, "the key 'true' is no text", id="boolean as key"),
        pytest.param("~: x", 1, "is no text", id="null as key"),
        pytest.param("a: 1\n? [b, c]\n: 2", 2, "a key is a word", id="list as key"),
        pytest.param("? {b: c}\n: 2", 1, "a key is a word", id="mapping as key"),
        pytest.param("a:\n\tb: 1\n", 2, "indent with spaces", id="tab as indentation"),
        pytest.param("a: 1\nb: 0755\n", 2, "a number with a leading zero", id="octal"),
        pytest.param("a: 1\nb: [1, 2\nc: 3\n", 3, "this is not YAML", id="bracket left open"),
        pytest.param("a: 1\n  b: 2\n", 2, "this is not YAML", id="indented too far"),
        pytest.param("a: 'x\n", 2, "this is not YAML", id="quote left open"),
        pytest.param("a: @x\n", 1, "this is not YAML", id="reserved sign"),
        pytest.param("%YAML 3.0\n---\na: 1", 1, "this is not YAML", id="another YAML"),
        pytest.param("a: 1\nb: x\0y\n", 2, "the character U+0000", id="NUL"),
        pytest.param("a: 1\n\n# \x1b[2J\n", 3, "the character U+001B", id="escape in a remark"),
        pytest.param("a: 1\nb: \ud800", 2, "the character U+D800", id="lone surrogate"),
        pytest.param("a: 'x\u202ey'", 1, "the character U+202E", id="text turned around"),
        pytest.param("a: x\u2028b: y", 1, "the character U+2028", id="a line break unseen"),
        pytest.param("a: " + "[" * 40 + "]" * 40, 1, "nested too deeply", id="deep"),
        pytest.param("a: " + "{b: " * 5000, 1, "nested too deeply", id="very deep"),
        pytest.param("x: '" + "y" * 2**20 + "'", 0, "larger than 1 MiB", id="large"),
    ],
)
def test_refuses(text: str, line: int, told: str) -> None:
    first_line, message = refused(text)[0] if "*x" not in text else refused(text)[1]

    assert told in message
    assert first_line == line


def test_every_mistake_is_told_at_once_in_the_order_of_lines() -> None:
    text = "a: 1\na: 2\nb: &x 3\nc: !t 4\nd: 09\n"

    assert [line for line, _ in refused(text)] == [2, 3, 4, 5]


def test_a_line_is_known_for_every_key_and_item() -> None:
    found = document("# remark\na:\n  - x\n\n  - b: 1\n    c: 2\nd: {e: 1}\n", "f")

    assert found.line(("a",)) == 2
    assert found.line(("a", 0)) == 3
    assert found.line(("a", 1)) == 5
    assert found.line(("a", 1, "c")) == 6
    assert found.line(("d", "e")) == 7


def test_what_is_absent_stands_where_its_nearest_ancestor_stands() -> None:
    found = document("x: 1\na:\n  - b: 1\n", "f")

    assert found.line(("a", 0, "missing", 3, "deeper")) == 3
    assert found.line(("a", 9)) == 2
    assert found.line(("nothing",)) == 1


def test_a_room_can_tell_a_problem_of_its_own() -> None:
    problem = document("a:\n  b: 1\n", "gateway.yaml").problem(("a", "b"), "clashes with c")

    assert str(problem) == "gateway.yaml:2: a.b: clashes with c"


def test_a_document_does_not_show_its_values() -> None:
    assert "hunter2" not in repr(document("secret: hunter2", "f"))


def test_ten_thousand_entries_are_read_with_their_lines() -> None:
    found = document("rules:\n" + "- {path: /a, who: public}\n" * 10_000, "f")

    assert found.line(("rules", 9_999, "who")) == 10_001


# --- Files -------------------------------------------------------------------------------------


def problem_of(path: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read(path)
    (problem,) = caught.value.problems
    return str(problem)


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text("a: ü\n", "utf-8")
    path.chmod(0o644)

    assert read(path).data == {"a": "ü"}
    assert read(path).file == str(path)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"

    assert problem_of(path) == f"{path}: cannot read it: No such file or directory"


def test_a_folder_is_one_line(tmp_path: Path) -> None:
    assert problem_of(tmp_path) == f"{tmp_path}: cannot read it: Is a directory"


def test_a_name_that_no_file_can_have_is_one_line(tmp_path: Path) -> None:
    assert "cannot read it" in problem_of(tmp_path / "a\0b")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text("a: 1")
    path.chmod(0)

    assert problem_of(path) == f"{path}: cannot read it: Permission denied"


def test_bytes_that_are_no_text_are_told_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_bytes(b"a: 1\nb: \xff\xfe\n")

    assert problem_of(path) == f"{path}:2: this is not UTF-8 text"


def test_a_file_that_anybody_may_change_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text("a: 1")
    path.chmod(stat.S_IRUSR | stat.S_IWUSR | stat.S_IWOTH)

    assert "anybody on this machine can change it" in problem_of(path)


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_bytes(b"#" * (2**20 + 1))

    assert "larger than 1 MiB" in problem_of(path)


# --- Any text ------------------------------------------------------------------------------------

YAML_LIKE = st.text(
    st.sampled_from("ab01:-#&*!|>'\"%@`{}[],?<~.\\ \n\t\r\0\x85\u2028é"), max_size=60
)


@given(st.one_of(st.text(max_size=200), YAML_LIKE))
def test_no_text_raises_anything_but_a_configuration_error(text: str) -> None:
    lines = [problem.line for problem in problems_of(text)]

    assert all(0 <= line <= text.count("\n") + text.count("\r") + 2 for line in lines)
    assert lines == sorted(lines)


def problems_of(text: str) -> list[Problem]:
    try:
        document(text, "f")
    except ConfigurationError as error:
        return error.problems
    return []
