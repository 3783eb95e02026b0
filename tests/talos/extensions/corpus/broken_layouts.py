"""Layouts in which a file is missing, is no file, or is not what was promised of it."""

import json
import os
from collections.abc import Callable
from pathlib import Path

from talos.extensions.layout_writer import LayoutWriter
from talos.extensions.oci import MAX_MANIFEST_BYTES, REFERENCE_NAME
from tests.talos.extensions.archives import MANIFEST_TYPE
from tests.talos.extensions.corpus.broken_documents import REBUILD, TAMPERED
from tests.talos.extensions.corpus.kind import TAG, Document, Kind, blob_of, promise, write_document, write_image

_NO_LAYOUT = "give the directory that holds oci-layout and index.json [LayoutMissing]"
_NO_IMAGE = "check the name and the tag [ImageNotFound]"

_DEEP = b'{"schemaVersion":2,"manifests":[],"more":' + b"[" * 1_000_000


def of_layout(name: str, message: str, damage: Callable[[Path], object]) -> Kind:
    """Return a kind whose image is a good one, before damage is done to the layout."""

    def write(layout: Path) -> None:
        write_image(layout)
        damage(layout)

    return Kind(name, write, message)


def of_index_file(name: str, problem: str, content: bytes) -> Kind:
    """Return a kind whose layout has an index.json of these bytes."""
    message = f"LAYOUT/index.json: {problem}; {REBUILD}"
    return of_layout(name, message, lambda layout: (layout / "index.json").write_bytes(content))


def of_marker(name: str, problem: str, content: bytes) -> Kind:
    """Return a kind whose layout has an oci-layout of these bytes."""
    message = f"LAYOUT {problem}; {_NO_LAYOUT}"
    return of_layout(name, message, lambda layout: (layout / "oci-layout").write_bytes(content))


def of_blob(name: str, message: str, part: str, damage: Callable[[Path], object]) -> Kind:
    """Return a kind with damage done to the blob of the `config`, of the only one of `layers`, or the `manifest`."""

    def write(layout: Path) -> None:
        damage(blob_of(layout, described(layout, part)))

    return Kind(name, write, message)


def described(layout: Path, part: str) -> Document:
    """Write a good image, and return the descriptor of one part of it."""
    document = write_image(layout)
    found: Document
    match part:
        case "manifest":
            (found,) = json.loads((layout / "index.json").read_bytes())["manifests"]
        case "layers":
            (found,) = document["layers"]
        case _:
            found = document[part]
    return found


def replaced_by_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replaced_by_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def changed(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def shorter(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def promised_size(part: str, size: int) -> Callable[[Path], object]:
    """Return what writes an image whose descriptor of one blob gives another size."""

    def change(document: Document) -> None:
        descriptor = document["layers"][0] if part == "layers" else document[part]
        descriptor["size"] = size

    return lambda layout: write_image(layout, change=change)


def one_tag_for_two_images(layout: Path) -> None:
    write_image(layout)
    index = json.loads((layout / "index.json").read_bytes())
    other = LayoutWriter(layout).add(b"{}", MANIFEST_TYPE)
    index["manifests"].append({**promise(other), "annotations": {REFERENCE_NAME: TAG}})
    (layout / "index.json").write_text(json.dumps(index))


def no_annotations(layout: Path) -> None:
    write_image(layout)
    index = json.loads((layout / "index.json").read_bytes())
    for each in index["manifests"]:
        del each["annotations"]
    (layout / "index.json").write_text(json.dumps(index))


def blob_of_sha512(layout: Path) -> None:
    """Write a manifest whose layer is promised by a digest that is known, of a blob that is nowhere."""
    write_image(layout, change=lambda document: document["layers"][0].update(digest="sha512:" + "0" * 128))


LAYOUTS = (
    Kind("no layout", lambda _: None, f"LAYOUT does not exist; {_NO_LAYOUT}"),
    Kind("layout of nothing", Path.mkdir, f"LAYOUT is no OCI image layout; {_NO_LAYOUT}"),
    Kind("layout that is a file", Path.touch, f"LAYOUT is no directory; {_NO_LAYOUT}"),
    of_layout(
        "no oci-layout",
        f"LAYOUT is no OCI image layout; {_NO_LAYOUT}",
        lambda layout: (layout / "oci-layout").unlink(),
    ),
    of_layout(
        "oci-layout that is a directory",
        f"LAYOUT is no OCI image layout; {_NO_LAYOUT}",
        lambda layout: replaced_by_directory(layout / "oci-layout"),
    ),
    of_marker("oci-layout that is no JSON", "has an oci-layout that cannot be read", b"1.0.0"),
    of_marker("oci-layout without a version", "has an oci-layout that cannot be read", b"{}"),
    of_marker(
        "layout of a later version",
        "is an OCI image layout of version '2.0.0', only 1.0.0 is known",
        b'{"imageLayoutVersion":"2.0.0"}',
    ),
    of_layout(
        "no index.json",
        f"LAYOUT has no readable index.json (No such file or directory); {_NO_LAYOUT}",
        lambda layout: (layout / "index.json").unlink(),
    ),
    of_layout(
        "index.json that is a directory",
        f"LAYOUT/index.json is no regular file; {REBUILD}",
        lambda layout: replaced_by_directory(layout / "index.json"),
    ),
    of_layout(
        "index.json that is a fifo",
        f"LAYOUT/index.json is no regular file; {REBUILD}",
        lambda layout: replaced_by_fifo(layout / "index.json"),
    ),
    of_layout(
        "index.json over 4 MiB",
        f"the size of index.json is 5000000, at most {MAX_MANIFEST_BYTES} is allowed; use a smaller image [TooLarge]",
        lambda layout: (layout / "index.json").write_bytes(b" " * 5_000_000),
    ),
    of_index_file("index.json of nothing", "the index cannot be read: Input data was truncated", b""),
    of_index_file("index.json cut short", "the index cannot be read: Input data was truncated", b'{"schemaVersion":2,'),
    of_index_file("index.json nested a million deep", "the index cannot be read: it is nested too deep", _DEEP),
    of_index_file(
        "index.json without manifests",
        "the index cannot be read: Object missing required field `manifests`",
        b'{"schemaVersion":2}',
    ),
    of_index_file(
        "index.json with a key twice",
        'the index gives the key "manifests" twice',
        b'{"schemaVersion":2,"manifests":[],"manifests":[]}',
    ),
    of_layout(
        "another tag",
        f"the layout LAYOUT has no image v1; {_NO_IMAGE}",
        lambda layout: (layout / "index.json").write_text((layout / "index.json").read_text().replace('"v1"', '"v2"')),
    ),
    Kind("image without a tag", no_annotations, f"the layout LAYOUT has no image v1; {_NO_IMAGE}"),
    Kind("tag of two images", one_tag_for_two_images, f"LAYOUT/index.json: the tag v1 names two images; {REBUILD}"),
)

BLOBS = (
    of_blob("no manifest blob", f"the layout LAYOUT has no image sha256:…; {_NO_IMAGE}", "manifest", Path.unlink),
    of_blob("no configuration blob", f"LAYOUT lacks the blob sha256:…; {REBUILD}", "config", Path.unlink),
    of_blob("no layer blob", f"LAYOUT lacks the blob sha256:…; {REBUILD}", "layers", Path.unlink),
    Kind("no blobs of that algorithm", blob_of_sha512, f"LAYOUT lacks the blob sha512:…; {REBUILD}"),
    of_blob(
        "layer blob that is a fifo",
        f"LAYOUT/blobs/sha256/… is no regular file; {REBUILD}",
        "layers",
        replaced_by_fifo,
    ),
    of_blob(
        "layer blob that is a directory",
        f"LAYOUT/blobs/sha256/… is no regular file; {REBUILD}",
        "layers",
        replaced_by_directory,
    ),
    of_blob("changed manifest blob", f"expected sha256:… but got sha256:…; {TAMPERED}", "manifest", changed),
    of_blob("changed configuration blob", f"expected sha256:… but got sha256:…; {TAMPERED}", "config", changed),
    of_blob("changed layer blob", f"expected sha256:… but got sha256:…; {TAMPERED}", "layers", changed),
    of_blob("longer layer blob", f"expected 3072 bytes of sha256:… but got more; {TAMPERED}", "layers", longer),
    of_blob("shorter layer blob", f"expected 3072 bytes of sha256:… but got 3071 bytes; {TAMPERED}", "layers", shorter),
    Kind(
        "layer promised too large",
        promised_size("layers", 9999),
        f"expected 9999 bytes of sha256:… but got 3072 bytes; {TAMPERED}",
    ),
    Kind(
        "layer promised empty",
        promised_size("layers", 0),
        f"expected sha256:… but got sha256:…; {TAMPERED}",
    ),
    Kind(
        "configuration promised too small",
        promised_size("config", 2),
        f"expected 2 bytes of sha256:… but got more; {TAMPERED}",
    ),
    Kind(
        "manifest that is nothing but braces",
        lambda layout: write_document(layout, b"{}"),
        f"the document is neither an index nor a manifest, or both at once; {REBUILD}",
    ),
)

KINDS: tuple[Kind, ...] = (*LAYOUTS, *BLOBS)
