"""What short commands share: a connection to the server that was named, and errors of one line each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

import click

from cosi.rpc import address
from cosi.rpc.blocking import Channel
from cosi.rpc.http2.status import Code, RpcError

CONNECT_SECONDS: Final = 5.0
LOCAL_NODE: Final = "localhost"
"""What a server on a unix socket is called."""


def failure(problems: Sequence[str]) -> click.ClickException:
    """Return what ends a command for several reasons, each of which gets a line like the only one of others."""
    return click.ClickException("\ncosi: ".join(problems))


class Server(NamedTuple):
    """A server that answers, and what people call it."""

    channel: Channel
    name: str


@contextmanager
def connected(server: str | None) -> Iterator[Server]:
    """Hold a connection while the body runs. Raises RpcError, ValueError."""
    where = address.parse(server) if server else address.Address(path=address.default_socket())
    with Channel.connect(where.target, timeout_seconds=CONNECT_SECONDS) as channel:
        yield Server(channel, where.host or LOCAL_NODE)


@contextmanager
def asking(server: str | None) -> Iterator[Server]:
    """Hold a connection while the body runs. Raises click.ClickException for whatever goes wrong with it."""
    try:
        with connected(server) as there:
            yield there
    except (LookupError, ValueError) as error:
        raise click.ClickException(str(error.args[0] if error.args else error)) from None
    except RpcError as error:
        if error.code is Code.UNIMPLEMENTED:
            raise click.ClickException("this server hosts no controllers and knows nothing of any") from None
        raise click.ClickException(error.message) from None
