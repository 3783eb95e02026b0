"""machine.MachineService/Copy: a part of the tree that the node has booted, as an archive for `talosctl copy`.

Messages and errors are Talos's. What can't be archived is told in the error at the end of an archive that is otherwise
good, as Talos does it: who unpacks has the rest by then.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import closing
from posixpath import normpath

from anyio import to_thread

from cosi.rpc.codec import parse
from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Call, Frames, Refusal, Service
from cosi.state.state import State
from machined.booted_root import booted_root, refusal
from machined.services.machine import NAME, data
from machined.walks import Walks
from talos._pb.machine import machine_pb2
from talos.tarball import BrokenOff, Tarball


class ArchiveService:
    """The method on bytes."""

    def __init__(self, state: State, walks: Walks) -> None:
        self._state = state
        self._walks = walks
        self.service = Service(NAME, server_streaming={"Copy": self._copy})

    async def _copy(self, request: bytes, call: Call) -> AsyncGenerator[Frames, None]:
        """Stream common.Data, the pieces of a tar archive in gzip."""
        path = normpath(parse(machine_pb2.CopyRequest, request).root_path)
        if not path.startswith("/"):
            raise Refusal(Code.UNKNOWN, f"path is not absolute {path}")
        tarball = Tarball(await booted_root(self._state), path)
        with self._walks.one(call), closing(tarball.pieces()) as pieces:
            while (piece := await to_thread.run_sync(_next, pieces, path)) is not None:
                if piece:
                    yield data(piece)
        if tarball.problems:
            raise Refusal(Code.UNKNOWN, "; ".join(tarball.problems))


def _next(pieces: Iterator[bytes], path: str) -> bytes | None:
    try:
        return next(pieces, None)
    except BrokenOff as error:
        raise Refusal(Code.UNKNOWN, str(error)) from None
    except OSError as error:
        raise refusal("lstat", path, error) from None
