"""Archives and images written member by member, hostile ones among them, with the standard library's writer."""

import gzip
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

from talos.extensions.layout_writer import LayoutWriter
from talos.extensions.oci import Descriptor
from talos.extensions.tree import Layer
from talos.extensions.zstandard import zstd

MANIFEST = b"""\
version: v1alpha1
metadata:
  name: sample
  version: v1.2.3
  author: somebody
  description: a sample
  compatibility:
    talos:
      version: ">= v1.0.0"
"""
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


def file(path: str, content: bytes = b"content", *, mode: int = 0o644) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(path)
    info.size = len(content)
    info.mode = mode
    return info, content


def directory(path: str, *, mode: int = 0o755) -> tuple[tarfile.TarInfo, bytes]:
    return _special(path, tarfile.DIRTYPE, mode=mode)


def symlink(path: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return _special(path, tarfile.SYMTYPE, target)


def hardlink(path: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return _special(path, tarfile.LNKTYPE, target)


def device(path: str) -> tuple[tarfile.TarInfo, bytes]:
    return _special(path, tarfile.CHRTYPE)


def fifo(path: str) -> tuple[tarfile.TarInfo, bytes]:
    return _special(path, tarfile.FIFOTYPE)


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """Return an archive of the members in this order."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as writer:
        for info, content in members:
            writer.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def extension(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """Return an archive with a good manifest, a rootfs and the members."""
    return archive(file("manifest.yaml", MANIFEST), directory("rootfs"), *members)


def compress_zstd(content: bytes) -> bytes:
    """Return the content as one zstd frame."""
    return zstd.compress(content)


def decompress_zstd(content: bytes) -> bytes:
    """Return what is in the frames of `content`."""
    return zstd.decompress(content)


def layers(directory: Path, *archives: bytes) -> tuple[Layer, ...]:
    """Write archives to files, as layers in this order."""
    found = []
    for index, content in enumerate(archives):
        path = directory / f"layer-{index}"
        path.write_bytes(content)
        found.append(Layer(f"layer-{index}", path))
    return tuple(found)


def image(
    layout: Path,
    tag: str,
    archives: Sequence[bytes],
    *,
    os: str = "linux",
    architecture: str = "amd64",
    layer_type: str = LAYER_TYPE + "+gzip",
) -> Descriptor:
    """Write an image of the archives, without an index, into a layout; return its manifest."""
    writer = LayoutWriter(layout)
    config = writer.add(json.dumps({"os": os, "architecture": architecture}).encode(), CONFIG_TYPE)
    described = [writer.add(gzip.compress(content, mtime=0), layer_type) for content in archives]
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": _plain(config),
        "layers": [_plain(layer) for layer in described],
    }
    descriptor = writer.add(json.dumps(manifest).encode(), MANIFEST_TYPE)
    writer.tag(descriptor, tag)
    return descriptor


def _special(path: str, kind: bytes, target: str = "", *, mode: int = 0o644) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(path)
    info.type = kind
    info.mode = mode
    info.linkname = target
    return info, b""


def _plain(descriptor: Descriptor) -> dict[str, str | int]:
    return {"mediaType": descriptor.media_type, "digest": descriptor.digest, "size": descriptor.size}
