"""Header blocks to headers, some of them from memory."""

from hypothesis import given
from hypothesis import strategies as st

from cosi.rpc.http2.block_reader import MAX_KNOWN_BLOCKS, MAX_KNOWN_BYTES, BlockReader
from cosi.rpc.http2.errors import ProtocolError
from cosi.rpc.http2.hpack import HeaderDecoder, HeaderListTooLarge, encode_block

OPENING = b"\x88\x40\x0ccontent-type\x10application/grpc"
NEWEST_ENTRY = b"\xbe"
TOO_LARGE = b"\x00\x01a\x7f\x81\xff\x03" + b"x" * 65_536

# Each piece is a whole representation; what they mean depends on the table, and some move it.
PIECES = [b"\x88", NEWEST_ENTRY, b"\xbf", b"\x40\x01a\x03one", b"\x7e\x03two", b"\x00\x01b\x05three", TOO_LARGE]
RESIZES = [b"", b"", b"", b"\x20", b"\x3f\x0b", b"\x3f\xe1\x1f"]
blocks = st.builds(
    lambda resize, pieces: resize + b"".join(pieces),
    st.sampled_from(RESIZES),
    st.lists(st.sampled_from(PIECES), max_size=3),
)


def outcome(reader: BlockReader | HeaderDecoder, block: bytes) -> object:
    try:
        return list(reader.read(block) if isinstance(reader, BlockReader) else reader.decode(block))
    except (ProtocolError, HeaderListTooLarge) as error:
        return type(error), str(error)


@given(st.lists(blocks, min_size=1, max_size=4), st.lists(st.integers(0, 3), max_size=25))
def test_headers_from_memory_are_those_that_would_be_decoded(known: list[bytes], sent: list[int]) -> None:
    reader, decoder = BlockReader(), HeaderDecoder()

    for which in sent:
        block = known[which % len(known)]
        expected = outcome(decoder, block)
        assert outcome(reader, block) == expected
        if isinstance(expected, tuple) and expected[0] is ProtocolError:
            break


def test_a_block_that_is_repeated_is_not_decoded_again() -> None:
    reader = BlockReader()
    reader.read(OPENING)
    again = b"\x88\xbe"

    assert reader.read(again) is reader.read(again)


def test_only_so_many_blocks_are_known_and_no_large_ones() -> None:
    reader = BlockReader()
    several = [encode_block([(b"grpc-message", b"%d" % number)]) for number in range(MAX_KNOWN_BLOCKS + 1)]
    large = encode_block([(b"grpc-message", b"x" * MAX_KNOWN_BYTES)])

    assert reader.read(large) is not reader.read(large)
    first = [reader.read(block) for block in several]
    second = [reader.read(block) for block in several]

    assert [one is two for one, two in zip(first, second, strict=True)] == [True] * MAX_KNOWN_BLOCKS + [False]
