"""Boot images lie beside each other, and one link says which of them boots: it moves at once or not at all.

    DIRECTORY/0001/        complete boot images, numbered as they were built
    DIRECTORY/current      a link to one of them
    DIRECTORY/NNNN/boots   how often that image has begun to boot without ever being healthy
    DIRECTORY/NNNN/failed  why that image is not booted any more
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
from talos.extensions.bootimage import PARTIAL_SUFFIX, BootImage, BootImageError, BootLayer, Recipe

CURRENT = "current"
MAX_UNHEALTHY_BOOTS = 3
"""How often a node may end while it boots an image before that image is held to be the reason."""

_BOOTS, _FAILED = "boots", "failed"

_NAME = re.compile(r"[0-9]{4,9}")


class Slots:
    """The boot images of a node."""

    def __init__(self, directory: Path, recipe: Recipe) -> None:
        self.directory = directory
        self._recipe = recipe
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in directory.glob(f".*{PARTIAL_SUFFIX}"):
            _remove(path)

    def current(self) -> BootImage | None:
        """Return the image that boots next; None before the first installation. Raises BootImageError if damaged."""
        name = self.current_name()
        return self.load(name) if name is not None else None

    def load(self, name: str) -> BootImage:
        """Return an image. Raises BootImageError where it is missing or damaged."""
        return bootimage.load(self._path(name))

    def names(self) -> tuple[str, ...]:
        """Return the names of all boot images."""
        return tuple(sorted(path.name for path in self.directory.iterdir() if _NAME.fullmatch(path.name)))

    def install(self, layers: Sequence[BootLayer], store: BlobStore, active: str | None = None) -> BootImage:
        """Build a boot image, make it the one that boots, and keep of the others only the `active` one.

        That is the one that was to boot before, unless told: several may be installed before one of them boots. The
        image that is to boot already is returned as it is where it is made of the same layers. Raises BootImageError,
        and then the image that was to boot before still is.
        """
        before = self.current_name()
        running = None
        with contextlib.suppress(BootImageError):  # a damaged image is a reason to install, not against it
            running = self.current()
            if running is not None and running.is_made_of(layers, self._recipe):
                return running
        image = bootimage.build(layers, store, self.directory / self._next_name(), self._recipe, before=running)
        self.select(image.name)
        kept = active or before
        self.prune(keep=() if kept is None else (kept,))
        return image

    def select(self, name: str) -> None:
        """Make an image that is here the one that boots. Raises BootImageError where it is missing or damaged."""
        self.load(name)
        link = self._partial(CURRENT)
        link.symlink_to(name)
        link.rename(self.directory / CURRENT)
        sync_directory(self.directory)

    def begin_boot(self, image: BootImage) -> None:
        """Note that an image begins to boot. Raises BootImageError where it has too often, and never was healthy."""
        path = image.directory / _BOOTS
        begun = int(path.read_text() or "0") if path.is_file() else 0
        if begun >= MAX_UNHEALTHY_BOOTS:
            problem = f"the node ended {begun} times while it booted this image"
            raise BootImageError(image.directory, problem, "boot the previous image, or install the extensions again")
        self._note(image.name, _BOOTS, str(begun + 1))

    def end_boot(self, image: BootImage) -> None:
        """Note that an image that began to boot is healthy."""
        (image.directory / _BOOTS).unlink(missing_ok=True)

    def fall_back(self, name: str, reason: str) -> BootImage | None:
        """Let the other image boot from now on, because the one of this name cannot; None where there is no other.

        One that has failed itself is no other. Raises OSError.
        """
        other = self.other_than(name)
        if other is not None:
            if self._path(name).is_dir():
                self._note(name, _FAILED, reason)
            self.select(other.name)
        return other

    def other_than(self, name: str) -> BootImage | None:
        """Return the newest image that could boot in place of this one; None where there is none."""
        for other in reversed(self.names()):
            if other != name and not (self.directory / other / _FAILED).exists():
                with contextlib.suppress(BootImageError):
                    return self.load(other)
        return None

    def _note(self, name: str, file: str, content: str) -> None:
        note = self._partial(name)
        bootimage.write_durably(note, content.encode())
        note.rename(self.directory / name / file)
        sync_directory(self.directory / name)

    def prune(self, *, keep: Collection[str] = ()) -> tuple[str, ...]:
        """Remove all images but the one that boots and those named; return the names of the removed."""
        kept = {self.current_name(), *keep}
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

    def current_name(self) -> str | None:
        """Return the name of the image that boots next, whole or not."""
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
