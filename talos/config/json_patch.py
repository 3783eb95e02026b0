"""A JSON patch (RFC 6902) changes one document by paths: add, remove, replace, move, copy, test.

It works on nodes, so that what it does not touch keeps its spelling, and what it builds is measured as it grows: a few
copies into themselves would fill any memory. Every operation succeeds, or the first that fails is named by its number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from talos.config.faults import ConfigFault
from talos.yaml_builder import MAX_DEPTH_LEVELS, MAX_NODES
from talos.yaml_node import Node

MAX_OPERATIONS: Final = 1_000
"""Of one patch: each may rebuild a list of all that a config may hold."""

OPERATIONS: Final = ("add", "remove", "replace", "move", "copy", "test")
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,9}")
_END: Final = "-"

Steps = Sequence[str]
_Change = Callable[[Node, str], Node]


class Inapplicable(Exception):
    """An operation can't be carried out."""


class Operation(msgspec.Struct, frozen=True):
    """One line of a patch; `path` and `source` are pointers, taken apart."""

    name: str
    path: tuple[str, ...]
    source: tuple[str, ...]
    value: Node
    line: int
    number: int  # counted from 0


def read(patch: Node, faults: list[ConfigFault]) -> tuple[Operation, ...]:
    """Return the operations of a patch, a list; what is wrong with them is noted."""
    if len(patch.items) > MAX_OPERATIONS:
        problem = f"{len(patch.items)} operations, at most {MAX_OPERATIONS} are allowed"
        faults.append(ConfigFault(patch.line, "", problem, "use several patches"))
        return ()
    read = (_operation(item, number, faults) for number, item in enumerate(patch.items))
    return tuple(operation for operation in read if operation is not None)


def apply(document: Node, operations: Sequence[Operation], faults: list[ConfigFault]) -> Node:
    """Return a document as the operations leave it; the first that fails is noted, and ends it."""
    for operation in operations:
        try:
            document = _applied(document, operation)
        except Inapplicable as error:
            problem = f"{operation.name} can't be done: {error}"
            faults.append(
                ConfigFault(operation.line, f"[{operation.number}]", problem, "correct the path or the value")
            )
            break
    return document


def _operation(item: Node, number: int, faults: list[ConfigFault]) -> Operation | None:
    def fault(key: str, problem: str, remedy: str) -> None:
        line = item.key_lines.get(key, item.line)
        faults.append(ConfigFault(line, f"[{number}].{key}" if key else f"[{number}]", problem, remedy))

    before = len(faults)
    if item.kind != "mapping":
        fault("", f"this is {item.kind_in_words}, not an operation", "write `op:` and `path:`")
        return None
    name = item.fields.get("op")
    if name is None or name.text not in OPERATIONS:
        fault("op", "missing or unknown", f"write one of {', '.join(OPERATIONS)}")
        return None
    if name.text in ("add", "replace", "test") and "value" not in item.fields:
        fault("value", "missing", "add `value:`")
    pointers = {}
    for key in ("path", "from") if name.text in ("move", "copy") else ("path",):
        text = item.fields.get(key)
        if text is None or not isinstance(text.value, str) or (text.text and not text.text.startswith("/")):
            fault(key, "missing, or no path", "write one such as /machine/install, each part after a slash")
            continue
        pointers[key] = tuple(step.replace("~1", "/").replace("~0", "~") for step in text.text.split("/")[1:])
    if len(faults) > before:
        return None
    value = item.fields.get("value", Node(None, item.line, "null"))
    return Operation(name.text, pointers["path"], pointers.get("from", ()), value, item.line, number)


def _applied(document: Node, operation: Operation) -> Node:
    match operation.name:
        case "add":
            return _added(document, operation.path, operation.value)
        case "remove":
            return _removed(document, operation.path)
        case "replace":
            _found(document, operation.path)
            return _replaced(document, operation.path, operation.value)
        case "move":
            if operation.path[: len(operation.source)] == operation.source and operation.path != operation.source:
                raise Inapplicable("a value can't be moved into itself")
            moved = _found(document, operation.source)
            return _added(_removed(document, operation.source), operation.path, moved)
        case "copy":
            return _added(document, operation.path, _found(document, operation.source))
        case _:
            if not _found(document, operation.path).means(operation.value):
                raise Inapplicable(f"the value at {_shown(operation.path)} is another one")
            return document


def _found(node: Node, steps: Steps) -> Node:
    for depth, step in enumerate(steps):
        if node.kind == "mapping" and step in node.fields:
            node = node.fields[step]
        elif node.kind == "sequence":
            node = node.items[_index(node, step, len(node.items))]
        else:
            raise Inapplicable(f"there is nothing at {_shown(steps[: depth + 1])}")
    return node


def _added(document: Node, steps: Steps, value: Node) -> Node:
    def add(parent: Node, step: str) -> Node:
        if parent.kind == "mapping":
            return Node.mapping({**parent.fields, step: value}, parent.line, parent.key_lines)
        place = len(parent.items) if step == _END else _index(parent, step, len(parent.items) + 1)
        return Node.sequence((*parent.items[:place], value, *parent.items[place:]), parent.line)

    return _changed(document, steps, add) if steps else value


def _removed(document: Node, steps: Steps) -> Node:
    def remove(parent: Node, step: str) -> Node:
        if parent.kind == "mapping":
            kept = {key: value for key, value in parent.fields.items() if key != step}
            return Node.mapping(kept, parent.line, parent.key_lines)
        place = _index(parent, step, len(parent.items))
        return Node.sequence((*parent.items[:place], *parent.items[place + 1 :]), parent.line)

    _found(document, steps)
    if not steps:
        raise Inapplicable("the whole document can't be removed")
    return _changed(document, steps, remove)


def _replaced(document: Node, steps: Steps, value: Node) -> Node:
    return _changed(document, steps, lambda parent, step: _with(parent, step, value)) if steps else value


def _changed(node: Node, steps: Steps, change: _Change) -> Node:
    """Return a node in which the parent of what `steps` leads to is changed."""
    step = steps[0]
    if len(steps) > 1:
        node = _with(node, step, _changed(_found(node, (step,)), steps[1:], change))
    elif node.kind in ("mapping", "sequence"):
        node = change(node, step)
    else:
        raise Inapplicable(f"{_shown((step,))} lies in no mapping and no list")
    if node.weight > MAX_NODES or node.height > MAX_DEPTH_LEVELS:
        raise Inapplicable(f"the config would have more than {MAX_NODES} values or {MAX_DEPTH_LEVELS} levels")
    return node


def _with(parent: Node, step: str, value: Node) -> Node:
    """Return a mapping or a list with another value in a place that it has."""
    if parent.kind == "mapping":
        return Node.mapping({**parent.fields, step: value}, parent.line, parent.key_lines)
    place = _index(parent, step, len(parent.items))
    return Node.sequence((*parent.items[:place], value, *parent.items[place + 1 :]), parent.line)


def _index(node: Node, step: str, below: int) -> int:
    if not _INDEX.fullmatch(step) or int(step) >= below:
        raise Inapplicable(f"{_shown((step,))} is no place in a list of {len(node.items)}")
    return int(step)


def _shown(steps: Steps) -> str:
    return "".join(f"/{step}" for step in steps)[:200] or "the root"
