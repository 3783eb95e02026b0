"""Each file of an extension goes to one place, and files that hide others are told."""

from pathlib import Path

import pytest

from talos.extensions.placement import AMD_MICROCODE, INTEL_MICROCODE, overlaps, place
from talos.extensions.release import Compression, Release
from talos.extensions.tar_stream import Kind
from talos.extensions.tree import Tree
from tests.talos.extensions.archives import archive, directory, file, symlink
from tests.talos.extensions.boot_files import tree_of

NEW = Release.parse("v1.10.0-alpha.1")
OLD = Release.parse("v1.9.5")


def files(tree: Tree) -> list[str]:
    return [path for path, entry in tree.entries.items() if entry.kind is not Kind.DIRECTORY]


@pytest.mark.parametrize(
    ("version", "merged", "compression"),
    [
        ("v1.7.9", False, Compression.XZ),
        ("v1.8.0-alpha.0", False, Compression.ZSTD),
        ("1.9.0", False, Compression.ZSTD),
        ("v1.10.0-beta.1", True, Compression.ZSTD),
    ],
)
def test_a_pre_release_has_what_its_release_has(version: str, merged: bool, compression: Compression) -> None:
    release = Release.parse(version)

    assert (release.usr_merged, release.compression) == (merged, compression)


@pytest.mark.parametrize(("release", "prefix"), [(NEW, "usr/"), (OLD, "")])
def test_every_file_goes_to_one_place(release: Release, prefix: str, tmp_path: Path) -> None:
    firmware = f"{prefix}lib/firmware"
    tree = tree_of(
        tmp_path / "tree",
        archive(
            file(f"{firmware}/amd-ucode/microcode_amd_fam17h.bin"),
            file(f"{firmware}/amd-ucode/microcode_amd.txt"),
            file(f"{firmware}/intel-ucode/06-01-02"),
            file(f"{firmware}/intel-ucode/below/06-01-02"),
            file(f"{firmware}/card.bin"),
            file(f"{prefix}lib/modules/6.1/x.ko"),
            file(f"{prefix}lib/firmware-not/x"),
            file("usr/local/x"),
        ),
    )

    placed = place(tree, release)

    assert placed.microcode == {
        AMD_MICROCODE: (f"{firmware}/amd-ucode/microcode_amd_fam17h.bin",),
        INTEL_MICROCODE: (f"{firmware}/intel-ucode/06-01-02",),
    }
    assert files(placed.firmware) == [
        f"{firmware}/amd-ucode/microcode_amd.txt",
        f"{firmware}/card.bin",
        f"{firmware}/intel-ucode/below/06-01-02",
    ]
    modules = f"{prefix}lib/modules/6.1/x.ko"
    assert files(placed.modules) == [modules]
    assert sorted(files(placed.layer)) == sorted([f"{prefix}lib/firmware-not/x", modules, "usr/local/x"])


def test_firmware_comes_with_the_directories_above_it(tmp_path: Path) -> None:
    placed = place(tree_of(tmp_path / "tree", archive(file("usr/lib/firmware/a"))), NEW)

    assert list(placed.firmware.entries) == ["usr", "usr/lib", "usr/lib/firmware", "usr/lib/firmware/a"]


def test_the_earlier_extension_hides_the_later_but_firmware_is_overwritten(tmp_path: Path) -> None:
    members = [
        file("usr/local/x"),
        symlink("usr/local/link", "x"),
        file("usr/lib/firmware/f"),
        directory("usr/local/d"),
    ]
    microcode = file("usr/lib/firmware/intel-ucode/06")
    trees = [(name, tree_of(tmp_path / name, archive(*members, microcode))) for name in ("one", "two", "three")]

    assert [str(each) for each in overlaps(trees, NEW)] == [
        "/usr/lib/firmware/f: also in one, two; the node sees that of three",
        "/usr/local/link: also in two, three; the node sees that of one",
        "/usr/local/x: also in two, three; the node sees that of one",
    ]


def test_different_files_do_not_overlap(tmp_path: Path) -> None:
    trees = [(name, tree_of(tmp_path / name, archive(file(f"usr/local/{name}")))) for name in ("one", "two")]

    assert overlaps(trees, NEW) == ()
