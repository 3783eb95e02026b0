"""An extension's YAML files are read as Go reads YAML into a struct, with a fault for every field that does not fit.

Unknown fields pass, as they do in Talos, so that newer extensions work on older nodes. A value that YAML takes for a
number or a boolean is the text that was written: Go reads `version: 1.0` into a string as "1.0".
"""

from collections.abc import Iterator

from talos import yaml_document
from talos.extensions.faults import MAX_FAULTS, Fault
from talos.extensions.member_path import shown
from talos.yaml_node import Node

MAX_ITEMS = 1000  # in one list; a service has a dozen arguments
MAX_TEXT_CHARACTERS = 64 * 1024  # in all values together: only aliases can make more of a file of that size


class Findings:
    """The faults of one file, in the order in which they are found, up to MAX_FAULTS."""

    def __init__(self, file: str, *, malformed: str) -> None:
        """Collect faults of `file`; `malformed` is the rule that a file breaks which cannot be read."""
        self._file = file
        self._malformed = malformed
        self._faults: list[Fault] = []
        self._characters = 0

    @property
    def faults(self) -> tuple[Fault, ...]:
        return tuple(self._faults)

    def add(self, rule: str, line: int, path: str, problem: str, remedy: str) -> None:
        """Note that the field at `path` breaks a rule."""
        where = f"line {line}: {path}: " if path else f"line {line}: "
        if len(self._faults) < MAX_FAULTS:
            self._faults.append(Fault(rule, self._file, f"{where}{problem}", remedy))

    def malformed(self, line: int, path: str, problem: str, remedy: str) -> None:
        """Note that the field at `path` is not of the kind it should be."""
        self.add(self._malformed, line, path, problem, remedy)

    def takes(self, text: str) -> bool:
        """Count a value that is read; false where the values of the file have become too long together."""
        self._characters += len(text)
        return self._characters <= MAX_TEXT_CHARACTERS


class Fields:
    """The fields of one mapping; what is asked of it and is not as it should be becomes a finding."""

    def __init__(self, node: Node | None, path: str, findings: Findings, *, refused: bool = False) -> None:
        self._node = node
        self.refused = refused  # something else stands here, and what it lacks is no fault of its own
        self._path = path
        self._findings = findings

    @property
    def path(self) -> str:
        """Where the mapping stands in the file, such as `container.mounts[0]`; empty for the whole file."""
        return self._path

    def line(self, key: str = "") -> int:
        """Return the line of a field, or where it would have to stand."""
        if self._node is None:
            return 1
        field = self._node.get(key)
        return field.line if field is not None else self._node.line

    def at(self, key: str) -> str:
        """Return the path of a field."""
        return f"{self._path}.{key}" if self._path else key

    def text(self, key: str) -> str:
        """Return a field's text; empty where it is absent or null."""
        node = self._get(key)
        return self._text(node, self.at(key)) if node is not None else ""

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts; empty where it is absent or null."""
        return tuple(self._text(node, f"{self.at(key)}[{index}]") for index, node in self._items(key))

    def flag(self, key: str) -> bool:
        """Return a boolean, in one of Go's spellings; false where it is absent or null."""
        node = self._get(key)
        if node is None:
            return False
        if node.boolean is None:
            problem = f"{shown(node.text)} is no boolean" if node.kind == "scalar" else f"this is {node.kind_in_words}"
            self._findings.malformed(node.line, self.at(key), problem, "write true or false here")
            return False
        return node.boolean

    def below(self, key: str) -> "Fields":
        """Return the fields of a mapping under `key`; none where it is absent."""
        return self._mapping(self._get(key), self.at(key))

    def each(self, key: str) -> "Iterator[Fields]":
        """Yield the fields of each mapping in the list under `key`; an item that is none is a finding only."""
        for index, node in self._items(key):
            before = len(self._findings.faults)
            fields = self._mapping(node, f"{self.at(key)}[{index}]")
            if len(self._findings.faults) == before:
                yield fields

    def _get(self, key: str) -> Node | None:
        return self._node.get(key) if self._node is not None else None

    def _text(self, node: Node, path: str) -> str:
        if node.kind == "null":
            return ""
        if node.kind != "scalar":
            self._findings.malformed(node.line, path, f"this is {node.kind_in_words}", "write text here")
            return ""
        if not self._findings.takes(node.text):
            problem = f"the file's values are longer than {MAX_TEXT_CHARACTERS} characters together"
            self._findings.malformed(node.line, path, problem, "repeat less by aliases")
            return ""
        return node.text

    def _mapping(self, node: Node | None, path: str) -> "Fields":
        if node is not None and node.kind not in ("mapping", "null"):
            problem = f"this is {node.kind_in_words}, not a mapping"
            self._findings.malformed(node.line, path, problem, "write a mapping here")
            return Fields(None, path, self._findings, refused=True)
        return Fields(node, path, self._findings)

    def _items(self, key: str) -> Iterator[tuple[int, Node]]:
        node = self._get(key)
        if node is None:
            return
        if node.kind != "sequence":
            problem = f"this is {node.kind_in_words}, not a list"
            self._findings.malformed(node.line, self.at(key), problem, "write a list here")
        elif len(node.items) > MAX_ITEMS:
            problem = f"{len(node.items)} items, {MAX_ITEMS} are allowed"
            self._findings.malformed(node.line, self.at(key), problem, "shorten the list")
        else:
            yield from enumerate(node.items)


def read_fields(text: bytes, *, max_bytes: int, example: str, findings: Findings) -> Fields | None:
    """Read a text that is one mapping; None where it is none. `example` is what such a text starts with."""
    stream = yaml_document.read(text, max_bytes=max_bytes)
    for fault in stream.faults:
        findings.malformed(fault.line, fault.path, fault.problem, fault.remedy)
    if len(stream.documents) == 1 and stream.documents[0].kind == "mapping":
        return Fields(stream.documents[0], "", findings)
    if not stream.faults:
        findings.malformed(1, "", "this is not one mapping", f"start it with `{example}`")
    return None
