"""Calls that are passed on: to a peer over TLS, in the name of a node, in the roles of who made them.

    client ──▶ this node ── os:impersonator ──▶ peer
                 talos-role: the client's roles;  proxyfrom: this node

Bytes go through unread, each way as fast as the other end takes them; time that is left and who gives up go along. A
peer is held by one connection, made when first needed and again when it broke. Faithful to Talos's apid (pkg/backend).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from typing import Final

from cosi.rpc.http2.grpc_request import metadata_header
from cosi.rpc.http2.hpack import Header
from cosi.rpc.http2.status import Code
from cosi.rpc.remote.call import CallEnded, RemoteCall
from cosi.rpc.remote.channel import Channel, open_channel
from cosi.rpc.seam import Call, Frames, Refusal, frame
from cosi.rpc.tls import ClientTls
from cosi.state import errors
from machined import access
from machined.address_book import Peer
from talos.access.roles import ROLES_KEY, Role

PROXY_KEY: Final = "proxyfrom"
"""The metadata by which a node knows that a call was passed on to it, and is for nobody else."""

CALLS_OF_A_CLIENT: Final = 96
"""How many calls of one login a peer answers at a time: twice what the dashboard has open."""

CALLS: Final = 240
"""How many calls a peer is passed on at a time, fewer than the streams it allows a connection: none waits in line."""

_SAID_ANEW: Final = frozenset({"node", "nodes", PROXY_KEY, ROLES_KEY, "user-agent"})
"""What a call that is passed on says differently, or not at all."""

_STATUS_PREFIX: Final = b"grpc-"
_NO_METADATA: Final = frozenset({b"content-type", b"date", b"server"})


class Peers:
    """The connections to peers. `me` is what this node calls itself to them."""

    def __init__(self, me: str, channels: Mapping[Peer, Channel]) -> None:
        self._me = me
        self._channels = channels
        self._under_way: Counter[Peer] = Counter()
        self._of_a_client: Counter[tuple[Peer, bytes | None]] = Counter()

    def renew(self, tls: ClientTls) -> None:
        """Make the next connections with other certificates; those that stand go on with what they began with."""
        for channel in self._channels.values():
            channel.renew(tls)

    async def ask(self, peer: Peer, path: str, request: bytes, call: Call) -> Frames:
        """Return a peer's one answer. Raises Refusal."""
        async with aclosing(self.stream(peer, path, request, call)) as answers:
            async for answer in answers:
                return answer
        raise Refusal(Code.INTERNAL, f"{peer.name} ended {path} without an answer")

    async def stream(self, peer: Peer, path: str, request: bytes, call: Call) -> AsyncGenerator[Frames, None]:
        """Yield a peer's answers as they come. Raises Refusal."""
        metadata = passed_on(call, self._me)
        timeout = None if call.deadline is None else max(0.0, call.deadline - time.monotonic())
        with self._counted(peer, call):
            passed = RemoteCall(self._channels[peer], path, request, metadata=metadata, timeout_seconds=timeout)
            try:
                while (message := await passed.read()) is not None:
                    # What came meanwhile goes on with it, which is at most what a stream's window holds.
                    yield b"".join(map(frame, (message, *passed.arrived())))
            except CallEnded as end:
                raise _refusal(peer, end) from None
            except errors.Unavailable as error:
                raise Refusal(Code.UNAVAILABLE, f"{peer.name} can't be reached: {error}") from None
            finally:
                passed.close()

    @contextmanager
    def _counted(self, peer: Peer, call: Call) -> Iterator[None]:
        client = (peer, call.peer.certificate)
        if self._of_a_client[client] >= CALLS_OF_A_CLIENT or self._under_way[peer] >= CALLS:
            problem = f"too many calls to {peer.name} are under way over {self._me}"
            remedy = f"end some of them, or connect to {peer.name} itself, at {peer.address}"
            raise Refusal(Code.RESOURCE_EXHAUSTED, f"{problem}: {remedy}")
        self._of_a_client[client] += 1
        self._under_way[peer] += 1
        try:
            yield
        finally:
            self._under_way[peer] -= 1
            self._of_a_client[client] -= 1
            if not self._of_a_client[client]:
                del self._of_a_client[client]


@asynccontextmanager
async def connected_peers(peers: Sequence[Peer], tls: ClientTls, *, me: str) -> AsyncIterator[Peers]:
    """Hold connections to peers while the body runs; calls still open then end."""
    async with AsyncExitStack() as opened:
        yield Peers(me, {peer: await opened.enter_async_context(open_channel(peer.address, tls)) for peer in peers})


def passed_on(call: Call, me: str) -> Sequence[tuple[str, str | bytes]]:
    """Return the metadata of a call that `me` passes on. Raises Refusal if it can't be carried."""
    kept = [(key, value) for key, value in call.metadata if key not in _SAID_ANEW and not key.startswith("grpc-")]
    for key, value in kept:
        try:
            metadata_header(key, value)
        except ValueError as error:
            raise Refusal(Code.INVALID_ARGUMENT, f"the call can't be passed on: {error}") from None
    known = access.roles(call) & frozenset(Role)
    return [*kept, *((ROLES_KEY, str(role)) for role in sorted(known)), (PROXY_KEY, me)]


def _refusal(peer: Peer, end: CallEnded) -> Refusal:
    """Return the end of a call as its client is to see it: the peer's own words, if there are any."""
    ended = end.ended
    if not ended.trailers:  # the connection ended, not the call
        return Refusal(ended.code, f"{peer.name} has not answered: {ended.message}")
    return Refusal(ended.code, ended.message, [*_told(ended.trailers)])


def _told(trailers: Sequence[Header]) -> Iterator[tuple[str, str]]:
    """Return what trailers say beside the status; bytes are left out, and what no header of ours may have."""
    for name, value in trailers:
        if name.startswith((b":", _STATUS_PREFIX)) or name.endswith(b"-bin") or name in _NO_METADATA:
            continue
        if value.isascii() and value.decode().isprintable():
            yield name.decode(), value.decode()
