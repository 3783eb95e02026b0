"""Header blocks to heads, some of them from memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosi.rpc.http2.errors import ErrorCode, ProtocolError, StreamError
from cosi.rpc.http2.frames import Headers
from cosi.rpc.http2.head_reader import HeadReader
from cosi.rpc.http2.hpack import Header, HeaderDecoder, HeaderListTooLarge, encode_block
from cosi.rpc.http2.limits import MAX_CACHED_HEAD_BYTES, MAX_CACHED_HEADS, MAX_LIST_BYTES
from cosi.rpc.http2.request_head import GrpcRefusal, RequestHead, read_head, read_trailers
from cosi.rpc.http2.status import Code

CALL_HEADERS: list[Header] = [
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/service/Method"),
    (b"content-type", b"application/grpc"),
]
CALL = encode_block(CALL_HEADERS)
NEW_ENTRY = b"\x40\x06cosi-a\x03one"
NEWEST_ENTRY = b"\xbe"
TOO_LARGE = b"\x00\x01a\x7f\x81\x7f" + b"x" * 16_384

# Each piece is a whole representation; what they mean depends on the table, and some move it.
PIECES = [
    b"\x83",  # a static entry, and here a pseudo-header out of place
    NEWEST_ENTRY,
    b"\xbf",  # the entry before
    NEW_ENTRY,
    b"\x40\x06cosi-b\x03two",
    b"\x7e\x05three",  # a new entry with the name of the newest
    b"\x00\x06cosi-c\x04four",
    TOO_LARGE,
]
RESIZES = [b"", b"", b"", b"\x20", b"\x3f\x0b", b"\x3f\xe1\x1f"]
blocks = st.builds(
    lambda resize, pieces: resize + CALL + b"".join(pieces),
    st.sampled_from(RESIZES),
    st.lists(st.sampled_from(PIECES), max_size=3),
)
few_blocks = st.lists(blocks, min_size=1, max_size=4)
parts = st.sampled_from(["head", "head", "head", "trailers", "skipped"])


class ForgetfulReader:
    """Reads every block anew."""

    def __init__(self) -> None:
        self._decoder = HeaderDecoder(max_list_bytes=MAX_LIST_BYTES)

    def read(self, frame: Headers) -> RequestHead:
        try:
            return read_head(self._decoder.decode(frame.block), frame.stream_id)
        except HeaderListTooLarge as error:
            return RequestHead("", refusal=GrpcRefusal(Code.RESOURCE_EXHAUSTED, str(error)))

    def read_trailers(self, frame: Headers) -> None:
        try:
            read_trailers(self._decoder.decode(frame.block), frame.stream_id)
        except HeaderListTooLarge as error:
            raise StreamError(ErrorCode.ENHANCE_YOUR_CALM, str(error), stream_id=frame.stream_id) from None

    def skip(self, frame: Headers) -> None:
        try:
            self._decoder.decode(frame.block)
        except HeaderListTooLarge:
            return


def outcome(reader: HeadReader | ForgetfulReader, part: str, frame: Headers) -> object:
    try:
        match part:
            case "head":
                head = reader.read(frame)
                refusal = head.refusal
                words = (refusal.code, refusal.message) if isinstance(refusal, GrpcRefusal) else refusal
                return head.path, head.authority, head.metadata, words
            case "trailers":
                return reader.read_trailers(frame)
            case _:
                return reader.skip(frame)
    except ProtocolError as error:
        return type(error), error.code, str(error)


def is_lost(outcome: object) -> bool:
    return isinstance(outcome, tuple) and outcome[0] is ProtocolError


@given(few_blocks, st.lists(st.tuples(parts, st.integers(0, 3)), max_size=25))
def test_a_head_from_memory_is_the_head_that_would_be_read(known: list[bytes], sent: list[tuple[str, int]]) -> None:
    reader, forgetful = HeadReader(), ForgetfulReader()

    for stream_id, (part, which) in enumerate(sent, start=1):
        frame = Headers(stream_id, known[which % len(known)], end_stream=True)
        expected = outcome(forgetful, part, frame)
        assert outcome(reader, part, frame) == expected
        if is_lost(expected):
            break


def test_a_block_that_is_repeated_is_not_read_again() -> None:
    reader = HeadReader()

    assert reader.read(Headers(1, CALL)) is reader.read(Headers(3, CALL))


def test_a_block_that_uses_the_table_is_not_read_again_either() -> None:
    reader = HeadReader()
    reader.read(Headers(1, CALL + NEW_ENTRY))

    first, second = (reader.read(Headers(stream_id, CALL + NEWEST_ENTRY)) for stream_id in (3, 5))

    assert first is second
    assert first.metadata == (("cosi-a", "one"),)


def test_who_gives_the_table_up_in_every_block_is_remembered_as_well() -> None:
    reader = HeadReader()
    reader.read(Headers(1, b"\x20" + CALL))

    first, second = (reader.read(Headers(stream_id, b"\x20" + CALL)) for stream_id in (3, 5))

    assert first is second


@pytest.mark.parametrize("part", ["head", "trailers", "skipped"])
@pytest.mark.parametrize("mover", [NEW_ENTRY, NEW_ENTRY + TOO_LARGE], ids=["a new entry", "in a list too large"])
def test_a_moved_table_makes_all_heads_new(part: str, mover: bytes) -> None:
    reader = HeadReader()
    before = reader.read(Headers(1, CALL))

    outcome(reader, part, Headers(3, (CALL if part == "head" else b"") + mover, end_stream=True))

    assert reader.read(Headers(5, CALL)) is not before


def test_a_block_that_moves_the_table_moves_it_every_time() -> None:
    reader = HeadReader()
    reader.read(Headers(1, CALL + b"\x40\x06cosi-b\x03two"))

    for stream_id in (3, 5):
        reader.read(Headers(stream_id, CALL + NEW_ENTRY))

    assert reader.read(Headers(7, CALL + b"\xc0")).metadata == (("cosi-b", "two"),)


def test_a_malformed_head_is_malformed_every_time_and_names_its_stream() -> None:
    reader = HeadReader()

    for stream_id in (1, 3):
        with pytest.raises(StreamError, match="is no header name") as refused:
            reader.read(Headers(stream_id, CALL + b"\x00\x01A\x00"))
        assert refused.value.stream_id == stream_id


@pytest.mark.parametrize("times", [1, 2], ids=["new", "from memory"])
def test_a_request_that_depends_on_itself_is_refused(times: int) -> None:
    reader = HeadReader()
    for _ in range(times - 1):
        reader.read(Headers(1, CALL))

    with pytest.raises(StreamError, match="stream 3 depends on itself") as refused:
        reader.read(Headers(3, CALL, depends_on=3))

    assert refused.value.code is ErrorCode.PROTOCOL_ERROR
    assert reader.read(Headers(5, CALL, depends_on=3)).path == "/service/Method"


def test_heads_that_differ_in_their_timeout_alone_are_read_once() -> None:
    reader = HeadReader()
    blocks = [
        encode_block([*CALL_HEADERS, (b"grpc-timeout", b"%dm" % timeout), (b"cosi-a", b"x")]) for timeout in (5, 6)
    ]

    first, second = (reader.read(Headers(1, block)) for block in blocks)

    assert [first.timeout_seconds, second.timeout_seconds] == [0.005, 0.006]
    assert first.metadata == (("cosi-a", "x"),)
    assert first.metadata is second.metadata


@pytest.mark.parametrize("text", [b"", b"5", b"5x", b"123456789S"])
def test_a_timeout_that_is_none_is_refused_although_a_good_one_is_remembered(text: bytes) -> None:
    reader = HeadReader()
    reader.read(Headers(1, encode_block([*CALL_HEADERS, (b"grpc-timeout", b"5S")])))

    head = reader.read(Headers(3, encode_block([*CALL_HEADERS, (b"grpc-timeout", text)])))

    assert isinstance(head.refusal, GrpcRefusal)
    assert head.refusal.code is Code.INTERNAL


def test_only_so_many_heads_are_remembered() -> None:
    reader = HeadReader()
    calls = [encode_block([*CALL_HEADERS, (b"cosi-number", b"%d" % number)]) for number in range(MAX_CACHED_HEADS + 1)]
    heads = [reader.read(Headers(1, block)) for block in calls]

    assert [reader.read(Headers(3, block)) is head for block, head in zip(calls, heads, strict=True)] == [
        *[True] * MAX_CACHED_HEADS,
        False,
    ]


def test_large_heads_are_not_remembered() -> None:
    reader = HeadReader()
    # A value counts twice: in the block, and in what it means.
    sizes = MAX_CACHED_HEAD_BYTES // 4, MAX_CACHED_HEAD_BYTES // 2
    largest, larger = (encode_block([*CALL_HEADERS, (b"cosi-a", b"x" * size)]) for size in sizes)

    assert reader.read(Headers(1, largest)) is reader.read(Headers(3, largest))
    assert reader.read(Headers(5, larger)) is not reader.read(Headers(7, larger))


def test_small_blocks_that_mean_much_are_not_remembered() -> None:
    reader = HeadReader()
    reader.read(Headers(1, CALL + b"\x40\x06cosi-a" + bytes((0x7F, 0xE9, 0x06)) + b"x" * 1000))

    referring = CALL + b"\xbe"

    assert reader.read(Headers(3, referring)) is not reader.read(Headers(5, referring))


def test_headers_too_large_are_a_refusal_that_says_so() -> None:
    head = HeadReader().read(Headers(1, CALL + TOO_LARGE))

    assert isinstance(head.refusal, GrpcRefusal)
    assert head.refusal.code is Code.RESOURCE_EXHAUSTED
    assert f"at most {MAX_LIST_BYTES} are accepted" in head.refusal.message


def test_trailers_too_large_break_their_stream() -> None:
    with pytest.raises(StreamError, match="are accepted") as refused:
        HeadReader().read_trailers(Headers(5, TOO_LARGE, end_stream=True))

    assert (refused.value.code, refused.value.stream_id) == (ErrorCode.ENHANCE_YOUR_CALM, 5)


def test_trailers_that_end_nothing_break_their_stream() -> None:
    with pytest.raises(StreamError, match="do not end it") as refused:
        HeadReader().read_trailers(Headers(5, b""))

    assert (refused.value.code, refused.value.stream_id) == (ErrorCode.PROTOCOL_ERROR, 5)


def test_a_block_that_nobody_waits_for_may_be_malformed_but_must_be_hpack() -> None:
    reader = HeadReader()

    reader.skip(Headers(1, b"\x00\x01A\x00" + NEW_ENTRY))
    reader.skip(Headers(1, TOO_LARGE))
    assert reader.read(Headers(3, CALL + NEWEST_ENTRY)).metadata == (("cosi-a", "one"),)

    with pytest.raises(ProtocolError) as refused:
        reader.skip(Headers(1, b"\x80"))
    assert refused.value.code is ErrorCode.COMPRESSION_ERROR
