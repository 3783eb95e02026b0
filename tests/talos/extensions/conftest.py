"""What the tests of signatures share: someone who signs, and an image to be signed."""

from pathlib import Path

import pytest

from tests.talos.extensions.archives import extension, file, image
from tests.talos.extensions.signing import Signer


@pytest.fixture(scope="session")
def signer() -> Signer:
    return Signer()


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """A layout with one image, `v1`, that no other test has."""
    content = str(tmp_path).encode()
    image(tmp_path / "layout", "v1", [extension(file("rootfs/usr/local/signed", content))])
    return tmp_path / "layout"
