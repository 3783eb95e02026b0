"""A talosconfig: where nodes are and how to log in, one context for each way; talosctl reads it, and keeps its form.

The form is that of Talos's pkg/machinery/client/config: certificates and keys are PEM in base64. What a context holds
beside the fields here is kept as it is.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from talos import private_file
from talos.access.certificates import Pair, split

MAX_FILE_BYTES: Final = 4 * 1024**2

_ONE_LINE: Final = 2**31 - 1

Contexts = Mapping[str, Mapping[str, Any]]


class TalosconfigError(ValueError):
    """A file is no talosconfig, or must not be written to."""

    def __init__(self, path: Path, problem: str, remedy: str) -> None:
        super().__init__(f"{path}: {problem}; {remedy}")


class Talosconfig(msgspec.Struct, frozen=True):
    """A file's contexts, and which of them is used unless told."""

    context: str = ""
    contexts: Contexts = {}


def login(endpoints: Sequence[str], nodes: Sequence[str], *, ca: bytes, client: Pair) -> dict[str, Any]:
    """Return the context of a client that trusts `ca` (PEM). An endpoint is HOST or HOST:PORT, a node a HOST."""
    return {
        "endpoints": [*endpoints],
        "nodes": [*nodes],
        "ca": _base64(ca),
        "crt": _base64(client.certificate),
        "key": _base64(client.key),
    }


def merged(config: Talosconfig, name: str, context: Mapping[str, Any], *, replaces: bytes) -> Talosconfig:
    """Return the file's contents with one more context, which becomes the one used.

    A context of this name that trusts an authority out of `replaces` (PEM) is an older login to the same node, and
    gives way. That of another node keeps its name, and the new one gets a number, as talosctl would give it.
    """
    free, number = name, 0
    while free in config.contexts and not _same_node(config.contexts[free], replaces):
        number += 1
        free = f"{name}-{number}"
    return Talosconfig(free, {**config.contexts, free: context})


def foreign(config: Talosconfig, authorities: bytes) -> list[str]:
    """Return the contexts that are no logins to the node of these authorities (PEM)."""
    return [name for name, context in config.contexts.items() if not _same_node(context, authorities)]


def read(path: Path) -> Talosconfig:
    """Read a file; one that is not there holds no contexts. Raises TalosconfigError, OSError."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return Talosconfig()
    if len(raw) > MAX_FILE_BYTES:
        raise TalosconfigError(path, f"larger than {MAX_FILE_BYTES} bytes", "this is no talosconfig")
    try:
        return msgspec.convert(yaml.load(raw, yaml.CSafeLoader) or {}, Talosconfig)
    except (yaml.YAMLError, msgspec.ValidationError, RecursionError, UnicodeDecodeError) as error:
        problem = " ".join(str(error).split())
        raise TalosconfigError(path, f"not a talosconfig ({problem})", "give another file") from None


def text(config: Talosconfig) -> bytes:
    """Return what a file of these contents holds."""
    content = yaml.dump(msgspec.to_builtins(config), Dumper=yaml.CSafeDumper, sort_keys=False, width=_ONE_LINE)
    return bytes(content, "utf-8")


def write(path: Path, config: Talosconfig) -> None:
    """Write a file for its owner alone, as a whole or not at all. Raises OSError."""
    private_file.write(path, text(config))


def _same_node(context: Mapping[str, Any], authorities: bytes) -> bool:
    try:
        ca = base64.b64decode(str(context.get("ca", "")), validate=True)
    except (binascii.Error, ValueError):
        return False
    return any(one.strip() in authorities for one in split(ca))


def _base64(pem: bytes) -> str:
    return base64.b64encode(pem).decode()
