"""An initramfs with extensions holds what Talos's init and the kernel look for, where they look for it."""

import gzip
import io
import lzma
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talos.extensions import imager, initramfs, squashfs
from talos.extensions.cpio import CpioWriter
from talos.extensions.extensions_file import parse
from talos.extensions.imager import Extension
from talos.extensions.initramfs import InitramfsError
from talos.extensions.manifest import Metadata
from talos.extensions.release import Compression, Release
from talos.extensions.squashfs import ToolError
from tests.talos.extensions import boot_files
from tests.talos.extensions.archives import archive, compress_zstd, decompress_zstd, directory, file, hardlink, symlink
from tests.talos.extensions.boot_files import KERNEL, module, squashfs_files, tree_of, unpacked

RELEASE = Release.parse("v1.11.0")


def extension(name: str, directory: Path, *members: tuple[tarfile.TarInfo, bytes], index: int = 0) -> Extension:
    tree = tree_of(directory / name, archive(*members))
    return Extension(f"{index:03d}.{name}", Metadata(name=name, version="v1.0.0", author="somebody"), tree)


def built(original: Path, extensions: list[Extension], output: Path, release: Release = RELEASE) -> bytes:
    """Build, and return what was added behind the original."""
    imager.build(original, extensions, output, release=release, progress=lambda _: None)
    return output.read_bytes().partition(original.read_bytes())[2]


@pytest.fixture
def original(tmp_path: Path) -> Path:
    return boot_files.initramfs(tmp_path)


def test_each_extension_is_a_layer_listed_in_extensions_yaml(original: Path, tmp_path: Path) -> None:
    first = extension(
        "first",
        tmp_path,
        file("usr/local/a", b"a" * 300_000, mode=0o755),
        hardlink("usr/local/b", "usr/local/a"),
        symlink("usr/local/link", "/usr/local/a"),
        file("usr/local/empty", b""),
    )
    second = extension("second", tmp_path, file("usr/local/c", b"c"), index=1)

    added = unpacked(decompress_zstd(built(original, [first, second], tmp_path / "out")))

    assert list(added) == ["extensions.yaml", "000.first.sqsh", "001.second.sqsh"]
    listed = parse(added["extensions.yaml"])
    assert listed is not None
    assert [(each.image, each.metadata.name) for each in listed] == [
        ("000.first.sqsh", "first"),
        ("001.second.sqsh", "second"),
    ]
    assert squashfs_files(added["000.first.sqsh"], tmp_path / "look") == {
        "usr/local/a": b"a" * 300_000,
        "usr/local/b": b"a" * 300_000,
        "usr/local/empty": b"",
        "usr/local/link -> /usr/local/a": b"",
    }


def test_all_of_a_layer_is_roots_without_times(original: Path, tmp_path: Path) -> None:
    first = extension("first", tmp_path, directory("usr/local/private", mode=0o700), file("usr/local/a", mode=0o755))
    added = unpacked(decompress_zstd(built(original, [first], tmp_path / "out")))
    image = tmp_path / "layer"
    image.write_bytes(added["000.first.sqsh"])

    listing = subprocess.run(["unsquashfs", "-UTC", "-lln", str(image)], capture_output=True, check=True, text=True)

    lines = [line.split() for line in listing.stdout.splitlines() if "squashfs-root" in line]
    assert {(each[1], each[3], each[4]) for each in lines} == {("0/0", "1970-01-01", "00:00")}
    assert {each[5].removeprefix("squashfs-root"): each[0] for each in lines} == {
        "": "drwxr-xr-x",
        "/usr": "drwxr-xr-x",
        "/usr/local": "drwxr-xr-x",
        "/usr/local/a": "-rwxr-xr-x",
        "/usr/local/private": "drwx------",
    }


def test_the_same_input_makes_the_same_bytes(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    members = [file(f"usr/local/{each}", str(each).encode() * 5000) for each in range(50)]
    extensions = [extension("many", tmp_path, *members, file("usr/lib/firmware/x"))]

    built(original, extensions, tmp_path / "one")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    built(original, extensions, tmp_path / "two")

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_microcode_of_all_extensions_comes_first_and_uncompressed(original: Path, tmp_path: Path) -> None:
    intel = extension(
        "intel",
        tmp_path,
        file("usr/lib/firmware/intel-ucode/06-02", b"two"),
        file("usr/lib/firmware/intel-ucode/06-01", b"one"),
    )
    amd = extension(
        "amd",
        tmp_path,
        file("usr/lib/firmware/amd-ucode/microcode_amd.bin", b"amd"),
        file("usr/lib/firmware/amd-ucode/README", b"text"),
        index=1,
    )

    added = built(original, [intel, amd], tmp_path / "out")
    early = (tmp_path / "out").read_bytes().partition(original.read_bytes())[0]

    assert {path: content for path, content in unpacked(early).items() if content} == {
        "kernel/x86/microcode/GenuineIntel.bin": b"onetwo",
        "kernel/x86/microcode/AuthenticAMD.bin": b"amd",
    }
    assert len(early) % 512 == 0
    late = unpacked(decompress_zstd(added))
    assert late["usr/lib/firmware/amd-ucode/README"] == b"text"
    assert squashfs_files(late["000.intel.sqsh"], tmp_path / "look") == {}


def test_firmware_lies_in_the_initramfs_and_the_later_extensions_stays(original: Path, tmp_path: Path) -> None:
    first = extension(
        "first",
        tmp_path,
        file("usr/lib/firmware/card/a.bin", b"first"),
        hardlink("usr/lib/firmware/card/same.bin", "usr/lib/firmware/card/a.bin"),
        symlink("usr/lib/firmware/card/link.bin", "a.bin"),
        file("usr/local/a"),
    )
    second = extension("second", tmp_path, file("usr/lib/firmware/card/a.bin", b"second"), index=1)

    report = imager.build(original, [first, second], tmp_path / "out", release=RELEASE, progress=lambda _: None)
    added = unpacked(decompress_zstd((tmp_path / "out").read_bytes().partition(original.read_bytes())[2]))

    assert added["usr/lib/firmware/card/a.bin"] == b"second"
    assert added["usr/lib/firmware/card/same.bin"] == b"first"
    assert added["usr/lib/firmware/card/link.bin"] == b"a.bin"
    assert squashfs_files(added["000.first.sqsh"], tmp_path / "look") == {"usr/local/a": b"content"}
    assert [str(each) for each in report.overlaps] == [
        "/usr/lib/firmware/card/a.bin: also in 000.first; the node sees that of 001.second"
    ]


def test_modules_are_indexed_together_with_the_roots(original: Path, tmp_path: Path) -> None:
    place = f"usr/lib/modules/{KERNEL}/extras"
    first = extension("first", tmp_path, file(f"{place}/more.ko", module("more")))

    added = unpacked(decompress_zstd(built(original, [first], tmp_path / "out")))

    listed = parse(added["extensions.yaml"])
    assert listed is not None
    assert listed[-1].image == "modules.dep.sqsh"
    assert (listed[-1].metadata.name, listed[-1].metadata.version) == ("modules.dep", KERNEL)
    index = squashfs_files(added["modules.dep.sqsh"], tmp_path / "look")
    dependencies = index[f"usr/lib/modules/{KERNEL}/modules.dep"].decode()
    assert sorted(dependencies.splitlines()) == ["extras/more.ko:", "kernel/own.ko:"]
    assert b"alias alias-more more" in index[f"usr/lib/modules/{KERNEL}/modules.alias"]


def test_modules_for_another_kernel_are_refused(original: Path, tmp_path: Path) -> None:
    other = extension("other", tmp_path, file("usr/lib/modules/5.0.0/x.ko", module("x")))

    with pytest.raises(InitramfsError, match=rf"000.other brings /usr/lib/modules/5.0.0/x.ko, .* here is {KERNEL}"):
        built(original, [other], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_before_1_8_and_before_the_usr_merge_everything_is_xz_and_in_lib(tmp_path: Path) -> None:
    original = boot_files.initramfs(tmp_path, compression=Compression.XZ, modules="lib/modules")
    old = extension(
        "old",
        tmp_path,
        file("lib/firmware/card.bin", b"card"),
        file(f"lib/modules/{KERNEL}/more.ko", module("more")),
    )

    added = unpacked(lzma.decompress(built(original, [old], tmp_path / "out", Release.parse("v1.7.6"))))

    assert added["lib/firmware/card.bin"] == b"card"
    (tmp_path / "layer").write_bytes(added["000.old.sqsh"])
    about = subprocess.run(["unsquashfs", "-s", str(tmp_path / "layer")], capture_output=True, check=True, text=True)
    assert "Compression xz" in about.stdout
    assert f"lib/modules/{KERNEL}/modules.dep" in squashfs_files(added["modules.dep.sqsh"], tmp_path / "look")


@pytest.mark.parametrize("content", [b"", b"no archive at all", b"\x02\x21\x4c\x18lz4"])
def test_what_is_no_initramfs_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(content)

    with pytest.raises(InitramfsError, match="this is no initramfs"):
        initramfs.check(tmp_path / "bad")


@given(st.data())
def test_a_damaged_initramfs_is_one_error_or_lacks_the_file(data: st.DataObject) -> None:
    plain = io.BytesIO()
    writer = CpioWriter(plain)
    writer.file("init", 4, [b"init"])
    writer.file("rootfs.sqsh", 5, [b"hello"])
    writer.end()
    packers: list[Callable[[bytes], bytes]] = [bytes, gzip.compress, lzma.compress, compress_zstd]
    pack = data.draw(st.sampled_from(packers))
    raw = plain.getvalue() + pack(plain.getvalue())
    at = data.draw(st.integers(0, len(raw) - 1))
    damage = data.draw(st.binary(max_size=12))
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "initramfs").write_bytes(raw[:at] + damage + raw[at + data.draw(st.integers(0, 12)) :])
        try:
            initramfs.extract(directory / "initramfs", "rootfs.sqsh", directory / "out")
        except InitramfsError:
            return


def test_modules_without_a_root_to_index_them_with_are_refused(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"070701" + b"0" * 104)
    more = extension("more", tmp_path, file(f"usr/lib/modules/{KERNEL}/more.ko", module("more")))

    with pytest.raises(InitramfsError, match="damaged"):
        built(tmp_path / "plain", [more], tmp_path / "out")


def test_a_failed_build_leaves_what_was_there(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "place").mkdir()
    (tmp_path / "place/out").write_bytes(b"before")
    first = extension("first", tmp_path, file("usr/local/a"))
    monkeypatch.setattr(squashfs, "_OPTIONS", ("-no-such-option",))

    with pytest.raises(ToolError, match="mksquashfs could not write"):
        built(original, [first], tmp_path / "place/out")

    assert [(path.name, path.read_bytes()) for path in (tmp_path / "place").iterdir()] == [("out", b"before")]


def test_what_a_killed_build_left_goes_with_the_next(original: Path, tmp_path: Path) -> None:
    left = tmp_path / ".out[1].0123.partial"
    left.mkdir()
    (left / "000.first.sqsh").write_bytes(b"half")

    built(original, [extension("first", tmp_path, file("usr/local/a"))], tmp_path / "out[1]")

    assert not left.exists()
