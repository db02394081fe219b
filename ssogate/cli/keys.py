"""The keys of a settings class as rows for a reader: what to write, the default, what it means.

Strategy: the tree of classes gives the sections, each class's own JSON Schema gives its rows, so
that nothing is told here that the settings do not say of themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import yaml
from pydantic.fields import FieldInfo

from ssogate.config import Settings, schema

_PLAIN = {
    "boolean": "`true` or `false`",
    "string": "text",
    "number": "a number",
    "array": "a list",
    "object": "keys and values",
}


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a file. `default` is empty where there is none."""

    name: str
    write: str
    default: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Section:
    """What stands below one key: `path` is empty for the file itself, `routes[]` for each entry
    of a list, `upstreams.NAME` for each named one."""

    path: str
    meaning: str
    keys: tuple[Key, ...]


def sections(model: type[Settings], path: str = "") -> Iterator[Section]:
    """Describe `model`, then what stands below its keys, depth first, in the order of the file."""
    described = schema(model)
    nodes = described["properties"]
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    rows = (_key(name, nodes[name], field) for name, field in fields.items())
    yield Section(path, _line(described.get("description", "")), tuple(rows))
    for name, field in fields.items():
        for below in _classes(field.annotation):
            yield from sections(below, f"{path}.{name}".lstrip(".") + _repeated(nodes[name]))


def _classes(annotation: Any) -> Iterator[type[Settings]]:
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        yield annotation
    for part in get_args(annotation):
        yield from _classes(part)


def _repeated(node: Mapping[str, Any]) -> str:
    return "[]" if "items" in node else ".NAME" if "additionalProperties" in node else ""


def _key(name: str, node: Mapping[str, Any], field: FieldInfo) -> Key:
    return Key(name, _what(node), _default(node, field), _line(node.get("description", "")))


def _line(text: str) -> str:
    return " ".join(text.split())


# --- What to write -------------------------------------------------------------------------------


def _what(node: Mapping[str, Any]) -> str:
    """How a value is written, in a few words."""
    members = [it for it in node.get("anyOf", node.get("oneOf", ())) if it.get("type") != "null"]
    if members:
        return " or ".join(map(_what, members))
    if "$ref" in node:
        return "keys and values (below)"
    words = [node["const"]] if "const" in node else node.get("enum", node.get("examples", ()))
    if words:
        such = "such as " if "examples" in node and "enum" not in node else ""
        return such + ", ".join(f"`{_yaml(word)}`" for word in words)
    return _of_type(node)


def _of_type(node: Mapping[str, Any]) -> str:
    kind = node["type"]
    if isinstance(kind, list):
        return "text, or a list of texts"
    if kind == "array":
        return f"a list, each entry: {_what(node['items'])}"
    if kind == "integer":
        return f"a whole number from {node['minimum']} to {node['maximum']}"
    if below := _entries(node):
        return f"names of your choice, each with: {_what(below)}"
    if "pattern" in node:
        return f"text of the form `{node['pattern']}`"
    return "the path of a file" if node.get("format") == "path" else _PLAIN[kind]


def _entries(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """What stands under each name of a mapping whose names are free."""
    named = [*node.get("patternProperties", {}).values(), node.get("additionalProperties")]
    return next((below for below in named if isinstance(below, Mapping)), {})


# --- Its default ---------------------------------------------------------------------------------


def _default(node: Mapping[str, Any], field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = node.get("default", field.get_default(call_default_factory=True))
    if value is None or value in ([], {}, "") or "$ref" in node:
        return ""
    return f"`{_yaml(value)}`"


def _yaml(value: Any) -> str:
    """Give a value as one writes it on one line."""
    plain = dict(value) if isinstance(value, Mapping) else value
    text: str = yaml.safe_dump(plain, default_flow_style=True, sort_keys=False, width=10**6)
    return text.partition("\n")[0]
