"""Where an extension's files go in a boot image: most into its own layer, what the kernel wants early elsewhere.

    usr/lib/firmware/intel-ucode/*           microcode, into one blob of the early archive
    usr/lib/firmware/amd-ucode/microcode_*   the same
    usr/lib/firmware/…                       firmware, into the initramfs: drivers ask for it before any root is there
    everything else                          the extension's squashfs layer

Pure. Source: internal/pkg/extensions of siderolabs/talos.
"""

import fnmatch
from collections.abc import Mapping, Sequence

import msgspec

from talos.extensions.release import Release
from talos.extensions.tar_stream import Kind
from talos.extensions.tree import Entry, Tree, in_order

INTEL_MICROCODE = "kernel/x86/microcode/GenuineIntel.bin"
AMD_MICROCODE = "kernel/x86/microcode/AuthenticAMD.bin"

_MICROCODE_PATTERNS = ((INTEL_MICROCODE, "intel-ucode", "*"), (AMD_MICROCODE, "amd-ucode", "microcode_amd*.bin"))


class Placement(msgspec.Struct, frozen=True):
    """One extension's files by where they go; every path is relative to the root. `modules` is a part of `layer`."""

    layer: Tree
    firmware: Tree
    microcode: Mapping[str, tuple[str, ...]]  # a blob's path to those in `source` that it is made of
    modules: Tree
    source: Tree


def place(rootfs: Tree, release: Release) -> Placement:
    """Sort the files of an extension's rootfs."""
    early = {path: blob for path, entry in rootfs.entries.items() if (blob := _microcode(path, entry, release))}
    blobs = {
        blob: tuple(path for path in rootfs.entries if early.get(path) == blob) for blob in sorted({*early.values()})
    }
    firmware = _only(rootfs, release.firmware, without=early)
    layer = {path: entry for path, entry in rootfs.entries.items() if not _is_in(path, release.firmware)}
    return Placement(
        layer=Tree(in_order(layer), rootfs.layers),
        firmware=firmware,
        microcode=blobs,
        modules=_only(rootfs, release.modules, without={}),
        source=rootfs,
    )


class Overlap(msgspec.Struct, frozen=True):
    """A file that several extensions bring, and the one whose file the node will see."""

    path: str
    winner: str
    hidden: tuple[str, ...]

    def __str__(self) -> str:
        return f"/{self.path}: also in {', '.join(self.hidden)}; the node sees that of {self.winner}"


def overlaps(trees: Sequence[tuple[str, Tree]], release: Release) -> tuple[Overlap, ...]:
    """Return the files that more than one extension brings, by path; extensions in the config's order.

    In the overlay the earlier extension is above the later one. Firmware is copied into one place, one extension after
    the other, so there the later one stays.
    """
    owners: dict[str, list[str]] = {}
    for name, tree in trees:
        for path, entry in tree.entries.items():
            if entry.kind is not Kind.DIRECTORY and not _microcode(path, entry, release):
                owners.setdefault(path, []).append(name)
    found = []
    for path, names in sorted(owners.items()):
        if len(names) > 1:
            winner = names[-1] if _is_in(path, release.firmware) else names[0]
            found.append(Overlap(path, winner, tuple(name for name in names if name != winner)))
    return tuple(found)


def _microcode(path: str, entry: Entry, release: Release) -> str | None:
    """Return the blob that a file belongs to, None where it is no microcode."""
    directory, _, name = path.rpartition("/")
    if entry.kind is Kind.FILE:
        for blob, place, pattern in _MICROCODE_PATTERNS:
            if directory == f"{release.firmware}/{place}" and fnmatch.fnmatchcase(name, pattern):
                return blob
    return None


def _only(tree: Tree, directory: str, *, without: Mapping[str, str]) -> Tree:
    """Return what lies in a directory, itself and its parents included; nothing where it has no file."""
    inside = {path: e for path, e in tree.entries.items() if _is_in(path, directory) and path not in without}
    if all(entry.kind is Kind.DIRECTORY for entry in inside.values()):
        return Tree({}, tree.layers)
    parts = directory.split("/")
    parents = {path: tree.entries[path] for n in range(1, len(parts)) if (path := "/".join(parts[:n])) in tree.entries}
    return Tree(in_order({**parents, **inside}), tree.layers)


def _is_in(path: str, directory: str) -> bool:
    return path == directory or path.startswith(f"{directory}/")
