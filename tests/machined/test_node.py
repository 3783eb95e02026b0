"""What is wrong with the options of `machined run` for the network is said in one line, before anything starts."""

from __future__ import annotations

from collections.abc import Sequence

import click
import pytest

from machined import node


@pytest.mark.parametrize(
    ("listen", "peers", "problem"),
    [
        (None, ["b=127.0.0.2"], "--endpoint, --peer and --talosconfig are for clients from the network: add --listen"),
        ("127.0.0.1", ["b"], "'b' is no peer: write NAME=HOST:PORT"),
        ("127.0.0.1", ["b=127.0.0.2:x"], "'127.0.0.2:x' is not an address: write unix:PATH or HOST:PORT"),
    ],
)
def test_a_faulty_option_is_one_line(listen: str | None, peers: Sequence[str], problem: str) -> None:
    with pytest.raises(click.ClickException) as refused:
        node.door(listen, (), peers, None, transport="native")

    assert refused.value.message == problem
