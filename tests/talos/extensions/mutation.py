"""Inputs that are nearly right: good ones with damage done to them, the same damage in every run."""

import random
from collections.abc import Iterator, Sequence

from tests.talos.extensions.corpus.raw_tar import BLOCK_BYTES

_MAX_HARMS = 4
_MAGIC = slice(257, 262)
_CHECKSUM = slice(148, 156)
_NUMBERS = (b"0", b"-1", b"1e999", b"99999999999999999999", b"\xff" * 8, b"\x80" + bytes(11), b"77777777777\0")
_TOKENS = (
    *(b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\\ud800", b"..", b"/", b"\n", b"\x1b[2J", b"\xe2\x80\xae", b".wh."),
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b":",
        b"\t",
        b"&a",
        b"*a",
        b"<<: ",
        b"--- ",
        b"!!set",
        b"null",
        b"true",
        b"@",
        b"%",
    ),
)


def mutations(seeds: Sequence[bytes], count: int) -> Iterator[bytes]:
    """Yield `count` inputs, each made from one of the seeds by a few harms."""
    chance = random.Random(f"{count} of {len(seeds)}")
    for number in range(count):
        content = seeds[number % len(seeds)]
        for _ in range(chance.randint(1, _MAX_HARMS)):
            content = _harmed(content, seeds, chance)
        yield content


def resealed(archive: bytes) -> bytes:
    """Return an archive with the right checksum in all that looks like a header, so that a reader looks further."""
    content = bytearray(archive)
    for start in range(0, len(content) - BLOCK_BYTES + 1, BLOCK_BYTES):
        block = content[start : start + BLOCK_BYTES]
        if block[_MAGIC] == b"ustar":
            block[_CHECKSUM] = b" " * 8
            block[_CHECKSUM] = b"%06o\0 " % sum(block)
            content[start : start + BLOCK_BYTES] = block
    return bytes(content)


def _harmed(content: bytes, seeds: Sequence[bytes], chance: random.Random) -> bytes:
    at = chance.randint(0, len(content))
    end = min(len(content), at + int(chance.expovariate(1 / 16)) + 1)
    match chance.randrange(8):
        case 0:  # a bit turned over
            return (
                content[:at]
                + bytes(byte ^ 1 << chance.randrange(8) for byte in content[at : at + 1])
                + content[at + 1 :]
            )
        case 1:  # an end too early
            return content[:at]
        case 2:  # a part missing
            return content[:at] + content[end:]
        case 3:  # a part twice, or a hundred times
            return content[:end] + content[at:end] * chance.choice((1, 2, 100)) + content[end:]
        case 4:  # a part of another input
            other = chance.choice(seeds)
            start = chance.randint(0, len(other))
            return content[:at] + other[start : start + (end - at) * chance.choice((1, 32))] + content[end:]
        case 5:  # another number
            number = chance.choice(_NUMBERS)
            return content[:at] + number + content[at + len(number) :]
        case 6:  # a word that means something
            return content[:at] + chance.choice(_TOKENS) + content[at:]
        case _:  # noise
            return content[:at] + chance.randbytes(end - at) + content[end:]
