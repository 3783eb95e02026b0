"""Layers merge as the OCI specification says, and what is hostile becomes a fault with its layer, path and rule."""

import gzip
import tarfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talos.extensions import layer_stack
from talos.extensions.faults import MAX_FAULTS, Fault
from talos.extensions.layers import contents, read_tree
from talos.extensions.tar_stream import Kind
from talos.extensions.tree import Layer, Tree
from tests.talos.extensions.archives import (
    archive,
    compress_zstd,
    device,
    directory,
    file,
    hardlink,
    layers,
    symlink,
)


def merged(tmp_path: Path, *archives: bytes) -> Tree:
    tree, faults = read_tree(layers(tmp_path, *archives))
    assert not faults
    return tree


def faults_of(tmp_path: Path, *archives: bytes) -> tuple[Fault, ...]:
    return read_tree(layers(tmp_path, *archives))[1]


def content_of(tree: Tree, path: str) -> bytes:
    content = tree.entries[path].content
    assert content is not None
    (found,) = (b"".join(pieces) for _, pieces in contents(tree.layers, [content]))
    return found


@pytest.mark.parametrize("pack", [bytes, gzip.compress, compress_zstd], ids=["plain", "gzip", "zstd"])
def test_an_archive_is_read_however_it_is_packed(tmp_path: Path, pack: type[bytes]) -> None:
    tree = merged(tmp_path, pack(archive(directory("./d"), file("./d/f", b"hello", mode=0o755))))

    assert [(path, entry.kind, entry.mode) for path, entry in tree.entries.items()] == [
        ("d", Kind.DIRECTORY, 0o755),
        ("d/f", Kind.FILE, 0o755),
    ]
    assert content_of(tree, "d/f") == b"hello"


def test_parents_that_the_archive_leaves_out_are_made(tmp_path: Path) -> None:
    assert list(merged(tmp_path, archive(file("a/b/c"))).entries) == ["a", "a/b", "a/b/c"]


def test_an_upper_layer_replaces_what_lies_below(tmp_path: Path) -> None:
    lower = archive(file("a", b"old"), file("d/x"), file("d/y"), symlink("s", "a"))
    upper = archive(file("a", b"new"), file("d", b"now a file"), directory("s"), file("s/z"))

    tree = merged(tmp_path, lower, upper)

    assert list(tree.entries) == ["a", "d", "s", "s/z"]
    assert content_of(tree, "a") == b"new"


def test_a_whiteout_removes_what_the_layers_below_have(tmp_path: Path) -> None:
    lower = archive(file("a"), file("b"), file("d/x"), file("d/e/y"))

    assert list(merged(tmp_path, lower, archive(file(".wh.a", b""), file(".wh.d", b""))).entries) == ["b"]


def test_an_opaque_directory_hides_what_the_layers_below_have_in_it(tmp_path: Path) -> None:
    lower = archive(file("d/x"), file("d/e/y"), file("a"))

    tree = merged(tmp_path, lower, archive(file("d/z"), file("d/.wh..wh..opq", b"")))

    assert list(tree.entries) == ["a", "d", "d/z"]


@pytest.mark.parametrize("whiteout", ["d/.wh.x", "d/.wh..wh..opq", ".wh.d"])
@pytest.mark.parametrize("first", [True, False])
def test_a_whiteout_spares_its_own_layer_in_either_order(tmp_path: Path, whiteout: str, *, first: bool) -> None:
    members = [file(whiteout, b""), file("d/x", b"new")]

    tree = merged(tmp_path, archive(file("d/x", b"old")), archive(*(members if first else reversed(members))))

    assert content_of(tree, "d/x") == b"new"


def test_a_whiteout_of_nothing_does_nothing(tmp_path: Path) -> None:
    assert list(merged(tmp_path, archive(file("a"), file(".wh.b", b""))).entries) == ["a"]


def test_a_hard_link_is_the_file_that_it_links_to(tmp_path: Path) -> None:
    tree = merged(tmp_path, archive(file("rootfs/a", b"one")), archive(hardlink("rootfs/b", "rootfs/a")))

    assert tree.entries["rootfs/b"] == tree.entries["rootfs/a"]
    assert content_of(tree, "rootfs/b") == b"one"


@pytest.mark.parametrize("target", ["/bin/busybox", "busybox", "../../usr/bin/x", "../sbin/x", "./x", "/../x"])
def test_a_link_that_stays_in_rootfs_is_kept_as_it_is(tmp_path: Path, target: str) -> None:
    assert merged(tmp_path, archive(symlink("rootfs/bin/y/sh", target))).entries["rootfs/bin/y/sh"].link == target


def test_every_fault_is_reported_and_the_rest_is_read(tmp_path: Path) -> None:
    first = archive(file("/a"), file("good"), device("b"))
    tree, faults = read_tree(layers(tmp_path, first, archive(file("../c"))))

    assert [(fault.rule, fault.layer) for fault in faults] == [
        ("path-absolute", "layer-0"),
        ("special-file", "layer-0"),
        ("path-escapes", "layer-1"),
    ]
    assert list(tree.entries) == ["good"]


def test_faults_are_bounded(tmp_path: Path) -> None:
    faults = faults_of(tmp_path, archive(*(file(f"/{n}") for n in range(MAX_FAULTS * 2))))

    assert len(faults) == MAX_FAULTS + 1
    assert faults[-1].rule == "too-many-faults"


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"x" * 5000])
def test_what_is_no_archive_has_no_entries(tmp_path: Path, content: bytes) -> None:
    tree, faults = read_tree(layers(tmp_path, content))

    assert not tree.entries
    assert bool(faults) == bool(content)


def test_a_file_that_claims_too_much_is_refused_before_it_is_read(tmp_path: Path) -> None:
    info = tarfile.TarInfo("bomb")
    info.size = layer_stack.MAX_FILE_BYTES + 1
    before = time.monotonic()

    (fault,) = faults_of(tmp_path, gzip.compress(info.tobuf()))

    assert fault.rule == "layer-bomb"
    assert time.monotonic() - before < 1


def test_repeated_whiteouts_of_a_large_directory_take_no_time(tmp_path: Path) -> None:
    large = archive(*(file(f"d/{n}", b"") for n in range(2000)))
    hidden = archive(*(file(f"d/{n}", b"") for n in range(2000)), *(file("d/.wh..wh..opq", b"") for _ in range(5000)))
    before = time.monotonic()

    tree = merged(tmp_path, large, hidden)

    assert len(tree.entries) == 2001
    assert time.monotonic() - before < 10


segments = st.sampled_from(["a", "b", "rootfs", "..", ".", "", ".wh.a", ".wh..wh..opq", "é"])
anywhere = st.lists(segments, max_size=5).map("/".join)
members = st.one_of(
    st.builds(file, anywhere.filter(bool), st.binary(max_size=20)),
    st.builds(directory, anywhere.filter(bool)),
    st.builds(symlink, anywhere.filter(bool), anywhere),
    st.builds(hardlink, anywhere.filter(bool), anywhere),
    st.builds(device, anywhere.filter(bool)),
)


@given(st.lists(st.lists(members, max_size=6), max_size=3))
def test_a_tree_is_sound_whatever_the_layers_hold(
    tmp_path_factory: pytest.TempPathFactory, images: list[list[tuple[tarfile.TarInfo, bytes]]]
) -> None:
    tree, _ = read_tree(layers(tmp_path_factory.getbasetemp(), *(archive(*image) for image in images)))

    for path, entry in tree.entries.items():
        parts = path.split("/")
        assert not {"", ".", ".."} & set(parts)
        assert not any(part.startswith(".wh.") for part in parts)
        for depth in range(1, len(parts)):
            assert tree.entries["/".join(parts[:depth])].kind is Kind.DIRECTORY
        assert entry.kind in (Kind.FILE, Kind.DIRECTORY, Kind.SYMLINK)
        assert (entry.content is not None) == (entry.kind is Kind.FILE)


def test_a_missing_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_tree([Layer("gone", tmp_path / "gone")])
