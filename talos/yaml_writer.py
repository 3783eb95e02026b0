"""YAML is written as Go's encoder writes it: four spaces, literal blocks for text of several lines, nothing folded.

    layers:
        - image: a
          metadata:
            name: b

What is written reads back as it was. A scalar that was read is written in its own spelling (`1.0` stays `1.0`), a text
is quoted wherever YAML 1.1 or 1.2 would take it for something else. Comments, anchors and flow style are not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import yaml

from talos.yaml_builder import core_schema
from talos.yaml_node import Node

SEPARATOR: Final = "---\n"

_INDENT_COLUMNS: Final = 4
_DASH_COLUMNS: Final = 2
_NEVER_WRAP_COLUMNS: Final = 2**31 - 1
_TAG: Final = "tag:yaml.org,2002:"
_SHORT_BOOLEANS: Final = frozenset("yYnN")  # Go quotes them, PyYAML's own table leaves them out


def write(node: Node) -> str:
    """Return a document, without `---`."""
    root = _text(node.value, '"') if isinstance(node.value, str) else _represented(node)
    text: str = yaml.serialize(root, Dumper=_GoDumper, allow_unicode=True, width=_NEVER_WRAP_COLUMNS)
    return text.removesuffix("...\n")  # what PyYAML puts behind a document that is one plain scalar


def write_all(nodes: Iterable[Node]) -> str:
    """Return documents, with `---` between them."""
    return SEPARATOR.join(write(node) for node in nodes)


def node_of(value: object) -> Node:
    """Return the node of a text, a number, a boolean, None, or a list or mapping (by texts) of these."""
    if isinstance(value, str):
        return Node(value, 0, value)
    if isinstance(value, Mapping):
        return Node.mapping({key: node_of(each) for key, each in value.items()})
    if isinstance(value, Sequence):
        return Node.sequence(node_of(each) for each in value)
    if isinstance(value, bool):
        return Node(value, 0, "true" if value else "false")
    if value is None or isinstance(value, int | float):
        return Node(value, 0, "null" if value is None else str(value))
    raise TypeError(f"a value of type {type(value).__name__} can't be written as YAML")


class _GoDumper(yaml.SafeDumper):
    """Indents as Go's encoder does."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent to the next multiple of four, but by two inside a list, where the dash has taken up the rest."""
        self.indents.append(self.indent)
        if self.indent is None:
            self.indent = 0
        elif self.states and self.states[-1] == self.expect_block_sequence_item:
            self.indent += _DASH_COLUMNS
        else:
            self.indent = _INDENT_COLUMNS * ((self.indent + _INDENT_COLUMNS) // _INDENT_COLUMNS)


_resolve: Final[Callable[..., str]] = yaml.resolver.Resolver().resolve  # in YAML 1.1, which other readers may follow


def _represented(node: Node) -> yaml.Node:
    if node.kind == "mapping":
        pairs = [(_text(key, '"'), _represented(value)) for key, value in node.fields.items()]
        return yaml.MappingNode(f"{_TAG}map", pairs, flow_style=not pairs)
    if node.kind == "sequence":
        items = [_represented(item) for item in node.items]
        return yaml.SequenceNode(f"{_TAG}seq", items, flow_style=not items)
    if isinstance(node.value, str):
        return _text(node.value)
    plain = "null" if node.value is None else node.text
    return yaml.ScalarNode(_resolve(yaml.ScalarNode, plain, (True, False)), plain)


def _text(text: str, lines_style: str = "|") -> yaml.ScalarNode:
    """Return a text; `lines_style` is for one of several lines, where a block may stand."""
    style = None
    if "\n" in text:
        style = '"' if text[0].isspace() else lines_style  # PyYAML counts the indentation of such a block wrongly
    elif _is_ambiguous(text):
        style = '"'
    return yaml.ScalarNode(f"{_TAG}str", text, style=style)


def _is_ambiguous(text: str) -> bool:
    """Tell whether a reader would take the plain text for a number, a boolean, a date, or for nothing."""
    if text in _SHORT_BOOLEANS or not isinstance(core_schema(text), str):
        return True
    return _resolve(yaml.ScalarNode, text, (True, False)) != f"{_TAG}str"
