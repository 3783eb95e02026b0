"""What the tests of this room share: registries, and images made from real directories."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from talos.extensions.authoring import build_image
from talos.extensions.blobs import BlobStore
from tests.talos.extensions.archives import MANIFEST, archive, extension, file, image
from tests.talos.registry_server import HTPASSWD, RegistryServer, running_registry


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """A registry that serves everyone."""
    with running_registry(tmp_path_factory.mktemp("registry")) as server:
        yield server


@pytest.fixture(scope="session")
def private_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """A registry that serves those who know the password."""
    with running_registry(tmp_path_factory.mktemp("private-registry"), htpasswd=HTPASSWD) as server:
        yield server


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
