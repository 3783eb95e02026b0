"""Frames of every kind, for property tests."""

from hypothesis import strategies as st

from cosi.rpc.http2 import frames

ANY_STREAM = st.integers(1, frames.MAX_STREAM_ID)

_payloads = st.binary(max_size=300)
_paddings = st.none() | st.integers(0, 255)
_numbers = st.integers(0, (1 << 32) - 1)
_unknown_settings = st.dictionaries(st.integers(0x7, 0xFFFF), _numbers, max_size=5)


def whole_frame(stream_ids: st.SearchStrategy[int]) -> st.SearchStrategy[frames.Frame]:
    """Any frame that stands for itself: no header block in pieces."""
    return st.one_of(
        st.builds(frames.Data, stream_ids, _payloads, end_stream=st.booleans(), padding=_paddings),
        st.builds(frames.Headers, stream_ids, _payloads, end_stream=st.booleans(), padding=_paddings),
        st.builds(
            frames.Priority,
            stream_ids,
            depends_on=st.integers(0, frames.MAX_STREAM_ID),
            exclusive=st.booleans(),
            weight=st.integers(0, 255),
        ),
        st.builds(frames.RstStream, stream_ids, _numbers),
        st.builds(frames.Settings, _unknown_settings),
        st.just(frames.Settings(ack=True)),
        st.builds(frames.Ping, st.binary(min_size=8, max_size=8), ack=st.booleans()),
        st.builds(frames.GoAway, st.integers(0, frames.MAX_STREAM_ID), _numbers, _payloads),
        st.builds(frames.WindowUpdate, st.just(0) | stream_ids, st.integers(1, frames.MAX_WINDOW_BYTES)),
        st.builds(
            frames.Extension,
            st.just(0) | stream_ids,
            frame_type=st.integers(10, 255),
            flags=st.integers(0, 255),
            payload=_payloads,
        ),
    )


def any_frame(stream_ids: st.SearchStrategy[int]) -> st.SearchStrategy[frames.Frame]:
    """Any frame at all."""
    return whole_frame(stream_ids) | st.one_of(
        st.builds(frames.Headers, stream_ids, _payloads, end_stream=st.booleans(), end_headers=st.just(False)),
        st.builds(frames.Continuation, stream_ids, _payloads, end_headers=st.booleans()),
    )
