"""An image that a scripted registry answers with."""

from pathlib import Path

from talos.extensions import oci
from tests.talos.extensions.archives import extension, file, image
from tests.talos.extensions.puller import blob
from tests.talos.extensions.scripted_registry import Answer, Asked

LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


class Served:
    """An image with one large layer, answered from a layout by path."""

    def __init__(self, directory: Path) -> None:
        self.layout = directory / "images"
        content = bytes(range(256)) * 200
        described = image(self.layout, "v1", [extension(file("rootfs/usr/local/x", content))], layer_type=LAYER)
        self.manifest = blob(self.layout, described.digest).read_bytes()
        (self.layer,) = oci.parse_manifest(self.manifest).layers

    def __call__(self, asked: Asked) -> Answer:
        name = asked.name
        if name == "v1":
            return Answer(body=self.manifest)
        if not blob(self.layout, name).exists():
            return Answer(404)
        content = blob(self.layout, name).read_bytes()
        start = int(asked.headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        if start:
            headers = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
            return Answer(206, content[start:], headers)
        return Answer(body=content)

    def is_layer(self, asked: Asked) -> bool:
        return asked.name == self.layer.digest
