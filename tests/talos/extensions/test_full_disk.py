"""A disk that is full at any write of an installation leaves the node with the image it had."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from talos.extensions.activation import ActivationError, ActiveRoot, Way
from talos.extensions.blobs import BlobStore
from talos.extensions.bootimage import BootImageError, BootLayer
from talos.extensions.mounts import unmount_below
from talos.extensions.slots import Slots
from tests.programs import may_mount, needed
from tests.talos.extensions.archives import file
from tests.talos.extensions.installed import RECIPE, boot_layer

STEP_KIB = 4
MAX_KIB = 400
LONG = "disk" * 40
"""A name with which a link's target takes a block of its own: then there may be room for all but the link."""


@pytest.fixture
def layers(store: BlobStore, tmp_path: Path) -> list[BootLayer]:
    return [
        boot_layer(index, name, store, tmp_path / "images", file(f"rootfs/usr/local/{name}", os.urandom(20_000)))
        for index, name in enumerate(["one", "two"])
    ]


@contextmanager
def disk(place: Path) -> Iterator[Callable[[int], None]]:
    """Put a disk at a place whose size in KiB can be set; skip where this machine does not let us."""
    if not may_mount():
        pytest.skip("not allowed on this machine")
    mount = needed("mount")
    place.mkdir()
    subprocess.run([mount, "-t", "tmpfs", "-o", f"size={MAX_KIB}k", "none", place], check=True)

    def resize(kib: int) -> None:
        subprocess.run([mount, "-o", f"remount,size={kib}k", place], check=True)

    try:
        yield resize
    finally:
        unmount_below(place)


def used_kib(place: Path) -> int:
    found = os.statvfs(place)
    return (found.f_blocks - found.f_bfree) * found.f_frsize // 1024


def test_an_installation_on_a_full_disk_keeps_what_was_installed(
    layers: list[BootLayer], store: BlobStore, tmp_path: Path
) -> None:
    with disk(tmp_path / "disk") as resize:
        slots = Slots(tmp_path / "disk/slots", RECIPE)
        old = slots.install(layers[:1], store)
        least = used_kib(slots.directory)
        refused = 0
        for kib in range(least, MAX_KIB, STEP_KIB):
            resize(kib)
            try:
                slots.install(layers, store)
                break
            except (BootImageError, OSError):
                refused += 1
            assert slots.current() == old
            assert used_kib(slots.directory) == least, "what did not fit is removed"

        assert refused >= 5
        assert Slots(slots.directory, RECIPE).current() != old


@pytest.mark.parametrize("way", [Way.NAMESPACE, Way.UNPACKED])
def test_an_activation_on_a_full_disk_keeps_what_was_active(
    layers: list[BootLayer], store: BlobStore, tmp_path: Path, way: Way
) -> None:
    slots = Slots(tmp_path / "slots", RECIPE)
    with disk(tmp_path / LONG) as resize:
        root = ActiveRoot(tmp_path / LONG / "root", (way,))
        root.activate(slots.install(layers[:1], store))
        image = slots.install(layers, store)
        least, refused = used_kib(tmp_path / LONG), 0
        for kib in range(least, MAX_KIB, STEP_KIB):
            resize(kib)
            try:
                root.activate(image)
                break
            except (ActivationError, OSError):
                refused += 1
            assert os.listdir(root.path / "usr/local") == ["one"]
            assert len(os.listdir(root.path.parent)) == 2, "the root and its tree; what did not fit is removed"

        assert refused >= 5
        assert sorted(os.listdir(root.path / "usr/local")) == ["one", "two"]
        root.deactivate()
