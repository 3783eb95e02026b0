"""Untrusted YAML becomes a tree of nodes that remember their lines, or a fault that names the line.

Nodes are built from the parser's flat event stream with a stack of our own, so depth, size and alias expansion are
bounded while reading: an alias bomb costs what its text costs. Scalars follow the YAML 1.2 core schema (`yes`, `017`
and `12:30:45` are what they look like); every scalar also keeps its text, because Go decodes `version: 1.0` into a
string field as "1.0". Duplicate keys are refused. Merge keys (`<<`) work as they do in Go.
"""

import re
from collections.abc import Iterator

import msgspec
import yaml

MAX_NODES = 200_000  # after aliases are expanded; a machine config has some hundreds, a large one some thousands
MAX_DEPTH_LEVELS = 64
MAX_NUMBER_CHARACTERS = 40  # longer digits stay text: no number in a config needs them, and converting them is not free

_CORE_TAG = "tag:yaml.org,2002:"
_SCALAR_TAGS = frozenset(_CORE_TAG + name for name in ("str", "int", "float", "bool", "null"))
_COLLECTION_TAGS = frozenset(_CORE_TAG + name for name in ("map", "seq"))
_MERGE_KEY = "<<"
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

_KINDS_IN_WORDS = {"mapping": "a mapping", "sequence": "a list", "scalar": "a single value", "null": "nothing"}

Scalar = str | int | float | bool | None


class YamlFault(msgspec.Struct, frozen=True):
    """One thing wrong with a YAML text."""

    line: int  # counted from 1
    path: str  # such as `machine.install.extensions[1]`; empty at the root
    problem: str
    remedy: str


class Node(msgspec.Struct, frozen=True):
    """A scalar, a list or a mapping, and the line on which it starts."""

    value: "Scalar | tuple[Node, ...] | dict[str, Node]"
    line: int
    text: str = ""  # a scalar's own spelling
    weight: int = 1  # nodes in this tree once aliases are expanded
    height: int = 0
    key_lines: dict[str, int] = {}

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
    def fields(self) -> "dict[str, Node]":
        """Return a mapping's entries; empty for everything else."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> "tuple[Node, ...]":
        """Return a list's items; empty for everything else."""
        return self.value if isinstance(self.value, tuple) else ()

    def get(self, key: str) -> "Node | None":
        """Return the node under `key`; None where this is no mapping, lacks the key, or holds null there."""
        found = self.fields.get(key)
        return None if found is None or found.value is None else found


class Stream(msgspec.Struct, frozen=True):
    """The documents of a text as far as they could be read, and what is wrong with it."""

    documents: tuple[Node, ...]
    faults: tuple[YamlFault, ...]


def read(text: bytes, *, max_bytes: int) -> Stream:
    """Read every document of `text`. Duplicate keys are all reported; a fault of syntax or of size ends the reading."""
    if len(text) > max_bytes:
        problem = f"the text is {len(text)} bytes long, {max_bytes} are allowed"
        return Stream((), (YamlFault(1, "", problem, "shorten it"),))
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        return Stream((), (YamlFault(line, "", "the text is not UTF-8", "save the file in UTF-8"),))
    builder = _Builder()
    try:
        builder.consume(yaml.parse(decoded, Loader=yaml.CSafeLoader))
    except _Refused as refused:
        builder.faults.append(refused.fault)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        last = max(len(decoded.splitlines()), 1)  # the parser finds some mistakes only behind the end
        line = min(mark.line + 1, last) if mark is not None else last
        problem = f"not YAML: {error.problem or error.context or 'syntax error'}"
        builder.faults.append(YamlFault(line, "", problem, "correct the syntax at this line"))
    except yaml.YAMLError:
        problem = "not YAML: it holds a control character"
        builder.faults.append(YamlFault(1, "", problem, "remove characters that cannot be printed"))
    return Stream(tuple(builder.documents), tuple(builder.faults))


class _Refused(Exception):
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


class _Builder:
    def __init__(self) -> None:
        self.documents: list[Node] = []
        self.faults: list[YamlFault] = []
        self._stack: list[_Open] = []
        self._anchors: dict[str, Node | None] = {}  # None while the anchored collection is still open
        self._weight = 0

    def consume(self, events: Iterator[yaml.Event]) -> None:
        for event in events:
            match event:
                case yaml.DocumentStartEvent():
                    self._anchors.clear()
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
                    self._place(self._aliased(event), plain=False)
                case _:
                    pass

    def _open(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        line = _line(event)
        if event.tag is not None and event.tag not in _COLLECTION_TAGS:
            raise _Refused(line, self._path(), f"the tag {event.tag} is not understood", "remove the tag")
        if len(self._stack) >= MAX_DEPTH_LEVELS:
            raise _Refused(line, self._path(), f"nested deeper than {MAX_DEPTH_LEVELS} levels", "flatten the document")
        mapping = isinstance(event, yaml.MappingStartEvent)
        parent = self._stack[-1] if self._stack else None
        if parent is not None and parent.fields is not None and parent.key is None:
            raise _Refused(line, self._path(), "a key is a list or a mapping", "use a plain word as the key")
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

    def _place(self, node: Node, *, plain: bool) -> None:
        self._weight += 1
        if not self._stack:
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
            raise _Refused(node.line, path, f"more than {MAX_NODES} values", "remove aliases that multiply each other")
        if len(self._stack) + node.height > MAX_DEPTH_LEVELS:
            raise _Refused(node.line, path, f"nested deeper than {MAX_DEPTH_LEVELS} levels", "flatten the document")
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
            raise _Refused(node.line, self._path(), "a key is a list or a mapping", "use a plain word as the key")
        parent.key = node.text
        parent.merging = plain and node.text == _MERGE_KEY
        if parent.merging:
            return
        first = parent.key_lines.setdefault(node.text, node.line)
        if node.text in (parent.fields or {}):
            problem = f'the key "{node.text}" is given twice, first on line {first}'
            self.faults.append(YamlFault(node.line, self._path(), problem, "remove one of the two"))

    def _place_merge(self, parent: _Open, node: Node) -> None:
        sources = node.items if node.kind == "sequence" else (node,)
        if any(source.kind != "mapping" for source in sources):
            raise _Refused(node.line, self._path(), "the merge key << takes a mapping", "merge a mapping or remove <<")
        parent.merged.extend(sources)

    def _aliased(self, event: yaml.AliasEvent) -> Node:
        line = _line(event)
        if event.anchor not in self._anchors:
            problem, remedy = f"the alias *{event.anchor} has no anchor before it", f"define &{event.anchor} above it"
            raise _Refused(line, self._path(), problem, remedy)
        node = self._anchors[event.anchor]
        if node is None:
            raise _Refused(line, self._path(), f"the alias *{event.anchor} lies inside itself", "remove the alias")
        return node

    def _resolve(self, event: yaml.ScalarEvent) -> Scalar:
        if event.tag is not None and event.tag not in _SCALAR_TAGS and event.tag != "!":
            line = _line(event)
            raise _Refused(line, self._path(), f"the tag {event.tag} is not understood", "remove the tag")
        text: str = event.value
        if event.tag in ("!", _CORE_TAG + "str") or (event.tag is None and not event.implicit[0]):
            return text
        return _core_schema(text)

    def _path(self) -> str:
        path = ""
        for level in self._stack:
            if level.fields is None:
                path += f"[{len(level.items)}]"
            elif level.key is not None:
                path += f".{level.key}" if path else level.key
        return path


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark is not None else 1


def _core_schema(text: str) -> Scalar:
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
