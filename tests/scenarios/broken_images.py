"""Images whose layers are no archives: written blob by blob."""

import json
from collections.abc import Sequence
from pathlib import Path

from talos.extensions.layout_writer import LayoutWriter
from tests.talos.extensions.archives import CONFIG_TYPE, LAYER_TYPE, MANIFEST_TYPE


def image_of_blobs(layout: Path, tag: str, blobs: Sequence[bytes]) -> None:
    """Write an image whose layers are these bytes, said to be gzipped archives."""
    writer = LayoutWriter(layout)
    config = writer.add(json.dumps({"os": "linux", "architecture": "amd64"}).encode(), CONFIG_TYPE)
    layers = [writer.add(blob, f"{LAYER_TYPE}+gzip") for blob in blobs]
    described = [{"mediaType": each.media_type, "digest": each.digest, "size": each.size} for each in (config, *layers)]
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": described[0],
        "layers": described[1:],
    }
    writer.tag(writer.add(json.dumps(manifest).encode(), MANIFEST_TYPE), tag)
