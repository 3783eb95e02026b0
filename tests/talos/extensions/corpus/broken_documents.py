"""Manifests and configurations that break the OCI image specification, or go over a bound."""

import json
from collections.abc import Callable

from talos.extensions.oci import MAX_BLOB_BYTES, MAX_MANIFEST_BYTES
from tests.talos.extensions.archives import CONFIG_TYPE, LAYER_TYPE
from tests.talos.extensions.corpus.kind import Document, Kind, write_document, write_image

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
REBUILD = "rebuild the image [MalformedImage]"
TAMPERED = "the source is damaged or tampered with: push the image again [DigestMismatch]"
_SMALLER = "use a smaller image [TooLarge]"
OTHER_MACHINE = "use an image built for this machine [PlatformMissing]"
_NO_DIGEST = "the manifest cannot be read: '{}' is no sha256 or sha512 digest - at `$.layers[0]`"
_ZEROS = "0" * 64


def of_document(name: str, problem: str, document: Document | bytes) -> Kind:
    """Return a kind whose manifest or index is this document."""
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Kind(name, lambda layout: write_document(layout, raw), f"{problem}; {REBUILD}")


def of_change(name: str, message: str, change: Callable[[Document], object]) -> Kind:
    """Return a kind whose manifest is a good one after this change."""
    return Kind(name, lambda layout: write_image(layout, change=change), message)


def of_config(name: str, message: str, config: bytes) -> Kind:
    """Return a kind whose configuration is this."""
    return Kind(name, lambda layout: write_image(layout, config=config), message)


def of_layer(name: str, problem: str, **fields: object) -> Kind:
    """Return a kind whose layer's descriptor is a good one, but for these fields."""
    return of_change(name, f"{problem}; {REBUILD}", lambda document: document["layers"][0].update(fields))


def of_layer_type(name: str, media_type: str) -> Kind:
    """Return a kind whose layer is of a type that holds no files."""
    return of_layer(name, f"a layer is of the type {media_type}, which holds no files", mediaType=media_type)


def promised(size: int, media_type: str = LAYER_TYPE) -> Document:
    """Return the promise of a blob that is nowhere."""
    return {"mediaType": media_type, "digest": f"sha256:{_ZEROS}", "size": size}


MANIFESTS = (
    of_document("image manifest of nothing", "the image document cannot be read: Input data was truncated", b""),
    of_document(
        "image manifest that is no JSON",
        "the image document cannot be read: JSON is malformed: invalid character (byte 0)",
        b"version: 1",
    ),
    of_document(
        "image manifest that is a list", "the image document cannot be read: Expected `object`, got `array`", b"[]"
    ),
    of_document(
        "image manifest that is not UTF-8",
        "the image document cannot be read: it is not UTF-8",
        b'{"schemaVersion":2,"mediaType":"\xff","layers":[]}',
    ),
    of_document(
        "image manifest nested a million deep",
        "the image document cannot be read: it is nested too deep",
        b'{"layers":' + b"[" * 1_000_000,
    ),
    of_document(
        "image manifest with a key twice",
        'the image document gives the key "layers" twice',
        json.dumps({"schemaVersion": 2, "layers": [promised(1)]}).encode().replace(b"{", b'{"layers": [], ', 1),
    ),
    of_document(
        "image manifest that is an index too",
        "the document is neither an index nor a manifest, or both at once",
        {"schemaVersion": 2, "manifests": [], "layers": []},
    ),
    of_document(
        "image manifest of Docker's schema 1",
        "the manifest is of Docker's schema 1, which is no longer in use",
        {"schemaVersion": 1, "fsLayers": [], "history": []},
    ),
    Kind(
        "image manifest over 4 MiB",
        lambda layout: write_document(layout, b" " * 5_000_000),
        f"the size of sha256:… is 5000000, at most {MAX_MANIFEST_BYTES} is allowed; {_SMALLER}",
    ),
    of_change(
        "image manifest of schema version 3",
        f"the manifest has schemaVersion 3, not 2; {REBUILD}",
        lambda document: document.update(schemaVersion=3),
    ),
    of_change(
        "image manifest that calls itself an index",
        f"a manifest calls itself {INDEX_TYPE}; {REBUILD}",
        lambda document: document.update(mediaType=INDEX_TYPE),
    ),
    of_change(
        "image manifest without a configuration",
        f"the manifest cannot be read: Object missing required field `config`; {REBUILD}",
        lambda document: document.pop("config"),
    ),
    of_change(
        "image without layers",
        f"the manifest has no layers; {REBUILD}",
        lambda document: document["layers"].clear(),
    ),
    of_change(
        "image whose layers are text",
        f"the manifest cannot be read: Expected `array`, got `str` - at `$.layers`; {REBUILD}",
        lambda document: document.update(layers="none"),
    ),
    of_change(
        "image of 129 layers",
        f"the number of layers is 129, at most 128 is allowed; {_SMALLER}",
        lambda document: document.update(layers=[promised(1)] * 129),
    ),
    of_change(
        "layer of more than 2 GiB",
        f"the size of layer sha256:… is {MAX_BLOB_BYTES + 1}, at most {MAX_BLOB_BYTES} is allowed; {_SMALLER}",
        lambda document: document.update(layers=[promised(MAX_BLOB_BYTES + 1)]),
    ),
    of_change(
        "layers of more than 4 GiB",
        f"the size of all layers is {3 * MAX_BLOB_BYTES}, at most {2 * MAX_BLOB_BYTES} is allowed; {_SMALLER}",
        lambda document: document.update(layers=[promised(MAX_BLOB_BYTES)] * 3),
    ),
)

DESCRIPTORS = (
    of_layer_type("foreign layer", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"),
    of_layer_type("encrypted layer", "application/vnd.oci.image.layer.v1.tar+gzip+encrypted"),
    of_layer_type("chart instead of a layer", "application/vnd.cncf.helm.chart.content.v1.tar+gzip"),
    of_layer_type("empty layer of an artifact", "application/vnd.oci.empty.v1+json"),
    of_layer("layer with an md5 digest", _NO_DIGEST.format("md5:" + "0" * 32), digest="md5:" + "0" * 32),
    of_layer("layer with a short digest", _NO_DIGEST.format("sha256:0000"), digest="sha256:0000"),
    of_layer("layer with a digest in capitals", _NO_DIGEST.format("sha256:" + "A" * 64), digest="sha256:" + "A" * 64),
    of_layer("layer whose digest climbs", _NO_DIGEST.format("sha256:../../etc"), digest="sha256:../../etc"),
    of_layer(
        "layer of negative size",
        "the manifest cannot be read: the size of sha256:… is negative - at `$.layers[0]`",
        size=-1,
    ),
    of_layer(
        "layer whose size is text",
        "the manifest cannot be read: Expected `int`, got `str` - at `$.layers[0].size`",
        size="12",
    ),
    of_layer(
        "layer of half a byte",
        "the manifest cannot be read: Expected `int`, got `float` - at `$.layers[0].size`",
        size=0.5,
    ),
    of_layer(
        "layer without a media type",
        "the manifest cannot be read: Expected `str`, got `null` - at `$.layers[0].mediaType`",
        mediaType=None,
    ),
)

CONFIGURATIONS = (
    of_config(
        "configuration that is no JSON",
        f"the image configuration cannot be read: JSON is malformed: invalid character (byte 0); {REBUILD}",
        b"os: linux",
    ),
    of_config(
        "configuration that is a list",
        f"the image configuration cannot be read: Expected `object`, got `array`; {REBUILD}",
        b"[]",
    ),
    of_config(
        "configuration for another processor",
        f"not built for linux/amd64, only for linux/riscv64; {OTHER_MACHINE}",
        b'{"os":"linux","architecture":"riscv64"}',
    ),
    of_config(
        "configuration for another system",
        f"not built for linux/amd64, only for windows/amd64; {OTHER_MACHINE}",
        b'{"os":"windows","architecture":"amd64"}',
    ),
    of_change(
        "configuration over 4 MiB",
        f"the size of the configuration is {MAX_MANIFEST_BYTES + 1}, at most {MAX_MANIFEST_BYTES} is allowed; "
        f"{_SMALLER}",
        lambda document: document.update(config=promised(MAX_MANIFEST_BYTES + 1, CONFIG_TYPE)),
    ),
)


KINDS: tuple[Kind, ...] = (*MANIFESTS, *DESCRIPTORS, *CONFIGURATIONS)
