"""What the tests of this room share: a store, and images made from real directories."""

from pathlib import Path

import pytest

from talos.extensions.authoring import build_image
from talos.extensions.blobs import BlobStore
from tests.talos.extensions.archives import MANIFEST, archive, extension, file, image


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "store")


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A layout with an extension for two platforms (`multi`) and one without an index (`single`)."""
    source = tmp_path_factory.mktemp("extension")
    (source / "manifest.yaml").write_bytes(MANIFEST)
    program = source / "rootfs/usr/local/bin/sample"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    layout = tmp_path_factory.mktemp("images")
    build_image(source, layout, "multi")
    image(layout, "single", [extension(file("rootfs/usr/local/one")), archive(file("rootfs/usr/local/two"))])
    return layout
