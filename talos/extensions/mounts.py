"""Mounting as the kernel offers it: images through loop devices, overlays of directories, files over files; read-only.

Everything is mounted without devices and without set-user-id, and what mounts make unmounts undo, in any order of
crashes: a loop device goes with its mount. Needs CAP_SYS_ADMIN, in whatever user namespace the caller is in. Blocks.
Sources: mount(2), umount2(2), unshare(2), loop(4), proc_pid_mountinfo(5).
"""

import ctypes
import errno
import fcntl
import os
import re
import struct
from collections.abc import Sequence
from pathlib import Path

MAX_OPTION_BYTES = 4095
"""What mount(2) takes: a page with its final zero. Some two hundred layers."""
MAX_LOOP_ATTEMPTS = 10
"""Another program may take the free loop device first."""

_READ_ONLY, _NO_SUID, _NO_DEVICES, _REMOUNT, _BIND = 1, 2, 4, 32, 4096
_SAFE = _READ_ONLY | _NO_SUID | _NO_DEVICES
_DETACH, _NO_FOLLOW = 2, 8
_LOOP_GET_FREE, _LOOP_CONFIGURE = 0x4C82, 0x4C0A
_LOOP_READ_ONLY, _LOOP_AUTOCLEAR = 1, 4
_LOOP_INFO = "=5Q4I64s64s32s2Q"  # struct loop_info64
_LOOP_RESERVED = bytes(64)
_ESCAPE = re.compile(r"\\([0-7]{3})")

_libc = ctypes.CDLL(None, use_errno=True)


def mount_image(image: Path, target: Path) -> None:
    """Mount a squashfs image at an empty directory. Raises OSError."""
    with image.open("rb") as file:
        for _ in range(MAX_LOOP_ATTEMPTS):
            device = _free_loop_device()
            descriptor = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
            try:
                flags = _LOOP_READ_ONLY | _LOOP_AUTOCLEAR
                info = struct.pack(_LOOP_INFO, 0, 0, 0, 0, 0, 0, 0, 0, flags, b"", b"", b"", 0, 0)
                config = struct.pack("=II", file.fileno(), 0) + info + _LOOP_RESERVED
                fcntl.ioctl(descriptor, _LOOP_CONFIGURE, config)
                _mount(device, target, "squashfs", _SAFE)
                return
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
            finally:
                os.close(descriptor)
    raise OSError(errno.EBUSY, "no loop device stays free", str(image))


def mount_overlay(directory: Path, layers: Sequence[str], target: Path) -> None:
    """Lay subdirectories of `directory`, at least two, over each other, the first on top. Raises OSError."""
    # Through a descriptor the text stays short, and no character of the path means anything to the kernel.
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        options = "lowerdir=" + ":".join(f"/proc/self/fd/{descriptor}/{layer}" for layer in layers)
        if len(options) > MAX_OPTION_BYTES:
            raise OSError(errno.E2BIG, f"{len(layers)} layers are more than one overlay takes", str(target))
        _mount("overlay", target, "overlay", _SAFE, options)
    finally:
        os.close(descriptor)


def bind(source: Path, target: Path) -> None:
    """Show a file in the place of another, read-only. Raises OSError."""
    _mount(str(source), target, None, _BIND)
    _mount("none", target, None, _BIND | _REMOUNT | _SAFE)


def unmount_below(directory: Path) -> None:
    """Unmount all that is mounted in a directory, the last first; who still uses it keeps it until done.

    Raises OSError where something stays mounted.
    """
    for target in reversed(mounted_below(directory)):
        if _libc.umount2(os.fsencode(target), _DETACH | _NO_FOLLOW):
            raise _failure(target)


def mounted_below(directory: Path) -> Sequence[Path]:
    """Return what is mounted at a directory or below, in the order in which it was mounted."""
    inside = directory.resolve()
    places = [Path(_unescaped(line.split(" ")[4])) for line in _mountinfo()]
    return [place for place in places if place.is_relative_to(inside)]


def own_namespace() -> None:
    """Move this process, which must have one thread, into a user and mount namespace where it may mount.

    Raises OSError where this machine does not let this user.
    """
    user, group = os.geteuid(), os.getegid()
    if _libc.unshare(0x10000000 | 0x00020000):  # CLONE_NEWUSER | CLONE_NEWNS
        raise _failure(Path("/proc/self/ns/user"))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")


def _mountinfo() -> Sequence[str]:
    try:
        return Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines()
    except FileNotFoundError:
        return ()  # not Linux: nothing of ours can be mounted


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), text)


def _free_loop_device() -> str:
    control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    try:
        return f"/dev/loop{fcntl.ioctl(control, _LOOP_GET_FREE)}"
    finally:
        os.close(control)


def _mount(source: str, target: Path, kind: str | None, flags: int, options: str | None = None) -> None:
    texts = (source, str(target), kind)
    source_bytes, target_bytes, kind_bytes = (os.fsencode(text) if text is not None else None for text in texts)
    option_bytes = options.encode() if options is not None else None
    if _libc.mount(source_bytes, target_bytes, kind_bytes, ctypes.c_ulong(flags), option_bytes):
        raise _failure(target)


def _failure(target: Path) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), str(target))
