"""The methods of machine.MachineService that show files: those of the tree that the node has booted, and no others.

Their messages and errors are Talos's, and so is what they list. One path is not of that tree:
/proc/sys/kernel/random/boot_id, by which clients see that the node was started anew.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Final

from anyio import to_thread

from cosi.rpc.codec import parse
from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Call, Frames, Refusal, Service, frame
from cosi.state.state import State
from machined.booted_root import booted_root, refusal, whole
from machined.services.machine import NAME, data
from machined.walks import Walks
from talos._pb.machine import machine_pb2
from talos.confined import Entry, found, listing
from talos.go_file_mode import go_file_mode

BOOT_ID: Final = "/proc/sys/kernel/random/boot_id"

CHUNK_BYTES: Final = 64 << 10
"""How much of a file is held at a time."""

ENTRIES_AT_ONCE: Final = 100
"""How many entries of a listing are made in one go of a thread."""

_KINDS: Final[dict[int, Callable[[int], bool]]] = {
    machine_pb2.ListRequest.REGULAR: stat.S_ISREG,
    machine_pb2.ListRequest.DIRECTORY: stat.S_ISDIR,
    machine_pb2.ListRequest.SYMLINK: stat.S_ISLNK,
}


class FilesService:
    """The methods on bytes, for a node that was started under `boot_id`."""

    def __init__(self, state: State, walks: Walks, boot_id: str) -> None:
        self._state = state
        self._walks = walks
        self._boot_id = boot_id
        self.service = Service(NAME, server_streaming={"List": self._list, "Read": self._read})

    async def _read(self, request: bytes, call: Call) -> AsyncGenerator[Frames, None]:
        """Stream common.Data, the pieces of a regular file."""
        path = parse(machine_pb2.ReadRequest, request).path
        if path == BOOT_ID:
            yield data(f"{self._boot_id}\n".encode())
            return
        root = await booted_root(self._state)
        with self._walks.one(call):
            file = await to_thread.run_sync(_opened, root, path)
            try:
                while piece := await to_thread.run_sync(_piece, file, path):
                    yield data(piece)
            finally:
                os.close(file)

    async def _list(self, request: bytes, call: Call) -> AsyncGenerator[Frames, None]:
        """Stream FileInfo, of a file or of a directory and what is below it."""
        asked = parse(machine_pb2.ListRequest, request)
        kinds = [_KINDS[kind] for kind in asked.types if kind in _KINDS]
        depth: int | None = 0
        if asked.recurse:
            depth = asked.recursion_depth if asked.recursion_depth > 0 else None
        if kinds and stat.S_ISDIR not in kinds:
            depth = None  # as on Talos, which asks how deep it is only in directories that it shows
        root = whole(asked.root)
        booted = await booted_root(self._state)
        with self._walks.one(call), closing(listing(booted, root, depth=depth)) as entries:
            while some := await to_thread.run_sync(_next, entries, root):
                shown = [entry for entry in some if not kinds or any(_is(entry, kind) for kind in kinds)]
                if answers := b"".join(frame(_info(entry).SerializeToString()) for entry in shown):
                    yield answers


def _opened(root: Path, path: str) -> int:
    try:
        with found(root, path) as file:
            if not stat.S_ISREG(file.status.st_mode):
                raise Refusal(Code.UNKNOWN, "path must be a regular file")
            return file.open()
    except OSError as error:
        code = Code.NOT_FOUND if error.errno == errno.ENOENT else Code.UNKNOWN
        raise refusal("stat", path, error, code) from None


def _piece(file: int, path: str) -> bytes:
    try:
        return os.read(file, CHUNK_BYTES)
    except OSError as error:
        raise refusal("read", path, error) from None


def _next(entries: Iterator[Entry], path: str) -> Sequence[Entry]:
    try:
        return list(islice(entries, ENTRIES_AT_ONCE))
    except OSError as error:
        raise refusal("lstat", path, error) from None


def _is(entry: Entry, kind: Callable[[int], bool]) -> bool:
    """Tell whether an entry is of a kind; one with an error is of all, as nobody is to miss it."""
    return entry.status is None or bool(entry.error) or kind(entry.status.st_mode)


def _info(entry: Entry) -> machine_pb2.FileInfo:
    info = machine_pb2.FileInfo(name=entry.path, relative_name=entry.relative, link=entry.link, error=entry.error)
    status = entry.status
    if status is not None and not entry.error:
        info.size = status.st_size
        info.mode = go_file_mode(status.st_mode)
        info.modified = int(status.st_mtime)
        info.is_dir = stat.S_ISDIR(status.st_mode)
        info.uid, info.gid = status.st_uid, status.st_gid
    return info
