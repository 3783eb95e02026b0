"""Text to nodes, within bounds that no document from the network or from disk can break.

The grammar is libyaml's, of which Go's parser is a port; what an unquoted word means is decided later. The bounds are
checked while the text is parsed, so a hostile document costs no more than an honest one of the same size.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cosi.resource.goyaml.node import Node, Style, YAMLError

if TYPE_CHECKING:
    from yaml.events import Event, NodeEvent

__all__ = ["MAX_DEPTH", "MAX_DOCUMENT_BYTES", "MAX_NODES", "parse", "parse_all"]

MAX_DOCUMENT_BYTES = 8 * 1024 * 1024  # twice what gRPC lets through in one message
MAX_DEPTH = 100  # levels of nesting; an honest spec has about ten
MAX_NODES = 200_000  # nodes, counted again for every alias that expands to them

_SCALAR_STYLES: dict[str, Style] = {"'": "'", '"': '"', "|": "|", ">": ">"}


def parse(text: str | bytes) -> Node:
    """Return the first document and look no further, as Go's Unmarshal does; empty text is an empty plain scalar."""
    for document in _documents(text):
        return document
    return Node("scalar", line=1, column=1)


def parse_all(text: str | bytes) -> list[Node]:
    """Return every document."""
    return list(_documents(text))


def _documents(text: str | bytes) -> Iterator[Node]:
    import yaml

    # PyYAML without libyaml is slower but otherwise the same.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        yield from _compose(yaml.parse(_checked(text), Loader=loader))
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise YAMLError(f"{exc.problem or exc.context or 'malformed'}", line=line, column=column) from exc
    except yaml.YAMLError as exc:
        raise YAMLError(str(getattr(exc, "reason", "malformed"))) from exc


def _checked(text: str | bytes) -> str:
    try:
        data = text.encode() if isinstance(text, str) else text
        if len(data) > MAX_DOCUMENT_BYTES:
            raise YAMLError(f"the text has {len(data)} bytes, more than the {MAX_DOCUMENT_BYTES} that are read")
        return data.decode()
    except UnicodeError as exc:
        raise YAMLError("the text is not valid UTF-8") from exc


def _compose(events: "Iterator[Event]") -> Iterator[Node]:
    from yaml import events as ev

    open_collections: list[Node] = []
    anchors: dict[str, Node] = {}
    root: Node | None = None
    count = 0
    for event in events:
        if isinstance(event, (ev.SequenceEndEvent, ev.MappingEndEvent)):
            open_collections.pop()
        elif isinstance(event, ev.NodeEvent):
            count += 1
            node = _node(event, anchors)
            if count > MAX_NODES:
                raise YAMLError(f"the text has more than {MAX_NODES} values", line=node.line, column=node.column)
            if open_collections:
                open_collections[-1].children.append(node)
            else:
                root = node
            if isinstance(event, ev.CollectionStartEvent):
                open_collections.append(node)
                if len(open_collections) > MAX_DEPTH:
                    raise YAMLError(f"nested deeper than {MAX_DEPTH} levels", line=node.line, column=node.column)
        elif isinstance(event, ev.DocumentEndEvent) and root is not None:
            yield root
            root, anchors = None, {}


def _node(event: "NodeEvent", anchors: dict[str, Node]) -> Node:
    from yaml import events as ev

    mark = event.start_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    anchor = event.anchor or ""
    if isinstance(event, ev.AliasEvent):
        if anchor not in anchors:
            raise YAMLError(f"there is no anchor &{anchor} before this alias", line=line, column=column)
        return Node("alias", anchor, target=anchors[anchor], line=line, column=column)
    if isinstance(event, ev.ScalarEvent):
        style = _SCALAR_STYLES.get(event.style or "", "")
        node = Node("scalar", event.value or "", style=style, line=line, column=column)
    elif isinstance(event, ev.SequenceStartEvent):
        node = Node("sequence", line=line, column=column)
    else:
        node = Node("mapping", line=line, column=column)
    if getattr(event, "flow_style", False):
        node.style = "flow"
    node.tag = getattr(event, "tag", None) or ""
    if anchor:
        node.anchor = anchor
        anchors[anchor] = node
    return node
