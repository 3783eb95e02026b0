"""Flow control as counting."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosi.rpc.http2.errors import ErrorCode, ProtocolError
from cosi.rpc.http2.windows import ReceiveWindow, SendWindow


def test_credit_is_given_when_half_the_window_is_used() -> None:
    window = ReceiveWindow(100)

    window.receive(49)
    assert window.credit() == 0
    window.receive(1)
    assert window.credit() == 50
    assert window.credit() == 0


def test_what_the_user_holds_is_not_given_back_until_it_is_taken() -> None:
    window = ReceiveWindow(100)
    window.receive(100)
    window.hold(60)

    assert window.credit() == 0
    window.release(60)
    assert window.credit() == 100


def test_a_message_larger_than_the_window_passes_in_parts() -> None:
    window = ReceiveWindow(100)
    for _ in range(3):
        window.receive(100)
        assert window.credit() == 100

    window.receive(50)
    window.hold(350)
    assert window.credit() == 0
    window.release(350)
    assert window.credit() == 50


def test_more_than_was_allowed_is_refused() -> None:
    window = ReceiveWindow(100)
    window.receive(60)

    with pytest.raises(ProtocolError, match="41 bytes came through a window of 40") as refused:
        window.receive(41)

    assert refused.value.code is ErrorCode.FLOW_CONTROL_ERROR


def test_a_send_window_may_fall_below_zero_and_recover() -> None:
    window = SendWindow(10)
    window.spend(10)
    window.grow(-5)
    assert window.available_bytes == -5

    window.grow(7)
    assert window.available_bytes == 2


@settings(deadline=None)
@given(st.lists(st.integers(1, 120), max_size=60))
def test_a_reader_who_takes_everything_never_stops_its_sender(sizes: list[int]) -> None:
    window = ReceiveWindow(100)
    allowed = 100

    for size in sizes:
        sent = min(size, allowed)
        window.receive(sent)
        allowed -= sent
        window.hold(sent)
        window.release(sent)
        allowed += window.credit()
        assert 50 < allowed <= 100
