"""A YAML document as a tree that remembers how it was written."""

from collections.abc import Iterable
from typing import Literal

__all__ = ["Kind", "Node", "Style", "YAMLError", "mapping", "scalar", "sequence"]

Kind = Literal["scalar", "sequence", "mapping", "alias"]
Style = Literal["", "'", '"', "|", ">", "flow"]


class YAMLError(ValueError):
    """The text is not YAML that this program reads, or the value is not one that YAML can hold."""

    def __init__(self, problem: str, *, line: int = 0, column: int = 0) -> None:
        """`line` and `column` count from one; a zero line means that the place is unknown."""
        super().__init__(f"YAML line {line}, column {column}: {problem}" if line else f"YAML: {problem}")
        self.problem = problem
        self.line = line
        self.column = column


class Node:
    """One scalar, sequence, mapping or alias.

    A node without a tag is what its text says: plain text resolves as Go resolves it, quoted text is a string. The
    children of a mapping are its keys and values in turn. An alias has the anchor's name as value and its node as
    target.
    """

    __slots__ = ("anchor", "children", "column", "kind", "line", "style", "tag", "target", "value")

    def __init__(
        self,
        kind: Kind,
        value: str = "",
        *,
        tag: str = "",
        style: Style = "",
        anchor: str = "",
        children: "list[Node] | None" = None,
        target: "Node | None" = None,
        line: int = 0,
        column: int = 0,
    ) -> None:
        self.kind: Kind = kind
        self.value = value
        self.tag = tag
        self.style: Style = style
        self.anchor = anchor
        self.children = [] if children is None else children
        self.target = target
        self.line = line
        self.column = column


def scalar(text: str, *, style: Style = "", tag: str = "") -> Node:
    """A scalar that Go builds by hand: plain, hence unquoted even where it then reads as a number or as nothing."""
    return Node("scalar", text, style=style, tag=tag)


def sequence(items: Iterable[Node]) -> Node:
    """A block sequence."""
    return Node("sequence", children=list(items))


def mapping(pairs: Iterable[tuple[Node, Node]]) -> Node:
    """A block mapping."""
    return Node("mapping", children=[node for pair in pairs for node in pair])
