"""A machine config is kept exactly as it was written; only the part this node acts on is understood and checked.

The text may hold several documents. The one without `kind` is the v1alpha1 machine config; the others (`apiVersion`
and `kind`) belong to parts of Talos that this node does not run, and pass untouched. The same holds for every field
outside `machine.install.extensions` and `machine.registries`; inside that list nothing unknown passes, because a
misspelt key there would be an extension that silently never comes. Shape and fields as in Talos's v1alpha1 reference.
"""

import difflib

import msgspec

from talos import yaml_document
from talos.config import registries
from talos.config.cursor import Cursor
from talos.config.faults import ConfigError, ConfigFault
from talos.extensions.reference import InvalidReference, Reference
from talos.extensions.registries import Registries
from talos.yaml_node import Node

MAX_CONFIG_BYTES = (
    4 * 1024 * 1024
)  # Talos carries some 100 KiB of certificates and manifests at most; gRPC's default is 4 MiB
MAX_EXTENSIONS = 100  # the order of an extension is three digits in its id; a node with a dozen is a full one

_VERSION = "v1alpha1"
_EXTENSIONS_PATH = ("machine", "install", "extensions")
_ENTRY_FIELDS = ("image",)


class MachineConfig(msgspec.Struct, frozen=True):
    """A machine config: its text as given, the images of its extensions in order, and what it says of registries."""

    raw: bytes
    extensions: tuple[str, ...]
    registries: Registries = Registries()

    def __repr__(self) -> str:
        return f"MachineConfig({len(self.raw)} bytes, {self.extensions!r}, {self.registries!r})"


def parse(text: bytes, *, source: str) -> MachineConfig:
    """Check `text` and return it as a value; `source` is what messages call it, a file's name for example.

    Raises ConfigError with every fault of the text.
    """
    stream = yaml_document.read(text, max_bytes=MAX_CONFIG_BYTES)
    faults = [ConfigFault(fault.line, fault.path, fault.problem, fault.remedy) for fault in stream.faults]
    config = _v1alpha1(stream.documents, faults) if stream.documents or not faults else None
    images = _extensions(config, faults) if config is not None else ()
    said = _registries(config, faults) if config is not None else Registries()
    if faults:
        raise ConfigError(source, tuple(faults))
    return MachineConfig(text, images, said)


def _v1alpha1(documents: tuple[Node, ...], faults: list[ConfigFault]) -> Node | None:
    """Return the document that is the machine config; note what is wrong with it and with its neighbours."""
    found: Node | None = None
    for document in documents:
        if document.kind == "null":
            continue
        if document.kind != "mapping":
            problem = f"the document is {document.kind_in_words}, not a mapping"
            faults.append(ConfigFault(document.line, "", problem, "start it with `version: v1alpha1`"))
        elif "kind" in document.fields:
            if document.get("apiVersion") is None:
                faults.append(
                    ConfigFault(document.line, "apiVersion", "missing beside kind", "add `apiVersion: v1alpha1`")
                )
        elif found is not None:
            problem = f"a second machine config, the first starts on line {found.line}"
            faults.append(ConfigFault(document.line, "", problem, "keep one of them, or give this document a kind"))
        else:
            found = document
    if found is None and not faults:
        problem = "the text holds no machine config"
        faults.append(ConfigFault(1, "", problem, "write a document with `version: v1alpha1` and `machine:`"))
    if found is not None:
        _check_version(found, faults)
    return found


def _check_version(config: Node, faults: list[ConfigFault]) -> None:
    version = config.get("version")
    if version is None:
        faults.append(ConfigFault(config.line, "version", "missing", f"add `version: {_VERSION}`"))
    elif version.text != _VERSION:
        problem = f'"{version.text}" is not a known version' if version.kind == "scalar" else "not a version"
        faults.append(ConfigFault(version.line, "version", problem, f"write `version: {_VERSION}`"))


def _registries(config: Node, faults: list[ConfigFault]) -> Registries:
    """Return what `machine.registries` says, nothing where it is absent."""
    machine = config.get("machine")
    if machine is None or (found := machine.get("registries")) is None:
        return Registries()
    return registries.read(Cursor(found, "machine.registries", faults, machine.key_lines.get("registries")))


def _extensions(config: Node, faults: list[ConfigFault]) -> tuple[str, ...]:
    """Return the images of `machine.install.extensions`, none where the list is absent."""
    node, path = config, ""
    for key in _EXTENSIONS_PATH:
        below = node.get(key)
        if below is None:
            return ()
        node, path = below, f"{path}.{key}" if path else key
        expected = "sequence" if key == _EXTENSIONS_PATH[-1] else "mapping"
        if node.kind != expected:
            word = "a list of `- image: …` entries" if expected == "sequence" else "a mapping"
            faults.append(
                ConfigFault(node.line, path, f"this is {node.kind_in_words}, not {word}", f"write {word} here")
            )
            return ()
    if len(node.items) > MAX_EXTENSIONS:
        problem = f"{len(node.items)} extensions, at most {MAX_EXTENSIONS} are allowed"
        faults.append(ConfigFault(node.line, path, problem, "remove some"))
        return ()
    first_use: dict[str, int] = {}
    for index, entry in enumerate(node.items):
        image = _image(entry, f"{path}[{index}]", faults)
        if image is None:
            continue
        if image in first_use:
            problem = f"{image} is listed twice, first as {path}[{first_use[image]}]"
            faults.append(ConfigFault(entry.line, f"{path}[{index}].image", problem, "remove one of the two"))
        first_use.setdefault(image, index)
    return tuple(first_use)


def _image(entry: Node, path: str, faults: list[ConfigFault]) -> str | None:
    """Return the image of one entry, or None after noting why it has none."""
    if entry.kind != "mapping":
        problem = f"this is {entry.kind_in_words}, not a mapping"
        faults.append(ConfigFault(entry.line, path, problem, "write `- image: REFERENCE`"))
        return None
    unknown = [key for key in entry.fields if key not in _ENTRY_FIELDS]
    for key in unknown:
        close = difflib.get_close_matches(key, _ENTRY_FIELDS, n=1)
        remedy = f"did you mean `{close[0]}`?" if close else f"remove it; known here: {', '.join(_ENTRY_FIELDS)}"
        faults.append(ConfigFault(entry.key_lines.get(key, entry.line), f"{path}.{key}", "unknown field", remedy))
    image = entry.fields.get("image")
    remedy = "write `image: REFERENCE`, such as `image: ghcr.io/siderolabs/gvisor:v1.0.0`"
    if image is None:
        # A misspelt `image` explains its absence: one fault for one mistake.
        if not unknown:
            faults.append(ConfigFault(entry.line, f"{path}.image", "missing", remedy))
        return None
    if image.kind in ("mapping", "sequence"):
        problem = f"this is {image.kind_in_words}, not an image reference"
        faults.append(ConfigFault(image.line, f"{path}.image", problem, remedy))
        return None
    if image.kind == "null" or not image.text.strip():
        faults.append(ConfigFault(image.line, f"{path}.image", "empty", remedy))
        return None
    try:
        Reference.parse(image.text)
    except InvalidReference as error:
        faults.append(ConfigFault(image.line, f"{path}.image", error.problem, error.remedy))
        return None
    return image.text
