"""A mode is what Go's os.FileMode prints for it."""

import stat

import pytest

from talos.go_file_mode import go_file_mode


@pytest.mark.parametrize(
    ("mode", "go"),
    [
        (stat.S_IFREG | 0o644, 0o644),
        (stat.S_IFDIR | 0o755, 0x800001ED),
        (stat.S_IFLNK | 0o777, 0x080001FF),
        (stat.S_IFREG | stat.S_ISUID | 0o755, 0x008001ED),
        (stat.S_IFDIR | stat.S_ISVTX | 0o777, 0x801001FF),
        (stat.S_IFCHR | 0o600, 0x04200180),
        (stat.S_IFBLK | 0o660, 0x040001B0),
        (stat.S_IFIFO | 0o600, 0x02000180),
        (stat.S_IFSOCK | 0o600, 0x01000180),
        (stat.S_IFREG | stat.S_ISGID | 0o755, 0x004001ED),
    ],
)
def test_a_mode_is_gos(mode: int, go: int) -> None:
    assert go_file_mode(mode) == go
