"""File modes as Go writes them: the permissions as in Unix, the kind and the special bits at the top.

Faithful to Go's io/fs FileMode, which Talos sends as it is.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from typing import Final

_KINDS: Final[Mapping[int, int]] = {
    stat.S_IFDIR: 1 << 31,
    stat.S_IFLNK: 1 << 27,
    stat.S_IFBLK: 1 << 26,
    stat.S_IFCHR: 1 << 26 | 1 << 21,
    stat.S_IFIFO: 1 << 25,
    stat.S_IFSOCK: 1 << 24,
}
_SPECIAL: Final[Mapping[int, int]] = {stat.S_ISUID: 1 << 23, stat.S_ISGID: 1 << 22, stat.S_ISVTX: 1 << 20}


def go_file_mode(mode: int) -> int:
    """Return Go's FileMode of a Unix mode (st_mode)."""
    special = sum(go for unix, go in _SPECIAL.items() if mode & unix)
    return _KINDS.get(stat.S_IFMT(mode), 0) | special | mode & 0o777
