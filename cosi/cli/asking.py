"""What short commands share: a connection to the server that was named, and errors in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

import click

from cosi.rpc import address
from cosi.rpc.blocking import Channel
from cosi.rpc.http2.status import Code, RpcError

CONNECT_SECONDS: Final = 5.0
LOCAL_NODE: Final = "localhost"
"""What a server on a unix socket is called."""


class Server(NamedTuple):
    """A server that answers, and what people call it."""

    channel: Channel
    name: str


@contextmanager
def asking(server: str | None) -> Iterator[Server]:
    """Hold a connection while the body runs. Raises click.ClickException for whatever goes wrong with it."""
    try:
        where = address.parse(server) if server else address.Address(path=address.default_socket())
        with Channel.connect(where.target, timeout_seconds=CONNECT_SECONDS) as channel:
            yield Server(channel, where.host or LOCAL_NODE)
    except (LookupError, ValueError) as error:
        raise click.ClickException(str(error.args[0] if error.args else error)) from None
    except RpcError as error:
        if error.code is Code.UNIMPLEMENTED:
            raise click.ClickException("this server hosts no controllers and knows nothing of any") from None
        raise click.ClickException(error.message) from None
