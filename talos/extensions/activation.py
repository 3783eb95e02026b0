"""Activating shows the layers of a boot image over each other as a read-only root, in place at once or not at all.

The first extension lies on top. Of three ways the first that this machine allows is taken:

    mounted     squashfs images on loop devices, an overlay over them: needs CAP_SYS_ADMIN
    namespace   unpacked layers, an overlay over them in a user namespace, kept by a process of its own
    unpacked    the files of all layers in one directory that nobody may write to; root still could

All is made in a fresh directory beside `root`; then `root`, itself a link, turns to it. What a crash leaves, mounts
included, goes with the next start.
"""

import enum
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from talos.extensions import mounts
from talos.extensions.bootimage import EXTENSIONS_FILE, PARTIAL_SUFFIX, BootImage, digest_of_file
from talos.extensions.namespace import MOUNTED
from talos.extensions.overlay import merge
from talos.extensions.squashfs import ToolError, extract_squashfs

_INSTALL_AGAIN = "boot the previous image, or install the extensions again"
_NAMESPACE_END_SECONDS = 10
_BASE, _NOTHING = "base", "nothing"
_TREE = "tree"


class ActivationError(Exception):
    """A boot image cannot be made the root."""

    def __init__(self, root: Path, problem: str, remedy: str) -> None:
        self.root = root
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{root}: {problem}; {remedy}")


class Way(enum.StrEnum):
    """How layers become one tree."""

    MOUNTED = "mounted"
    NAMESPACE = "namespace"
    UNPACKED = "unpacked"


class Activated(msgspec.Struct, frozen=True):
    """How it was done, and why none of the ways before could be taken."""

    way: Way
    passed_over: str = ""

    def __str__(self) -> str:
        words = {
            Way.MOUNTED: "squashfs mounts under a read-only overlay",
            Way.NAMESPACE: "read-only overlay in a user namespace",
            Way.UNPACKED: "unpacked read-only",
        }
        return f"{words[self.way]} ({self.passed_over})" if self.passed_over else words[self.way]


class ActiveRoot:
    """The directory at which a node shows what it has booted. One process owns it; everything here blocks."""

    def __init__(self, path: Path, ways: Sequence[Way] = tuple(Way)) -> None:
        self.path = path
        self._ways = ways
        self._keeper: subprocess.Popen[str] | None = None

    def activate(self, image: BootImage) -> Activated:
        """Make the root show the extensions of a boot image, and /etc/extensions.yaml among them, or change nothing.

        Raises ActivationError where the image is damaged, where it cannot be shown in any way, or where `path` holds
        files that were not put there by us.
        """
        self._check_digests(image)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._make_room()
        passed_over = []
        for way in self._ways:
            fresh = self._beside()
            fresh.mkdir(mode=0o700)
            try:
                keeper = _MAKERS[way](image, fresh)
            except (OSError, ToolError) as error:
                _remove(fresh)
                passed_over.append(f"not {way}: {error}")
                continue
            tree = Path(f"/proc/{keeper.pid}/root{(fresh / _TREE).resolve()}") if keeper else fresh / _TREE
            try:
                self._check_health(image, tree, way)
                self._turn_to(tree if keeper else Path(fresh.name) / _TREE)
            except BaseException:
                _end(keeper)
                _remove(fresh)
                raise
            before, self._keeper = self._keeper, keeper
            _end(before)
            self._remove_leftovers()
            return Activated(way, "; ".join(passed_over))
        raise ActivationError(self.path, "; ".join(passed_over), "see to one of these")

    def deactivate(self) -> None:
        """Take away what `activate` made, in this process or in one that was killed."""
        if self.path.is_symlink():
            self.path.unlink()
        _end(self._keeper)
        self._keeper = None
        self._remove_leftovers()

    def _check_digests(self, image: BootImage) -> None:
        for file in image.files:
            path = image.path(file)
            try:
                if digest_of_file(path) != file.digest:
                    raise ActivationError(self.path, f"{path} is not what was installed", _INSTALL_AGAIN)
            except OSError as error:
                problem = f"{path} cannot be read ({error.strerror})"
                raise ActivationError(self.path, problem, _INSTALL_AGAIN) from error

    def _make_room(self) -> None:
        """Let the root become a link: an empty directory gives way, anything else stays."""
        if self.path.is_symlink() or not self.path.exists():
            return
        try:
            self.path.rmdir()
        except OSError as error:
            problem = "this is a directory with files, or no directory at all"
            raise ActivationError(self.path, problem, "move them away, or choose another root") from error

    def _check_health(self, image: BootImage, tree: Path, way: Way) -> None:
        """See with our own eyes what the root would show, before it does."""
        try:
            if (tree / "etc" / EXTENSIONS_FILE).read_bytes() != image.extensions_file.read_bytes():
                raise ActivationError(self.path, f"its {EXTENSIONS_FILE} is not that of the image", _INSTALL_AGAIN)
            if way is not Way.UNPACKED and not os.statvfs(tree).f_flag & os.ST_RDONLY:
                raise ActivationError(self.path, "what was mounted is not read-only", _INSTALL_AGAIN)
            for directory, _, _ in os.walk(tree, onerror=_raise):
                os.lstat(directory)
        except OSError as error:
            problem = f"it cannot be read as it was mounted ({error})"
            raise ActivationError(self.path, problem, _INSTALL_AGAIN) from error

    def _turn_to(self, tree: Path) -> None:
        link = self._beside(PARTIAL_SUFFIX)
        link.symlink_to(tree)
        link.rename(self.path)

    def _remove_leftovers(self) -> None:
        """Remove every directory and link of earlier activations but the one that the root shows."""
        shown = Path(os.readlink(self.path)).parts[-2] if self.path.is_symlink() else None
        for path in self.path.parent.glob(f".{self.path.name}.*"):
            if path.name != shown:
                _remove(path)

    def _beside(self, suffix: str = "") -> Path:
        return self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex}{suffix}")


def _mounted(image: BootImage, fresh: Path) -> None:
    layers = _base(fresh)
    for number, file in enumerate(image.files):
        (fresh / str(number)).mkdir(mode=0o700)
        mounts.mount_image(image.path(file), fresh / str(number))
        layers.insert(number, str(number))
    mounts.mount_overlay(fresh, layers, fresh / _TREE)
    mounts.bind(image.extensions_file, fresh / _TREE / "etc" / EXTENSIONS_FILE)


def _in_namespace(image: BootImage, fresh: Path) -> "subprocess.Popen[str]":
    layers = [*_unpack(image, fresh), *_base(fresh)]
    keeper = subprocess.Popen(  # noqa: S603 - our own module, no shell
        [
            *(sys.executable, "-m", "talos.extensions.namespace"),
            *(str(fresh.resolve()), str((fresh / _TREE).resolve()), str(image.extensions_file.resolve())),
            *layers,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the node, which ends this one in its own time
        text=True,
    )
    assert keeper.stdout is not None
    assert keeper.stderr is not None
    if keeper.stdout.readline().strip() != MOUNTED:
        _, said = keeper.communicate()
        raise OSError((said.strip().splitlines() or ["it did not say why"])[-1])
    return keeper


def _unpacked(image: BootImage, fresh: Path) -> None:
    layers = [*_unpack(image, fresh), *_base(fresh)]
    (fresh / _BASE / "etc" / EXTENSIONS_FILE).write_bytes(image.extensions_file.read_bytes())
    (fresh / _TREE).rmdir()
    # On top lies what a mount would put there.
    merge([fresh / _BASE, *(fresh / layer for layer in layers)], fresh / _TREE)


_MAKERS: "dict[Way, Callable[[BootImage, Path], subprocess.Popen[str] | None]]" = {
    Way.MOUNTED: _mounted,
    Way.NAMESPACE: _in_namespace,
    Way.UNPACKED: _unpacked,
}


def _base(fresh: Path) -> list[str]:
    """Make what lies below all layers: a place for extensions.yaml, and a second one, which every overlay needs."""
    (fresh / _BASE / "etc").mkdir(parents=True)
    (fresh / _BASE / "etc" / EXTENSIONS_FILE).touch(mode=0o444)
    (fresh / _NOTHING).mkdir()
    (fresh / _TREE).mkdir(mode=0o755)
    return [_BASE, _NOTHING]


def _unpack(image: BootImage, fresh: Path) -> list[str]:
    for number, file in enumerate(image.files):
        extract_squashfs(image.path(file), fresh / str(number))
    return [str(number) for number in range(len(image.files))]


def _end(keeper: "subprocess.Popen[str] | None") -> None:
    """Let a namespace go; the kernel unmounts what is in it."""
    if keeper is None:
        return
    try:
        keeper.communicate(timeout=_NAMESPACE_END_SECONDS)
    except subprocess.TimeoutExpired:
        keeper.kill()
        keeper.communicate()


def _raise(error: OSError) -> None:
    raise error


def _remove(path: Path) -> None:
    """Unmount what is mounted in a directory, and remove it; a link is only removed."""
    if path.is_symlink():
        path.unlink()
        return
    mounts.unmount_below(path)
    for _, _, _, directory in os.fwalk(path, follow_symlinks=False):
        os.fchmod(directory, 0o700)  # what is read-only cannot be emptied
    shutil.rmtree(path)
