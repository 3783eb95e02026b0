"""Boot images lie beside each other, and one link says which of them boots: it moves at once or not at all.

    DIRECTORY/0001/        complete boot images, numbered as they were built
    DIRECTORY/current      a link to one of them
    DIRECTORY/.*.partial   what a crash left; removed when the slots are opened

At every moment `current` leads to a complete image, or nowhere before the first installation. One process owns the
directory. Everything here blocks.
"""

import contextlib
import os
import re
import shutil
import uuid
from collections.abc import Collection, Sequence
from pathlib import Path

from talos.extensions import bootimage
from talos.extensions.blobs import BlobStore, sync_directory
from talos.extensions.bootimage import PARTIAL_SUFFIX, BootImage, BootImageError, BootLayer

CURRENT = "current"

_NAME = re.compile(r"[0-9]{4,9}")


class Slots:
    """The boot images of a node."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in directory.glob(f".*{PARTIAL_SUFFIX}"):
            _remove(path)

    def current(self) -> BootImage | None:
        """Return the image that boots next; None before the first installation. Raises BootImageError if damaged."""
        name = self._current_name()
        return bootimage.load(self.directory / name) if name is not None else None

    def names(self) -> tuple[str, ...]:
        """Return the names of all boot images."""
        return tuple(sorted(path.name for path in self.directory.iterdir() if _NAME.fullmatch(path.name)))

    def install(self, layers: Sequence[BootLayer], store: BlobStore) -> BootImage:
        """Build a boot image, make it the one that boots, and keep of the others only the one that booted before.

        The image that boots already is returned as it is where it is made of the same layers. Raises BootImageError,
        and then the image that booted before still does.
        """
        before = self._current_name()
        with contextlib.suppress(BootImageError):  # a damaged image is a reason to install, not against it
            running = self.current()
            if running is not None and running.is_made_of(layers):
                return running
        image = bootimage.build(layers, store, self.directory / self._next_name())
        self.select(image.name)
        self.prune(keep=() if before is None else (before,))
        return image

    def select(self, name: str) -> None:
        """Make an image that is here the one that boots. Raises BootImageError where it is missing or damaged."""
        bootimage.load(self._path(name))
        link = self._partial(CURRENT)
        link.symlink_to(name)
        link.rename(self.directory / CURRENT)
        sync_directory(self.directory)

    def prune(self, *, keep: Collection[str] = ()) -> tuple[str, ...]:
        """Remove all images but the one that boots and those named; return the names of the removed."""
        kept = {self._current_name(), *keep}
        removed = tuple(name for name in self.names() if name not in kept)
        for name in removed:
            self._discard(name)
        return removed

    def _next_name(self) -> str:
        return f"{max(map(int, self.names()), default=0) + 1:04d}"

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise BootImageError(self.directory / name, "this names no boot image", "give a number such as 0001")
        return self.directory / name

    def _current_name(self) -> str | None:
        try:
            return self._path(os.readlink(self.directory / CURRENT)).name
        except FileNotFoundError:
            return None

    def _discard(self, name: str) -> None:
        """Take an image away: first out of sight, then piece by piece."""
        doomed = self._partial(name)
        try:
            self._path(name).rename(doomed)
        except FileNotFoundError:
            return
        _remove(doomed)

    def _partial(self, name: str) -> Path:
        return self.directory / f".{name}.{uuid.uuid4().hex}{PARTIAL_SUFFIX}"


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
