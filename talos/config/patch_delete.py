"""`$patch: delete` in a strategic merge patch takes something away before the rest of the patch is merged.

    machine:
      network:
        hostname: {$patch: delete}         a field
        interfaces:
          - interface: eth0                the item of the list whose first field is this one
            $patch: delete

At the root of a document it takes away the document. `split` parts a patch into what goes and what is merged, `deleted`
does the former. As in Talos (configloader's delete selectors), nothing inside an item of a list can be taken away.
"""

from __future__ import annotations

from typing import Final

import msgspec

from talos.config.faults import ConfigFault
from talos.config.merge_rules import Steps, path_of
from talos.yaml_node import Node

MAX_DELETES: Final = 1_000
"""Of one document: each is looked for in the whole of a list."""

_KEY = "$patch"
_DELETE = "delete"
_REMEDY = "remove it, or correct the path"


class Selector(msgspec.Struct, frozen=True):
    """One thing to take away: a field, or, with a key, the first item of a list that has this text under it."""

    steps: Steps
    line: int  # of the patch
    key: str = ""
    text: str = ""

    def fault(self, problem: str, remedy: str) -> ConfigFault:
        """Return what is wrong with it."""
        return ConfigFault(self.line, path_of(self.steps), problem, remedy)


def split(root: Node, faults: list[ConfigFault]) -> tuple[Node | None, tuple[Selector, ...]]:
    """Return what is left of a patch to merge, None where nothing is, and what it takes away, in its order."""
    selectors: list[Selector] = []
    rest = _rest(root, (), selectors, faults)
    if len(selectors) > MAX_DELETES:
        problem = f"{len(selectors)} things to take away, at most {MAX_DELETES} are allowed"
        faults.append(ConfigFault(root.line, "", problem, "use several patches"))
        return rest, ()
    return rest, tuple(selectors)


def deleted(node: Node, selector: Selector, faults: list[ConfigFault]) -> Node:
    """Return a document without what a selector takes away; what is not there to be taken away is noted."""
    return _without(node, selector.steps, selector, faults)


def _rest(node: Node, steps: Steps, selectors: list[Selector], faults: list[ConfigFault]) -> Node | None:
    if node.kind == "mapping":
        return _rest_of_mapping(node, steps, selectors, faults)
    if node.kind != "sequence" or not node.items:
        return node
    left = []
    for item in node.items:
        before = len(selectors)
        rest = None if _is_delete(item) else _rest(item, (*steps, "[]"), selectors, faults)
        if _is_delete(item):
            selectors.extend(_item(item, steps, faults))
        elif len(selectors) > before:
            inner = selectors[-1]
            del selectors[before:]
            faults.append(inner.fault("nothing inside an item of a list can be taken away", "write the item anew"))
        if rest is not None:
            left.append(rest)
    return Node.sequence(left, node.line) if left else None


def _rest_of_mapping(node: Node, steps: Steps, selectors: list[Selector], faults: list[ConfigFault]) -> Node | None:
    if _is_delete(node):
        selectors.append(Selector(steps, node.line))
        return None
    if _KEY in node.fields:
        line = node.key_lines.get(_KEY, node.line)
        faults.append(ConfigFault(line, path_of((*steps, _KEY)), "unknown", f"write `{_KEY}: {_DELETE}`"))
    fields = {}
    for key, value in node.fields.items():
        rest = _rest(value, (*steps, key), selectors, faults)
        if rest is not None:
            fields[key] = rest
    return Node.mapping(fields, node.line, node.key_lines) if fields or not node.fields else None


def _item(item: Node, steps: Steps, faults: list[ConfigFault]) -> list[Selector]:
    for key, value in item.fields.items():
        if key != _KEY and value.kind == "scalar":
            return [Selector(steps, item.line, key, value.text)]
    faults.append(ConfigFault(item.line, path_of(steps), "it is not said which item goes", "add its first field"))
    return []


def _without(node: Node, steps: Steps, selector: Selector, faults: list[ConfigFault]) -> Node:
    if not steps:
        return _without_item(node, selector, faults)
    key, below = steps[0], steps[1:]
    if node.kind != "mapping" or (key not in node.fields and (below or selector.key)):
        faults.append(selector.fault("there is nothing here to take away from", _REMEDY))
        return node
    if not below and not selector.key:
        kept = {name: value for name, value in node.fields.items() if name != key}
        return Node.mapping(kept, node.line, node.key_lines) if key in node.fields else node
    after = _without(node.fields[key], below, selector, faults)
    if after is node.fields[key]:
        return node
    return Node.mapping({**node.fields, key: after}, node.line, node.key_lines)


def _without_item(node: Node, selector: Selector, faults: list[ConfigFault]) -> Node:
    for place, item in enumerate(node.items):
        found = item.get(selector.key)
        if found is not None and found.kind == "scalar" and found.text == selector.text:
            return Node.sequence((*node.items[:place], *node.items[place + 1 :]), node.line)
    faults.append(selector.fault(f"no item of the list has this {selector.key}", _REMEDY))
    return node


def _is_delete(node: Node) -> bool:
    told = node.get(_KEY)
    return told is not None and told.text == _DELETE
