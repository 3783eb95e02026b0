"""Where a path leads is what the kernel itself says of it when told to stay below a root; and no race leads out."""

import ctypes
import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talos.confined import found, listing

_OPENAT2 = 437  # the same number on all machines; openat2(2)
_RESOLVE_IN_ROOT = 0x10
_libc = ctypes.CDLL(None, use_errno=True)

Root = TypeVar("Root")

NAMES = ("a", "b", "file", "up", "abs", "far", "loop", "dangling", "slashed", "..", ".", "")
ROUNDS = 400


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def resolved_by_kernel(root: int, path: str) -> int:
    """Return the inode that a path leads to below a root. Raises OSError."""
    how = _How(os.O_PATH | os.O_CLOEXEC, 0, _RESOLVE_IN_ROOT)
    handle = _libc.syscall(_OPENAT2, root, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how))
    if handle < 0:
        raise OSError(ctypes.get_errno(), path)
    try:
        return os.fstat(handle).st_ino
    finally:
        os.close(handle)


def resolved(root: Path, path: str) -> int:
    with found(root, path) as file:
        return file.status.st_ino


def outcome(resolve: Callable[[Root, str], int], root: Root, path: str) -> int | str:
    """Return the inode, or the name of the error."""
    try:
        return resolve(root, path)
    except OSError as error:
        return errno.errorcode[error.errno or 0]


@pytest.fixture(scope="module")
def root() -> Iterator[tuple[Path, int]]:
    """A tree with all kinds of links, and a handle on it for a kernel that can hold a path below it."""
    with TemporaryDirectory() as directory:
        top = Path(directory) / "root"
        (top / "a/b").mkdir(parents=True)
        for file in ("file", "a/file", "a/b/file"):
            (top / file).touch()
        for place in ("", "a/", "a/b/"):
            for link, target in {
                "up": "../..", "abs": "/a/b", "far": "/a/../../a/b/up/a", "loop": "loop",
                "dangling": f"{directory}/root/file", "slashed": "/file/",
            }.items():  # fmt: skip
                (top / place / link).symlink_to(target)
        handle = os.open(top, os.O_PATH | os.O_DIRECTORY)
        try:
            if outcome(resolved_by_kernel, handle, "/") != top.stat().st_ino:
                pytest.skip("there is no openat2 here")
            yield top, handle
        finally:
            os.close(handle)


@given(st.lists(st.sampled_from(NAMES), max_size=8).map(lambda names: "/" + "/".join(names)))
def test_a_path_leads_where_the_kernel_says(root: tuple[Path, int], path: str) -> None:
    top, handle = root

    assert outcome(resolved, top, path) == outcome(resolved_by_kernel, handle, path)


@pytest.mark.parametrize(("links", "too_many"), [(40, False), (41, True)])
def test_as_many_links_are_followed_as_the_kernel_follows(root: tuple[Path, int], links: int, too_many: bool) -> None:
    top, handle = root
    path = "/a/b" + "/abs" * links

    said = outcome(resolved, top, path)

    assert said == outcome(resolved_by_kernel, handle, path)
    assert (said == errno.errorcode[errno.ELOOP]) is too_many


def test_no_exchange_of_a_directory_for_a_link_meanwhile_leads_out(tmp_path: Path) -> None:
    (tmp_path / "outside/deep").mkdir(parents=True)
    (tmp_path / "outside/deep/secret").write_bytes(b"outside")
    root = tmp_path / "root"
    (root / "swapped/deep").mkdir(parents=True)
    (root / "link").symlink_to("../outside")
    outside = {each.stat().st_ino for each in [tmp_path, *(tmp_path / "outside").rglob("*")]}
    over = threading.Event()

    def exchange() -> None:
        while not over.is_set():
            (root / "swapped").rename(root / "spare")
            (root / "link").rename(root / "swapped")
            (root / "swapped").rename(root / "link")
            (root / "spare").rename(tmp_path / "moved out")
            (tmp_path / "moved out").rename(root / "swapped")

    other = threading.Thread(target=exchange)
    other.start()
    try:
        reached = set()
        for _ in range(ROUNDS):
            for path in ("/swapped/deep/secret", "/swapped/deep/../../outside/deep/secret", "/swapped/deep/../.."):
                with suppress(OSError):
                    reached.add(resolved(root, path))
            with suppress(OSError):
                reached.update(each.status.st_ino for each in listing(root, "/", depth=9) if each.status)
    finally:
        over.set()
        other.join()

    assert reached
    assert not reached & outside
