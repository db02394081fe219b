"""What pydantic finds wrong, told in our words: short, plain, saying what to write.

The model's JSON Schema is walked along with each error's location: it tells which part of the
location is a key of the file and which a mere label of a union, and which keys were possible
there. No value of the file is ever repeated, save the words of a `kind`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ssogate.config.schema import schema

Where = tuple[str | int, ...]
Place = tuple[Where, frozenset[str]]


def mistakes(error: ValidationError, model: type[BaseModel], data: Any) -> list[tuple[Where, str]]:
    """Every mistake as the setting's path and a message; several about one place become one."""
    found: dict[Where, dict[str, None]] = {}
    details = error.errors(include_url=False, include_input=False)
    for detail in details:
        if detail["type"] == "too_short" and _has_more_below(detail, details):
            continue
        path, possible = _place(_schema(model), data, detail)
        found.setdefault(path, {})[_told(detail, possible, _at(data, path))] = None
    return [(path, "; or ".join(messages)) for path, messages in found.items()]


def _has_more_below(detail: ErrorDetails, details: Sequence[ErrorDetails]) -> bool:
    """Whether entries of a list are wrong themselves: pydantic counts the good ones only."""
    loc, depth = detail["loc"], len(detail["loc"])
    return any(other["loc"][:depth] == loc != other["loc"] for other in details)


_schema = cache(schema)  # one walk an error, one schema a model


# --- Where -------------------------------------------------------------------------------------


def _place(root: Mapping[str, Any], data: Any, detail: ErrorDetails) -> Place:
    """The path of an error in the file, and the keys that were possible at its end."""
    path: list[str | int] = []
    loc, node = list(detail["loc"]), _resolved(root, root)
    while loc:
        here = _at(data, tuple(path))
        if _is_union(node):
            label = loc.pop(0)
            node = _resolved(root, _member(root, node, label, here))
            continue
        part = loc.pop(0)
        if part == "[key]":
            continue
        if not loc and detail["type"] == "extra_forbidden":
            return (*path, part), frozenset(node.get("properties", {}))
        path.append(part)
        node = _resolved(root, _below(node, part))
    if detail["type"].startswith("union_tag"):
        return (*path, _tag(detail)), frozenset(_tags(node))
    return tuple(path), frozenset()


def _resolved(root: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow references, and look through "or nothing at all", which is no union to pydantic."""
    while True:
        members = [m for m in node.get("anyOf", ()) if m != {"type": "null"}]
        if "$ref" in node:
            node = root["$defs"][node["$ref"].rpartition("/")[2]]
        elif len(members) == 1:
            node = members[0]
        else:
            return node


def _is_union(node: Mapping[str, Any]) -> bool:
    return "oneOf" in node or "anyOf" in node


def _member(
    root: Mapping[str, Any], node: Mapping[str, Any], label: str | int, here: Any
) -> Mapping[str, Any]:
    """The member of a union that a label of pydantic's means: by tag, else by the value's shape."""
    if label in _tags(node):
        return {"$ref": _tags(node)[str(label)]}
    shape = "object" if isinstance(here, dict) else "array" if isinstance(here, list) else None
    members = [_resolved(root, m) for m in (*node.get("oneOf", ()), *node.get("anyOf", ()))]
    return next((m for m in members if m.get("type") == shape), {})


def _tags(node: Mapping[str, Any]) -> Mapping[str, str]:
    """The words of a union told apart by a `kind`, and where each is described."""
    tags: Mapping[str, str] = node.get("discriminator", {}).get("mapping", {})
    return tags


def _tag(detail: ErrorDetails) -> str:
    return str((detail.get("ctx") or {}).get("discriminator", "kind")).strip("'")


def _below(node: Mapping[str, Any], part: str | int) -> Mapping[str, Any]:
    if isinstance(part, int):
        first = node.get("prefixItems", ())[part : part + 1]
        below = first[0] if first else node.get("items")
    else:
        below = node.get("properties", {}).get(part, node.get("additionalProperties"))
    return below if isinstance(below, Mapping) else {}


def _at(data: Any, path: Where) -> Any:
    for part in path:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


# --- What --------------------------------------------------------------------------------------


def _told(detail: ErrorDetails, possible: frozenset[str], value: Any) -> str:
    kind, context = detail["type"], detail.get("ctx") or {}
    if kind == "extra_forbidden":
        return _unknown("key", str(detail["loc"][-1]), possible)
    if kind == "union_tag_invalid":
        return _unknown(_tag(detail), str(context["tag"]), possible)
    if kind == "union_tag_not_found":
        return f"is missing (known: {', '.join(sorted(possible))})"
    if value is None and kind.endswith(("_type", "_parsing")):
        return f"nothing stands here: {_SAYINGS.get(kind, 'write a value')}"
    saying = _SAYINGS.get(kind)
    if saying is None:
        return _plain(detail["msg"])
    return saying.format(**{name: _shown(fact) for name, fact in context.items()})


def _unknown(what: str, word: str, possible: frozenset[str]) -> str:
    known = sorted(possible)
    close = get_close_matches(word, known, n=1)
    guess = f"; did you mean {close[0]!r}?" if close else ""
    # Of keys there can be dozens, of kinds there are a few: those are always told.
    listed = f" (known: {', '.join(known)})" if known and not (close and what == "key") else ""
    return f"unknown {what} {word[:60]!r}{guess}{listed}"


def _shown(fact: Any) -> Any:
    """A limit as people write it: `3`, not `3.0`."""
    return int(fact) if isinstance(fact, float) and fact.is_integer() else fact


def _plain(message: str) -> str:
    for start, ours in (("Input should be", "must be"), ("Input is", "this is")):
        if message.startswith(start):
            return ours + message.removeprefix(start)
    return message[:1].lower() + message[1:]


def _same(text: str, *kinds: str) -> Iterator[tuple[str, str]]:
    return ((kind, text) for kind in kinds)


_SAYINGS: Mapping[str, str] = dict(
    [
        *_same("is missing", "missing"),
        *_same("{error}", "value_error", "assertion_error"),
        *_same("write {expected}", "literal_error", "enum"),
        *_same("write true or false", "bool_type", "bool_parsing"),
        *_same("write a whole number", "int_type", "int_parsing", "int_from_float"),
        *_same("write a number", "float_type", "float_parsing", "finite_number"),
        *_same("write text: put it in quotes", "string_type"),
        *_same("write at least {min_length} characters", "string_too_short"),
        *_same("write at most {max_length} characters", "string_too_long"),
        *_same("this does not have the form {pattern}", "string_pattern_mismatch"),
        *_same("write a number greater than {gt}", "greater_than"),
        *_same("write a number of at least {ge}", "greater_than_equal"),
        *_same("write a number less than {lt}", "less_than"),
        *_same("write a number of at most {le}", "less_than_equal"),
        *_same("needs at least {min_length} entries", "too_short"),
        *_same("takes at most {max_length} entries", "too_long"),
        *_same(
            "write a list: one '- entry' a line",
            *("list_type", "tuple_type", "set_type", "frozen_set_type"),
        ),
        *_same(
            "write keys and values, indented below it",
            *("dict_type", "model_type", "model_attributes_type", "mapping_type"),
        ),
        *_same("write the path of a file", "path_type"),
    ]
)
