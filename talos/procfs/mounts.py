"""What is mounted where (/proc/mounts), and how much room there is.

A file system whose server may be away is listed without its room: to ask for that would wait until the server is back.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from typing import Final, NamedTuple

from talos._pb.machine import machine_pb2
from talos.procfs.reading import text

MAX_MOUNTS: Final = 4096
"""How many are shown; a machine full of containers has some hundreds."""

_ELSEWHERE: Final = frozenset(
    (b"9p", b"afs", b"autofs", b"ceph", b"cifs", b"gfs2", b"glusterfs", b"lustre", b"nfs", b"nfs4", b"ocfs2", b"smb3",
     b"virtiofs")
)  # fmt: skip
_IN_USER_SPACE: Final = b"fuse"
_OCTAL: Final = re.compile(rb"\\([0-3][0-7]{2})")


class _Mount(NamedTuple):
    source: bytes
    target: bytes
    type: bytes

    @property
    def elsewhere(self) -> bool:
        """Whether somebody else has to answer before anything is known of it."""
        # Where the root itself is elsewhere, nothing on this machine goes on without it.
        return self.target != b"/" and (self.type in _ELSEWHERE or self.type.startswith(_IN_USER_SPACE))

    def is_on(self, other: _Mount) -> bool:
        """Whether the way to it leads through another one."""
        return self.target.startswith(other.target.rstrip(b"/") + b"/")


def mounts(content: bytes) -> Sequence[machine_pb2.MountStat]:
    """Return what is mounted, with sizes in bytes, which are 0 where they can't be had."""
    found = [_parsed(line) for line in content.splitlines()[:MAX_MOUNTS] if line.count(b" ") >= len(_Mount._fields)]
    away = [mount for mount in found if mount.elsewhere]
    return [_shown(mount, asked=not (mount.elsewhere or any(map(mount.is_on, away)))) for mount in found]


def _parsed(line: bytes) -> _Mount:
    source, target, type = line.split(b" ")[: len(_Mount._fields)]
    return _Mount(_unescaped(source), _unescaped(target), type)


def _unescaped(field: bytes) -> bytes:
    return _OCTAL.sub(lambda octal: bytes([int(octal[1], 8)]), field)


def _shown(mount: _Mount, *, asked: bool) -> machine_pb2.MountStat:
    size, available = _room(mount.target) if asked else (0, 0)
    return machine_pb2.MountStat(
        filesystem=text(mount.source), mounted_on=text(mount.target), size=size, available=available
    )


def _room(target: bytes) -> tuple[int, int]:
    """Return the size of a file system and what of it is available."""
    try:
        if not stat.S_ISDIR(os.stat(target).st_mode):
            return 0, 0
        room = os.statvfs(target)
    except (OSError, ValueError):
        return 0, 0
    return room.f_bsize * room.f_blocks, room.f_bsize * room.f_bavail
