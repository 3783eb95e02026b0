"""HPACK's Huffman code, decoded."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosi.rpc.http2 import huffman
from cosi.rpc.http2.errors import ErrorCode, ProtocolError

CODES = {symbol: code for code, symbol in huffman.symbols_by_code().items()}


def encode(text: bytes) -> bytes:
    """Encode the slow and obvious way: bits as characters, filled up with ones."""
    bits = "".join(f"{CODES[byte]:b}"[1:] for byte in text)
    bits += "1" * (-len(bits) % 8)
    return bytes(int(bits[start : start + 8], 2) for start in range(0, len(bits), 8))


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


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_text_survives_a_round_trip(text: bytes) -> None:
    assert huffman.decode(encode(text)) == text


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x07\xff", id="more padding than a byte"),
        pytest.param(b"\x00", id="padding that is not all ones"),
        pytest.param(b"\xff\xff\xff\xff", id="the end-of-string symbol"),
    ],
)
def test_what_no_encoder_writes_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError) as refused:
        huffman.decode(data)

    assert refused.value.code is ErrorCode.COMPRESSION_ERROR


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_input_does_worse_than_being_refused(data: bytes) -> None:
    try:
        text = huffman.decode(data)
    except ProtocolError:
        return
    assert encode(text) == data
