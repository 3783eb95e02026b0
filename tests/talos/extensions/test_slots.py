"""Whatever happens during an installation, a complete image boots."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from talos.extensions.blobs import BlobStore
from talos.extensions.bootimage import BootImageError, BootLayer
from talos.extensions.slots import MAX_UNHEALTHY_BOOTS, Slots
from tests.talos.extensions.archives import device, file
from tests.talos.extensions.installed import RECIPE, boot_layer

ROOT = Path(__file__).parents[3]


@pytest.fixture
def slots(tmp_path: Path) -> Slots:
    return Slots(tmp_path / "slots", RECIPE)


@pytest.fixture
def layers(store: BlobStore, tmp_path: Path) -> list[BootLayer]:
    return [
        boot_layer(index, name, store, tmp_path / "images", file(f"rootfs/usr/local/{name}"))
        for index, name in enumerate(["one", "two", "three"])
    ]


def test_nothing_boots_before_the_first_installation(slots: Slots) -> None:
    assert slots.current() is None


def test_what_is_installed_boots(slots: Slots, layers: list[BootLayer], store: BlobStore) -> None:
    image = slots.install(layers, store)

    assert slots.current() == image
    assert Slots(slots.directory, RECIPE).current() == image


def test_the_image_before_stays_and_older_ones_go(slots: Slots, layers: list[BootLayer], store: BlobStore) -> None:
    for count in (1, 2, 3):
        slots.install(layers[:count], store)

    assert slots.names() == ("0002", "0003")


def test_installing_the_same_again_changes_nothing(slots: Slots, layers: list[BootLayer], store: BlobStore) -> None:
    first = slots.install(layers, store)

    assert slots.install(layers, store) == first
    assert slots.names() == (first.name,)


def test_the_image_before_can_be_chosen_again(slots: Slots, layers: list[BootLayer], store: BlobStore) -> None:
    first = slots.install(layers[:1], store)
    slots.install(layers, store)

    slots.select(first.name)

    assert slots.current() == first


def test_a_failed_installation_changes_nothing(
    slots: Slots, layers: list[BootLayer], store: BlobStore, tmp_path: Path
) -> None:
    image = slots.install(layers, store)
    hostile = boot_layer(3, "hostile", store, tmp_path / "images", device("rootfs/usr/local/null"))

    with pytest.raises(BootImageError):
        slots.install([*layers, hostile], store)

    assert slots.current() == image
    assert sorted(os.listdir(slots.directory)) == ["0001", "current"]


def test_a_damaged_image_is_told_and_installing_repairs_it(
    slots: Slots, layers: list[BootLayer], store: BlobStore
) -> None:
    damaged = slots.install(layers, store)
    damaged.path(damaged.files[0]).unlink()

    with pytest.raises(BootImageError, match=r"the layer 000\.oci-images-one\.sqsh is missing"):
        slots.current()
    assert slots.install(layers, store).name == "0002"
    assert slots.current() is not None


def test_what_boots_is_never_pruned(slots: Slots, layers: list[BootLayer], store: BlobStore) -> None:
    slots.install(layers[:1], store)
    slots.install(layers, store)

    assert slots.prune() == ("0001",)
    assert slots.prune() == ()
    assert slots.current() is not None


@pytest.mark.parametrize("name", ["", "..", "current", "../x", "1"])
def test_a_name_that_names_no_image_is_refused(slots: Slots, name: str) -> None:
    with pytest.raises(BootImageError, match="names no boot image"):
        slots.select(name)


def test_an_image_that_is_not_there_cannot_be_chosen(slots: Slots) -> None:
    with pytest.raises(BootImageError, match="cannot be read"):
        slots.select("0007")


def test_an_image_that_cannot_boot_gives_way_to_the_one_before(
    slots: Slots, layers: list[BootLayer], store: BlobStore
) -> None:
    first = slots.install(layers[:1], store)
    second = slots.install(layers, store)

    assert slots.fall_back(second.name, "it does not mount") == first
    assert slots.current() == first
    assert (second.directory / "failed").read_text() == "it does not mount"


def test_an_image_that_failed_is_no_way_back(slots: Slots, layers: list[BootLayer], store: BlobStore) -> None:
    first = slots.install(layers[:1], store)
    second = slots.install(layers, store)
    slots.fall_back(second.name, "it does not mount")

    assert slots.fall_back(first.name, "nor does this") is None
    assert slots.current() == first


def test_an_image_during_whose_boot_the_node_keeps_ending_is_not_booted_again(
    slots: Slots, layers: list[BootLayer], store: BlobStore
) -> None:
    image = slots.install(layers, store)
    for _ in range(MAX_UNHEALTHY_BOOTS):
        slots.begin_boot(image)

    with pytest.raises(BootImageError, match="the node ended 3 times while it booted this image"):
        slots.begin_boot(image)


def test_a_healthy_boot_forgives_what_was_before(slots: Slots, layers: list[BootLayer], store: BlobStore) -> None:
    image = slots.install(layers, store)
    for _ in range(MAX_UNHEALTHY_BOOTS + 1):
        slots.begin_boot(image)
        slots.end_boot(image)


def test_layers_that_stay_are_not_packed_again(slots: Slots, layers: list[BootLayer], store: BlobStore) -> None:
    before = slots.install(layers[:2], store)
    after = slots.install(layers, store)

    assert [after.path(file).samefile(before.path(file)) for file in before.files] == [True, True]


CRASHING = """
import os, pathlib, sys
from talos.extensions.blobs import BlobStore
from talos.extensions.bootimage import BootLayer
from talos.extensions.manifest import Metadata
from talos.extensions.slots import MAX_UNHEALTHY_BOOTS, Slots
from tests.talos.extensions.installed import RECIPE

CHANGES = ("os.rename", "os.symlink", "os.mkdir", "os.remove", "os.rmdir")

def install(crash_at):
    left = crash_at
    def countdown(event, arguments):
        nonlocal left
        if event in CHANGES or event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR):
            left -= 1
            if left == 0:
                os._exit(9)
    layer = BootLayer(*sys.argv[3:], Metadata(name="new", version="2"))
    slots, store = Slots(pathlib.Path(sys.argv[1]), RECIPE), BlobStore(pathlib.Path(sys.argv[2]))
    sys.addaudithook(countdown)
    slots.install([layer], store)
    os._exit(0)

for line in sys.stdin:
    child = os.fork()
    if not child:
        install(int(line))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Installs in a fork for each number on its input, ending like a power cut at the change of that number on disk."""


def test_a_crash_at_any_step_leaves_a_complete_image_that_boots(
    slots: Slots, layers: list[BootLayer], store: BlobStore
) -> None:
    old = slots.install(layers[:1], store)
    new = layers[1]
    arguments = [str(slots.directory), str(store.directory), new.extension_id, new.image, new.manifest_digest]
    command = [sys.executable, "-c", CRASHING, *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as installer:
        assert installer.stdin is not None
        assert installer.stdout is not None
        for step in range(1, 100):
            installer.stdin.write(f"{step}\n")
            installer.stdin.flush()
            code = int(installer.stdout.readline())

            after = Slots(slots.directory, RECIPE)
            booting = after.current()
            assert booting is not None
            assert booting == old or booting.is_made_of([new], RECIPE)
            assert not [name for name in os.listdir(slots.directory) if name.endswith(".partial")]
            if code == 0:
                break
            after.select(old.name)
            after.prune()
        installer.stdin.close()

    assert code == 0
    assert step > 5
    assert booting is not None
    assert booting.is_made_of([new], RECIPE)
