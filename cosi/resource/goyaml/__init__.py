"""YAML exactly as Go programs read and print it.

COSI specs travel as YAML text that Go wrote and Go reads, so both directions here follow Go's YAML library rather than
PyYAML's YAML 1.1: `yes` and `12:30` are strings, `0x10` is sixteen, lists are indented under their key, and whatever
would read back as something else is quoted. The reference is go.yaml.in/yaml/v4 at rc.4, which Talos 1.13 is built
with; v3, in the Talos releases before, differs only in strings of blank lines. (rc.5 and rc.6 also fold lines at 80
columns and write `'yes'` instead of `"yes"`; both read back the same.)

    text ── parse ──▶ Node ── construct ──▶ value          load(text)  = construct(parse(text))
    text ◀── emit ─── Node ◀── represent ── value          dump(value) = emit(represent(value))

The tree in the middle keeps how a scalar was quoted and which collections were in flow style, so `emit(parse(text))`
prints a stranger's document as Go would re-encode it. Comments are not kept.

Reading is bounded in size, depth and expanded nodes, and refuses duplicate keys; every refusal is a `YAMLError` that
names line and column. Importing this package costs nothing: PyYAML is imported when text is first parsed.
"""

from cosi.resource.goyaml.emitter import emit
from cosi.resource.goyaml.node import Node, YAMLError, mapping, scalar, sequence
from cosi.resource.goyaml.number import format_float
from cosi.resource.goyaml.order import in_go_order
from cosi.resource.goyaml.reader import MAX_DEPTH, MAX_DOCUMENT_BYTES, MAX_NODES, parse, parse_all
from cosi.resource.goyaml.resolver import Timestamp
from cosi.resource.goyaml.value import construct, represent

__all__ = [
    "MAX_DEPTH",
    "MAX_DOCUMENT_BYTES",
    "MAX_NODES",
    "Node",
    "Timestamp",
    "YAMLError",
    "construct",
    "dump",
    "emit",
    "format_float",
    "in_go_order",
    "load",
    "load_all",
    "mapping",
    "parse",
    "parse_all",
    "represent",
    "scalar",
    "sequence",
]


def dump(value: object) -> str:
    """Print a value made of None, bool, int, float, str, bytes, lists and dicts; dicts keep their order.

    Go prints struct fields in declaration order and map keys in natural order: pass `in_go_order(d)` for the latter.
    Raises TypeError for any other type, YAMLError for what YAML cannot hold (65-bit integers, lone surrogates).
    """
    return emit(represent(value))


def load(text: str | bytes) -> object:
    """Return the value of the only document in `text`; None when there is none.

    Unquoted timestamps come back as `Timestamp`, which is the string as written.
    """
    documents = parse_all(text)
    if len(documents) > 1:
        second = documents[1]
        raise YAMLError("a second document starts here, expected only one", line=second.line, column=second.column)
    return construct(documents[0]) if documents else None


def load_all(text: str | bytes) -> list[object]:
    """Return the value of each document in `text`."""
    return [construct(document) for document in parse_all(text)]
