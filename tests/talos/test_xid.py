"""An event's id is twenty characters, and sorts by time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talos import xid


def test_an_id_is_written_as_xid_writes_it() -> None:
    # The example of rs/xid's own documentation.
    value = bytes([0x4D, 0x88, 0xE1, 0x5B, 0x60, 0xF4, 0x86, 0xE4, 0x28, 0x41, 0x2D, 0xC9])

    assert xid.text_of(value) == "9m4e2mr0ui3e8a215n4g"
    assert xid.parse("9m4e2mr0ui3e8a215n4g") == value
    assert xid.seconds_of(value) == 1300816219


@given(st.binary(min_size=xid.BYTES, max_size=xid.BYTES))
def test_what_is_written_is_read(value: bytes) -> None:
    assert xid.parse(xid.text_of(value)) == value


@pytest.mark.parametrize(
    "text",
    ["", "9m4e2mr0ui3e8a215n4", "9M4E2MR0UI3E8A215N4G", "9m4e2mr0ui3e8a215n4z", "9m4e2mr0ui3e8a215n4h", "ü" * 20],
)
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid ID"):
        xid.parse(text)


@given(st.lists(st.floats(0, 4e9), min_size=1))
def test_ids_sort_as_they_were_made_even_if_the_clock_is_set_back(times: list[float]) -> None:
    clock = iter(times)
    source = xid.XidSource(lambda: next(clock))

    made = [source.next() for _ in times]

    assert made == sorted(set(made))
