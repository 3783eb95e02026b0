"""A boot image is complete, reproducible, and made of sound extensions only."""

from pathlib import Path

import pytest

from talos.extensions import bootimage
from talos.extensions.blobs import BlobStore
from talos.extensions.bootimage import BootImageError, BootLayer, Recipe
from talos.extensions.manifest import Metadata
from talos.extensions.squashfs import extract_squashfs
from tests.talos.extensions.archives import device, directory, file, hardlink, symlink
from tests.talos.extensions.boot_files import initramfs
from tests.talos.extensions.installed import RECIPE, boot_layer


def everything_below(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.fixture
def layers(store: BlobStore, tmp_path: Path) -> list[BootLayer]:
    first = boot_layer(
        0,
        "first",
        store,
        tmp_path / "images",
        file("rootfs/usr/local/b", b"bb" * 40_000, mode=0o755),
        file("rootfs/usr/local/a", b"a"),
        hardlink("rootfs/usr/local/c", "rootfs/usr/local/b"),
        symlink("rootfs/usr/local/link", "/usr/local/a"),
        directory("rootfs/usr/local/empty", mode=0o700),
        file("rootfs/usr/local/" + "long" * 40, b""),
    )
    return [first, boot_layer(1, "second", store, tmp_path / "images", file("rootfs/etc/cri/conf.d/x", b"x"))]


def test_a_layer_holds_the_extensions_rootfs_and_nothing_of_its_builder(
    layers: list[BootLayer], store: BlobStore, tmp_path: Path
) -> None:
    image = bootimage.build(layers, store, tmp_path / "image", RECIPE)

    extract_squashfs(image.path(image.files[0]), tmp_path / "unpacked")
    local = tmp_path / "unpacked/usr/local"
    assert (local / "a").read_bytes() == b"a"
    assert (local / "b").read_bytes() == (local / "c").read_bytes() == b"bb" * 40_000
    assert (local / ("long" * 40)).read_bytes() == b""
    assert (local / "link").readlink() == Path("/usr/local/a")
    assert (local / "b").stat().st_mode & 0o7777 == 0o755
    assert (local / "empty").stat().st_mode & 0o7777 == 0o700
    assert {path.lstat().st_mtime for path in local.rglob("*") if path.is_file()} == {0.0}


def test_firmware_is_a_layer_of_its_own_and_the_later_extensions_stays(store: BlobStore, tmp_path: Path) -> None:
    both = [
        boot_layer(index, name, store, tmp_path / "images", file("rootfs/usr/lib/firmware/x.bin", name.encode()))
        for index, name in enumerate(["first", "second"])
    ]

    image = bootimage.build(both, store, tmp_path / "image", RECIPE)

    extract_squashfs(image.path(image.files[-1]), tmp_path / "unpacked")
    assert (tmp_path / "unpacked/usr/lib/firmware/x.bin").read_bytes() == b"second"
    assert image.warnings == (
        "/usr/lib/firmware/x.bin: also in 000.oci-images-first; the node sees that of 001.oci-images-second",
    )


def test_with_an_initramfs_the_image_holds_one_with_the_extensions_and_its_root(
    layers: list[BootLayer], store: BlobStore, tmp_path: Path
) -> None:
    original = initramfs(tmp_path)
    recipe = Recipe(RECIPE.release, original)

    image = bootimage.build(layers, store, tmp_path / "image", recipe)

    assert [file.name for file in image.files][-1] == "rootfs.sqsh"
    assert (image.directory / "initramfs").read_bytes().startswith(original.read_bytes())
    assert image.is_made_of(layers, recipe)
    assert not image.is_made_of(layers, RECIPE)


def test_extensions_yaml_is_what_talos_writes(layers: list[BootLayer], store: BlobStore, tmp_path: Path) -> None:
    image = bootimage.build(layers[:1], store, tmp_path / "image", RECIPE)

    assert (
        image.extensions_file.read_text()
        == """\
layers:
    - image: 000.oci-images-first.sqsh
      metadata:
        name: first
        version: v1.0.0
        author: somebody
        description: |
            two
            lines
        compatibility:
            talos:
                version: '>= v1.0.0'
"""
    )


def test_extensions_yaml_is_read_back(layers: list[BootLayer], store: BlobStore, tmp_path: Path) -> None:
    metadata = Metadata(name="yes", version="1.0", description="", extra_info="\t# ünusual: 'text'\n\n")
    odd = BootLayer(layers[0].extension_id, layers[0].image, layers[0].manifest_digest, metadata)

    image = bootimage.build([odd, layers[1]], store, tmp_path / "image", RECIPE)

    listed = bootimage.read_extensions(image.extensions_file)
    assert [each.metadata for each in listed] == [metadata, layers[1].metadata]
    assert [each.image for each in listed] == ["000.oci-images-first.sqsh", "001.oci-images-second.sqsh"]


def test_no_extensions_make_an_image_too(store: BlobStore, tmp_path: Path) -> None:
    image = bootimage.build([], store, tmp_path / "image", RECIPE)

    assert bootimage.load(tmp_path / "image") == image
    assert bootimage.read_extensions(image.extensions_file) == ()


def test_the_same_extensions_make_the_same_bytes(layers: list[BootLayer], store: BlobStore, tmp_path: Path) -> None:
    bootimage.build(layers, store, tmp_path / "one", RECIPE)
    bootimage.build(layers, store, tmp_path / "two", RECIPE)

    assert everything_below(tmp_path / "one") == everything_below(tmp_path / "two")


def test_an_image_is_found_again(layers: list[BootLayer], store: BlobStore, tmp_path: Path) -> None:
    image = bootimage.build(layers, store, tmp_path / "image", RECIPE)

    assert bootimage.load(tmp_path / "image") == image
    assert image.is_made_of(layers, RECIPE)
    assert not image.is_made_of(layers[::-1], RECIPE)
    assert [layer.manifest_digest for layer in image.layers] == [layer.manifest_digest for layer in layers]


def test_a_hostile_extension_leaves_nothing_behind(layers: list[BootLayer], store: BlobStore, tmp_path: Path) -> None:
    hostile = boot_layer(2, "hostile", store, tmp_path / "images", device("rootfs/usr/local/null"))

    with pytest.raises(BootImageError, match="hostile is not sound") as caught:
        bootimage.build([*layers, hostile], store, tmp_path / "slots/image", RECIPE)

    assert [fault.rule for fault in caught.value.faults] == ["special-file"]
    assert not (tmp_path / "slots").exists()


def test_an_extension_that_is_not_in_the_store_is_told(
    layers: list[BootLayer], store: BlobStore, tmp_path: Path
) -> None:
    store.keep_only(set())

    with pytest.raises(BootImageError, match="pull it again"):
        bootimage.build(layers, store, tmp_path / "image", RECIPE)


def test_a_place_that_is_taken_is_left_alone(store: BlobStore, tmp_path: Path) -> None:
    (tmp_path / "image").mkdir()

    with pytest.raises(BootImageError, match="already"):
        bootimage.build([], store, tmp_path / "image", RECIPE)


def test_an_id_that_is_no_file_name_is_refused(layers: list[BootLayer], store: BlobStore, tmp_path: Path) -> None:
    hostile = BootLayer("000.../../x", layers[0].image, layers[0].manifest_digest, layers[0].metadata)

    with pytest.raises(BootImageError, match="no extension id"):
        bootimage.build([hostile], store, tmp_path / "image", RECIPE)


@pytest.mark.parametrize("name", ["image.json", "extensions.yaml", "layers/000.oci-images-first.sqsh"])
def test_an_image_without_one_of_its_parts_is_refused(
    layers: list[BootLayer], store: BlobStore, tmp_path: Path, name: str
) -> None:
    image = bootimage.build(layers, store, tmp_path / "image", RECIPE)
    (image.directory / name).unlink()

    with pytest.raises(BootImageError, match="install the extensions again"):
        bootimage.load(image.directory)


def test_a_damaged_record_is_refused(store: BlobStore, tmp_path: Path) -> None:
    image = bootimage.build([], store, tmp_path / "image", RECIPE)
    (image.directory / "image.json").write_text('{"layers": [{"extension_id": "../x"}]}')

    with pytest.raises(BootImageError, match=r"image\.json is damaged"):
        bootimage.load(image.directory)


@pytest.mark.parametrize("text", ["", "layers", "a: 1", "layers: [", "\xff"])
def test_a_damaged_extensions_yaml_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "extensions.yaml").write_text(text, encoding="latin-1")

    with pytest.raises(BootImageError, match="damaged"):
        bootimage.read_extensions(tmp_path / "extensions.yaml")


def test_no_extensions_yaml_means_no_extensions(tmp_path: Path) -> None:
    assert bootimage.read_extensions(tmp_path / "extensions.yaml") == ()
