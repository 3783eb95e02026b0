"""HPACK's Huffman code, rebuilt from its lengths: the code is canonical, so the lengths say everything.

RFC 7541 lists 257 codes in appendix B. They are handed out by counting: sort the symbols by code length, then by value,
and each code is the one before plus one, shifted left where the length grows. What is left to write down is which
symbols have which length. The table is made on first use, because many a call never meets a Huffman string.
"""

from functools import cache

from cosi.rpc.http2.errors import ErrorCode, ProtocolError

END_OF_STRING = 256
LONGEST_PADDING_BITS = 7

_SYMBOLS_BY_LENGTH_BITS = {
    5: b"012aceiost",
    6: b" %-./3456789=A_bdfghlmnpru",
    7: b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz",
    8: b"&*,;XZ",
    10: b'!"()?',
    11: b"'+|",
    12: b"#>",
    13: b"\0$@[]~",
    14: b"^}",
    15: b"<`{",
    19: b"\\\xc3\xd0",
    20: bytes.fromhex("80 82 83 a2 b8 c2 e0 e2"),
    21: bytes.fromhex("99 a1 a7 ac b0 b1 b3 d1 d8 d9 e3 e5 e6"),
    22: bytes.fromhex("81 84 85 86 88 92 9a 9c a0 a3 a4 a9 aa ad b2 b5 b9 ba bb bd be c4 c6 e4 e8 e9"),
    23: bytes.fromhex("01 87 89 8a 8b 8c 8d 8f 93 95 96 97 98 9b 9d 9e a5 a6 a8 ae af b4 b6 b7 bc bf c5 e7 ef"),
    24: bytes.fromhex("09 8e 90 91 94 9f ab ce d7 e1 ec ed"),
    25: bytes.fromhex("c7 cf ea eb"),
    26: bytes.fromhex("c0 c1 c8 c9 ca cd d2 d5 da db ee f0 f2 f3 ff"),
    27: bytes.fromhex("cb cc d3 d4 d6 dd de df f1 f4 f5 f6 f7 f8 fa fb fc fd fe"),
    28: bytes.fromhex("02 03 04 05 06 07 08 0b 0c 0e 0f 10 11 12 13 14 15 17 18 19 1a 1b 1c 1d 1e 1f 7f dc f9"),
    30: b"\n\r\x16",
}


def decode(data: bytes) -> bytes:
    """Decode one string, or raise ProtocolError (COMPRESSION_ERROR) where appendix B has no such code."""
    text = bytearray()
    code = 1
    for byte in data:
        for half in (byte >> 4, byte & 0xF):
            symbols, code = _steps.get(code << 4 | half) or _step(code, half)
            text += symbols
    padding_bits = code.bit_length() - 1
    if padding_bits > LONGEST_PADDING_BITS or code != (2 << padding_bits) - 1:
        raise ProtocolError(ErrorCode.COMPRESSION_ERROR, "a Huffman string ends in the middle of a symbol")
    return bytes(text)


# What four more bits make of an unfinished code: the symbols they complete, and the code left over. There are no more
# than 16 for each of the 256 ways in which a code can begin, and they are worked out when they are first met.
_steps: dict[int, tuple[bytes, int]] = {}


def _step(code: int, half: int) -> tuple[bytes, int]:
    begun, codes, text = code, symbols_by_code(), bytearray()
    for shift in (3, 2, 1, 0):
        code = code << 1 | (half >> shift & 1)
        symbol = codes.get(code)
        if symbol is None:
            continue
        if symbol == END_OF_STRING:
            raise ProtocolError(ErrorCode.COMPRESSION_ERROR, "a Huffman string contains the end-of-string symbol")
        text.append(symbol)
        code = 1
    step = _steps[begun << 4 | half] = (bytes(text), code)
    return step


@cache
def symbols_by_code() -> dict[int, int]:
    """Map every code to its symbol; a code is written with a leading 1, so that its length is part of its value."""
    table: dict[int, int] = {}
    code = length_bits = 0
    for next_length_bits, symbols in _SYMBOLS_BY_LENGTH_BITS.items():
        code <<= next_length_bits - length_bits
        length_bits = next_length_bits
        for symbol in symbols:
            table[1 << length_bits | code] = symbol
            code += 1
    table[1 << length_bits | code] = END_OF_STRING
    return table
