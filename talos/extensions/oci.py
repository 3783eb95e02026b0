"""The documents of an OCI image as values: an index names a manifest for each platform, a manifest names the layers.

Parsing is strict and bounded, and knows nothing of where the bytes came from. Docker's schema 2 media types mean the
same things. A document that could be read both as an index and as a manifest, or that gives a key twice, is refused,
since two readers would see two images.
Sources: opencontainers/image-spec v1.1, Docker distribution manifest v2 schema 2.
"""

import json
import platform as machine
from typing import Self, TypeVar

import msgspec

from talos.extensions.reference import is_digest

MAX_MANIFEST_BYTES = 4 * 1024 * 1024  # what registries themselves accept
MAX_LAYERS = 128  # overlayfs mounts no more
MAX_BLOB_BYTES = 2 * 1024**3  # the largest extensions, GPU drivers, are some 500 MiB
MAX_IMAGE_BYTES = 4 * 1024**3
MAX_INDEX_ENTRIES = 1000

INDEX_TYPES = frozenset(
    {"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"}
)
MANIFEST_TYPES = frozenset(
    {"application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"}
)
LAYER_TYPES = frozenset(
    {
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar+zstd",
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
    }
)
REFERENCE_NAME = "org.opencontainers.image.ref.name"  # the annotation that carries a tag in a layout's index.json

T = TypeVar("T")

_UNKNOWN = "unknown"  # the platform buildkit gives its attestations
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
_DEFAULT_VARIANTS = {"arm64": "v8", "arm": "v7"}


class MalformedDocument(ValueError):
    """The bytes are no such document; the message says why."""


class Platform(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an image runs on, in Go's words: linux/amd64, linux/arm64, linux/arm/v7."""

    os: str
    architecture: str
    variant: str = ""

    @classmethod
    def of_this_machine(cls) -> Self:
        """Return linux on this machine's processor."""
        name = machine.machine()
        return cls("linux", _ARCHITECTURES.get(name, name))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `linux/amd64` or `linux/arm/v7`. Raises ValueError."""
        parts = text.split("/")
        if len(parts) not in (2, 3) or not all(parts):
            raise ValueError(f"{text!r} is no platform; write OS/ARCHITECTURE, such as linux/amd64")
        return cls(*parts)

    def accepts(self, other: "Platform") -> bool:
        """Tell whether an image for `other` runs here; no variant means the architecture's usual one."""
        usual = _DEFAULT_VARIANTS.get(self.architecture, "")
        same = (self.os, self.architecture) == (other.os, other.architecture)
        return same and (self.variant or usual) == (other.variant or usual)

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))


class Descriptor(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A promise about a blob: its kind, its digest, its size."""

    media_type: str
    digest: str
    size: int
    platform: Platform | None = None
    annotations: dict[str, str] = {}

    def __post_init__(self) -> None:
        if not is_digest(self.digest):
            raise ValueError(f"{self.digest[:80]!r} is no sha256 or sha512 digest")
        if self.size < 0:
            raise ValueError(f"the size of {self.digest} is negative")


class Index(msgspec.Struct, frozen=True, rename="camel"):
    """One manifest for each platform."""

    schema_version: int
    manifests: tuple[Descriptor, ...]
    media_type: str = ""

    def select(self, wanted: Platform) -> Descriptor | None:
        """Return the first manifest that runs on `wanted`; None where there is none."""
        for descriptor in self.manifests:
            if descriptor.platform is not None and wanted.accepts(descriptor.platform):
                return descriptor
        return None

    @property
    def platforms(self) -> tuple[str, ...]:
        """Return the platforms on offer, attestations left out."""
        known = [d.platform for d in self.manifests if d.platform is not None and d.platform.os != _UNKNOWN]
        return tuple(dict.fromkeys(str(platform) for platform in known))


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """One image: its configuration and its layers, the lowest first."""

    schema_version: int
    config: Descriptor
    layers: tuple[Descriptor, ...]
    media_type: str = ""

    @property
    def layer_bytes(self) -> int:
        return sum(layer.size for layer in self.layers)


class Referrer(Descriptor, frozen=True, rename="camel", omit_defaults=True):
    """A manifest that refers to another one, such as a signature to what it signs."""

    artifact_type: str = ""


class Referrers(msgspec.Struct, frozen=True, rename="camel"):
    """What refers to one manifest: an index, though of things to read and not of platforms to choose from."""

    manifests: tuple[Referrer, ...]


class Artifact(msgspec.Struct, frozen=True, rename="camel"):
    """A manifest whose layers are no archives of files; what they are, their media types say."""

    layers: tuple[Descriptor, ...]


class ImageConfig(msgspec.Struct, frozen=True):
    """The part of an image's configuration that matters here."""

    os: str = ""
    architecture: str = ""
    variant: str = ""

    @property
    def platform(self) -> Platform | None:
        """Return what the image says it runs on; None where it does not say."""
        return Platform(self.os, self.architecture, self.variant) if self.os and self.architecture else None


class LayoutMarker(msgspec.Struct, frozen=True, rename="camel"):
    """The file that makes a directory an image layout."""

    image_layout_version: str


_ABSENT = msgspec.Raw()


class _Outline(msgspec.Struct, rename="camel"):
    media_type: str = ""
    manifests: msgspec.Raw = _ABSENT
    layers: msgspec.Raw = _ABSENT
    fs_layers: msgspec.Raw = _ABSENT


def parse_document(raw: bytes) -> Index | Manifest:
    """Read an index or a manifest, whichever it is. Raises MalformedDocument."""
    outline = _decode(raw, _Outline, "image document")
    if outline.fs_layers != _ABSENT:
        raise MalformedDocument("the manifest is of Docker's schema 1, which is no longer in use")
    if (outline.manifests == _ABSENT) == (outline.layers == _ABSENT):
        raise MalformedDocument("the document is neither an index nor a manifest, or both at once")
    if outline.manifests != _ABSENT:
        if outline.media_type and outline.media_type not in INDEX_TYPES:
            raise MalformedDocument(f"an index calls itself {outline.media_type}")
        return parse_index(raw)
    if outline.media_type and outline.media_type not in MANIFEST_TYPES:
        raise MalformedDocument(f"a manifest calls itself {outline.media_type}")
    return parse_manifest(raw)


def parse_index(raw: bytes) -> Index:
    """Read an index. Raises MalformedDocument."""
    index = _decode(raw, Index, "index")
    if index.schema_version != 2:
        raise MalformedDocument(f"the index has schemaVersion {index.schema_version}, not 2")
    if len(index.manifests) > MAX_INDEX_ENTRIES:
        raise MalformedDocument(
            f"the index lists {len(index.manifests)} manifests, at most {MAX_INDEX_ENTRIES} are read"
        )
    return index


def parse_manifest(raw: bytes) -> Manifest:
    """Read a manifest. Raises MalformedDocument."""
    manifest = _decode(raw, Manifest, "manifest")
    if manifest.schema_version != 2:
        raise MalformedDocument(f"the manifest has schemaVersion {manifest.schema_version}, not 2")
    if not manifest.layers:
        raise MalformedDocument("the manifest has no layers")
    for layer in manifest.layers:
        if layer.media_type not in LAYER_TYPES:
            raise MalformedDocument(f"a layer is of the type {layer.media_type[:100]}, which holds no files")
    return manifest


def parse_referrers(raw: bytes) -> Referrers:
    """Read the index of what refers to a manifest. Raises MalformedDocument."""
    return _decode(raw, Referrers, "list of referrers")


def parse_artifact(raw: bytes) -> Artifact:
    """Read a manifest of any kind of layers. Raises MalformedDocument."""
    return _decode(raw, Artifact, "manifest")


def parse_config(raw: bytes) -> ImageConfig:
    """Read an image configuration. Raises MalformedDocument."""
    return _decode(raw, ImageConfig, "image configuration")


def parse_marker(raw: bytes) -> LayoutMarker:
    """Read a layout's marker. Raises MalformedDocument."""
    return _decode(raw, LayoutMarker, "marker")


def _decode(raw: bytes, kind: type[T], what: str) -> T:
    if len(raw) > MAX_MANIFEST_BYTES:
        raise MalformedDocument(f"the {what} is {len(raw)} bytes long, at most {MAX_MANIFEST_BYTES} are read")
    try:
        document = msgspec.json.decode(raw, type=kind)
        # Of a key given twice this decoder takes the last, others the first. Numbers stay text, whatever their length.
        json.loads(raw.decode(), object_pairs_hook=_unique, parse_int=str, parse_float=str)
    except UnicodeDecodeError:
        raise MalformedDocument(f"the {what} cannot be read: it is not UTF-8") from None
    except RecursionError:
        raise MalformedDocument(f"the {what} cannot be read: it is nested too deep") from None
    except _KeyTwice as twice:
        raise MalformedDocument(f"the {what} gives the key {json.dumps(twice.key[:100])} twice") from None
    except msgspec.MsgspecError as error:
        raise MalformedDocument(f"the {what} cannot be read: {error}") from None
    return document


class _KeyTwice(Exception):
    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(key)


def _unique(pairs: list[tuple[str, object]]) -> None:
    """Refuse an object with a key twice, and keep nothing of the others."""
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise _KeyTwice(key)
        seen.add(key)
