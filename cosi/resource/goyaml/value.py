"""Between nodes and Python values: what Go's decoder would find in a node, and how Go's encoder would write a value."""

import math
from collections.abc import Mapping
from typing import Final

from cosi.resource.goyaml import resolver
from cosi.resource.goyaml.node import Node, Style, YAMLError
from cosi.resource.goyaml.number import format_float
from cosi.resource.goyaml.reader import MAX_DEPTH, MAX_NODES
from cosi.resource.goyaml.resolver import Timestamp

__all__ = ["construct", "represent"]

BASE64_LINE_CHARS = 70  # Go breaks longer binary values into lines

_INTEGERS = range(-(1 << 63), 1 << 64)
_RESOLVED_TAGS: Final = frozenset(
    (resolver.NULL, resolver.BOOL, resolver.INT, resolver.FLOAT, resolver.STR, resolver.TIMESTAMP, resolver.BINARY)
)


def represent(value: object) -> Node:
    """Return the node that prints `value`; TypeError if its type has no place in YAML."""
    return _represent(value, 0)


def construct(node: Node) -> object:
    """Return the value of a node: None, bool, int, float, str, Timestamp, bytes, or a list or dict of these.

    Aliases are expanded and merge keys merged, both within the bound of `MAX_NODES` values in all. A tag that is not
    YAML's own is ignored, as Go ignores it when it decodes into an untyped value.
    """
    return _Constructor().value(node, 0)


class _Constructor:
    def __init__(self) -> None:
        self.built = 0
        self.open_anchors: set[int] = set()

    def value(self, node: Node, depth: int) -> object:
        self.built += 1
        if self.built > MAX_NODES:
            raise _error(node, f"the document grows beyond {MAX_NODES} values when its aliases are expanded")
        if depth > MAX_DEPTH:
            raise _error(node, f"aliases nest deeper than {MAX_DEPTH} levels")
        if node.kind == "alias":
            return self._alias(node, depth)
        if node.kind == "scalar":
            return _scalar_value(node)
        if node.kind == "sequence":
            return [self.value(child, depth + 1) for child in node.children]
        return self._mapping(node, depth)

    def _alias(self, node: Node, depth: int) -> object:
        target = node.target
        if target is None:
            raise _error(node, f"there is no anchor &{node.value} before this alias")
        if id(target) in self.open_anchors:
            raise _error(node, f"the anchor &{node.value} contains itself")
        self.open_anchors.add(id(target))
        try:
            return self.value(target, depth + 1)
        finally:
            self.open_anchors.remove(id(target))

    def _mapping(self, node: Node, depth: int) -> dict[object, object]:
        result: dict[object, object] = {}
        merges: list[Node] = []
        lines: dict[object, int] = {}
        for key_node, value_node in zip(node.children[::2], node.children[1::2], strict=True):
            if _is_merge(key_node):
                merges.append(value_node)
                continue
            key = self.value(key_node, depth + 1)
            if isinstance(key, (list, dict)):
                raise _error(key_node, "a list or a map cannot be the key of a map")
            if key in lines:
                raise _error(key_node, f"the key {key_node.value!r} was already given in line {lines[key]}")
            lines[key] = key_node.line
            result[key] = self.value(value_node, depth + 1)
        for merge in merges:
            self._merge(merge, result, depth)
        return result

    def _merge(self, node: Node, into: dict[object, object], depth: int) -> None:
        """Add what is missing: the map's own keys win over merged ones, and earlier merged maps over later ones."""
        for source in node.children if node.kind == "sequence" else [node]:
            merged = self.value(source, depth + 1)
            if not isinstance(merged, dict):
                raise _error(source, "a merge key << takes a map or a list of maps")
            for key, value in merged.items():
                into.setdefault(key, value)


def _scalar_value(node: Node) -> object:
    text, tag = node.value, node.tag
    if tag == "":
        return text if node.style else resolver.resolve(text)[1]
    if tag not in _RESOLVED_TAGS:
        return text
    if tag == resolver.BINARY:
        return _decoded(node)
    if tag == resolver.STR:
        return text
    resolved, value = resolver.resolve(text)
    if resolved == tag:
        return value
    if tag == resolver.FLOAT and isinstance(value, int):
        return float(value)
    raise _error(node, f"{text!r} is not of the type {tag.removeprefix(resolver.PREFIX)} that its tag names")


def _decoded(node: Node) -> bytes:
    import base64
    import binascii

    try:
        return base64.b64decode(node.value, validate=False)
    except binascii.Error as exc:
        raise _error(node, "a !!binary value is not valid base64") from exc


def _is_merge(key: Node) -> bool:
    plain = key.kind == "scalar" and not key.style and key.value == "<<"
    return (plain and key.tag == "") or (key.kind == "scalar" and key.tag == resolver.MERGE)


def _error(node: Node, problem: str) -> YAMLError:
    return YAMLError(problem, line=node.line, column=node.column)


def _represent(value: object, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise YAMLError(f"a value nests deeper than {MAX_DEPTH} levels")
    if value is None:
        return Node("scalar", "null")
    if isinstance(value, Timestamp):
        return Node("scalar", value.rfc3339)
    if isinstance(value, str):
        text = str.__str__(value)
        return Node("scalar", text, style=_string_style(text))
    if isinstance(value, bool):
        return Node("scalar", "true" if value else "false")
    if isinstance(value, int):
        if value not in _INTEGERS:
            raise YAMLError(f"the integer {value:.0e} does not fit 64 bits")
        return Node("scalar", int.__repr__(value))
    if isinstance(value, float):
        return Node("scalar", _float_text(value))
    if isinstance(value, bytes):
        return _binary(value)
    if isinstance(value, Mapping):
        pairs = ((_represent(k, depth + 1), _represent(v, depth + 1)) for k, v in value.items())
        return Node("mapping", children=[node for pair in pairs for node in pair])
    if isinstance(value, (list, tuple)):
        return Node("sequence", children=[_represent(item, depth + 1) for item in value])
    raise TypeError(f"a value of type {type(value).__name__} cannot be written as YAML")


def _string_style(text: str) -> Style:
    if "\n" in text:
        return "|" if text.strip() else '"'
    return '"' if resolver.needs_quotes_in_yaml_1_1(text) or resolver.resolve(text)[0] != resolver.STR else ""


def _float_text(number: float) -> str:
    if math.isnan(number):
        return ".nan"
    if math.isinf(number):
        return ".inf" if number > 0 else "-.inf"
    return format_float(number)


def _binary(value: bytes) -> Node:
    import base64

    text = base64.b64encode(value).decode()
    if len(text) >= BASE64_LINE_CHARS:
        starts = range(0, len(text), BASE64_LINE_CHARS)
        text = "".join(f"{text[start : start + BASE64_LINE_CHARS]}\n" for start in starts)
    return Node("scalar", text, tag=resolver.BINARY, style="|" if "\n" in text else "")
