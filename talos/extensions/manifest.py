"""manifest.yaml says what an extension is: its name, its version, its author, and which Talos it is for."""

from pydantic import BaseModel, ConfigDict, Field

from talos.extensions.faults import Fault
from talos.extensions.fields import Fields, Findings, read_fields
from talos.extensions.tree import MANIFEST

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
    findings = Findings(MANIFEST, malformed="manifest-malformed")
    fields = read_fields(text, max_bytes=MAX_MANIFEST_BYTES, example=f"version: {VERSION}", findings=findings)
    if fields is None:
        return None, findings.faults
    version = fields.text("version")
    if version != VERSION:
        shown = f'"{version}" is not supported' if version else "missing"
        findings.add("manifest-version", fields.line("version"), "version", shown, f"write `version: {VERSION}`")
    metadata = fields.below("metadata")
    name, release = (_required(metadata, key, findings) for key in ("name", "version"))
    constraint = metadata.below("compatibility").below("talos").text("version")
    author, description, extra_info = (metadata.text(key) for key in ("author", "description", "extraInfo"))
    if findings.faults:
        return None, findings.faults
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


def _required(fields: Fields, key: str, findings: Findings) -> str:
    """Return a field that must be there, in one short line."""
    before = len(findings.faults)
    text = fields.text(key).strip()
    if fields.refused or len(findings.faults) > before:
        return ""
    if not text:
        findings.malformed(fields.line(key), fields.at(key), "missing", f"add `{key}: …`")
    elif len(text) > MAX_NAME_CHARACTERS or not text.isprintable():
        problem = f"longer than {MAX_NAME_CHARACTERS} characters, or not in one line"
        findings.malformed(fields.line(key), fields.at(key), problem, "shorten it")
    return text
