"""manifest.yaml says what an extension is: its name, its version, its author, and which Talos it is for.

Unknown fields pass, as they do in Talos, so that newer extensions work on older nodes. A value that YAML takes for a
number or a boolean is the text that was written: Go reads `version: 1.0` into a string as "1.0".
"""

from pydantic import BaseModel, ConfigDict, Field

from talos import yaml_document
from talos.extensions.faults import Fault
from talos.extensions.tree import MANIFEST
from talos.yaml_node import Node

MAX_MANIFEST_BYTES = 64 * 1024  # a real one has some 300
MAX_NAME_CHARACTERS = 256
VERSION = "v1alpha1"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class Constraint(_Frozen):
    """A range of versions; empty where any version will do."""

    version: str = ""


class Compatibility(_Frozen):
    """What an extension works with."""

    talos: Constraint = Constraint()


class Metadata(_Frozen):
    """What an extension says of itself."""

    name: str
    version: str
    author: str = ""
    description: str = ""
    compatibility: Compatibility = Compatibility()
    extra_info: str = Field(default="", alias="extraInfo")


class ExtensionManifest(_Frozen):
    """The whole of manifest.yaml."""

    version: str
    metadata: Metadata


def parse_manifest(text: bytes) -> tuple[ExtensionManifest | None, tuple[Fault, ...]]:
    """Read manifest.yaml; None where it lacks what an extension must have, with a fault for every reason."""
    stream = yaml_document.read(text, max_bytes=MAX_MANIFEST_BYTES)
    faults = [_malformed(fault.line, fault.path, fault.problem, fault.remedy) for fault in stream.faults]
    if len(stream.documents) != 1 or stream.documents[0].kind != "mapping":
        if not faults:
            faults.append(_malformed(1, "", "this is not one mapping", "start it with `version: v1alpha1`"))
        return None, tuple(faults)
    fields = _Fields(stream.documents[0], "", faults)
    version = fields.text("version")
    if version != VERSION:
        shown = f'"{version}" is not supported' if version else "missing"
        line = fields.line("version")
        faults.append(_fault("manifest-version", line, "version", shown, f"write `version: {VERSION}`"))
    metadata = fields.below("metadata")
    name, release = metadata.required("name"), metadata.required("version")
    constraint = metadata.below("compatibility").below("talos").text("version")
    author, description, extra_info = (metadata.text(key) for key in ("author", "description", "extraInfo"))
    if faults:
        return None, tuple(faults)
    return (
        ExtensionManifest(
            version=version,
            metadata=Metadata(
                name=name,
                version=release,
                author=author,
                description=description,
                compatibility=Compatibility(talos=Constraint(version=constraint)),
                extra_info=extra_info,
            ),
        ),
        (),
    )


class _Fields:
    """The fields of one mapping, with faults for those that are not what they should be."""

    def __init__(self, node: Node | None, path: str, faults: list[Fault], *, refused: bool = False) -> None:
        self._node = node
        self._refused = refused  # something else stands here, and what it lacks is no fault of its own
        self._path = path
        self._faults = faults

    def line(self, key: str) -> int:
        if self._node is None:
            return 1
        field = self._node.get(key)
        return field.line if field is not None else self._node.line

    def text(self, key: str) -> str:
        """Return a field's text; empty where it is absent or null."""
        node = self._node.get(key) if self._node is not None else None
        if node is None:
            return ""
        if node.kind != "scalar":
            self._faults.append(
                _malformed(node.line, self._at(key), f"this is {node.kind_in_words}", "write text here")
            )
            return ""
        return node.text

    def required(self, key: str) -> str:
        """Return a field that must be there, in one short line."""
        before = len(self._faults)
        text = self.text(key).strip()
        if self._refused or len(self._faults) > before:
            return ""
        if not text:
            self._faults.append(_malformed(self.line(key), self._at(key), "missing", f"add `{key}: …`"))
        elif len(text) > MAX_NAME_CHARACTERS or not text.isprintable():
            problem = f"longer than {MAX_NAME_CHARACTERS} characters, or not in one line"
            self._faults.append(_malformed(self.line(key), self._at(key), problem, "shorten it"))
        return text

    def below(self, key: str) -> "_Fields":
        """Return the fields of a mapping under `key`; none where it is absent."""
        node = self._node.get(key) if self._node is not None else None
        if node is not None and node.kind != "mapping":
            problem = f"this is {node.kind_in_words}, not a mapping"
            self._faults.append(_malformed(node.line, self._at(key), problem, "write a mapping here"))
            return _Fields(None, self._at(key), self._faults, refused=True)
        return _Fields(node, self._at(key), self._faults)

    def _at(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key


def _malformed(line: int, path: str, problem: str, remedy: str) -> Fault:
    return _fault("manifest-malformed", line, path, problem, remedy)


def _fault(rule: str, line: int, path: str, problem: str, remedy: str) -> Fault:
    where = f"line {line}: {path}: " if path else f"line {line}: "
    return Fault(rule, MANIFEST, f"{where}{problem}", remedy)
