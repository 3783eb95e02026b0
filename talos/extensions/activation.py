"""Activating lays the extensions of a boot image over each other as a read-only root, in place at once or not at all.

The first extension lies on top: where two bring the same path, the earlier one is seen. The files are made in a fresh
directory beside `root`, directories first, files next, links last, so nothing is ever written through a link; then
`root`, itself a link, turns to the new directory. Needs no privileges; the files belong to whoever activates.
"""

import os
import shutil
import uuid
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from talos.extensions.bootimage import EXTENSIONS_FILE, PARTIAL_SUFFIX, BootImage, InstalledLayer, digest_of_file
from talos.extensions.faults import Fault
from talos.extensions.layers import contents, read_tree
from talos.extensions.tar_stream import Kind, TarFault
from talos.extensions.tree import Content, Entry, Layer, Tree, in_order

_READ_ONLY = 0o555
_EXTENSIONS_PATH = f"etc/{EXTENSIONS_FILE}"
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class ActivationError(Exception):
    """A boot image cannot be made the root."""

    def __init__(self, root: Path, problem: str, remedy: str, faults: tuple[Fault, ...] = ()) -> None:
        self.root = root
        self.problem = problem
        self.remedy = remedy
        self.faults = faults
        super().__init__(f"{root}: {problem}; {remedy}")


def activate(boot_image: BootImage, root: Path) -> None:
    """Make `root` show the extensions of a boot image, and /etc/extensions.yaml among them. Blocks.

    Raises ActivationError where the image is damaged, or where `root` holds files that were not put there by us;
    `root` then shows what it did before.
    """
    trees = [_read(boot_image.archive(layer), layer, root) for layer in boot_image.layers]
    merged = overlay(trees)
    root.parent.mkdir(parents=True, exist_ok=True)
    _make_room(root)
    _remove_leftovers(root)
    fresh = _beside(root)
    fresh.mkdir(mode=0o700)
    try:
        _unpack(merged, boot_image.extensions_file.read_bytes(), fresh)
        link = _beside(root, PARTIAL_SUFFIX)
        link.symlink_to(fresh.name)
        link.rename(root)
    except TarFault as fault:
        _remove_tree(fresh)
        raise ActivationError(root, f"the boot image is damaged ({fault})", "install the extensions again") from fault
    except BaseException:
        _remove_tree(fresh)
        raise
    _remove_leftovers(root)


def deactivate(root: Path) -> None:
    """Take away what `activate` made; do nothing where there is nothing of it."""
    if root.is_symlink():
        root.unlink()
    _remove_leftovers(root)


def overlay(trees: Sequence[Tree]) -> Tree:
    """Lay trees over each other, the first on top, as overlayfs would: a file hides the directory below it."""
    merged: dict[str, Entry] = {}
    layers: list[Layer] = []
    for tree in trees:
        for path, entry in tree.entries.items():
            parent = merged.get(path.rpartition("/")[0])
            if path not in merged and ("/" not in path or (parent is not None and parent.kind is Kind.DIRECTORY)):
                merged[path] = _shifted(entry, len(layers))
        layers.extend(tree.layers)
    return Tree(in_order(merged), tuple(layers))


def _shifted(entry: Entry, by: int) -> Entry:
    if entry.content is None:
        return entry
    content = Content(entry.content.layer + by, entry.content.member)
    return Entry(entry.kind, entry.mode, entry.size, entry.link, content)


def _read(archive: Path, layer: InstalledLayer, root: Path) -> Tree:
    remedy = "boot the previous image, or install the extensions again"
    try:
        if digest_of_file(archive) != layer.archive_digest:
            raise ActivationError(root, f"{archive} is not what was installed", remedy)
        tree, faults = read_tree([Layer(layer.extension_id, archive)], root=())
    except OSError as error:
        raise ActivationError(root, f"{archive} cannot be read ({error.strerror})", remedy) from error
    if faults:
        raise ActivationError(root, f"{archive} is damaged ({faults[0]})", remedy, faults)
    return tree


def _unpack(tree: Tree, extensions_file: bytes, target: Path) -> None:
    """Make a tree's files in an empty directory that nobody else can enter."""
    directories = [path for path, entry in tree.entries.items() if entry.kind is Kind.DIRECTORY]
    for path in directories:
        (target / path).mkdir(mode=0o700)
    wanted: defaultdict[Content, list[str]] = defaultdict(list)
    for path, entry in tree.entries.items():
        if entry.content is not None and path != _EXTENSIONS_PATH:
            wanted[entry.content].append(path)
    for content, pieces in contents(tree.layers, wanted):
        first, *others = wanted[content]
        descriptor = os.open(target / first, _NEW_FILE, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for piece in pieces:
                file.write(piece)
            os.fchmod(file.fileno(), tree.entries[first].mode & _READ_ONLY)
        for other in others:
            os.link(target / first, target / other, follow_symlinks=False)
    for path, entry in tree.entries.items():
        if entry.kind is Kind.SYMLINK:
            (target / path).symlink_to(entry.link)
    _write_extensions_file(extensions_file, target, directories)
    for path in reversed(directories):
        (target / path).chmod(_READ_ONLY)
    target.chmod(_READ_ONLY)


def _write_extensions_file(content: bytes, target: Path, directories: list[str]) -> None:
    if "etc" not in directories:
        (target / "etc").mkdir(mode=0o700)
        directories.append("etc")
    descriptor = os.open(target / _EXTENSIONS_PATH, _NEW_FILE, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        os.fchmod(file.fileno(), 0o444)


def _make_room(root: Path) -> None:
    """Let `root` become a link: an empty directory gives way, anything else stays."""
    if root.is_symlink() or not root.exists():
        return
    try:
        root.rmdir()
    except OSError as error:
        problem = "this is a directory with files, or no directory at all"
        raise ActivationError(root, problem, "move them away, or choose another root") from error


def _remove_leftovers(root: Path) -> None:
    """Remove every directory and link of earlier activations but the one that `root` shows."""
    shown = os.readlink(root) if root.is_symlink() else None
    for path in root.parent.glob(f".{root.name}.*"):
        if path.name != shown:
            _remove_tree(path)


def _remove_tree(path: Path) -> None:
    if path.is_symlink():
        path.unlink()
        return
    for _, _, _, directory in os.fwalk(path, follow_symlinks=False):
        os.fchmod(directory, 0o700)  # what is read-only cannot be emptied
    shutil.rmtree(path)


def _beside(root: Path, suffix: str = "") -> Path:
    return root.with_name(f".{root.name}.{uuid.uuid4().hex}{suffix}")
