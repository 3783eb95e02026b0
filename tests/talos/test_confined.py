"""Whatever a path says, and whatever links lie on its way, it leads to files below the root or nowhere."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talos import confined
from talos.confined import Entry, found, listing

OUTSIDE = b"outside"
NAMES = ("a", "b", "up", "out", "abs", "file", "..", ".", "", "etc", "passwd")


def content(root: Path, path: str) -> bytes:
    with found(root, path) as file:
        handle = file.open()
    with os.fdopen(handle, "rb") as opened:
        return opened.read()


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """A tree with links that want to get out."""
    with TemporaryDirectory() as directory:
        (Path(directory) / "secret").write_bytes(OUTSIDE)
        top = Path(directory) / "root"
        (top / "a/b").mkdir(parents=True)
        (top / "etc").mkdir()
        (top / "etc/passwd").write_bytes(b"inside")
        (top / "a/file").write_bytes(b"a file")
        for link, target in {
            "a/up": "../../..", "a/out": "../../secret", "a/abs": "/etc/passwd", "out": f"{directory}/secret",
            "loop": "loop", "a/b/up": "..", "abs": "/a/b/../../etc", "up": "../../../../..",
        }.items():  # fmt: skip
            (top / link).symlink_to(target)
        os.mkfifo(top / "pipe")
        yield top


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "etc/passwd", "/a/abs", "/abs/passwd", "/../etc/passwd", "/a/up/etc/passwd"]
)
def test_links_and_dots_are_read_as_from_the_root(root: Path, path: str) -> None:
    assert content(root, path) == b"inside"


def test_the_path_found_has_no_links(root: Path) -> None:
    with found(root, "/a/b/up/abs") as file:
        assert file.path == "/etc/passwd"


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("/out", errno.ENOENT),
        ("/a/out", errno.ENOENT),
        ("/loop", errno.ELOOP),
        ("/a/file/x", errno.ENOTDIR),
        ("/a/file/..", errno.ENOTDIR),
        ("/a\0b", errno.EINVAL),
        ("/a" * 3000, errno.ENAMETOOLONG),
        ("/" + "x" * 300, errno.ENAMETOOLONG),
    ],
)
def test_what_leads_nowhere_is_an_error(root: Path, path: str, number: int) -> None:
    with pytest.raises(OSError) as raised, found(root, path):
        pass

    assert raised.value.errno == number


def test_what_is_no_file_is_not_opened(root: Path) -> None:
    with found(root, "/pipe") as pipe:
        assert stat.S_ISFIFO(pipe.status.st_mode)
        with pytest.raises(OSError):
            pipe.open()


@given(st.lists(st.sampled_from(NAMES), max_size=12).map("/".join))
def test_no_path_leads_out(root: Path, path: str) -> None:
    inside = {entry.stat().st_ino for entry in [root, *root.rglob("*")] if not entry.is_symlink()}
    with suppress(FileNotFoundError, NotADirectoryError), found(root, path) as file:
        assert file.status.st_ino in inside


def test_a_directory_that_is_moved_out_on_the_way_leads_back_to_where_it_was(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "moving").mkdir()
    elsewhere, readlink = tmp_path / "moved", os.readlink

    def moved_meanwhile(path: str, *, dir_fd: int) -> str:
        (root / "moving").rename(elsewhere)
        return readlink(path, dir_fd=dir_fd)

    (root / "moving/link").symlink_to(".")
    monkeypatch.setattr(os, "readlink", moved_meanwhile)

    assert content(root, "/moving/link/../etc/passwd") == b"inside"


def test_no_handle_is_left_open(root: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    content(root, "/a/b/up/abs")
    with pytest.raises(OSError), found(root, "/loop"):
        pass
    entries = listing(root, "/", depth=9)
    next(entries)
    next(entries)
    entries.close()

    assert len(os.listdir("/proc/self/fd")) == before


def shown(entries: Iterator[Entry]) -> list[str]:
    return [f"{entry.relative} -> {entry.link}" if entry.link else entry.relative for entry in entries]


def test_a_listing_goes_down_as_far_as_it_is_told_and_follows_no_links(tmp_path: Path) -> None:
    (tmp_path / "a/b/c").mkdir(parents=True)
    (tmp_path / "a/link").symlink_to("/a")
    (tmp_path / "z").write_bytes(b"")

    assert shown(listing(tmp_path, "/", depth=0)) == [".", "a", "z"]
    assert shown(listing(tmp_path, "/", depth=9)) == [".", "a", "a/b", "a/b/c", "a/link -> /a", "z"]
    assert shown(listing(tmp_path, "/a/link", depth=0)) == [".", "b", "link -> /a"]
    assert shown(listing(tmp_path, "/z", depth=0)) == ["z"]
    assert [entry.path for entry in listing(tmp_path, "a/b", depth=0)] == ["/a/b", "/a/b/c"]


def test_a_listing_counts_levels_as_talos_does(tmp_path: Path) -> None:
    (tmp_path / "a/b/c/d/e").mkdir(parents=True)

    assert shown(listing(tmp_path, "/", depth=1)) == [".", "a", "a/b"]
    assert shown(listing(tmp_path, "/", depth=2)) == [".", "a", "a/b", "a/b/c"]
    assert shown(listing(tmp_path, "/a", depth=1)) == [".", "b"]
    assert shown(listing(tmp_path, "/a", depth=2)) == [".", "b", "b/c"]


def test_a_directory_that_is_too_large_is_an_entry_with_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confined, "MAX_ENTRIES", 2)
    (tmp_path / "many").mkdir()
    for number in range(3):
        (tmp_path / f"many/{number}").touch()

    assert [(entry.relative, entry.error) for entry in listing(tmp_path, "/", depth=9)] == [
        (".", ""),
        ("many", "more than 2 entries"),
    ]
