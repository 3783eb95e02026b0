"""Untrusted YAML becomes a tree of nodes that remember their lines, or a fault that names the line.

Nodes are built from the parser's flat event stream with a stack of our own, so depth, size and alias expansion are
bounded while reading: an alias bomb costs what its text costs. Scalars follow the YAML 1.2 core schema (`yes`, `017`
and `12:30:45` are what they look like); every scalar also keeps its text, because Go decodes `version: 1.0` into a
string field as "1.0". Duplicate keys are refused. Merge keys (`<<`) work as they do in Go.
"""

from collections.abc import Sequence
from itertools import pairwise

import msgspec
import yaml

from talos.yaml_builder import Builder, Refused
from talos.yaml_node import Node, YamlFault


class Stream(msgspec.Struct, frozen=True):
    """The documents of a text as far as they could be read, and what is wrong with it."""

    documents: tuple[Node, ...]
    faults: tuple[YamlFault, ...]
    texts: tuple[str, ...] = ()  # each document as it was written, from its `---` on; together they are the text


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
    builder = Builder()
    try:
        builder.consume(yaml.parse(decoded, Loader=yaml.CSafeLoader))
    except Refused as refused:
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
    return Stream(tuple(builder.documents), tuple(builder.faults), _split(decoded, builder.starts))


def _split(text: str, starts: Sequence[int]) -> tuple[str, ...]:
    """Return what is written of each document; comments before the first belong to it."""
    if not starts:
        return ()
    return tuple(text[start:end] for start, end in pairwise((0, *starts[1:], len(text))))
