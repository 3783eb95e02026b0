"""YAML is written as Go's encoder writes it: four spaces, literal blocks for text of several lines, nothing folded.

    layers:
        - image: a          the dash at the next multiple of four, what is behind it two further
          metadata:
            name: b

What is written reads back as it was. A scalar that was read is written in its own spelling (`1.0` stays `1.0`), a text
is quoted wherever YAML 1.1 or 1.2 would take it for something else. Comments, anchors and flow style are not kept.
Pure text work, since a config may have a hundred thousand values and PyYAML's own emitter writes ten thousand a second.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import yaml

from talos.yaml_builder import core_schema
from talos.yaml_node import Node

SEPARATOR: Final = "---\n"

INDENT_COLUMNS: Final = 4
DASH_COLUMNS: Final = 2
MAX_SIMPLE_KEY_BYTES: Final = 128
"""A longer key stands behind a question mark, as in Go: readers don't look further for its colon."""

_UNPRINTABLE: Final = "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff"
_NEVER_LITERAL: Final = re.compile(rf"[{_UNPRINTABLE}]| \n| \Z|\A\n*(?:[ \t]|\Z)")
_NEVER_PLAIN: Final = re.compile(
    r"""\A(?:[\s,\[\]{}#&*!|>'"%@`]|[-?:](?:\s|\Z)|---|\.\.\.)|:(?:\s|\Z)|\s\#|\s\Z""", re.VERBOSE
)
_ONLY_ESCAPED: Final = re.compile(rf"[\t\n{_UNPRINTABLE}]")
_SHORT_BOOLEANS: Final = frozenset("yYnN")  # Go quotes them, PyYAML's own table leaves them out
_TEXTS: Final = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:yaml")  # the latter are `!`, `&` and `*` by themselves
_resolve: Final[Callable[..., str]] = yaml.resolver.Resolver().resolve  # in YAML 1.1, which other readers may follow


def write(node: Node) -> str:
    """Return a document, without `---`."""
    if node.kind in ("mapping", "sequence") and node.value:
        lines: list[str] = []
        _write_block(node, 0, lines)
        return "".join(lines)
    return f"{_inline(node)}\n"


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


def _write_block(node: Node, indent: int, lines: list[str], *, behind: str = "") -> None:
    """Write a mapping or a list that holds something; its first line goes `behind` a dash where there is one."""
    margin = " " * indent
    first = behind or margin
    if node.kind == "sequence":
        for item in node.items:
            _write_value(item, f"{first}-", indent + DASH_COLUMNS, lines, in_list=True)
            first = margin
        return
    deeper = (indent // INDENT_COLUMNS + 1) * INDENT_COLUMNS
    for key, value in node.fields.items():
        written = _scalar(key)
        if len(written.encode(errors="replace")) > MAX_SIMPLE_KEY_BYTES:
            lines.append(f"{first}? {written}\n")
            _write_value(value, f"{margin}:", deeper, lines)
        else:
            _write_value(value, f"{first}{written}:", deeper, lines)
        first = margin


def _write_value(node: Node, head: str, indent: int, lines: list[str], *, in_list: bool = False) -> None:
    """Write a value behind its key or its dash; what needs lines of its own is indented by `indent`."""
    if node.kind in ("mapping", "sequence") and node.value:
        if not in_list:
            lines.append(f"{head}\n")
        _write_block(node, indent, lines, behind=f"{head} " if in_list else "")
    elif isinstance(node.value, str) and "\n" in node.value and not _NEVER_LITERAL.search(node.value):
        lines.append(f"{head} {_literal(node.value, ' ' * indent)}")
    else:
        lines.append(f"{head} {_inline(node)}\n")


def _literal(text: str, margin: str) -> str:
    chomping = "+" if text.endswith("\n\n") else "" if text.endswith("\n") else "-"
    lines = text.removesuffix("\n").split("\n")
    return f"|{chomping}\n" + "".join(f"{margin}{line}\n" if line else "\n" for line in lines)


def _inline(node: Node) -> str:
    """Return what fits on a line: a scalar, or a mapping or list that holds nothing."""
    if isinstance(node.value, str):
        return _scalar(node.value)
    if node.kind in ("mapping", "sequence"):
        return "{}" if node.kind == "mapping" else "[]"
    return "null" if node.value is None else node.text


def _scalar(text: str) -> str:
    """Return a text on one line."""
    if _ONLY_ESCAPED.search(text) or _is_ambiguous(text):
        escaped = json.dumps(text, ensure_ascii=False)
        return _ONLY_ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", escaped)
    if _NEVER_PLAIN.search(text):
        return "'" + text.replace("'", "''") + "'"
    return text


def _is_ambiguous(text: str) -> bool:
    """Tell whether a reader would take the plain text for a number, a boolean, a date, or for nothing."""
    if text in _SHORT_BOOLEANS or not isinstance(core_schema(text), str):
        return True
    return _resolve(yaml.ScalarNode, text, (True, False)) not in _TEXTS
