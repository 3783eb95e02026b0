"""Blobs lie in a directory under the digest of their own bytes, so what is there is whole and is what it says.

A blob is written beside its place, hashed and counted on the way, made durable, and only then renamed into its place.
A cut transfer and a crash leave nothing but a partial file, and the next writer of the same blob goes on where it
ended; opening the store removes those that nobody has gone on with for a day. One process owns a store; its methods
block and may be called from any thread.

    DIRECTORY/blobs/sha256/<hex>     verified
    DIRECTORY/partial/sha256-<hex>   on the way
"""

import contextlib
import hashlib
import os
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self

from talos.extensions.oci import Descriptor
from talos.extensions.reference import is_digest

FILE_MODE = 0o600
MAX_PARTIAL_SECONDS = 24 * 60 * 60
"""How long what came of a blob waits for somebody to fetch the rest."""

_DIRECTORY_MODE = 0o700
_COPY_BYTES = 1024 * 1024


class BlobCorrupt(Exception):
    """The bytes written are not those the descriptor promised."""

    def __init__(self, expected: str, found: str) -> None:
        self.expected = expected
        self.found = found
        super().__init__(f"expected {expected} but got {found}")


class BlobMissing(LookupError):
    """The store lacks a blob."""

    def __init__(self, digest: str, directory: Path) -> None:
        self.digest = digest
        super().__init__(f"{directory} holds no blob {digest}; pull the image again")


class BlobStore:
    """A content-addressed directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._blobs = directory / "blobs"
        self._partial = directory / "partial"
        self._writing: set[str] = set()
        self._holds: list[Hold] = []
        self._lock = threading.Lock()  # over every look at who needs a blob, with what is done about it
        for needed in (directory, self._blobs, self._partial, self._blobs / "sha256", self._blobs / "sha512"):
            needed.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
        for path in self._partial.iterdir():
            second_of_two = "." in path.name
            if second_of_two or time.time() - path.stat().st_mtime > MAX_PARTIAL_SECONDS:
                path.unlink()

    def __contains__(self, descriptor: Descriptor) -> bool:
        """Tell whether the blob is here in its full size."""
        try:
            return self.path(descriptor.digest).stat().st_size == descriptor.size
        except FileNotFoundError:
            return False

    def path(self, digest: str) -> Path:
        """Return where the blob lies or would lie. Raises ValueError on what is no digest."""
        if not is_digest(digest):
            raise ValueError(f"{digest!r} is no digest; give sha256: or sha512: and its lowercase hex digits")
        algorithm, _, name = digest.partition(":")
        return self._blobs / algorithm / name

    def open(self, digest: str) -> BinaryIO:
        """Open a blob for reading. Raises BlobMissing."""
        try:
            return self.path(digest).open("rb")
        except FileNotFoundError:
            raise BlobMissing(digest, self.directory) from None

    def read(self, digest: str, *, max_bytes: int) -> bytes:
        """Return a small blob whole. Raises BlobMissing, and BlobCorrupt where it is larger or not what it was."""
        with self.open(digest) as file:
            content = file.read(max_bytes + 1)
        if len(content) > max_bytes:
            raise BlobCorrupt(f"at most {max_bytes} bytes", "more")
        found = digest_of(content, digest.partition(":")[0])
        if found != digest:
            raise BlobCorrupt(digest, found)
        return content

    def put(self, content: bytes, digest: str) -> None:
        """Store a small blob. Raises BlobCorrupt unless `content` has the digest."""
        with self.writer(Descriptor("", digest, len(content))) as writer:
            writer.restart()
            writer.write(content)
            writer.commit()

    @contextlib.contextmanager
    def writer(self, descriptor: Descriptor) -> Iterator["BlobWriter"]:
        """Write one blob. Leaving without `commit` keeps what came for the next writer of the same blob."""
        name = descriptor.digest.replace(":", "-")
        # Two pulls may want one blob at once: the second writes a file of its own, and the renames agree.
        with self._lock:
            alone = descriptor.digest not in self._writing
            if alone:
                self._writing.add(descriptor.digest)
        path = self._partial / (name if alone else f"{name}.{uuid.uuid4().hex}")
        try:
            with contextlib.closing(BlobWriter(path, self.path(descriptor.digest), descriptor)) as writer:
                yield writer
        finally:
            if alone:
                self._writing.discard(descriptor.digest)
            else:
                path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def holding(self) -> Iterator["Hold"]:
        """Keep `keep_only` away from the digests added to the hold, until the scope ends."""
        hold = Hold(self._lock)
        with self._lock:
            self._holds.append(hold)
        try:
            yield hold
        finally:
            with self._lock:
                self._holds.remove(hold)

    def keep_only(self, digests: set[str]) -> int:
        """Remove every other blob, but none that a pull under way holds; return how many bytes that freed."""
        freed = 0
        for path in self._blobs.glob("*/*"):
            with self._lock:
                if not self._is_needed(f"{path.parent.name}:{path.name}", digests):
                    freed += path.stat().st_size
                    path.unlink(missing_ok=True)
        for path in self._partial.iterdir():
            with self._lock:
                if not self._is_needed(path.name.partition(".")[0].replace("-", ":", 1), digests):
                    path.unlink(missing_ok=True)
        return freed

    def _is_needed(self, digest: str, kept: set[str]) -> bool:
        return digest in kept or digest in self._writing or any(digest in hold for hold in self._holds)

    def trim(self, max_bytes: int) -> int:
        """Remove the blobs that came first until the others fit; return how many bytes that freed."""
        blobs = sorted((path.stat().st_mtime_ns, path.stat().st_size, path) for path in self._blobs.glob("*/*"))
        total = sum(size for _, size, _ in blobs)
        freed = 0
        for _, size, path in blobs:
            if total - freed <= max_bytes:
                break
            path.unlink(missing_ok=True)
            freed += size
        return freed


class Hold:
    """Digests that `BlobStore.keep_only` leaves alone: one that is added and in the store then, stays there."""

    def __init__(self, lock: threading.Lock) -> None:
        self._digests: set[str] = set()
        self._lock = lock

    def __contains__(self, digest: str) -> bool:
        return digest in self._digests

    def add(self, digest: str) -> None:
        """Hold a digest. Waits for the removal of a blob under way: a thread's work."""
        with self._lock:
            self._digests.add(digest)


class BlobWriter:
    """Receives one blob; `offset` is how much of it is already here."""

    def __init__(self, path: Path, target: Path, descriptor: Descriptor) -> None:
        self._path = path
        self._target = target
        self._descriptor = descriptor
        descriptor_number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
        self._file = os.fdopen(descriptor_number, "r+b")
        self.offset = 0
        self._hash = hashlib.new(descriptor.digest.partition(":")[0])
        while chunk := self._file.read(_COPY_BYTES):
            self._hash.update(chunk)
            self.offset += len(chunk)
        if self.offset > descriptor.size:
            self.restart()

    def restart(self) -> Self:
        """Forget what came so far."""
        self._file.seek(0)
        self._file.truncate()
        self.offset = 0
        self._hash = hashlib.new(self._descriptor.digest.partition(":")[0])
        return self

    def write(self, chunk: bytes) -> None:
        """Append. Raises BlobCorrupt as soon as more came than the descriptor promised."""
        if self.offset + len(chunk) > self._descriptor.size:
            self._discard()
            raise BlobCorrupt(f"{self._descriptor.size} bytes of {self._descriptor.digest}", "more")
        self._file.write(chunk)
        self._hash.update(chunk)
        self.offset += len(chunk)

    def commit(self) -> None:
        """Verify, make durable and move into place. Raises BlobCorrupt, and then nothing is kept."""
        if self.offset != self._descriptor.size:
            found = f"{self.offset} bytes"
            self._discard()
            raise BlobCorrupt(f"{self._descriptor.size} bytes of {self._descriptor.digest}", found)
        found = f"{self._hash.name}:{self._hash.hexdigest()}"
        if found != self._descriptor.digest:
            self._discard()
            raise BlobCorrupt(self._descriptor.digest, found)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._path.rename(self._target)
        sync_directory(self._target.parent)

    def close(self) -> None:
        self._file.close()

    def _discard(self) -> None:
        self.restart()
        self._path.unlink(missing_ok=True)


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    """Return the digest of `content`."""
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
