"""Header compression against the examples of RFC 7541, appendix C, and against its limits."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosi.rpc.http2.errors import ErrorCode, ProtocolError
from cosi.rpc.http2.hpack import (
    DEFAULT_TABLE_BYTES,
    STATIC_TABLE,
    Header,
    HeaderDecoder,
    HeaderEncoder,
    HeaderListTooLarge,
    encode_block,
)

REQUESTS: list[list[Header]] = [
    [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"www.example.com")],
    [
        (b":method", b"GET"),
        (b":scheme", b"http"),
        (b":path", b"/"),
        (b":authority", b"www.example.com"),
        (b"cache-control", b"no-cache"),
    ],
    [
        (b":method", b"GET"),
        (b":scheme", b"https"),
        (b":path", b"/index.html"),
        (b":authority", b"www.example.com"),
        (b"custom-key", b"custom-value"),
    ],
]
COOKIE = b"foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"
RESPONSES: list[list[Header]] = [
    [
        (b":status", b"302"),
        (b"cache-control", b"private"),
        (b"date", b"Mon, 21 Oct 2013 20:13:21 GMT"),
        (b"location", b"https://www.example.com"),
    ],
    [
        (b":status", b"307"),
        (b"cache-control", b"private"),
        (b"date", b"Mon, 21 Oct 2013 20:13:21 GMT"),
        (b"location", b"https://www.example.com"),
    ],
    [
        (b":status", b"200"),
        (b"cache-control", b"private"),
        (b"date", b"Mon, 21 Oct 2013 20:13:22 GMT"),
        (b"location", b"https://www.example.com"),
        (b"content-encoding", b"gzip"),
        (b"set-cookie", COOKIE),
    ],
]
PLAIN_REQUESTS = [  # C.3
    "828684410f7777772e6578616d706c652e636f6d",
    "828684be58086e6f2d6361636865",
    "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
]
HUFFMAN_REQUESTS = [  # C.4
    "828684418cf1e3c2e5f23a6ba0ab90f4ff",
    "828684be5886a8eb10649cbf",
    "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
]
PLAIN_RESPONSES = [  # C.5
    "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54"
    "6e1768747470733a2f2f7777772e6578616d706c652e636f6d",
    "4803333037c1c0bf",
    "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b"
    "425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
]
HUFFMAN_RESPONSES = [  # C.6
    "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
    "4883640effc1c0bf",
    "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f"
    "3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
]

header_text = st.binary(max_size=300)
# Each piece is a whole representation, or a resize; some need an entry in the table, which may be missing.
PIECES = [
    b"\x82",  # static
    b"\xbe",  # the newest entry
    b"\xbf",  # the one before
    b"\x00\x01a\x01b",
    b"\x40\x01a\x01b",  # a new entry
    b"\x40\x01a\x01c",
    b"\x7e\x01d",  # a new entry with the name of the newest
    b"\x20",  # no table
    b"\x3f\x03",  # room for one entry
    b"\x3f\x61",
]
pieced_blocks = st.lists(st.sampled_from(PIECES), max_size=5).map(b"".join)
header_lists = st.lists(st.one_of(st.sampled_from(STATIC_TABLE), st.tuples(header_text, header_text)), max_size=20)


@pytest.mark.parametrize(
    ("block", "header"),
    [
        ("400a637573746f6d2d6b65790d637573746f6d2d686561646572", (b"custom-key", b"custom-header")),
        ("040c2f73616d706c652f70617468", (b":path", b"/sample/path")),
        ("100870617373776f726406736563726574", (b"password", b"secret")),
        ("81", (b":authority", b"")),
        ("82", (b":method", b"GET")),
        ("bd", (b"www-authenticate", b"")),
    ],
)
def test_each_representation_is_understood(block: str, header: Header) -> None:
    assert HeaderDecoder().decode(bytes.fromhex(block)) == [header]


@pytest.mark.parametrize("blocks", [PLAIN_REQUESTS, HUFFMAN_REQUESTS], ids=["plain", "huffman"])
def test_requests_share_one_table(blocks: list[str]) -> None:
    decoder = HeaderDecoder()

    decoded = [decoder.decode(bytes.fromhex(block)) for block in blocks]

    assert decoded == REQUESTS
    assert decoder.table == (
        (b"custom-key", b"custom-value"),
        (b"cache-control", b"no-cache"),
        (b":authority", b"www.example.com"),
    )


@pytest.mark.parametrize("blocks", [PLAIN_RESPONSES, HUFFMAN_RESPONSES], ids=["plain", "huffman"])
def test_the_oldest_entries_make_room(blocks: list[str]) -> None:
    decoder = HeaderDecoder(max_table_bytes=256)

    decoded = [decoder.decode(bytes.fromhex(block)) for block in blocks]

    assert decoded == RESPONSES
    assert decoder.table == (
        (b"set-cookie", COOKIE),
        (b"content-encoding", b"gzip"),
        (b"date", b"Mon, 21 Oct 2013 20:13:22 GMT"),
    )


def test_an_entry_larger_than_the_table_empties_it() -> None:
    decoder = HeaderDecoder(max_table_bytes=64)
    decoder.decode(b"\x40\x01a\x01b")

    decoder.decode(b"\x40\x01a\x40" + b"b" * 64)

    assert decoder.table == ()


def test_a_smaller_table_forgets_at_once() -> None:
    decoder = HeaderDecoder()
    decoder.decode(b"\x40\x01a\x01b")

    decoder.decode(b"\x20")

    assert decoder.table == ()


@settings(deadline=None)
@given(st.lists(header_lists, max_size=4))
def test_what_the_encoder_writes_the_decoder_reads(blocks: list[list[Header]]) -> None:
    encoder, decoder = HeaderEncoder(), HeaderDecoder(max_list_bytes=1 << 20)

    assert [decoder.decode(encoder.encode(headers)) for headers in blocks] == blocks


def test_the_encoder_gives_up_its_table_once_so_that_any_limit_suits_it() -> None:
    encoder = HeaderEncoder()

    assert encoder.encode([(b":method", b"POST")]) == b"\x20\x83"
    assert encoder.encode([(b":method", b"POST")]) == b"\x83"


@given(st.lists(pieced_blocks, max_size=6), header_lists)
def test_a_block_that_stands_for_itself_means_the_same_at_any_time(before: list[bytes], headers: list[Header]) -> None:
    decoder = HeaderDecoder(max_list_bytes=1 << 20)
    for block in before:
        with suppress(ProtocolError):
            decoder.decode(block)
    table, moves = decoder.table, decoder.moves

    assert decoder.decode(encode_block(headers)) == headers
    assert (decoder.table, decoder.moves) == (table, moves)


@given(st.lists(pieced_blocks, max_size=10))
def test_the_table_never_changes_unseen(blocks: list[bytes]) -> None:
    decoder = HeaderDecoder()

    for block in blocks:
        table, moves = decoder.table, decoder.moves
        try:
            headers = decoder.decode(block)
        except ProtocolError:
            break
        if decoder.moves == moves:
            assert decoder.table == table
            assert decoder.decode(block) == headers


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(b"\x40\x01a\x01b", id="that is there already"),
        pytest.param(b"\x40\x01a\x7f\xd1\x3e" + b"x" * 8144, id="too large for it"),
    ],
)
def test_an_entry_moves_the_table_even_one(entry: bytes) -> None:
    decoder = HeaderDecoder()
    decoder.decode(b"\x40\x01a\x01b")
    moves = decoder.moves

    decoder.decode(entry)

    assert decoder.moves > moves


def test_reading_entries_leaves_the_table_where_it_is() -> None:
    decoder = HeaderDecoder()
    decoder.decode(b"\x40\x01a\x01b")
    moves = decoder.moves

    decoder.decode(b"\x82\xbe\x00\x01c\x01d\x10\x01e\x01f")

    assert decoder.moves == moves


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        ("80", "names entry 0 of a table with 61 entries"),
        ("be", "names entry 62 of a table with 61 entries"),
        ("40", "ends where a string should begin"),
        ("000561", "ends inside a string of 5 bytes"),
        ("ff", "ends inside a number"),
        ("ffffffffffff7f", "has a number of more than 5 octets"),
        ("8220", "resizes the table after its first header"),
        ("3fe21f", "asks for a table of 4097 bytes; 4096 were agreed"),
    ],
)
def test_a_block_that_is_not_hpack_is_refused_with_its_reason(block: str, reason: str) -> None:
    with pytest.raises(ProtocolError, match=f"^a header block {reason}$") as refused:
        HeaderDecoder().decode(bytes.fromhex(block))

    assert refused.value.code is ErrorCode.COMPRESSION_ERROR


def test_numbers_beyond_the_prefix_are_read_as_in_appendix_c1() -> None:
    HeaderDecoder(max_table_bytes=1337).decode(bytes.fromhex("3f9a0a"))

    with pytest.raises(ProtocolError, match="1337 bytes"):
        HeaderDecoder(max_table_bytes=1336).decode(bytes.fromhex("3f9a0a"))


def test_a_list_too_large_is_refused_without_losing_step() -> None:
    decoder = HeaderDecoder(max_list_bytes=100)
    large = b"\x00\x01a\x64" + b"x" * 100

    with pytest.raises(HeaderListTooLarge) as refused:
        decoder.decode(large + b"\x40\x01c\x01d")

    assert (refused.value.size_bytes, refused.value.limit_bytes) == (167, 100)
    assert decoder.decode(b"\xbe") == [(b"c", b"d")]


def test_a_small_block_cannot_grow_into_much_memory() -> None:
    decoder = HeaderDecoder(max_list_bytes=10_000)
    decoder.decode(b"\x40\x01a\x7f\xd1\x0e" + b"x" * 2000)

    with pytest.raises(HeaderListTooLarge):
        decoder.decode(b"\xbe" * 10_000)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=5))
def test_no_bytes_do_worse_than_being_refused(blocks: list[bytes]) -> None:
    decoder = HeaderDecoder(max_list_bytes=1000)
    for block in blocks:
        try:
            decoder.decode(block)
        except HeaderListTooLarge:
            continue
        except ProtocolError:
            break

    assert sum(len(name) + len(value) + 32 for name, value in decoder.table) <= DEFAULT_TABLE_BYTES
