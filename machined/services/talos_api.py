"""Talos's API as a whole: what this node serves of it, and for the rest a sentence that says so.

Several parts may serve methods of one service. A client that calls what nobody serves learns that it found the right
place, and that this node has nothing of the kind.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from typing import Final

from cosi.rpc import service as state
from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Call, Frames, Refusal, Service
from talos.access import roles

SERVER_STREAMING: Final = frozenset(
    {
        "cluster.ClusterService/HealthCheck",
        *(f"machine.ImageService/{method}" for method in ("List", "Pull")),
        *(f"machine.LifecycleService/{method}" for method in ("Install", "Upgrade")),
        *(
            f"machine.MachineService/{method}"
            for method in (
                "Copy", "DiskUsage", "Dmesg", "EtcdSnapshot", "Events", "ImageList", "Kubeconfig", "List", "Logs",
                "PacketCapture", "Read",
            )
        ),
    }
)  # fmt: skip
"""Methods that answer with a stream; another node, to which a call is passed on, may serve them."""

CLIENT_STREAMING: Final = frozenset({"machine.ImageService/Import", "machine.MachineService/EtcdRecover"})
"""Methods to which clients stream; a single message would be waited for in vain."""

NOT_HERE: Final = "this node manages system extensions only"
WHY_NOT: Final = {
    "machine.MachineService/Kubeconfig": "this node runs no Kubernetes: upgrade and reboot it with --drain=false"
}
"""What to say of methods of which there is more to say."""

BIDIRECTIONAL: Final = frozenset({"machine.DebugService/ContainerRun"})


def complete(parts: Iterable[Service]) -> Sequence[Service]:
    """Return every service that Talos has beside its state: the methods in the parts, and a refusal of all others."""
    parts = tuple(parts)
    names = [name for name in roles.METHODS if name != state.NAME]
    assert {part.name for part in parts} <= set(names)
    return [_joined(name, [part for part in parts if part.name == name]) for name in names]


def _joined(name: str, parts: Sequence[Service]) -> Service:
    unary = {method: handler for part in parts for method, handler in part.unary.items()}
    streamed = {method: handler for part in parts for method, handler in part.server_streaming.items()}
    uploads = {method: handler for part in parts for method, handler in part.client_streaming.items()}
    talks = {method: handler for part in parts for method, handler in part.bidirectional.items()}
    for method in roles.METHODS.get(name, ()):
        if method in {*unary, *streamed, *uploads, *talks}:
            continue
        missing = _Missing(f"{name}/{method}")
        if missing.path in CLIENT_STREAMING:
            uploads[method] = missing.upload
        elif missing.path in BIDIRECTIONAL:
            talks[method] = missing.talk
        elif missing.path in SERVER_STREAMING:
            streamed[method] = missing.stream
        else:
            unary[method] = missing.unary
    return Service(name, unary, streamed, uploads, talks)


class _Missing:
    """A method that is not served."""

    def __init__(self, path: str) -> None:
        self.path = path

    async def unary(self, _: bytes, __: Call) -> Frames:
        raise self._refusal()

    async def stream(self, _: bytes, __: Call) -> AsyncGenerator[Frames, None]:
        raise self._refusal()
        yield b""

    async def upload(self, _: AsyncIterator[bytes], __: Call) -> Frames:
        raise self._refusal()

    async def talk(self, _: AsyncIterator[bytes], __: Call) -> AsyncGenerator[Frames, None]:
        raise self._refusal()
        yield b""

    def _refusal(self) -> Refusal:
        return Refusal(Code.UNIMPLEMENTED, f"{self.path} is not served: {WHY_NOT.get(self.path, NOT_HERE)}")
