"""A YAML value that remembers where it stood: a scalar, a list or a mapping, and its line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

_KINDS_IN_WORDS = {"mapping": "a mapping", "sequence": "a list", "scalar": "a single value", "null": "nothing"}

_BOOLEANS = {"y": True, "Y": True, "yes": True, "on": True, "n": False, "N": False, "no": False, "off": False}

Scalar = str | int | float | bool | None


class YamlFault(msgspec.Struct, frozen=True):
    """One thing wrong with a YAML text."""

    line: int  # counted from 1
    path: str  # such as `machine.install.extensions[1]`; empty at the root
    problem: str
    remedy: str


class Node(msgspec.Struct, frozen=True):
    """A scalar, a list or a mapping, and the line on which it starts."""

    value: Scalar | tuple[Node, ...] | dict[str, Node]
    line: int
    text: str = ""  # a scalar's own spelling
    weight: int = 1  # nodes in this tree once aliases are expanded
    height: int = 0
    key_lines: Mapping[str, int] = {}

    @classmethod
    def mapping(cls, fields: Mapping[str, Node], line: int = 0, key_lines: Mapping[str, int] = {}) -> Node:
        """Return a mapping that was put together, and how much it holds."""
        return cls(dict(fields), line, "", *_measures(fields.values()), key_lines)

    @classmethod
    def sequence(cls, items: Iterable[Node], line: int = 0) -> Node:
        """Return a list that was put together, and how much it holds."""
        kept = tuple(items)
        return cls(kept, line, "", *_measures(kept))

    @property
    def kind(self) -> str:
        """Return "mapping", "sequence", "scalar" or "null"."""
        if isinstance(self.value, dict):
            return "mapping"
        if isinstance(self.value, tuple):
            return "sequence"
        return "null" if self.value is None else "scalar"

    @property
    def kind_in_words(self) -> str:
        return _KINDS_IN_WORDS[self.kind]

    @property
    def boolean(self) -> bool | None:
        """Return what Go reads where it expects a boolean: YAML 1.1's words too; None for anything else."""
        return self.value if isinstance(self.value, bool) else _BOOLEANS.get(self.text)

    @property
    def fields(self) -> dict[str, Node]:
        """Return a mapping's entries; empty for everything else."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> tuple[Node, ...]:
        """Return a list's items; empty for everything else."""
        return self.value if isinstance(self.value, tuple) else ()

    def get(self, key: str) -> Node | None:
        """Return the node under `key`; None where this is no mapping, lacks the key, or holds null there."""
        found = self.fields.get(key)
        return None if found is None or found.value is None else found

    def means(self, other: Node) -> bool:
        """Tell whether both stand for the same value; numbers by what they are, however they are written."""
        if self.kind != other.kind:
            return False
        if self.kind == "mapping":
            return self.fields.keys() == other.fields.keys() and all(
                value.means(other.fields[key]) for key, value in self.fields.items()
            )
        if self.kind == "sequence":
            return len(self.items) == len(other.items) and all(map(Node.means, self.items, other.items))
        # True is 1 in Python, and a text never is what it reads as.
        kinds = [type(each.value) if isinstance(each.value, str | bool) else None for each in (self, other)]
        return kinds[0] is kinds[1] and self.value == other.value


def _measures(children: Iterable[Node]) -> tuple[int, int]:
    """Return the weight and the height of what holds these."""
    weight, height = 1, 0
    for child in children:
        weight += child.weight
        height = max(height, child.height + 1)
    return weight, height
