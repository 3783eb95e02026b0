"""A strategic merge lays one document over another: what it says counts, what it does not mention stays.

Mappings are merged key by key, lists are appended to, unless `merge_rules` says otherwise of the place; anything else
is replaced. As in Talos (pkg/machinery/config/merge) an empty text and a null change nothing: `$patch: delete` takes
away. Unlike there, a zero that is written down is meant, and what a patch leaves out is never reset.
"""

from __future__ import annotations

import operator
from typing import Final

from talos.config.faults import ConfigFault
from talos.config.merge_rules import Rule, Steps, path_of, rule_for
from talos.yaml_builder import MAX_DEPTH_LEVELS, MAX_NODES
from talos.yaml_node import Node

MAX_NAMED_ITEMS: Final = 1_000
"""Of a list whose items have names: each of the one is looked for in the other."""


class Unmergeable(Exception):
    """A patch can't be laid over a config; `fault` says where in the patch and why."""

    def __init__(self, fault: ConfigFault) -> None:
        super().__init__(str(fault))
        self.fault = fault


def merge(left: Node, right: Node, kind: str, steps: Steps = ()) -> Node:
    """Return a document of a kind with another one laid over it, the very same one where nothing changes.

    `steps` is where both lie in the document. Raises Unmergeable.
    """
    merged = _merged(left, right, kind, steps)
    if merged.weight > MAX_NODES or merged.height > MAX_DEPTH_LEVELS:
        problem = f"the config would have more than {MAX_NODES} values or {MAX_DEPTH_LEVELS} levels"
        raise Unmergeable(ConfigFault(right.line, path_of(steps), problem, "add less"))
    return merged


def _merged(left: Node, right: Node, kind: str, steps: Steps) -> Node:
    rule = rule_for(kind, steps)
    if right.kind == "null" or right.value == "":
        return right if left.kind == "null" else left
    if left.kind == "null" or rule == "replace":
        return right
    if left.kind != right.kind:
        problem = f"this is {right.kind_in_words}, the config has {left.kind_in_words} here"
        remedy = "write the same kind of value, or take the config's away first with `$patch: delete`"
        raise Unmergeable(ConfigFault(right.line, path_of(steps), problem, remedy))
    if left.kind == "mapping":
        return _merged_mapping(left, right, kind, steps)
    if left.kind == "sequence":
        return _merged_list(left, right, kind, steps, rule)
    return left if left.text == right.text and left.means(right) else right


def _merged_mapping(left: Node, right: Node, kind: str, steps: Steps) -> Node:
    changed = {}
    for key, value in right.fields.items():
        before = left.fields.get(key)
        after = value if before is None else merge(before, value, kind, (*steps, key))
        if after is not before and not (before is None and value.kind == "null"):
            changed[key] = after
    return Node.mapping({**left.fields, **changed}, left.line, left.key_lines) if changed else left


def _merged_list(left: Node, right: Node, kind: str, steps: Steps, rule: Rule | None) -> Node:
    if not isinstance(rule, tuple):
        return Node.sequence((*left.items, *right.items), left.line) if right.items else left
    if len(left.items) + len(right.items) > MAX_NAMED_ITEMS:
        problem = f"the list would have more than {MAX_NAMED_ITEMS} items"
        raise Unmergeable(ConfigFault(right.line, path_of(steps), problem, "add less"))
    items = list(left.items)
    for item in right.items:
        place = _same(items, item, rule)
        if place is None:
            items.append(item)
        else:
            items[place] = merge(items[place], item, kind, (*steps, "[]"))
    unchanged = len(items) == len(left.items) and all(map(operator.is_, items, left.items))
    return left if unchanged else Node.sequence(items, left.line)


def _same(items: list[Node], item: Node, keys: tuple[str, ...]) -> int | None:
    """Return the place of the item that has the same name as another one; None where there is none."""
    for key in keys:
        name = item.get(key)
        if name is not None:
            found = ((place, each.get(key)) for place, each in enumerate(items))
            return next((place for place, other in found if other is not None and other.means(name)), None)
    return None
