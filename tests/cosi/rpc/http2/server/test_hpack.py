"""Header blocks in every form that RFC 7541 has, and in the forms it forbids, as a server meets them."""

import pytest

from cosi.rpc.http2 import frames
from cosi.rpc.http2.hpack import DEFAULT_TABLE_BYTES, encode_block
from cosi.rpc.http2.server_events import Began
from tests.cosi.rpc.http2.server.peer import GET, GRPC, Peer, request

BLOCK = encode_block(GET)
CALL = encode_block(GRPC)

NAME = b"\x06x-test"
VALUE = b"\x06h2test"
HUFFMAN_NAME = b"\x85\xf2\xb2\x4a\x84\xff"  # x-test
HUFFMAN_VALUE = b"\x84\x9c\x48\xac\xa4"  # four bytes that decode to "h2spec" are as good as any
USER_AGENT_BY_INDEX = {0x40: b"\x7a", 0x00: b"\x0f\x2b", 0x10: b"\x1f\x2b"}


@pytest.mark.parametrize("pattern", [0x40, 0x00, 0x10], ids=["incremental", "without", "never"])
@pytest.mark.parametrize("value", [VALUE, HUFFMAN_VALUE, b"\x00"], ids=["plain value", "huffman value", "empty value"])
@pytest.mark.parametrize("name", [NAME, HUFFMAN_NAME, b""], ids=["plain name", "huffman name", "indexed name"])
def test_every_form_of_a_literal_is_read(pattern: int, name: bytes, value: bytes) -> None:
    peer = Peer()
    start = bytes((pattern,)) + name if name else USER_AGENT_BY_INDEX[pattern]

    peer.send(frames.Headers(1, BLOCK + start + value, end_stream=True))

    assert peer.verdict() == "answered 1 405"


def test_an_index_is_read() -> None:
    peer = Peer()

    peer.send(frames.Headers(1, BLOCK + b"\xba", end_stream=True))

    assert peer.verdict() == "answered 1 405"


@pytest.mark.parametrize(
    "updates",
    [b"\x20", b"\x3f\x61", b"\x3f\x61\x3f\xe1\x1f", b"\x3f\xe1\x1f"],
    ids=["0", "128", "128 and 4096", "4096"],
)
def test_a_table_may_be_resized_before_the_first_header(updates: bytes) -> None:
    peer = Peer()

    peer.send(frames.Headers(1, updates + BLOCK, end_stream=True))

    assert peer.verdict() == "answered 1 405"


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(BLOCK + b"\xc6", id="an index beyond both tables"),
        pytest.param(BLOCK + b"\xbe", id="an index into an empty table"),
        pytest.param(BLOCK + b"\x7f\x07\x00", id="a name beyond both tables"),
        pytest.param(BLOCK + b"\x80", id="index zero"),
        pytest.param(BLOCK + b"\x21", id="a table resized behind a header"),
        pytest.param(b"\x3f\xe2\x1f" + BLOCK, id=f"a table of {DEFAULT_TABLE_BYTES + 1} bytes"),
        pytest.param(b"\x3f\xff\xff\xff\xff\x7f" + BLOCK, id="a table without bounds"),
        pytest.param(BLOCK + b"\x00" + HUFFMAN_NAME + b"\x84\x49\x50\x9f\xff", id="padding of more than 7 bits"),
        pytest.param(BLOCK + b"\x00" + HUFFMAN_NAME + b"\x83\x49\x50\x90", id="padding of zeros"),
        pytest.param(
            BLOCK + b"\x00" + HUFFMAN_NAME + b"\x87\x49\x51\xff\xff\xff\xfa\x7f", id="an end-of-string symbol inside"
        ),
        pytest.param(BLOCK + b"\x00\x01a", id="a value that is not there"),
        pytest.param(BLOCK + b"\x00\x05a", id="a name that ends early"),
        pytest.param(BLOCK + b"\x00\x01a\x05b", id="a value that ends early"),
        pytest.param(BLOCK + b"\xff", id="a number that ends early"),
        pytest.param(BLOCK + b"\xff" + b"\x80" * 10 + b"\x01", id="a number of too many octets"),
        pytest.param(BLOCK + b"\x00\x7f\xff\xff\xff\xff\x0f", id="a name of four gigabytes"),
    ],
)
def test_a_block_that_breaks_the_rules_costs_the_connection(block: bytes) -> None:
    peer = Peer()

    peer.send(frames.Headers(1, block, end_stream=True))

    assert peer.verdict() == "GOAWAY COMPRESSION_ERROR"


def metadata_of(peer: Peer) -> list[dict[str, str | bytes]]:
    return [dict(event.head.metadata) for event in peer.events if isinstance(event, Began)]


def test_what_a_call_adds_to_the_table_later_calls_may_use() -> None:
    peer = Peer()

    peer.send(frames.Headers(1, CALL + b"\x40\x06cosi-a\x03one"))
    peer.send(frames.Headers(3, CALL + b"\xbe"))

    assert metadata_of(peer) == [{"cosi-a": "one"}] * 2


def test_the_same_bytes_mean_something_else_once_the_table_has_moved() -> None:
    peer = Peer()

    peer.send(frames.Headers(1, CALL + b"\x40\x06cosi-a\x03one"))
    peer.send(frames.Headers(3, CALL + b"\xbe"), frames.Headers(5, CALL + b"\xbe"))
    peer.send(frames.Headers(7, CALL + b"\x40\x06cosi-b\x03two"))
    peer.send(frames.Headers(9, CALL + b"\xbe"), frames.Headers(11, CALL + b"\xbf"))

    assert metadata_of(peer) == [{"cosi-a": "one"}] * 3 + [{"cosi-b": "two"}] * 2 + [{"cosi-a": "one"}]


def test_a_block_that_moves_the_table_moves_it_every_time() -> None:
    peer = Peer()
    adds = CALL + b"\x40\x06cosi-a\x03one"

    peer.send(*(frames.Headers(stream_id, adds) for stream_id in (1, 3, 5)))
    peer.send(frames.Headers(7, CALL + b"\xc0"))
    peer.send(frames.Headers(9, CALL + b"\xc1"))

    assert metadata_of(peer) == [{"cosi-a": "one"}] * 4
    assert peer.verdict() == "GOAWAY COMPRESSION_ERROR"


def test_a_table_that_was_emptied_is_empty_for_blocks_that_came_before_as_well() -> None:
    peer = Peer()
    peer.send(frames.Headers(1, CALL + b"\x40\x06cosi-a\x03one"), frames.Headers(3, CALL + b"\xbe"))

    peer.send(frames.Headers(5, b"\x20" + CALL), frames.Headers(7, CALL + b"\xbe"))

    assert metadata_of(peer) == [{"cosi-a": "one"}] * 2 + [{}]
    assert peer.verdict() == "GOAWAY COMPRESSION_ERROR"


def test_a_malformed_request_moves_the_table_as_well() -> None:
    peer = Peer()

    peer.send(frames.Headers(1, CALL + b"\x40\x06cosi-a\x03one" + b"\x00\x01A\x00"))
    peer.send(frames.Headers(3, CALL + b"\xbe"))

    assert metadata_of(peer) == [{"cosi-a": "one"}]


def test_trailers_move_the_table_as_well() -> None:
    peer = Peer()

    peer.send(request(1), frames.Headers(1, b"\x40\x06cosi-a\x03one", end_stream=True))
    peer.send(frames.Headers(3, CALL + b"\xbe"))

    assert metadata_of(peer) == [{}, {"cosi-a": "one"}]


def test_bytes_that_were_a_head_are_no_trailers_and_the_other_way_round() -> None:
    peer = Peer()
    trailers = encode_block([(b"x-test", b"ok")])

    peer.send(request(1), frames.Headers(1, trailers, end_stream=True), request(3))
    peer.send(frames.Headers(5, trailers), frames.Headers(3, CALL, end_stream=True))

    assert peer.verdict() == "RST_STREAM 3 PROTOCOL_ERROR, RST_STREAM 5 PROTOCOL_ERROR"
