"""Compressed layers that are cut, damaged, or unfold to more than they should."""

import bz2
import gzip
import lzma
import struct
import zlib

from tests.talos.extensions.archives import compress_zstd
from tests.talos.extensions.corpus.kind import Kind, extension, of_layers
from tests.talos.extensions.corpus.raw_tar import file

_ENDS_EARLY = "the compressed data ends early; rebuild the image [layer-truncated]"
_NO_ARCHIVE = "this is no tar archive, or a header in it is damaged; rebuild the image [layer-malformed]"
_AFTER_END = "there is data after the archive's end; rebuild the image [layer-malformed]"
_TOO_LONG = "more than 1048576 bytes after the archive's end; rebuild the image [layer-bomb]"
_TEXT = b"".join(b"%d, " % number for number in range(5000))
_LAYER = extension(file("rootfs/usr/local/a", _TEXT))
_GZIPPED = gzip.compress(_LAYER, mtime=0)
_ZSTD_FRAME = compress_zstd(_LAYER)


def damaged(problem: str) -> str:
    """Return the message for compressed data in which the decompressor met this."""
    return f"the compressed data is damaged ({problem}); rebuild the image [layer-malformed]"


def flipped(content: bytes, position: int) -> bytes:
    """Return the content with one bit turned over."""
    changed = bytearray(content)
    changed[position] ^= 1
    return bytes(changed)


def frame(window_log: int, *blocks: bytes) -> bytes:
    """Return a zstd frame whose header asks for a window of 2 ** window_log bytes."""
    return b"\x28\xb5\x2f\xfd\x00" + bytes([(window_log - 10) << 3]) + b"".join(blocks)


def repeated(byte: bytes, count: int, *, last: bool) -> bytes:
    """Return a zstd block of one byte, again and again."""
    return struct.pack("<I", count << 3 | 1 << 1 | last)[:3] + byte


def zstd_zeros() -> bytes:
    """Return an extension and then 64 MiB of zeros, in some kilobytes."""
    return compress_zstd(_LAYER + bytes(2**26))


_CHECKSUM = zlib.crc32(_LAYER)

GZIP = (
    of_layers("gzip of two bytes", _ENDS_EARLY, b"\x1f\x8b"),
    of_layers("gzip cut in its header", _ENDS_EARLY, b"\x1f\x8b\x08\x08" + bytes(6) + b"name without end"),
    of_layers("gzip cut in its data", _ENDS_EARLY, _GZIPPED[: len(_GZIPPED) // 2]),
    of_layers("gzip cut in its checksum", _ENDS_EARLY, _GZIPPED[:-6]),
    of_layers(
        "gzip with another checksum",
        damaged(f"CRC check failed {_CHECKSUM ^ 1:#x} != {_CHECKSUM:#x}"),
        flipped(_GZIPPED, -8),
    ),
    of_layers("gzip with another length", damaged("Incorrect length of data produced"), flipped(_GZIPPED, -4)),
    of_layers("gzip of an unknown method", damaged("Unknown compression method"), flipped(_GZIPPED, 2)),
    of_layers(
        "gzip with an invalid block",
        damaged("Error -3 while decompressing data: invalid block type"),
        _GZIPPED[:10] + b"\x07" + _GZIPPED[11:],
    ),
    of_layers("gzip with text behind it", damaged("Not a gzipped file (b'xx')"), _GZIPPED + b"xxxx"),
    of_layers("gzip of two archives", _AFTER_END, _GZIPPED + _GZIPPED),
    of_layers("gzip of text", _NO_ARCHIVE, lambda: gzip.compress(_TEXT, mtime=0)),
    of_layers("gzip of gzip", _NO_ARCHIVE, lambda: gzip.compress(_GZIPPED, mtime=0)),
    of_layers("gzip that unfolds to 64 MiB", _TOO_LONG, lambda: gzip.compress(_LAYER + bytes(2**26), 1, mtime=0)),
)

ZSTD = (
    of_layers("zstd of four bytes", _ENDS_EARLY, _ZSTD_FRAME[:4]),
    of_layers("zstd cut in its data", _ENDS_EARLY, _ZSTD_FRAME[: len(_ZSTD_FRAME) // 2]),
    of_layers(
        "zstd with an invalid block",
        damaged("Unable to decompress Zstandard data: Data corruption detected"),
        frame(20, b"\x07\x00\x00"),
    ),
    of_layers(
        "zstd that wants a window of 2 GiB",
        damaged("Unable to decompress Zstandard data: Frame requires too much memory for decoding"),
        frame(31, repeated(b"\0", 2**16, last=True)),
    ),
    of_layers(
        "zstd with text behind it",
        damaged("Unable to decompress Zstandard data: Unknown frame descriptor"),
        _ZSTD_FRAME + b"text, and more of it",
    ),
    of_layers(
        "zstd with the largest window, cut in its data",
        _ENDS_EARLY,
        frame(27, repeated(b"\0", 2**16, last=False)),
    ),
    of_layers("zstd of two archives", _AFTER_END, _ZSTD_FRAME + _ZSTD_FRAME),
    of_layers("zstd of text", _NO_ARCHIVE, lambda: compress_zstd(_TEXT)),
    of_layers("zstd that unfolds to 64 MiB", _TOO_LONG, zstd_zeros),
)

OTHERS = (
    of_layers("bzip2", _NO_ARCHIVE, lambda: bz2.compress(_LAYER)),
    of_layers("xz", _NO_ARCHIVE, lambda: lzma.compress(_LAYER)),
    of_layers("lz4", _NO_ARCHIVE, b"\x04\x22\x4d\x18" + _LAYER),
)

KINDS: tuple[Kind, ...] = (*GZIP, *ZSTD, *OTHERS)
