"""What the tests of this room share: registries, and images made from real directories."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from talos.extensions.blobs import BlobStore
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
