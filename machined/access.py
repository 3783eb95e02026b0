"""Who came in through the network door may do what the roles in their certificate allow, and write no resources.

In maintenance (`machined.maintenance`) nobody is asked for a certificate, and everybody is a reader, as on Talos.

Two questions are asked of every call: may these roles call the method at all, and, of a call of the state, may they
read this type? Both, and the messages, are Talos's (pkg/grpc/middleware/authz, internal/app/resources). Who may call
asks briefly: what a request says is kept as long as its call lasts, several times over, and many calls may last.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from functools import lru_cache
from typing import Final

from cosi.resource import meta
from cosi.resource.registry import Registry
from cosi.rpc.http2.status import Code
from cosi.rpc.seam import (
    Bidirectional,
    Call,
    ClientStreaming,
    Feed,
    Frames,
    Refusal,
    ServerStreaming,
    Service,
    Unary,
)
from cosi.rpc.service import StateService
from cosi.state import errors
from cosi.state.filtered import READS, Access, Filtered, Rule
from cosi.state.state import State
from machined.maintenance import Maintenance
from talos.access.certificates import roles_of
from talos.access.roles import ROLES_KEY, Role, allowed
from talos.go_quoted import go_quoted

NOT_AUTHORIZED: Final = "not authorized"
MAX_QUESTION_BYTES: Final = 64 << 10
"""Of a request that brings no config: names, paths and queries, a thousand of them."""

CERTIFICATES_KEPT: Final = 1024
"""How many clients' certificates are read only once."""

_BRINGS_A_CONFIG: Final = ("machine.MachineService", "ApplyConfiguration")
_EVERYBODY: Final = frozenset({Role.READER})

_roles_of = lru_cache(CERTIFICATES_KEPT)(roles_of)


def roles(call: Call) -> frozenset[str]:
    """Return the roles of whoever calls, none without a certificate; of those for whom a node passes the call on."""
    if call.peer.certificate is None:
        return frozenset()
    own = _roles_of(call.peer.certificate)
    if Role.IMPERSONATOR in own and (told := [value for key, value in call.metadata if key == ROLES_KEY]):
        return frozenset(str(role) for role in told)
    return own


def roles_here(call: Call, maintenance: Maintenance) -> frozenset[str]:
    """Return the roles in which a call is answered here: those of its caller, but a reader's in maintenance.

    That is asked of each call anew: who came in without a certificate is nobody once maintenance is over.
    """
    return _EVERYBODY if maintenance.on else roles(call)


def readable(state: State, *, sensitive: bool) -> Rule:
    """Return the rule for reads of registered types in registered namespaces; of sensitive types only if told."""

    async def rule(access: Access) -> bool:
        if access.verb not in READS:
            raise errors.AccessDenied("write access is not allowed")
        try:
            definition = await state.get(meta.ResourceDefinition, access.type.lower())
        except errors.NotFound:
            raise errors.AccessDenied(f"resource type {go_quoted(access.type)} is not supported") from None
        if definition.spec.sensitive and not sensitive:
            raise errors.AccessDenied(NOT_AUTHORIZED)
        try:
            await state.get(meta.Namespace, access.namespace)
        except errors.NotFound:
            raise errors.AccessDenied(f"namespace {go_quoted(access.namespace)} is not supported") from None
        return True

    return rule


def state_service(state: State, registry: Registry, maintenance: Maintenance) -> Service:
    """Return the State service as the network sees it: guarded, and what it shows depends on who asks."""
    everything = StateService(Filtered(state, readable(state, sensitive=True)), registry).service
    the_rest = StateService(Filtered(state, readable(state, sensitive=False)), registry).service

    def chosen(call: Call) -> Service:
        return everything if Role.ADMIN in roles_here(call, maintenance) else the_rest

    return _guarded(everything, maintenance, chosen)


def guarded(service: Service, maintenance: Maintenance) -> Service:
    """Return a service whose methods ask for the caller's roles first."""
    return _guarded(service, maintenance, lambda _: service)


def _guarded(service: Service, maintenance: Maintenance, chosen: Callable[[Call], Service]) -> Service:
    def check(method: str, call: Call) -> None:
        if not allowed(service.name, method) & roles_here(call, maintenance):
            raise Refusal(Code.PERMISSION_DENIED, NOT_AUTHORIZED)

    def check_size(method: str, request: bytes) -> None:
        if len(request) > MAX_QUESTION_BYTES and (service.name, method) != _BRINGS_A_CONFIG:
            problem = f"the request has {len(request)} bytes, {service.name}/{method} takes {MAX_QUESTION_BYTES}"
            raise Refusal(Code.RESOURCE_EXHAUSTED, f"{problem} at most: ask for less at a time")

    def unary(method: str) -> Unary:
        async def handler(request: bytes, call: Call) -> Frames:
            check(method, call)
            check_size(method, request)
            return await chosen(call).unary[method](request, call)

        return handler

    def server_streaming(method: str) -> ServerStreaming:
        async def handler(request: bytes, call: Call) -> AsyncGenerator[Frames | Feed, None]:
            check(method, call)
            check_size(method, request)
            async with aclosing(chosen(call).server_streaming[method](request, call)) as answers:
                async for answer in answers:
                    yield answer

        return handler

    def client_streaming(method: str) -> ClientStreaming:
        async def handler(requests: AsyncIterator[bytes], call: Call) -> Frames:
            check(method, call)
            return await chosen(call).client_streaming[method](requests, call)

        return handler

    def bidirectional(method: str) -> Bidirectional:
        async def handler(requests: AsyncIterator[bytes], call: Call) -> AsyncGenerator[Frames | Feed, None]:
            check(method, call)
            async with aclosing(chosen(call).bidirectional[method](requests, call)) as answers:
                async for answer in answers:
                    yield answer

        return handler

    return Service(
        service.name,
        {method: unary(method) for method in service.unary},
        {method: server_streaming(method) for method in service.server_streaming},
        {method: client_streaming(method) for method in service.client_streaming},
        {method: bidirectional(method) for method in service.bidirectional},
    )
