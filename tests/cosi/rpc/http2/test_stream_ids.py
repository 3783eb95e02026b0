"""Which stream ids were used, and what a late frame deserves."""

import pytest

from cosi.rpc.http2.errors import ErrorCode, ProtocolError, StreamError
from cosi.rpc.http2.limits import REMEMBERED_STREAMS
from cosi.rpc.http2.stream_ids import StreamIds


def is_known_as_closed(ids: StreamIds, stream_id: int) -> bool:
    with pytest.raises(ProtocolError) as refused:
        ids.open(stream_id)
    return refused.value.code is ErrorCode.STREAM_CLOSED


def test_a_client_opens_odd_streams_and_only_upwards() -> None:
    ids = StreamIds()

    ids.open(1)
    ids.open(7)

    assert ids.highest == 7


@pytest.mark.parametrize("stream_id", [2, 4, 6, 0])
def test_even_streams_are_not_the_clients(stream_id: int) -> None:
    with pytest.raises(ProtocolError, match=f"{stream_id} is even") as refused:
        StreamIds().open(stream_id)

    assert refused.value.code is ErrorCode.PROTOCOL_ERROR


@pytest.mark.parametrize("stream_id", [1, 3, 5])
def test_a_stream_that_was_used_or_skipped_is_not_opened_again(stream_id: int) -> None:
    ids = StreamIds()
    ids.open(3)
    ids.open(5)

    with pytest.raises(ProtocolError, match=f"stream {stream_id} comes after stream 5") as refused:
        ids.open(stream_id)

    assert refused.value.code is ErrorCode.PROTOCOL_ERROR


def test_headers_of_a_closed_stream_are_told_from_headers_out_of_order() -> None:
    ids = StreamIds()
    ids.open(1)
    ids.close(1)

    with pytest.raises(ProtocolError, match="stream 1 is closed") as refused:
        ids.open(1)

    assert refused.value.code is ErrorCode.STREAM_CLOSED
    assert not isinstance(refused.value, StreamError)


@pytest.mark.parametrize("stream_id", [7, 4, 0])
def test_a_stream_that_was_never_opened_may_not_be_named(stream_id: int) -> None:
    ids = StreamIds()
    ids.open(5)

    assert ids.is_idle(stream_id)
    for require in (ids.require_used, ids.require_ignored):
        with pytest.raises(ProtocolError, match=f"stream {stream_id} was never opened") as refused:
            require(stream_id)
        assert refused.value.code is ErrorCode.PROTOCOL_ERROR


@pytest.mark.parametrize("stream_id", [1, 3], ids=["skipped", "closed"])
def test_late_content_on_a_closed_stream_breaks_that_stream(stream_id: int) -> None:
    ids = StreamIds()
    ids.open(3)
    ids.close(3)
    ids.require_used(stream_id)
    assert not ids.is_idle(stream_id)

    with pytest.raises(StreamError, match=f"stream {stream_id} is closed") as refused:
        ids.require_ignored(stream_id)

    assert (refused.value.code, refused.value.stream_id) == (ErrorCode.STREAM_CLOSED, stream_id)


def test_late_frames_of_a_stream_that_we_gave_up_mean_nothing() -> None:
    ids = StreamIds()
    ids.open(1)
    assert not ids.ignores(1)

    ids.give_up(1)

    assert ids.ignores(1)
    ids.require_used(1)
    ids.require_ignored(1)


def test_the_last_streams_of_each_kind_are_remembered_and_no_more() -> None:
    ids = StreamIds()
    given_up, closed = range(1, 4 * REMEMBERED_STREAMS + 9, 4), range(3, 4 * REMEMBERED_STREAMS + 9, 4)

    for ours, theirs in zip(given_up, closed, strict=True):
        ids.open(ours)
        ids.give_up(ours)
        ids.open(theirs)
        ids.close(theirs)

    assert [ids.ignores(stream_id) for stream_id in given_up] == [False] * 2 + [True] * REMEMBERED_STREAMS
    assert [is_known_as_closed(ids, stream_id) for stream_id in closed] == [False] * 2 + [True] * REMEMBERED_STREAMS
