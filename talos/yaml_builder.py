"""Nodes are built from the flat stream of a YAML parser's events, with a stack instead of recursion.

So the bounds hold while reading: depth is the height of the stack, and every node knows how many values it stands for
once its aliases are expanded. A duplicate key is noted and passed over, unless there are very many; everything else
that is wrong ends the reading.
"""

import re
from collections.abc import Iterator

import yaml

from talos.yaml_node import Node, Scalar, YamlFault

MAX_NODES = 200_000  # after aliases are expanded; a machine config has some hundreds, a large one some thousands
MAX_DEPTH_LEVELS = 64
MAX_DOCUMENTS = 1000  # an empty one is four bytes of text and a hundred times that in memory
MAX_DUPLICATES = 100  # each is told with its path; nobody reads more
MAX_KEY_CHARACTERS = 1024  # YAML's own bound for a key without a `?` before it; keys are in the paths of faults
SHOWN_KEY_CHARACTERS = 100
MAX_NUMBER_CHARACTERS = 40  # longer digits stay text: no number in a config needs them, and converting them is not free

_CORE_TAG = "tag:yaml.org,2002:"
_SCALAR_TAGS = frozenset(_CORE_TAG + name for name in ("str", "int", "float", "bool", "null"))
_COLLECTION_TAGS = frozenset(_CORE_TAG + name for name in ("map", "seq"))
_MERGE_KEY = "<<"
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


class Refused(Exception):
    """The text cannot be read on; `fault` says why."""

    def __init__(self, line: int, path: str, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.fault = YamlFault(line, path, problem, remedy)


class _Open:
    """A collection whose end has not been seen."""

    def __init__(self, event: yaml.Event, anchor: str | None, *, mapping: bool) -> None:
        self.line = _line(event)
        self.anchor = anchor
        self.fields: dict[str, Node] | None = {} if mapping else None
        self.key_lines: dict[str, int] = {}
        self.items: list[Node] = []
        self.merged: list[Node] = []
        self.merging = False
        self.key: str | None = None
        self.weight = 1
        self.height = 0


class Builder:
    """Takes events, and gives documents and faults."""

    def __init__(self) -> None:
        self.documents: list[Node] = []
        self.starts: list[int] = []  # the character with which each document starts, at its `---` where it has one
        self.faults: list[YamlFault] = []
        self._stack: list[_Open] = []
        self._anchors: dict[str, Node | None] = {}  # None while the anchored collection is still open
        self._weight = 0

    def consume(self, events: Iterator[yaml.Event]) -> None:
        """Read to the end of the stream. Raises Refused, and what the parser raises."""
        for event in events:
            match event:
                case yaml.DocumentStartEvent():
                    self._anchors.clear()
                    self.starts.append(event.start_mark.index if event.start_mark is not None else 0)
                case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                    self._open(event)
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    self._close()
                case yaml.ScalarEvent():
                    node = Node(self._resolve(event), _line(event), event.value)
                    if event.anchor:
                        self._anchors[event.anchor] = node
                    self._place(node, plain=event.implicit[0])
                case yaml.AliasEvent():
                    self._place(self._aliased(event), plain=False, line=_line(event))
                case _:
                    pass

    def _open(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        line = _line(event)
        if event.tag is not None and event.tag not in _COLLECTION_TAGS:
            remedy = "remove the tag, or write quotes around a text that starts with !"
            raise Refused(line, self._path(), "this tag is not understood", remedy)
        if len(self._stack) >= MAX_DEPTH_LEVELS:
            raise Refused(line, self._path(), f"nested deeper than {MAX_DEPTH_LEVELS} levels", "flatten the document")
        mapping = isinstance(event, yaml.MappingStartEvent)
        parent = self._stack[-1] if self._stack else None
        if parent is not None and parent.fields is not None and parent.key is None:
            raise Refused(line, self._path(), "a key is a list or a mapping", "use a plain word as the key")
        if event.anchor:
            self._anchors[event.anchor] = None
        self._stack.append(_Open(event, event.anchor, mapping=mapping))

    def _close(self) -> None:
        done = self._stack.pop()
        if done.fields is None:
            node = Node(tuple(done.items), done.line, "", done.weight, done.height)
        else:
            for source in done.merged:
                for key, value in source.fields.items():
                    done.fields.setdefault(key, value)
            node = Node(done.fields, done.line, "", done.weight, done.height, done.key_lines)
        if done.anchor:
            self._anchors[done.anchor] = node
        self._place(node, plain=False)

    def _place(self, node: Node, *, plain: bool, line: int | None = None) -> None:
        """Put a node where it belongs; `line` is where an alias stands, since its node began elsewhere."""
        line = node.line if line is None else line
        self._weight += 1
        if not self._stack:
            if len(self.documents) >= MAX_DOCUMENTS:
                raise Refused(line, "", f"more than {MAX_DOCUMENTS} documents", "remove some")
            self.documents.append(node)
            return
        parent = self._stack[-1]
        if parent.fields is not None and parent.key is None:
            self._place_key(parent, node, plain=plain)
            return
        path = self._path()
        parent.weight += node.weight
        parent.height = max(parent.height, node.height + 1)
        if max(self._weight, parent.weight) > MAX_NODES:
            raise Refused(line, path, f"more than {MAX_NODES} values", "remove aliases that multiply each other")
        if len(self._stack) + node.height > MAX_DEPTH_LEVELS:
            raise Refused(line, path, f"nested deeper than {MAX_DEPTH_LEVELS} levels", "flatten the document")
        if parent.fields is None:
            parent.items.append(node)
            return
        key, parent.key = parent.key or "", None
        if parent.merging:
            parent.merging = False
            self._place_merge(parent, node)
        else:
            parent.fields.setdefault(key, node)

    def _place_key(self, parent: _Open, node: Node, *, plain: bool) -> None:
        if isinstance(node.value, tuple | dict):
            raise Refused(node.line, self._path(), "a key is a list or a mapping", "use a plain word as the key")
        if len(node.text) > MAX_KEY_CHARACTERS:
            problem = f"a key of {len(node.text)} characters, at most {MAX_KEY_CHARACTERS} are allowed"
            raise Refused(node.line, self._path(), problem, "shorten it")
        parent.key = node.text
        parent.merging = plain and node.text == _MERGE_KEY
        if parent.merging:
            return
        first = parent.key_lines.setdefault(node.text, node.line)
        if node.text in (parent.fields or {}):
            if len(self.faults) >= MAX_DUPLICATES:
                remedy = "correct those, the rest is not read"
                raise Refused(node.line, self._path(), f"more than {MAX_DUPLICATES} keys are given twice", remedy)
            problem = f'the key "{_shown(node.text)}" is given twice, first on line {first}'
            self.faults.append(YamlFault(node.line, self._path(), problem, "remove one of the two"))

    def _place_merge(self, parent: _Open, node: Node) -> None:
        sources = node.items if node.kind == "sequence" else (node,)
        if any(source.kind != "mapping" for source in sources):
            raise Refused(node.line, self._path(), "the merge key << takes a mapping", "merge a mapping or remove <<")
        parent.merged.extend(sources)

    def _aliased(self, event: yaml.AliasEvent) -> Node:
        line = _line(event)
        if event.anchor not in self._anchors:
            # Not by its name: a password that starts with an asterisk, and no quotes around it, looks the same.
            remedy = "define its anchor above it, or write quotes around a text that starts with *"
            raise Refused(line, self._path(), "this alias has no anchor before it", remedy)
        node = self._anchors[event.anchor]
        if node is None:
            problem = f"the alias *{_shown(event.anchor)} lies inside itself"
            raise Refused(line, self._path(), problem, "remove the alias")
        return node

    def _resolve(self, event: yaml.ScalarEvent) -> Scalar:
        if event.tag is not None and event.tag not in _SCALAR_TAGS and event.tag != "!":
            line = _line(event)
            remedy = "remove the tag, or write quotes around a text that starts with !"
            raise Refused(line, self._path(), "this tag is not understood", remedy)
        text: str = event.value
        if event.tag in ("!", _CORE_TAG + "str") or (event.tag is None and not event.implicit[0]):
            return text
        return core_schema(text)

    def _path(self) -> str:
        path = ""
        for level in self._stack:
            if level.fields is None:
                path += f"[{len(level.items)}]"
            elif level.key is not None:
                key = _shown(level.key)
                path += f".{key}" if path else key
        return path


def core_schema(text: str) -> Scalar:
    """Return what a plain scalar stands for in YAML 1.2's core schema."""
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if len(text) <= MAX_NUMBER_CHARACTERS:
        if _INTEGER.fullmatch(text):
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        if _FLOAT.fullmatch(text):
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


def _shown(name: str) -> str:
    return name if len(name) <= SHOWN_KEY_CHARACTERS else f"{name[:SHOWN_KEY_CHARACTERS]}…"


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark is not None else 1
