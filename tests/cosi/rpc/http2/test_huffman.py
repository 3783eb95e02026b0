"""HPACK's Huffman code, decoded."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosi.rpc.http2 import huffman
from cosi.rpc.http2.errors import ErrorCode, ProtocolError

CODES = {symbol: code for code, symbol in huffman.symbols_by_code().items()}
SYMBOLS = {f"{code:b}"[1:]: symbol for symbol, code in CODES.items()}


def encode(text: bytes) -> bytes:
    """Encode the slow and obvious way: bits as characters, filled up with ones."""
    bits = "".join(f"{CODES[byte]:b}"[1:] for byte in text)
    bits += "1" * (-len(bits) % 8)
    return bytes(int(bits[start : start + 8], 2) for start in range(0, len(bits), 8))


def decoded(data: bytes) -> bytes | None:
    try:
        return huffman.decode(data)
    except ProtocolError:
        return None


def decode_bit_by_bit(data: bytes) -> bytes | None:
    """Decode the slow and obvious way; None for what appendix B does not have."""
    text, code = bytearray(), ""
    for bit in "".join(f"{byte:08b}" for byte in data):
        code += bit
        symbol = SYMBOLS.get(code)
        if symbol == huffman.END_OF_STRING:
            return None
        if symbol is not None:
            text.append(symbol)
            code = ""
    return bytes(text) if len(code) < 8 and "0" not in code else None


def test_every_symbol_and_the_end_of_string_have_a_code() -> None:
    assert set(CODES) == set(range(257))


def test_every_bit_pattern_means_something() -> None:
    assert sum(Fraction(1, 1 << (code.bit_length() - 1)) for code in CODES.values()) == 1


@pytest.mark.parametrize(
    ("symbol", "code"),
    [(ord("0"), "00000"), (ord("A"), "100001"), (ord("&"), "11111000"), (0, "1111111111000"), (256, "1" * 30)],
)
def test_the_codes_are_those_of_appendix_b(symbol: int, code: str) -> None:
    assert f"{CODES[symbol]:b}" == "1" + code


@given(st.binary(max_size=200))
def test_any_text_survives_a_round_trip(text: bytes) -> None:
    assert huffman.decode(encode(text)) == text


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x07\xff", id="more padding than a byte"),
        pytest.param(b"\xf8\xff", id="a byte of padding"),
        pytest.param(b"\xff", id="nothing but a byte of padding"),
        pytest.param(b"\x00", id="padding that is not all ones"),
        pytest.param(b"\xff\xff\xff\xff", id="the end-of-string symbol"),
    ],
)
def test_what_no_encoder_writes_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError) as refused:
        huffman.decode(data)

    assert refused.value.code is ErrorCode.COMPRESSION_ERROR


@pytest.mark.parametrize("first", range(257))
def test_every_symbol_is_told_from_its_neighbour(first: int) -> None:
    for second in (0, 48, 255):
        bits = f"{CODES[first]:b}"[1:] + f"{CODES[second]:b}"[1:]
        bits += "1" * (-len(bits) % 8)
        data = int(bits, 2).to_bytes(len(bits) // 8, "big")

        assert decoded(data) == (None if first == huffman.END_OF_STRING else bytes((first, second)))


@given(st.lists(st.binary(max_size=30) | st.binary(max_size=20).map(encode), max_size=4).map(b"".join))
def test_four_bits_at_a_time_mean_what_they_mean_one_by_one(data: bytes) -> None:
    assert decoded(data) == decode_bit_by_bit(data)


@given(st.binary(max_size=200))
def test_what_is_decoded_has_no_other_encoding(data: bytes) -> None:
    text = decoded(data)

    assert text is None or encode(text) == data
