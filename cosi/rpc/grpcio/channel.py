"""The connection to a server: made when first needed, made again when it broke, closed with everything on it.

A unix socket and the loopback addresses are plain text; whatever leaves the machine is TLS.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import grpc

from cosi.rpc.address import Address, is_loopback
from cosi.rpc.grpcio.tls import channel_credentials
from cosi.rpc.tls import ClientTls

MAX_RESPONSE_BYTES: Final = 32 << 20
"""The largest message accepted from a server; what talosctl accepts."""

MIN_RECONNECT_MILLISECONDS: Final = 100
MAX_RECONNECT_MILLISECONDS: Final = 5_000
"""Between two attempts to connect. gRPC's own limit of two minutes would leave a resuming watch waiting for nothing."""

KEEPALIVE_MILLISECONDS: Final = 310_000
"""How long a silent connection is taken to be alive. Go's servers hang up on who asks more often than every 5 min."""

KEEPALIVE_TIMEOUT_MILLISECONDS: Final = 20_000

_OPTIONS: Final[tuple[tuple[str, Any], ...]] = (
    ("grpc.max_receive_message_length", MAX_RESPONSE_BYTES),
    ("grpc.initial_reconnect_backoff_ms", MIN_RECONNECT_MILLISECONDS),
    ("grpc.max_reconnect_backoff_ms", MAX_RECONNECT_MILLISECONDS),
    ("grpc.keepalive_time_ms", KEEPALIVE_MILLISECONDS),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MILLISECONDS),
    ("grpc.http2.max_pings_without_data", 0),  # no limit: a watch may be silent for days
    ("grpc.use_local_subchannel_pool", 1),
)


@asynccontextmanager
async def open_channel(address: Address, tls: ClientTls | None) -> AsyncIterator[grpc.aio.Channel]:
    """Hold a channel while the body runs; calls still open then end. Raises ValueError for plain text to elsewhere."""
    async with _channel(address, tls) as channel:
        yield channel


def _channel(address: Address, tls: ClientTls | None) -> grpc.aio.Channel:
    if address.path or (tls is None and is_loopback(address.host)):
        # A proxy that the environment names is for other machines.
        return grpc.aio.insecure_channel(address.target, options=(*_OPTIONS, ("grpc.enable_http_proxy", 0)))
    if tls is None:
        raise ValueError(f"will not speak plain text to {address}: it is another machine, which takes TLS")
    name = (("grpc.ssl_target_name_override", tls.server_name),) if tls.server_name else ()
    return grpc.aio.secure_channel(address.target, channel_credentials(tls), options=(*_OPTIONS, *name))
