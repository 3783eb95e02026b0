"""Network devices and disks are listed with their counters, and added up."""

import hypothesis
import pytest
from hypothesis import strategies

from talos.procfs.devices import disks, network_devices

NET_DEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:  100  2    3    4    5    6     7          8             200  20    30    40    50   60     70          80
eth0:1: 1000 20   30   40   50   60    70         80            2000 200   300   400   500  600    700         800
"""  # noqa: E501 - as the kernel writes it

DISKSTATS = """\
   7       0 loop0 1 0 5180 612 0 0 0 0 0 596 612 0 0 0 0 0 0
 254       0 vda 2 20774 10222850 459701 130361 137581 7245576 70669 1 69244 547064 68024 46 1520448 11890 27590 4802
 253       0 old 1 2 3 4 5 6 7 8 9 10 11
"""


def test_a_network_device_has_what_it_received_and_sent() -> None:
    lo, alias = network_devices(NET_DEV).devices

    assert (lo.name, lo.rx_bytes, lo.rx_multicast, lo.tx_bytes, lo.tx_collisions) == ("lo", 100, 8, 200, 60)
    assert (alias.name, alias.rx_bytes) == ("eth0:1", 1000)


def test_network_devices_add_up_and_the_sum_bears_their_names() -> None:
    total = network_devices(NET_DEV).total

    assert (total.name, total.rx_bytes, total.tx_compressed) == ("eth0:1, lo", 1100, 880)


def test_disks_have_what_they_read_wrote_and_discarded() -> None:
    loop, vda = disks(DISKSTATS).devices

    assert (loop.name, loop.read_sectors, loop.io_time_weighted_ms) == ("loop0", 5180, 612)
    assert (vda.name, vda.write_completed, vda.io_in_progress) == ("vda", 130361, 1)
    assert (vda.discard_completed, vda.discard_time_ms) == (68024, 11890)


def test_disks_add_up() -> None:
    total = disks(DISKSTATS).total

    assert (total.name, total.read_completed, total.io_time_ms) == ("", 3, 69840)


def test_counters_that_ran_over_do_not_break_the_sum() -> None:
    text = NET_DEV.replace(" 100 ", f" {(1 << 64) - 1} ")

    assert network_devices(text).total.rx_bytes == 999


@pytest.mark.parametrize("text", [NET_DEV.replace("100", "a lot"), NET_DEV.replace(" 2 ", " -2 ")])
def test_a_counter_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        network_devices(text)


@hypothesis.given(strategies.lists(strategies.lists(strategies.sampled_from("a:1-7 "), max_size=50), max_size=6))
def test_any_text_is_read_or_refused(lines: list[list[str]]) -> None:
    text = "\n".join(map(" ".join, lines))
    for parse in (network_devices, disks):
        try:
            parse(text)
        except ValueError:
            continue
