"""A directory of a confined root becomes an archive that any tar reads, and nothing from outside is in it."""

import gzip
import io
import os
import socket
import tarfile
from pathlib import Path

import pytest

from talos.tarball import PIECE_BYTES, READ_BYTES, BrokenOff, Tarball


def archived(tarball: Tarball) -> tarfile.TarFile:
    return unpacked(b"".join(tarball.pieces()))


def unpacked(archive: bytes) -> tarfile.TarFile:
    return tarfile.open(fileobj=io.BytesIO(gzip.decompress(archive)))


def contents(archive: tarfile.TarFile) -> dict[str, bytes]:
    return {member.name: file.read() for member in archive if member.isreg() and (file := archive.extractfile(member))}


def test_an_archive_holds_files_directories_and_links(tmp_path: Path) -> None:
    (tmp_path / "etc/empty").mkdir(parents=True)
    (tmp_path / "etc/program").write_bytes(b"text")
    (tmp_path / "etc/program").chmod(0o4755)
    (tmp_path / "etc/link").symlink_to("/etc/program")
    os.utime(tmp_path / "etc/program", (1_000_000, 1_000_000))

    archive = archived(Tarball(tmp_path, "/etc"))

    assert archive.getnames() == ["empty", "link", "program"]
    assert contents(archive) == {"program": b"text"}
    assert archive.getmember("link").linkname == "/etc/program"
    program = archive.getmember("program")
    assert (program.mode, program.mtime, program.uid) == (0o4755, 1_000_000, os.getuid())


def test_a_single_file_is_an_archive_of_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"text")

    assert contents(archived(Tarball(tmp_path, "/file"))) == {"file": b"text"}


def test_a_large_file_comes_in_pieces(tmp_path: Path) -> None:
    content = os.urandom(5 * PIECE_BYTES + 1)
    (tmp_path / "file").write_bytes(content)

    pieces = list(Tarball(tmp_path, "/").pieces())

    assert max(map(len, pieces)) < 2 * PIECE_BYTES
    assert len(pieces) > 3
    assert contents(archived(Tarball(tmp_path, "/"))) == {"file": content}


def test_a_pipe_is_named_and_not_opened_and_a_socket_is_left_out(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
    (tmp_path / "z").write_bytes(b"last")
    tarball = Tarball(tmp_path, "/")

    archive = archived(tarball)

    assert archive.getmember("pipe").isfifo()
    assert archive.getnames() == ["pipe", "z"]
    assert tarball.problems == ["skipping /socket: sockets not supported"]


def test_a_file_that_becomes_a_link_outside_meanwhile_is_not_followed_there(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"outside")
    root = tmp_path / "root"
    root.mkdir()
    (root / "a").write_bytes(os.urandom(2 * PIECE_BYTES))
    (root / "b").write_bytes(b"inside")
    tarball = Tarball(root, "/")
    pieces = tarball.pieces()
    first = next(pieces)

    (root / "b").unlink()
    (root / "b").symlink_to(tmp_path / "secret")

    assert b"outside" not in contents(unpacked(first + b"".join(pieces))).values()


def test_a_file_that_is_shorter_than_it_said_breaks_the_archive_off(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(os.urandom(4 * PIECE_BYTES))
    pieces = Tarball(tmp_path, "/").pieces()
    next(pieces)
    os.truncate(tmp_path / "file", 0)

    with pytest.raises(BrokenOff, match=r"^read /file: its last \d+ bytes are missing$"):
        list(pieces)


def test_a_file_that_shrinks_to_nothing_lets_others_have_their_turn(tmp_path: Path) -> None:
    with (tmp_path / "zeros").open("wb") as file:
        file.truncate(10 * READ_BYTES)

    assert len(list(Tarball(tmp_path, "/").pieces())) >= 10


def test_closing_an_archive_closes_its_files(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(os.urandom(4 * PIECE_BYTES))
    before = len(os.listdir("/proc/self/fd"))
    pieces = Tarball(tmp_path, "/").pieces()
    next(pieces)

    pieces.close()

    assert len(os.listdir("/proc/self/fd")) == before


def test_a_path_that_leads_nowhere_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        next(Tarball(tmp_path, "/nothing").pieces())
