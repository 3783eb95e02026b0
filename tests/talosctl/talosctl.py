"""talosctl's calls: the version of each node first, then one call a node, each naming its one node.

Without certificates (`--insecure`) calls name no node. Faithful to Talos's cmd/talosctl and pkg/machinery/client.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Final, TypeVar

import msgspec
import yaml
from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from cosi._pb.v1alpha1 import meta_pb2, resource_pb2, state_pb2
from cosi.rpc.address import Address
from talos._pb.common import common_pb2
from talos._pb.inspect import inspect_pb2
from talos._pb.machine import machine_pb2
from talos.access.talosconfig import Talosconfig
from tests.talosctl.wire import CallFailed, Headers, Wire, connected

AUTO: Final = machine_pb2.ApplyConfigurationRequest.AUTO
TRIAL_SECONDS: Final = 60.0
"""How long a trial lasts unless told."""

STATE: Final = "/cosi.resource.State"
MACHINE: Final = "/machine.MachineService"
INSPECT: Final = "/inspect.InspectService"

IMAGES: Final = "/machine.ImageService"
LIFECYCLE: Final = "/machine.LifecycleService"

EVENTS: Final[Mapping[str, type[Message]]] = {
    f"talos/runtime/{each.DESCRIPTOR.full_name}": each
    for each in (
        machine_pb2.SequenceEvent,
        machine_pb2.PhaseEvent,
        machine_pb2.TaskEvent,
        machine_pb2.ServiceStateEvent,
        machine_pb2.ConfigLoadErrorEvent,
        machine_pb2.ConfigValidationErrorEvent,
        machine_pb2.AddressEvent,
        machine_pb2.MachineStatusEvent,
        machine_pb2.RestartEvent,
    )
}
"""The events that talosctl knows; another one ends its tracking."""

Answer = TypeVar("Answer", bound=Message)


class Talosctl:
    """A talosctl that has logged in."""

    def __init__(self, wire: Wire, nodes: Sequence[str], *, insecure: bool = False) -> None:
        self._wire = wire
        self._insecure = insecure
        self.nodes = nodes

    def metadata(self, node: str) -> Headers:
        """Return what is sent along with a call to a node."""
        return [("runtime", "Talos")] if self._insecure else [("runtime", "Talos"), ("node", node)]

    async def stream(
        self, path: str, request: Message, answer: type[Answer], node: str | None = None
    ) -> AsyncGenerator[Answer, None]:
        """Yield the answers of one node, the first unless told. Raises CallFailed."""
        async with aclosing(self.raw(path, request.SerializeToString(), node)) as messages:
            async for message in messages:
                yield answer.FromString(message)

    def raw(
        self, path: str, request: bytes, node: str | None = None, *, metadata: Headers | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Yield the answers of one node as they are; a request may be anything, and so may what is sent along."""
        return self._wire.call(path, request, self.metadata(node or self.nodes[0]) if metadata is None else metadata)

    async def unary(self, path: str, request: Message, answer: type[Answer], node: str | None = None) -> Answer:
        """Return the one answer of a node, the first unless told. Raises CallFailed."""
        (only,) = [each async for each in self.stream(path, request, answer, node)]
        return only

    async def version(self) -> Sequence[machine_pb2.VersionResponse]:
        """Ask every node for its version, as each command does before anything else."""
        return [
            await self.unary(f"{MACHINE}/Version", Empty(), machine_pb2.VersionResponse, node) for node in self.nodes
        ]

    async def get(self, type: str, id: str = "") -> Sequence[tuple[str, resource_pb2.Resource]]:
        """Return what `talosctl get` shows: nodes and resources."""
        await self.version()
        definition = await self._resolved(type)
        namespace, kind = definition.default_namespace, definition.resource_type
        found = []
        for node in self.nodes:
            if id:
                get = state_pb2.GetRequest(namespace=namespace, type=kind, id=id)
                found.append((node, (await self.unary(f"{STATE}/Get", get, state_pb2.GetResponse, node)).resource))
            else:
                all_of_it = state_pb2.ListRequest(namespace=namespace, type=kind)
                answers = self.stream(f"{STATE}/List", all_of_it, state_pb2.ListResponse, node)
                found += [(node, answer.resource) async for answer in answers]
        return found

    async def watch(self, type: str) -> AsyncGenerator[state_pb2.Event, None]:
        """Yield what `talosctl get --watch` is told by the first node."""
        await self.version()
        definition = await self._resolved(type)
        request = state_pb2.WatchRequest(
            namespace=definition.default_namespace,
            type=definition.resource_type,
            options=state_pb2.WatchOptions(bootstrap_contents=True),
            api_version=1,
        )
        async with aclosing(self.stream(f"{STATE}/Watch", request, state_pb2.WatchResponse)) as answers:
            async for answer in answers:
                for event in answer.event:
                    yield event

    async def read(self, path: str) -> bytes:
        """Return what `talosctl read` prints of the first node's file."""
        request = machine_pb2.ReadRequest(path=path)
        answers = self.stream(f"{MACHINE}/Read", request, common_pb2.Data)
        return b"".join([answer.bytes async for answer in answers])

    async def ls(
        self, root: str = "/", *, depth: int = 1, types: Sequence[machine_pb2.ListRequest.Type] = ()
    ) -> list[machine_pb2.FileInfo]:
        """Return what `talosctl ls` is told by the first node."""
        request = machine_pb2.ListRequest(root=root, recurse=depth > 1, recursion_depth=depth, types=types)
        return [info async for info in self.stream(f"{MACHINE}/List", request, machine_pb2.FileInfo)]

    async def copy(self, path: str) -> bytes:
        """Return what `talosctl copy` unpacks of the first node's files."""
        answers = self.stream(f"{MACHINE}/Copy", machine_pb2.CopyRequest(root_path=path), common_pb2.Data)
        return b"".join([answer.bytes async for answer in answers])

    async def usage(
        self, *paths: str, all: bool = False, depth: int = 0, threshold: int = 0
    ) -> list[machine_pb2.DiskUsageInfo]:
        """Return what `talosctl usage` is told by the first node; it asks for one level more than it was told."""
        request = machine_pb2.DiskUsageRequest(
            recursion_depth=depth + 1, all=all, threshold=threshold, paths=paths or ["/"]
        )
        return [info async for info in self.stream(f"{MACHINE}/DiskUsage", request, machine_pb2.DiskUsageInfo)]

    async def dependencies(self) -> Sequence[inspect_pb2.ControllerDependencyEdge]:
        """Return what `talosctl inspect dependencies` draws of the first node."""
        path, answer = f"{INSPECT}/ControllerRuntimeDependencies", inspect_pb2.ControllerRuntimeDependenciesResponse
        return [edge for message in (await self.unary(path, Empty(), answer)).messages for edge in message.edges]

    async def dependencies_with_resources(self) -> Mapping[str, Sequence[str]]:
        """Return what `talosctl inspect dependencies --with-resources` draws: the ids of every type with an edge."""
        drawn: dict[str, Sequence[str]] = {}
        for edge in await self.dependencies():
            if edge.resource_type in drawn:
                continue
            definition = await self._resolved(edge.resource_type)
            request = state_pb2.ListRequest(
                namespace=edge.resource_namespace or definition.default_namespace, type=definition.resource_type
            )
            answers = self.stream(f"{STATE}/List", request, state_pb2.ListResponse)
            with suppress(CallFailed):  # what it may not see it passes over
                drawn[edge.resource_type] = [answer.resource.metadata.id async for answer in answers]
        return drawn

    async def events(
        self, *, tail: int = 0, after: str = "", actor: str = ""
    ) -> AsyncGenerator[tuple[machine_pb2.Event, Message | None], None]:
        """Yield what `talosctl events` gets of the first node, with what each says; the first one says nothing."""
        request = machine_pb2.EventsRequest(tail_events=tail, tail_id=after, with_actor_id=actor)
        async with aclosing(self.stream(f"{MACHINE}/Events", request, machine_pb2.Event)) as answers:
            hello = await anext(answers)
            assert not hello.data.type_url
            yield hello, None
            async for event in answers:
                yield event, EVENTS[event.data.type_url].FromString(event.data.value)

    async def apply_config(
        self,
        config: bytes,
        mode: machine_pb2.ApplyConfigurationRequest.Mode = AUTO,
        *,
        dry_run: bool = False,
        seconds: float = TRIAL_SECONDS,
        node: str | None = None,
    ) -> machine_pb2.ApplyConfiguration:
        """Do what `talosctl apply-config --mode … --dry-run --timeout …` does; all of it is always sent."""
        request = machine_pb2.ApplyConfigurationRequest(
            data=config,
            mode=mode,
            dry_run=dry_run,
            try_mode_timeout=Duration(seconds=int(seconds), nanos=round(seconds % 1 * 1e9)),
        )
        path = f"{MACHINE}/ApplyConfiguration"
        answer = await self.unary(path, request, machine_pb2.ApplyConfigurationResponse, node)
        (only,) = answer.messages
        return only

    async def edit_machine_config(
        self, edit: Callable[[bytes], bytes], mode: machine_pb2.ApplyConfigurationRequest.Mode = AUTO
    ) -> Sequence[machine_pb2.ApplyConfiguration]:
        """Do what `talosctl edit machineconfig` and `patch machineconfig` do at each node."""
        await self.version()
        definition = await self._resolved("machineconfig")
        results = []
        for node in self.nodes:
            wanted = state_pb2.GetRequest(
                namespace=definition.default_namespace, type=definition.resource_type, id="v1alpha1"
            )
            found = (await self.unary(f"{STATE}/Get", wanted, state_pb2.GetResponse, node)).resource
            assert found.metadata.annotations, "without one the spec would be taken for the config itself"
            body = yaml.safe_load(found.spec.yaml_spec)
            results.append(await self.apply_config(edit(body.encode()), mode, node=node))
        return results

    async def new_login(self, *roles: str, seconds: int = 3600) -> Talosconfig:
        """Do what `talosctl config new --roles … --crt-ttl …` does."""
        request = machine_pb2.GenerateClientConfigurationRequest(roles=roles, crt_ttl=Duration(seconds=seconds))
        path = f"{MACHINE}/GenerateClientConfiguration"
        answer = await self.unary(path, request, machine_pb2.GenerateClientConfigurationResponse)
        (only,) = answer.messages
        return msgspec.convert(yaml.safe_load(only.talosconfig), Talosconfig)

    async def _resolved(self, word: str) -> meta_pb2.ResourceDefinitionSpec:
        request = state_pb2.ListRequest(namespace="meta", type="ResourceDefinitions.meta.cosi.dev")
        answers = self.stream(f"{STATE}/List", request, state_pb2.ListResponse)
        specs = [meta_pb2.ResourceDefinitionSpec.FromString(each.resource.spec.proto_spec) async for each in answers]
        (found,) = [
            spec for spec in specs if word.lower() in {spec.resource_type.lower(), *map(str.lower, spec.all_aliases)}
        ]
        return found


@asynccontextmanager
async def talosctl(
    address: Address, tls: ssl.SSLContext, *, nodes: Sequence[str] = (), insecure: bool = False
) -> AsyncIterator[Talosctl]:
    """Connect to an endpoint; the only node is the endpoint unless told. Raises OSError, ssl.SSLError."""
    async with connected(address, tls) as wire:
        yield Talosctl(wire, nodes or [address.host], insecure=insecure)
