"""Nodes to text, laid out as Go lays it out: four spaces, lists indented under their key, no line folding.

A level of nesting moves to the next multiple of four columns, except inside a list, where it moves by the two columns
of the dash:

    ports:
        - name: http          the dash at 4, the item's keys at 6
          backends:
            - one             6 moves to the next multiple of four, which is 8

A scalar keeps the style its node asks for wherever that style can hold its text; otherwise plain becomes single-quoted
and everything else double-quoted. Plain nodes without a tag are never quoted for what they would resolve to: that is
the representer's decision, and it is how Go prints `version: 1` and an empty owner as `owner:` in resource metadata.
"""

import re
from collections.abc import Iterator

from cosi.resource.goyaml import spelling
from cosi.resource.goyaml.node import Node
from cosi.resource.goyaml.resolver import PREFIX

__all__ = ["emit"]

INDENT_COLUMNS = 4
DASH_COLUMNS = 2
MAX_SIMPLE_KEY_BYTES = 128  # libyaml's limit: a longer key is written as `? key`

_ODD_TAG_CHARS = re.compile(r"[^A-Za-z0-9;/?:@&=+$,_.~*'()\[\]-]")


def emit(node: Node) -> str:
    """Print one document, ending in a newline."""
    emitter = _Emitter()
    emitter.node(node, indent=-1)
    emitter.start_line(0)
    return "".join(emitter.parts)


class _Emitter:
    """Where the pen is. The fields and their meaning are libyaml's, for its rules are what is followed."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.column = 0
        self.whitespace = True  # the last character needs no space before the next token
        self.only_indentation = True  # nothing but spaces and `-`, `?`, `:` on this line so far
        self.flow_level = 0

    def node(self, node: Node, *, indent: int, in_sequence: bool = False, is_key: bool = False) -> None:
        """Write a node whose parent is indented by `indent`; `in_sequence` if that is a block sequence."""
        if node.kind == "alias":
            self._token(f"*{node.value}")
            return
        if node.anchor:
            self._token(f"&{node.anchor}")
        if node.tag:
            self._token(_tag(node.tag))
        in_flow = self.flow_level > 0
        if node.kind == "scalar":
            style = spelling.usable_style(node.value, node.style, in_flow=in_flow, is_key=is_key)
            self._scalar(node.value, style, indent, _deeper(indent, in_sequence=in_sequence, root=INDENT_COLUMNS))
        elif in_flow or node.style == "flow" or not node.children:
            self._flow(node, _deeper(indent, in_sequence=in_sequence, root=INDENT_COLUMNS))
        elif node.kind == "sequence":
            self._block_sequence(node, _deeper(indent, in_sequence=in_sequence, root=0))
        else:
            self._block_mapping(node, _deeper(indent, in_sequence=in_sequence, root=0))

    def start_line(self, indent: int) -> None:
        """Go to column `indent`, on this line if nothing but indentation has been written."""
        before = self.column < indent or (self.column == indent and self.whitespace)
        if not self.only_indentation or not before:
            self._newline()
        self._write(" " * (indent - self.column))
        self.whitespace = True

    def _block_sequence(self, node: Node, indent: int) -> None:
        for child in node.children:
            self.start_line(indent)
            self._token("-", indentation=True)
            self.node(child, indent=indent, in_sequence=True)

    def _block_mapping(self, node: Node, indent: int) -> None:
        for key, value in _pairs(node):
            self.start_line(indent)
            if _is_simple_key(key):
                self.node(key, indent=indent, is_key=True)
                if key.kind == "alias":
                    self._write(" ")  # `*a:` would be an alias named "a:"
                self._colon()
            else:
                self._token("?", indentation=True)
                self.node(key, indent=indent)
                self.start_line(indent)
                self._token(":", indentation=True)
            self.node(value, indent=indent)

    def _flow(self, node: Node, indent: int) -> None:
        opening, closing = "[]" if node.kind == "sequence" else "{}"
        self._token(opening)
        self.whitespace = True
        self.flow_level += 1
        step = 1 if node.kind == "sequence" else 2
        for index in range(0, len(node.children), step):
            if index:
                self._write(",")
                self.whitespace = False
            if node.kind == "sequence":
                self.node(node.children[index], indent=indent)
                continue
            key, value = node.children[index : index + 2]
            if _is_simple_key(key):
                self.node(key, indent=indent, is_key=True)
                self._colon()
            else:
                self._token("?")
                self.node(key, indent=indent)
                self._token(":")
            self.node(value, indent=indent)
        self.flow_level -= 1
        self._write(closing)
        self.whitespace = False

    def _scalar(self, text: str, style: str, outer: int, indent: int) -> None:
        depth = indent - max(outer, 0)
        if style == "'":
            self._token(spelling.single_quoted(text, indent))
        elif style == '"':
            self._token(spelling.double_quoted(text))
        elif style == "|":
            self._token(spelling.block_header("|", text, depth))
            self._block_lines(spelling.literal_lines(text), indent)
        elif style == ">":
            self._token(spelling.block_header(">", text, depth))
            self._block_lines(spelling.folded_lines(text), indent)
        elif text:
            self._token(text)
        else:
            self.only_indentation = False

    def _block_lines(self, lines: list[str], indent: int) -> None:
        self._newline()
        for line in lines:
            if line[0] not in spelling.BREAKS:
                self.parts.append(" " * indent)
            self.parts.append(line)
            self.only_indentation = line[-1] in spelling.BREAKS
            self.column = 0 if self.only_indentation else indent + len(line)
        self.whitespace = True

    def _token(self, text: str, *, indentation: bool = False) -> None:
        if not self.whitespace:
            self._write(" ")
        self._write(text)
        self.whitespace = False
        self.only_indentation = self.only_indentation and indentation

    def _colon(self) -> None:
        self._write(":")
        self.whitespace = self.only_indentation = False

    def _write(self, text: str) -> None:
        self.parts.append(text)
        self.column += len(text)

    def _newline(self) -> None:
        self.parts.append("\n")
        self.column = 0
        self.only_indentation = True


def _deeper(indent: int, *, in_sequence: bool, root: int) -> int:
    """Return where a child of a node at `indent` goes; `root` if there is no such node."""
    if indent < 0:
        return root
    if in_sequence:
        return indent + DASH_COLUMNS
    return indent // INDENT_COLUMNS * INDENT_COLUMNS + INDENT_COLUMNS


def _pairs(node: Node) -> Iterator[tuple[Node, Node]]:
    return zip(node.children[::2], node.children[1::2], strict=True)


def _is_simple_key(key: Node) -> bool:
    if key.children or (key.kind == "scalar" and any(char in key.value for char in spelling.BREAKS)):
        return False
    tag = _tag(key.tag) if key.tag else ""
    return len((key.anchor + tag + key.value).encode(errors="replace")) <= MAX_SIMPLE_KEY_BYTES


def _tag(tag: str) -> str:
    """Write a tag with its handle: `!!int` for YAML's own, `!mine` as it is, `!<uri>` for others."""
    if tag.startswith(PREFIX):
        return f"!!{_percent_encoded(tag.removeprefix(PREFIX))}"
    return f"!{_percent_encoded(tag[1:])}" if tag.startswith("!") else f"!<{_percent_encoded(tag)}>"


def _percent_encoded(text: str) -> str:
    return _ODD_TAG_CHARS.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), text)
