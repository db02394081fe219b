"""A secret is read from a place of its own, and shows itself to nobody who does not ask."""

from __future__ import annotations

import copy
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ssogate.config import Secret, Settings, document, schema
from ssogate.errors import ConfigurationError

TEXT = "correct horse battery"


class Model(Settings):
    secret: Secret


def load(value: str, base: Path, environ: dict[str, str] | None = None) -> Secret:
    context = {"environ": environ or {}}
    found = document(f"secret: {value}", str(base / "gateway.yaml")).validate(Model, context)
    return found.secret


def refusal(value: str, base: Path = Path(), environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(value, base, environ)
    (problem,) = caught.value.problems
    assert (problem.line, problem.where) == (1, "secret")
    return problem.message


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "link.key"
    path.write_text(TEXT + "\n")
    path.chmod(0o600)
    return path


def test_is_read_from_the_environment(tmp_path: Path) -> None:
    assert load("{env: KEY}", tmp_path, {"KEY": TEXT}).bytes == TEXT.encode()


def test_is_read_from_a_file_beside_the_configuration(file: Path) -> None:
    assert load("{file: link.key}", file.parent).bytes == TEXT.encode()


def test_is_read_from_an_absolute_path(file: Path) -> None:
    assert load(f"{{file: {file}}}", Path("/nowhere")).bytes == TEXT.encode()


def test_is_read_through_a_link_to_a_private_file(file: Path) -> None:
    (file.parent / "current").symlink_to(file)

    assert load("{file: current}", file.parent).bytes == TEXT.encode()


@pytest.mark.parametrize(
    ("value", "told"),
    [
        pytest.param("hunter2", "so that the secret does not stand in this file", id="plain"),
        pytest.param("'{env: KEY}'", "so that the secret does not stand", id="quoted form"),
        pytest.param("12345", "write {env: NAME} or {file: PATH}", id="number"),
        pytest.param("[x]", "write {env: NAME} or {file: PATH}", id="list"),
        pytest.param("{}", "write {env: NAME} or {file: PATH}", id="empty mapping"),
        pytest.param("{value: x}", "write {env: NAME} or {file: PATH}", id="another key"),
        pytest.param("{env: A, file: b}", "write {env: NAME} or {file: PATH}", id="both"),
        pytest.param("{env: 5}", "write {env: NAME} or {file: PATH}", id="name is no text"),
        pytest.param("{file: ''}", "write {env: NAME} or {file: PATH}", id="no path"),
        pytest.param("{env: a b}", "takes the name of an environment variable", id="no name"),
        pytest.param("{env: NONE}", "the environment variable NONE is not set", id="not set"),
        pytest.param("{env: none}", "variable of this name is not set", id="perhaps pasted"),
        pytest.param("{env: EMPTY}", "'EMPTY' holds an empty secret", id="empty variable"),
        pytest.param(
            "{file: none}", "cannot read the file that is named here: No such", id="missing file"
        ),
        pytest.param("{file: .}", "that is named here: Is a directory", id="folder"),
        pytest.param("{file: /dev/zero}", "'/dev/zero' is not a file", id="device"),
    ],
)
def test_refuses(tmp_path: Path, value: str, told: str) -> None:
    assert told in refusal(value, tmp_path, {"EMPTY": "\n"})


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        pytest.param(0o640, "is readable by others: chmod 600 link.key", id="group reads"),
        pytest.param(0o604, "is readable by others", id="others read"),
        pytest.param(0o620, "can be changed by others: chmod 600 link.key", id="group writes"),
        pytest.param(0o602, "can be changed by others", id="others write"),
    ],
)
def test_a_file_that_others_reach_is_refused(file: Path, mode: int, told: str) -> None:
    file.chmod(mode)

    assert told in refusal("{file: link.key}", file.parent)


def test_a_link_to_a_file_that_others_reach_is_refused(file: Path) -> None:
    file.chmod(0o644)
    (file.parent / "current").symlink_to(file)

    assert "is readable by others" in refusal("{file: current}", file.parent)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(b"\r\n", "holds an empty secret", id="empty"),
        pytest.param(b"\xff\xfe", "is not text", id="random bytes"),
        pytest.param(b"x" * 70_000, "is too long", id="the wrong file"),
    ],
)
def test_a_file_without_a_usable_secret_is_refused(file: Path, content: bytes, told: str) -> None:
    file.write_bytes(content)

    assert told in refusal("{file: link.key}", file.parent)


def test_a_named_pipe_does_not_hold_up_the_start(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)

    assert "is not a file" in refusal("{file: pipe}", tmp_path)


def test_only_the_line_ends_are_cut_off(file: Path) -> None:
    file.write_bytes(b"  a b \r\n\n")

    assert load("{file: link.key}", file.parent).bytes == b"  a b "


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(repr, id="repr"),
        pytest.param(str, id="str"),
        pytest.param(lambda model: f"{model.secret:>40}", id="format"),
        pytest.param(lambda model: str(model.model_dump()), id="dump"),
        pytest.param(lambda model: model.model_dump_json(), id="JSON"),
        pytest.param(lambda model: str(vars(model)), id="vars"),
        pytest.param(lambda model: str(schema(type(model))), id="schema"),
        pytest.param(lambda model: repr(copy.deepcopy(model)), id="deep copy"),
    ],
)
def test_never_shows_itself(shown: Any) -> None:
    model = Model(secret=Secret(TEXT))

    assert TEXT not in shown(model)
    assert shown(model)


def test_an_error_about_a_model_with_a_secret_does_not_show_it() -> None:
    with pytest.raises(ValidationError) as caught:
        Model.model_validate({"secret": TEXT, "other": TEXT})

    assert TEXT not in str(caught.value)


def test_cannot_be_pickled() -> None:
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(Secret(TEXT))


def test_cannot_be_changed() -> None:
    secret = Secret(TEXT)

    with pytest.raises(AttributeError):
        secret._value = b"x"
    with pytest.raises(AttributeError):
        del secret._value


def test_equals_a_secret_of_the_same_text_and_nothing_else() -> None:
    assert Secret(TEXT) == Secret(TEXT.encode())
    assert hash(Secret(TEXT)) == hash(Secret(TEXT))
    assert Secret(TEXT) != Secret(TEXT + "x")
    assert Secret(TEXT) != TEXT
