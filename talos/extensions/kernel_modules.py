"""Modules that extensions bring load by name only if the kernel's index of dependencies knows them: it is made anew.

The modules of the initramfs's own root and those of all extensions are put into one directory, depmod reads them, and
the index it writes becomes one more layer, above the root's. Source: internal/pkg/extensions of siderolabs/talos.
"""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from talos.extensions import initramfs, tar_writer
from talos.extensions.initramfs import InitramfsError
from talos.extensions.layers import read_tree, shared_contents
from talos.extensions.manifest import Metadata
from talos.extensions.placement import Placement
from talos.extensions.release import Release
from talos.extensions.squashfs import extract_squashfs, run_tool
from talos.extensions.tar_stream import Kind
from talos.extensions.tree import Entry, Layer, Tree

LAYER_NAME = "modules.dep"
ROOT_IMAGE = "rootfs.sqsh"  # what Talos calls its root inside the initramfs

_CONFIG = "/etc/modules.d/10-extra-modules.conf"  # where Talos keeps options of depmod; it need not exist
_INDEX_PREFIX = "modules."
_COPY_BYTES = 1024 * 1024


class ModulesLayer(msgspec.Struct, frozen=True):
    """The index as a layer; `kernel` is the version it is for."""

    tree: Tree
    kernel: str

    @property
    def metadata(self) -> Metadata:
        """Return what extensions.yaml says of it: that is what a Talos node shows, word for word."""
        return Metadata(
            name=LAYER_NAME,
            version=self.kernel,
            author="Talos Machinery",
            description="Combined modules.dep for all extensions",
        )


def index_modules(
    original: Path, extensions: Sequence[tuple[str, Placement]], scratch: Path, release: Release
) -> ModulesLayer | None:
    """Make the index for extensions, by their names; None where none brings modules. `scratch` is an empty directory.

    Raises InitramfsError where the initramfs has no modules or others than an extension is built for, and ToolError.
    """
    with_modules = [(name, placement.modules) for name, placement in extensions if placement.modules.entries]
    if not with_modules:
        return None
    root = scratch / "root"
    kernel = _unpack_own(original, root, release)
    directory = root / release.modules / kernel
    for name, modules in with_modules:
        _check_kernel(original, name, modules, f"{release.modules}/{kernel}")
        _add(name, modules, root, original)
    # depmod puts lib/modules behind the directory it is given.
    base = root / release.modules.removesuffix("lib/modules")
    run_tool("depmod", "kmod", "--all", "--basedir", str(base), "--config", _CONFIG, kernel)
    return ModulesLayer(_as_tree(directory, f"{release.modules}/{kernel}", scratch / "modules.tar"), kernel)


def _unpack_own(original: Path, root: Path, release: Release) -> str:
    """Unpack the modules of the initramfs's root below `root`; return their kernel's version."""
    image = root.with_name(ROOT_IMAGE)
    remedy = "give the initramfs of a Talos release, or leave out extensions with kernel modules"
    if not initramfs.extract(original, ROOT_IMAGE, image):
        raise InitramfsError(original, f"holds no {ROOT_IMAGE}, whose kernel modules are needed", remedy)
    extract_squashfs(image, root, release.modules)
    image.unlink()
    modules = root / release.modules
    kernels = sorted(path.name for path in modules.iterdir()) if modules.is_dir() else []
    if len(kernels) != 1:
        has = ", ".join(kernels) or "none"
        raise InitramfsError(original, f"has to hold the modules of one kernel in {release.modules}, not {has}", remedy)
    return kernels[0]


def _check_kernel(original: Path, name: str, modules: Tree, directory: str) -> None:
    for path, entry in modules.entries.items():
        if entry.kind is not Kind.DIRECTORY and not path.startswith(f"{directory}/"):
            kernel = directory.rpartition("/")[2]
            problem = f"{name} brings /{path}, and the kernel here is {kernel}"
            raise InitramfsError(original, problem, "use the extension built for this Talos release")


def _add(name: str, modules: Tree, root: Path, original: Path) -> None:
    """Put an extension's modules beside the others."""
    inside = root.resolve()
    for (first, *others), pieces in shared_contents(modules, modules.entries):
        for path in (first, *others):
            # The root's own links could lead out of here.
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            if not (root / path).parent.resolve().is_relative_to(inside):
                raise InitramfsError(original, f"{name} brings /{path}, below a link of the root", "leave it out")
            (root / path).unlink(missing_ok=True)
        with (root / first).open("xb") as file:
            for piece in pieces:
                file.write(piece)
        for path in others:
            shutil.copyfile(root / first, root / path)


def _as_tree(directory: Path, place: str, archive: Path) -> Tree:
    """Return the index in `directory` as the tree of an archive made for it."""
    with archive.open("xb") as file:
        parts = place.split("/")
        for depth in range(1, len(parts) + 1):
            file.write(tar_writer.header("/".join(parts[:depth]), Entry(Kind.DIRECTORY, 0o755)))
        for path in sorted(directory.iterdir()):
            if path.name.startswith(_INDEX_PREFIX) and path.is_file() and not path.is_symlink():
                size = path.stat().st_size
                file.write(tar_writer.header(f"{place}/{path.name}", Entry(Kind.FILE, 0o644, size)))
                for piece in _pieces(path):
                    file.write(piece)
                file.write(bytes(tar_writer.padding(size)))
        file.write(tar_writer.end_of_archive())

    tree, _ = read_tree([Layer(LAYER_NAME, archive)], root=())
    return tree


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_COPY_BYTES):
            yield piece
