"""A layer is opened as the plain bytes of its archive, whichever of gzip, zstd or nothing it was packed with.

The first bytes decide, not the media type: builders confuse the two, and the bytes cannot lie. What comes out is
counted, so that a compressed nothing that unfolds to terabytes ends at the bound.
"""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from talos.extensions.tar_stream import TarFault
from talos.extensions.zstandard import zstd

MAX_LAYER_BYTES = 8 * 1024**3  # decompressed; twice what all files of an image may hold, for headers and padding

_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_MAX_WINDOW_LOG = 27  # 128 MiB, what `zstd --ultra` needs; a frame that wants more memory is refused


@contextmanager
def decompressed(packed: BinaryIO) -> Iterator[BinaryIO]:
    """Open the archive inside `packed`; damage in the compressed data is a TarFault, here and while reading."""
    magic = packed.read(4)
    packed.seek(0)
    if magic.startswith(_GZIP_MAGIC):
        with gzip.GzipFile(fileobj=packed, mode="rb") as unpacked:
            yield cast(BinaryIO, _Counted(cast(BinaryIO, unpacked)))
    elif magic == _ZSTD_MAGIC:
        options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: _MAX_WINDOW_LOG}
        with zstd.ZstdFile(packed, "rb", options=options) as unpacked:
            yield cast(BinaryIO, _Counted(cast(BinaryIO, unpacked)))
    else:
        yield cast(BinaryIO, _Counted(packed))


class _Counted:
    """Hands on reads, counts what comes out and translates a decompressor's complaints."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._count_bytes = 0

    def read(self, size: int) -> bytes:
        try:
            piece = self._stream.read(size)
        except EOFError:
            raise TarFault("layer-truncated", "the compressed data ends early") from None
        except (gzip.BadGzipFile, zlib.error, zstd.ZstdError) as error:
            raise TarFault("layer-malformed", f"the compressed data is damaged ({error})") from None
        self._count_bytes += len(piece)
        if self._count_bytes > MAX_LAYER_BYTES:
            raise TarFault("layer-bomb", f"the layer unfolds to more than {MAX_LAYER_BYTES} bytes")
        return piece
