"""A tree becomes a squashfs image, through mksquashfs: all files root's, no times, the same tree the same bytes.

The tree is streamed to mksquashfs as a tar archive, so nothing is unpacked and no privilege is needed: directories
and links first, then the files in the order in which their layers hold them.
"""

import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import IO

from talos.extensions import tar_writer
from talos.extensions.layers import shared_contents
from talos.extensions.release import Compression
from talos.extensions.tree import Tree

MEMORY_MEGABYTES = 96  # for mksquashfs's queues; by itself it takes a quarter of the machine
MAX_MESSAGE_CHARACTERS = 500

_COMPRESSION_OPTIONS = {
    Compression.ZSTD: ("-comp", "zstd", "-Xcompression-level", "18"),
    Compression.XZ: ("-comp", "xz", "-Xdict-size", "100%"),
}
_OPTIONS = ("-all-root", "-root-mode", "0755", "-no-xattrs", "-mkfs-time", "0", "-all-time", "0")
_QUIET = ("-noappend", "-no-progress", "-quiet", "-mem", f"{MEMORY_MEGABYTES}M")


class ToolError(Exception):
    """A program that is needed is missing, or failed."""


def write_squashfs(tree: Tree, target: Path, *, compression: Compression) -> None:
    """Write `tree` as a new image at `target`.

    Raises ToolError where mksquashfs cannot, and TarFault where a layer is no longer what it was when it was read.
    """
    command = ["mksquashfs", "-", str(target), "-tar", *_OPTIONS, *_COMPRESSION_OPTIONS[compression], *_QUIET]
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(  # noqa: S603 - a fixed program, no shell
            [find_tool("mksquashfs", "squashfs-tools"), *command[1:]],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            env=_environment(),
        )
        assert process.stdin is not None
        try:
            with process.stdin as archive:
                _stream(tree, archive)
        except BrokenPipeError:
            pass  # it ended early, and says why
        except BaseException:
            process.kill()
            process.wait()
            raise
        if process.wait():
            raise ToolError(f"mksquashfs could not write {target}: {_tail(complaints)}")


def extract_squashfs(image: Path, target: Path, *directories: str) -> None:
    """Unpack an image, or only some of its directories, below `target`. Raises ToolError."""
    run_tool("unsquashfs", "squashfs-tools", "-no-xattrs", "-n", "-f", "-d", str(target), str(image), *directories)


def run_tool(name: str, package: str, *arguments: str) -> None:
    """Run a program to its end. Raises ToolError where it is missing or fails."""
    with tempfile.TemporaryFile() as complaints:
        command = [find_tool(name, package), *arguments]
        status = subprocess.run(  # noqa: S603 - fixed programs, no shell
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=complaints, env=_environment()
        ).returncode
        if status:
            raise ToolError(f"{name} failed: {_tail(complaints)}")


def find_tool(name: str, package: str) -> str:
    """Return where a program lies, /sbin included. Raises ToolError where it is not installed."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin")
    if path is None:
        raise ToolError(f"{name} is not installed; install the package {package}")
    return path


def tool_version() -> str:
    """Return what mksquashfs calls itself: another one may make other bytes. Raises ToolError."""
    command = [find_tool("mksquashfs", "squashfs-tools"), "-version"]
    said = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=_environment()).stdout  # noqa: S603
    return said[:MAX_MESSAGE_CHARACTERS].partition(b"\n")[0].decode("utf-8", "replace")


def _environment() -> dict[str, str]:
    """Return ours in plain words; SOURCE_DATE_EPOCH and the times given on the command line exclude each other."""
    return {**{key: value for key, value in os.environ.items() if key != "SOURCE_DATE_EPOCH"}, "LC_ALL": "C"}


def _stream(tree: Tree, archive: IO[bytes]) -> None:
    for path, entry in tree.entries.items():
        if entry.content is None or not entry.size:
            archive.write(tar_writer.header(path, entry))
    for (first, *others), pieces in shared_contents(tree, tree.entries):
        entry = tree.entries[first]
        archive.write(tar_writer.header(first, entry))
        for piece in pieces:
            archive.write(piece)
        archive.write(bytes(tar_writer.padding(entry.size)))
        for other in others:
            archive.write(_hard_link(other, first))
    archive.write(tar_writer.end_of_archive())


def _hard_link(path: str, target: str) -> bytes:
    info = tarfile.TarInfo(path)
    info.type = tarfile.LNKTYPE
    info.linkname = target
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def _tail(complaints: IO[bytes]) -> str:
    complaints.seek(0)
    text = complaints.read(64 * 1024).decode("utf-8", "replace").strip()
    return text[-MAX_MESSAGE_CHARACTERS:] or "it did not say why"
