"""The requests of the load, as bytes: encoded beforehand, but for the few that change from call to call."""

from __future__ import annotations

from collections.abc import Generator
from functools import lru_cache
from itertools import count
from typing import Final

from benchmarks.transport.server import NAMESPACE, PROTO_SPEC, YAML_SPEC
from benchmarks.transport.wire import Failed
from cosi._pb.v1alpha1 import resource_pb2, state_pb2
from cosi.rpc import service
from cosi.rpc.codes import Method

TYPE: Final = "Smalls.bench.cosi.dev"

GET: Final = f"/{service.NAME}/{Method.GET}"
LIST: Final = f"/{service.NAME}/{Method.LIST}"
CREATE: Final = f"/{service.NAME}/{Method.CREATE}"
UPDATE: Final = f"/{service.NAME}/{Method.UPDATE}"
WATCH: Final = f"/{service.NAME}/{Method.WATCH}"

Requests = Generator[bytes, bytes, None]
"""The requests of one caller: each is made of the answer to the one before."""

_SERIAL: Final = "%08d"
_PLACE: Final = _SERIAL % 0
# Go clients always name the phase they expect.
_EXPECTING_RUNNING: Final = state_pb2.UpdateRequest(
    options=state_pb2.UpdateOptions(expected_phase="running")
).SerializeToString()
_RESOURCE_TAG: Final = b"\x0a"  # field 1 of every response
_NEW_RESOURCE_TAG: Final = b"\x12"  # field 2 of UpdateRequest


def get(id: str) -> bytes:
    """Return a GetRequest."""
    return state_pb2.GetRequest(namespace=NAMESPACE, type=TYPE, id=id).SerializeToString()


def create(id: str, *, namespace: str = NAMESPACE) -> bytes:
    """Return the CreateRequest of a small resource."""
    metadata = resource_pb2.Metadata(namespace=namespace, type=TYPE, id=id, version="undefined", phase="running")
    spec = resource_pb2.Spec(proto_spec=PROTO_SPEC, yaml_spec=YAML_SPEC)
    return state_pb2.CreateRequest(resource=resource_pb2.Resource(metadata=metadata, spec=spec)).SerializeToString()


def update(answer: bytes) -> bytes:
    """Return the UpdateRequest that stores a resource as the last answer gave it."""
    assert answer.startswith(_RESOURCE_TAG)
    return _NEW_RESOURCE_TAG + answer[len(_RESOURCE_TAG) :] + _EXPECTING_RUNNING


def watch(namespace: str) -> bytes:
    """Return the WatchRequest of a kind."""
    return state_pb2.WatchRequest(namespace=namespace, type=TYPE, api_version=1).SerializeToString()


def gets(id: str) -> Requests:
    """Return the requests of a caller who gets one resource over and over."""
    request = get(id)
    while True:
        yield request


def creates(prefix: str) -> Requests:
    """Return the requests of a caller who creates one resource after the other."""
    before, after = create(prefix + _PLACE).split(_PLACE.encode())
    for serial in count():
        yield b"%b%08d%b" % (before, serial, after)


def updates(created: bytes) -> Requests:
    """Return the requests of a caller who updates one resource over and over, from the answer that created it."""
    answer = created
    while True:
        answer = yield update(answer)


@lru_cache(maxsize=4)  # all watchers are mostly told the same
def events_in(response: bytes) -> int:
    """Return how many events a WatchResponse tells of. Raises Failed if the watch broke."""
    events = state_pb2.WatchResponse.FromString(response).event
    for event in events:
        if event.event_type == state_pb2.ERRORED:
            raise Failed(f"a watch broke: {event.error}")
    return len(events)
