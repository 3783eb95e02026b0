"""Serve services on addresses, over one of the transports, with health and reflection beside them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Final

from cosi.resource.registry import Registry
from cosi.rpc import health, reflection, runtime_service
from cosi.rpc.address import Address
from cosi.rpc.runtime_service import RuntimeHost
from cosi.rpc.seam import Service
from cosi.rpc.service import StateService
from cosi.rpc.tls import Certificates, ServerTls
from cosi.state.core import CoreState


class Transport(StrEnum):
    """What carries the calls: our own HTTP/2, or grpc.aio."""

    NATIVE = "native"
    GRPCIO = "grpcio"


DEFAULT_TRANSPORT: Final = Transport.NATIVE


def serving(
    core: CoreState,
    registry: Registry,
    addresses: Sequence[Address],
    *,
    host: RuntimeHost | None = None,
    tls: ServerTls | Certificates | None = None,
    transport: Transport = DEFAULT_TRANSPORT,
) -> AbstractAsyncContextManager[Sequence[Address]]:
    """Serve a state while the body runs, and the controllers of its host if it has one; see `serving_services`."""
    services = [StateService(core, registry).service]
    if host is not None:
        services.append(runtime_service.service(host))
    return serving_services(services, addresses, tls=tls, transport=transport)


def serving_services(
    services: Sequence[Service],
    addresses: Sequence[Address],
    *,
    tls: ServerTls | Certificates | None = None,
    transport: Transport = DEFAULT_TRANSPORT,
) -> AbstractAsyncContextManager[Sequence[Address]]:
    """Serve while the body runs, with health and reflection; yields the addresses with the ports that were taken.

    With `tls` every TCP address speaks it; a unix socket never does, it is for its user alone. Raises OSError if an
    address can't be taken, ValueError if one is not local and there is no `tls`.
    """
    names = [service.name for service in services]
    all_services = (*services, health.service(names), *reflection.services([*names, health.NAME]))
    # Each transport is imported where it is used: a process that needs one does without the other.
    if transport is Transport.NATIVE:
        from cosi.rpc.native import server as native

        return native.serving(all_services, addresses, tls)
    from cosi.rpc.grpcio import server as grpcio

    return grpcio.serving(all_services, addresses, tls)
