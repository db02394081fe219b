"""The settings as a JSON Schema (draft 2020-12), for editors that complete and check YAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from ssogate.config.values import BYTES, SECONDS, written


class _Schema(GenerateJsonSchema):
    """Pydantic's generator, but a default is told as an operator would write it."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        found = super().default_schema(schema)
        default = found.get("default")
        if found.get("type") == "string" and isinstance(default, int | float):
            units = BYTES if "KiB" in found.get("pattern", "") else SECONDS
            found = {**found, "default": written(default, units)}
        if "$ref" in found:  # a room's settings: each of its keys tells its own default
            found.pop("default", None)
        return found


def schema(model: type[BaseModel]) -> dict[str, Any]:
    """Describe `model`. A field's description is the docstring below it."""
    found = model.model_json_schema(schema_generator=_Schema, mode="validation")
    return {"$schema": GenerateJsonSchema.schema_dialect, **_untitled(found)}


def _untitled(node: Any) -> Any:
    """Leave out the titles that merely repeat a field's name: editors show them as its text."""
    if isinstance(node, Mapping):
        return {
            key: {name: _untitled(field) for name, field in value.items()}
            if key in ("properties", "$defs")
            else _untitled(value)
            for key, value in node.items()
            if key != "title"
        }
    return [_untitled(item) for item in node] if isinstance(node, list) else node
