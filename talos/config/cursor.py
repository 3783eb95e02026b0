"""A cursor reads a part of the config and notes what is wrong there, so that one reading finds every fault.

What can't be read comes back empty, after its fault was noted. No fault quotes a value: it may be a secret.
"""

from __future__ import annotations

import base64
import difflib
import json
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final

from talos.config.faults import ConfigFault
from talos.yaml_node import Node

SHOWN_CHARACTERS: Final = 60
"""How much of a wrong key a fault shows."""
MAX_UNKNOWN: Final = 20
"""How many wrong keys of one mapping are told: each is compared with all that are right."""
LISTED_KEYS: Final = 12
"""How many right keys a fault lists: more are a manual's matter."""


class Cursor:
    """A value, where it lies, and where to note its faults."""

    def __init__(self, node: Node, path: str, faults: list[ConfigFault], line: int | None = None) -> None:
        self.node = node
        self.path = path
        self._faults = faults
        self._line = line or node.line

    def fault(self, problem: str, remedy: str) -> None:
        """Note what is wrong with this value."""
        self._faults.append(ConfigFault(self._line, self.path, problem, remedy))

    def missing(self, key: str, remedy: str, *, problem: str = "missing") -> None:
        """Note that a mapping has nothing under a key, at the key where there is one."""
        line = self.node.key_lines.get(key, self._line)
        self._faults.append(ConfigFault(line, f"{self.path}.{key}", problem, remedy))

    def child(self, key: str) -> Cursor | None:
        """Return the value under a key of a mapping; None where there is none."""
        node = self.node.get(key)
        return None if node is None else self._below(node, f"{self.path}.{key}", key)

    def entries(self, *, most: int) -> Mapping[str, Cursor]:
        """Return the values of a mapping whose keys are names; a value that is nothing is a fault."""
        if not self.expect("mapping", "a mapping"):
            return {}
        if len(self.node.fields) > most:
            self.fault(f"{len(self.node.fields)} entries, at most {most} are allowed", "remove some")
            return {}
        found = {
            key: self._below(node, f"{self.path}[{json.dumps(key[:SHOWN_CHARACTERS])}]", key)
            for key, node in self.node.fields.items()
        }
        return {key: value for key, value in found.items() if value.expect("mapping", "a mapping")}

    def items(self, *, most: int) -> Sequence[Cursor]:
        """Return the items of a list."""
        if not self.expect("sequence", "a list"):
            return ()
        if len(self.node.items) > most:
            self.fault(f"{len(self.node.items)} items, at most {most} are allowed", "remove some")
            return ()
        return [self._below(node, f"{self.path}[{index}]") for index, node in enumerate(self.node.items)]

    def expect(self, kind: str, words: str) -> bool:
        """Tell whether this is of a kind; if not, the fault says what to write."""
        if self.node.kind == kind:
            return True
        self.fault(f"this is {self.node.kind_in_words}, not {words}", f"write {words} here")
        return False

    def only(self, known: Sequence[str]) -> None:
        """Note a fault for each key of a mapping but these: a misspelt one would silently do nothing."""
        unknown = (key for key in self.node.fields if key not in known)
        for key in islice(unknown, MAX_UNKNOWN):
            place = self._below(self.node.fields[key], f"{self.path}.{key[:SHOWN_CHARACTERS]}", key)
            place.fault("unknown field", remedy_for_unknown(key, known))

    def text(self, key: str, *, most: int) -> str:
        """Return the text under a key, empty where there is none."""
        found = self.child(key)
        if found is None or not found.expect("scalar", "a text"):
            return ""
        if len(found.node.text) > most:
            found.fault(f"{len(found.node.text)} characters, at most {most} are allowed", "shorten it")
            return ""
        return found.node.text

    def flag(self, key: str) -> bool:
        """Return the truth under a key, false where there is none."""
        found = self.child(key)
        if found is None:
            return False
        if found.node.boolean is None:
            found.fault("this is neither true nor false", "write true or false")
        return bool(found.node.boolean)

    def packed(self, key: str, *, most: int) -> bytes:
        """Return the bytes that the base64 under a key stands for, empty where there is none."""
        packed = "".join(self.text(key, most=most * 4 // 3 + most // 16).split())
        try:
            return base64.b64decode(packed, validate=True)
        except ValueError:
            found = self.child(key)
            assert found is not None
            found.fault("this is not base64", "write what `base64 -w0 FILE` prints")
            return b""

    def _below(self, node: Node, path: str, key: str | None = None) -> Cursor:
        line = self.node.key_lines.get(key) if key is not None else None
        return Cursor(node, path, self._faults, line)


def remedy_for_unknown(key: str, known: Sequence[str]) -> str:
    """Return what to do about a key that is none of these."""
    close = difflib.get_close_matches(key[:SHOWN_CHARACTERS], known, n=1)
    if close:
        return f"did you mean `{close[0]}`?"
    if len(known) > LISTED_KEYS:
        return "remove it, or correct its name"
    return f"remove it; known here: {', '.join(known)}"
