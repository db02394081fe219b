"""A secret of the configuration: it stands in the environment or in a file of its own, never here.

It is read once, when the configuration is checked, and then shows itself to nobody who does not
ask by name (`.bytes`): not in a repr, an error, a dump, a schema or a pickle.
"""

from __future__ import annotations

import hmac
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, Self, final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

MAX_SECRET = 65536  # bytes; an RSA key has 3 KiB, anything this long is the wrong file

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_HOW = "write {env: NAME} or {file: PATH}"
_Bytes = bytes  # inside the class, `bytes` is the accessor


@final
class Secret:
    """A secret text. Written `{env: NAME}` or `{file: PATH}`; PATH counts from the YAML file."""

    __slots__ = ("_value",)
    _value: bytes

    def __init__(self, value: str | _Bytes) -> None:
        encoded = value.encode() if isinstance(value, str) else value
        object.__setattr__(self, "_value", encoded)

    @property
    def bytes(self) -> _Bytes:
        """The secret itself, UTF-8. Never log it."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __format__(self, _spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value, other._value)

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __setattr__(self, _name: str, _value: object) -> NoReturn:
        raise AttributeError("a secret cannot be changed")

    def __delattr__(self, _name: str) -> NoReturn:
        raise AttributeError("a secret cannot be changed")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled")

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: Any, _handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(
            _parse,
            serialization=core_schema.plain_serializer_function_ser_schema(lambda _: "***"),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _core: core_schema.CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {
            "type": "object",
            "description": "A secret: {env: NAME} or {file: PATH}, never the text itself.",
            "properties": {
                "env": {"type": "string", "pattern": f"^{_NAME.pattern}$"},
                "file": {"type": "string", "minLength": 1},
            },
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
            "examples": [{"env": "SSOGATE_LINK_SECRET"}, {"file": "secrets/link"}],
        }


def _parse(value: Any, info: ValidationInfo) -> Secret:
    """Read the secret. The context's `base` is the YAML file's folder, `environ` the environment.

    Raises ValueError, whose text never holds what was read or what stands in place of it.
    """
    if isinstance(value, Secret):
        return value
    if isinstance(value, str):
        raise ValueError(f"{_HOW}, so that the secret does not stand in this file")
    if not isinstance(value, dict) or len(value) != 1 or not value.keys() <= {"env", "file"}:
        raise ValueError(_HOW)
    context = info.context or {}
    (kind, place), *_ = value.items()
    if not isinstance(place, str) or not place or "\0" in place:
        raise ValueError(_HOW)
    if kind == "env":
        return _checked(_from_environment(place, context.get("environ", os.environ)), place)
    return _checked(_from_file(Path(context.get("base", ".")), place), place)


def _from_environment(name: str, environ: Mapping[str, str]) -> bytes:
    if not _NAME.fullmatch(name):
        # It may be the secret itself, pasted in the wrong place: say nothing of it.
        raise ValueError("{env: NAME} takes the name of an environment variable")
    if name not in environ:
        shown = name if name.isupper() else "of this name"
        raise ValueError(f"the environment variable {shown} is not set")
    return os.fsencode(environ[name])


def _from_file(base: Path, place: str) -> bytes:
    """Open first, then judge what was opened: nobody can swap the file in between."""
    try:
        with open(base / place, "rb", opener=_open_at_once) as file:
            _judge(os.fstat(file.fileno()).st_mode, place)
            return file.read(MAX_SECRET + 1)
    except OSError as error:
        # Not by name, for the same reason.
        raise ValueError(f"cannot read the file that is named here: {error.strerror}") from None


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a named pipe must not hold up the start


def _judge(mode: int, place: str) -> None:
    if not stat.S_ISREG(mode):
        raise ValueError(f"{place!r} is not a file")
    if mode & 0o077:
        how = "can be changed" if mode & 0o022 else "is readable"
        raise ValueError(f"{place!r} {how} by others: chmod 600 {place}")


def _checked(value: bytes, place: str) -> Secret:
    value = value.rstrip(b"\r\n")  # which every editor and `echo` adds
    if not value:
        raise ValueError(f"{place!r} holds an empty secret")
    if len(value) > MAX_SECRET:
        raise ValueError(f"{place!r} is too long for a secret")
    try:
        value.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{place!r} is not text: make one with `openssl rand -hex 32`") from None
    return Secret(value)
