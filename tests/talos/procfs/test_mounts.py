"""Mounts are listed with their room, and nobody is waited for who may be away."""

import os
from pathlib import Path

import hypothesis
from hypothesis import strategies

from talos.procfs.mounts import MAX_MOUNTS, mounts


def line(source: str, target: Path | str, type: str) -> bytes:
    return f"{source} {target} {type} rw,relatime 0 0\n".encode()


def test_a_mount_has_its_room_in_bytes(tmp_path: Path) -> None:
    room = os.statvfs(tmp_path)

    (only,) = mounts(line("/dev/vda1", tmp_path, "ext4"))

    assert (only.filesystem, only.mounted_on) == ("/dev/vda1", str(tmp_path))
    assert only.size == room.f_bsize * room.f_blocks
    assert 0 < only.available <= only.size


def test_the_room_of_what_is_elsewhere_is_not_asked_for_nor_of_what_is_mounted_on_it(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    for type in ("nfs4", "cifs", "autofs", "fuse.sshfs"):
        shown = mounts(line("server:/share", tmp_path, type) + line("tmpfs", tmp_path / "inner", "tmpfs"))
        assert [(each.mounted_on, each.size) for each in shown] == [(str(tmp_path), 0), (str(tmp_path / "inner"), 0)]


def test_a_root_that_is_elsewhere_hides_nothing(tmp_path: Path) -> None:
    root, inner = mounts(line("share", "/", "virtiofs") + line("tmpfs", tmp_path, "tmpfs"))

    assert root.size > 0
    assert inner.size > 0


def test_names_are_shown_as_they_are(tmp_path: Path) -> None:
    place = tmp_path / "a b"
    place.mkdir()

    (only,) = mounts(line(r"x\134y", str(place).replace(" ", r"\040"), "ext4"))

    assert (only.filesystem, only.mounted_on) == (r"x\y", str(place))
    assert only.size > 0


def test_what_is_no_directory_or_is_gone_has_no_room(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    shown = mounts(line("nsfs", file, "nsfs") + line("tmpfs", tmp_path / "gone", "tmpfs"))

    assert [(each.size, each.available) for each in shown] == [(0, 0), (0, 0)]


def test_only_so_many_are_shown() -> None:
    assert len(mounts(line("none", "/nowhere", "tmpfs") * (MAX_MOUNTS + 1))) == MAX_MOUNTS


@hypothesis.given(strategies.binary(max_size=60).map(lambda tail: b"none /no\\000where\\777 " + tail))
def test_any_text_is_read(content: bytes) -> None:
    mounts(content)
