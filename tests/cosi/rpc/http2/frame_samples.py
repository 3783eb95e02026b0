"""Frames of every kind, for property tests."""

from hypothesis import strategies as st

from cosi.rpc.http2 import frames

stream_ids = st.integers(1, frames.MAX_STREAM_ID)
payloads = st.binary(max_size=300)
paddings = st.none() | st.integers(0, 255)
numbers = st.integers(0, (1 << 32) - 1)
settings = st.dictionaries(st.integers(0x7, 0xFFFF), numbers, max_size=5)

WHOLE_FRAMES: st.SearchStrategy[frames.Frame] = st.one_of(
    st.builds(frames.Data, stream_ids, payloads, end_stream=st.booleans(), padding=paddings),
    st.builds(frames.Headers, stream_ids, payloads, end_stream=st.booleans(), padding=paddings),
    st.builds(
        frames.Priority,
        stream_ids,
        depends_on=st.integers(0, frames.MAX_STREAM_ID),
        exclusive=st.booleans(),
        weight=st.integers(0, 255),
    ),
    st.builds(frames.RstStream, stream_ids, numbers),
    st.builds(frames.Settings, settings),
    st.just(frames.Settings(ack=True)),
    st.builds(frames.Ping, st.binary(min_size=8, max_size=8), ack=st.booleans()),
    st.builds(frames.GoAway, st.integers(0, frames.MAX_STREAM_ID), numbers, payloads),
    st.builds(frames.WindowUpdate, st.integers(0, frames.MAX_STREAM_ID), st.integers(1, frames.MAX_WINDOW_BYTES)),
    st.builds(
        frames.Extension,
        st.integers(0, frames.MAX_STREAM_ID),
        frame_type=st.integers(10, 255),
        flags=st.integers(0, 255),
        payload=payloads,
    ),
)
FRAMES = WHOLE_FRAMES | st.one_of(
    st.builds(frames.Headers, stream_ids, payloads, end_stream=st.booleans(), end_headers=st.just(False)),
    st.builds(frames.Continuation, stream_ids, payloads, end_headers=st.booleans()),
)
