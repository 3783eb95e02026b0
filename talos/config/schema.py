"""A part of the config is held against a pydantic model, and every misfit becomes a fault with its line and its field.

Models are fed with nodes, not with bare values, so that a text can be what was written (`1.0`, not 1) as Go reads it.
A field that is null counts as absent, as in Go. No fault quotes a value: it may be a secret.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Final, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails, PydanticCustomError

from talos.config.cursor import SHOWN_CHARACTERS, remedy_for_unknown
from talos.config.faults import ConfigFault
from talos.yaml_node import Node

MAX_FAULTS: Final = 100
"""Told of one mapping: who sees them corrects what they have in common, and looks again."""

_MISFIT: Final = "misfit"
_PLAIN_KEY: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_-]*")


class Section(BaseModel):
    """A mapping of the config: fields in Go's spelling, others refused unless they are among those kept."""

    # Built when first used: most kinds are in no config, and a node shall start quickly.
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, hide_input_in_errors=True, defer_build=True
    )

    kept: ClassVar[Collection[str] | None] = ()
    """Fields that Talos knows and this node leaves as they are; None where that is so of all that is not named."""

    @model_validator(mode="before")
    @classmethod
    def _leave_out_what_is_kept(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        own = {field.alias for field in cls.model_fields.values()}
        kept = value.keys() - own if cls.kept is None else set(cls.kept)
        return {key: each for key, each in value.items() if key not in kept}


class DocumentSection(Section):
    """A whole document that has a kind."""

    kept: ClassVar[Collection[str] | None] = ("apiVersion", "kind")


def misfit(problem: str, remedy: str, field: str = "") -> PydanticCustomError:
    """Return what a validator raises; `field` is the field to blame where the validator is a whole model's."""
    # Braces would be taken for placeholders in the message itself.
    return PydanticCustomError(_MISFIT, "{problem}; {remedy}", {"problem": problem, "remedy": remedy, "field": field})


def check(node: Node, model: type[Section], path: str, faults: list[ConfigFault]) -> None:
    """Note what keeps a mapping from being as the model has it; `path` is where it lies, empty for the root."""
    try:
        model.model_validate(_fed(node))
    except ValidationError as error:
        misfits = error.errors(include_url=False, include_input=False)
        faults += [_located(node, model, path, each) for each in misfits[:MAX_FAULTS]]


def _fed(node: Node) -> object:
    """Return the mappings and lists of a tree, with its scalars as nodes."""
    if node.kind == "mapping":
        return {key: _fed(value) for key, value in node.fields.items() if value.kind != "null"}
    if node.kind == "sequence":
        return [_fed(item) for item in node.items]
    return node


def _located(root: Node, model: type[Section], path: str, error: ErrorDetails) -> ConfigFault:
    context: Mapping[str, Any] = error.get("ctx", {})
    steps = error["loc"]
    if error["type"] == _MISFIT and context["field"]:
        steps = (*steps, context["field"])
    node, line = root, root.line
    for step in steps:
        if isinstance(step, int):
            node = node.items[step] if step < len(node.items) else node
            line, path = node.line, f"{path}[{step}]"
        elif step != "[key]":
            line = node.key_lines.get(step, line)
            node, path = node.fields.get(step, node), _below(path, step)
    problem, remedy = _in_words(error, node, model)
    return ConfigFault(line, path, problem, remedy)


def _in_words(error: ErrorDetails, node: Node, model: type[Section]) -> tuple[str, str]:
    match error["type"]:
        case "misfit":
            told = error["ctx"]
            return told["problem"], told["remedy"]
        case "missing":
            return "missing", f"add `{error['loc'][-1]}: …`"
        case "extra_forbidden":
            return "unknown field", remedy_for_unknown(str(error["loc"][-1]), _fields_at(model, error["loc"][:-1]))
        case "model_type" | "dict_type":
            return f"this is {node.kind_in_words}, not a mapping", "write a mapping here"
        case "tuple_type":
            return f"this is {node.kind_in_words}, not a list", "write a list here"
        case _:
            return error["msg"][0].lower() + error["msg"][1:], "correct it"


def _fields_at(model: type[Section], steps: tuple[int | str, ...]) -> list[str]:
    """Return the fields that a model knows at a place below it."""
    for step in steps:
        if isinstance(step, str):
            fields = (field for field in model.model_fields.values() if field.alias == step)
            model = next((found for field in fields if (found := _section(field.annotation))), model)
    return sorted({field.alias or "" for field in model.model_fields.values()} | set(model.kept or ()))


def _section(annotation: object) -> type[Section] | None:
    """Return the section inside an annotation such as `Section | None` or `tuple[Section, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    if get_origin(annotation) in (tuple, dict, Union, types.UnionType):
        return next((found for each in get_args(annotation) if (found := _section(each))), None)
    return None


def _below(path: str, key: str) -> str:
    if not _PLAIN_KEY.fullmatch(key) or len(key) > SHOWN_CHARACTERS:
        return f"{path}[{json.dumps(key[:SHOWN_CHARACTERS])}]"
    return f"{path}.{key}" if path else key
