"""`cosi serve` is a plain runtime: any client may store anything in any namespace, and gRPC's own tools work on it."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from cosi._pb.v1alpha1 import resource_pb2, state_pb2
from cosi.resource.meta import ResourceDefinition
from cosi.rpc.serving import Transport
from tests.e2e.conftest import wait_for
from tests.e2e.programs import Node, cosi_serve

SERVICE = "cosi.resource.State"


@pytest.fixture(scope="module", params=Transport)
def server(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Node]:
    """A plain runtime."""
    with cosi_serve(tmp_path_factory.mktemp("serve"), "--transport", request.param) as running:
        wait_for(running, ResourceDefinition, ResourceDefinition.definition.id)
        yield running


@pytest.fixture(scope="module")
def channel(server: Node) -> Iterator[grpc.Channel]:
    """A channel of grpcio's own."""
    with grpc.insecure_channel(f"unix:{server.socket}") as opened:
        yield opened


def test_an_unknown_type_in_an_unannounced_namespace_round_trips_bit_for_bit(channel: grpc.Channel) -> None:
    resource = resource_pb2.Resource(
        metadata=resource_pb2.Metadata(
            namespace="nowhere", type="Whatevers.example.dev", id="a", version="undefined", phase="running",
            labels={"app": "x"},
        ),
        spec=resource_pb2.Spec(proto_spec=b"\x0a\x01x\x50\x07", yaml_spec="b: 1   # as it was\na: [x,y]\n"),
    )  # fmt: skip
    create = channel.unary_unary(
        f"/{SERVICE}/Create",
        request_serializer=state_pb2.CreateRequest.SerializeToString,
        response_deserializer=state_pb2.CreateResponse.FromString,
    )

    created = create(state_pb2.CreateRequest(resource=resource)).resource

    assert created.spec == resource.spec
    assert created.metadata.version == "1"
    assert created.metadata.labels == {"app": "x"}
    assert created.metadata.created.nanos or created.metadata.created.seconds


def test_the_announced_types_can_be_looked_at(server: Node) -> None:
    result = server.cosi("get", "namespaces")

    assert result.stdout.splitlines()[1].split() == ["localhost", "meta", "Namespace", "meta", "1"]


def test_health_is_served(channel: grpc.Channel) -> None:
    answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=SERVICE))

    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_reflection_lists_the_service(channel: grpc.Channel) -> None:
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    answer = next(reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([request])))

    assert SERVICE in {service.name for service in answer.list_services_response.service}


def test_plain_text_is_served_on_loopback(tmp_path: Path) -> None:
    with cosi_serve(tmp_path, "--listen", "127.0.0.1:0") as server:
        wait_for(server, ResourceDefinition, ResourceDefinition.definition.id)
        ports = [word.rsplit(":")[-1] for word in server.log.split() if word.startswith("address=127.0.0.1:")]
        result = server.cosi("get", "rd", "--server", f"127.0.0.1:{ports[0]}")

    assert result.returncode == 0
    assert result.stdout.splitlines()[1].startswith("127.0.0.1   meta ")


def test_plain_text_is_refused_elsewhere(tmp_path: Path) -> None:
    with cosi_serve(tmp_path, "--listen", "0.0.0.0:0") as server:
        assert server.process.wait(30) == 1

    assert server.log.startswith("cosi: will not serve plain text on 0.0.0.0:0: it is not a loopback address")


def test_a_second_server_on_the_same_socket_is_refused(server: Node) -> None:
    with cosi_serve(server.socket.parent.parent) as second:
        assert second.process.wait(30) == 1

    assert "another server is running there" in second.log
    assert server.cosi("get", "rd").returncode == 0
