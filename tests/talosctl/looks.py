"""talosctl's commands that look into a node, call by call: none of them asks for a version first.

Faithful to cmd/talosctl/cmd/talos (logs, dmesg, service, memory, processes, mounts, stats, containers).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final, TypeVar

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from talos._pb.common import common_pb2
from talos._pb.machine import machine_pb2
from tests.talosctl.talosctl import MACHINE, Talosctl

SYSTEM: Final = "system"
ALL_LINES: Final = -1

Answer = TypeVar("Answer", bound=Message)


async def logs(
    client: Talosctl, id: str, *, namespace: str = SYSTEM, follow: bool = False, tail: int = ALL_LINES
) -> AsyncGenerator[str, None]:
    """`talosctl logs`: yield the lines it puts together from what comes."""
    request = machine_pb2.LogsRequest(namespace=namespace, id=id, follow=follow, tail_lines=tail)
    rest = b""
    async with aclosing(client.stream(f"{MACHINE}/Logs", request, common_pb2.Data)) as answers:
        async for answer in answers:
            *lines, rest = (rest + answer.bytes).split(b"\n")
            for line in lines:
                yield line.decode()
    if rest:
        yield rest.decode()


async def logs_containers(client: Talosctl) -> Sequence[str]:
    """The ids that the shell completes `talosctl logs` with."""
    answer = await client.unary(f"{MACHINE}/LogsContainers", Empty(), machine_pb2.LogsContainersResponse)
    return [id for message in answer.messages for id in message.ids]


async def dmesg(client: Talosctl, *, follow: bool = False, tail: bool = False) -> AsyncGenerator[str, None]:
    """`talosctl dmesg`: yield what it puts the node's name in front of."""
    request = machine_pb2.DmesgRequest(follow=follow, tail=tail)
    async with aclosing(client.stream(f"{MACHINE}/Dmesg", request, common_pb2.Data)) as answers:
        async for answer in answers:
            yield answer.bytes.decode()


async def services(client: Talosctl) -> Sequence[machine_pb2.ServiceInfo]:
    """`talosctl services`; with an id it looks for that one among them."""
    answer = await show(client, "ServiceList", machine_pb2.ServiceListResponse)
    return [service for message in answer.messages for service in message.services]


async def show(client: Talosctl, method: str, answer: type[Answer]) -> Answer:
    """Return the answer to a question that has nothing to say, as most of `talosctl dashboard`'s."""
    return await client.unary(f"{MACHINE}/{method}", Empty(), answer)
