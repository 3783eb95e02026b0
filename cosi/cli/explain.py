"""`cosi explain`: why a resource is as it is, as a tree from effect to cause.

Shouts.example.dev(default/hello@2)
│ written by example.Shouter in its reconcile 3 at 12:00:01.500
└─ because Greetings.example.dev(default/hello@3) was updated
   │ written by no controller, at 12:00:01.499
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from typing import Final

import click

from cosi._pb.v1alpha1 import resource_pb2, runtime_pb2
from cosi.cli.asking import asking
from cosi.cli.remote import CALL_SECONDS, RUNTIME_SERVICE, Remote
from cosi.cli.resolve import resolve

_HAPPENED: Final = ("was created", "was updated", "was destroyed")
_MILLISECOND: Final = 1_000_000

Version = tuple[str, str, str, int, int, str]


def run(type: str, id: str, *, namespace: str, output: str, server: str | None) -> None:
    """Print the explanation. Raises click.ClickException."""
    with asking(server) as there:
        registered = resolve(type, Remote(there.channel).definitions())
        request = runtime_pb2.ExplainRequest(
            namespace=namespace or registered.default_namespace, type=registered.type, id=id
        )
        data = there.channel.unary(
            f"{RUNTIME_SERVICE}/Explain", request.SerializeToString(), timeout_seconds=CALL_SECONDS
        )
    writes = list(runtime_pb2.ExplainResponse.FromString(data).writes)
    if output == "json":
        click.echo(json.dumps([_plain(write) for write in writes], indent=4))
    else:
        click.echo("\n".join(tree(writes)))


def tree(writes: Sequence[runtime_pb2.Write]) -> Iterator[str]:
    """Yield the lines of the tree whose root is the first write; each write is explained where it is met first."""
    known = {_version(write.metadata): write for write in writes}
    return _lines(writes[0].metadata, known, set())


def _lines(
    metadata: resource_pb2.Metadata, known: dict[Version, runtime_pb2.Write], explained: set[Version]
) -> Iterator[str]:
    yield _name(metadata)
    yield from _reasons(metadata, known, explained)


def _reasons(
    metadata: resource_pb2.Metadata, known: dict[Version, runtime_pb2.Write], explained: set[Version]
) -> Iterator[str]:
    version = _version(metadata)
    write = known.get(version)
    if version in explained:
        yield "│ as told above"
        return
    explained.add(version)
    if write is None or not write.HasField("reconcile"):
        owner = f"its owner {metadata.owner}, and why is not known any more" if metadata.owner else "no controller"
        yield f"│ written by {owner}, at {_clock(metadata.updated.seconds, metadata.updated.nanos)}"
        return
    reconcile = write.reconcile
    of = f" of {reconcile.item.id}" if reconcile.HasField("item") else ""
    at = _clock(reconcile.started.seconds, reconcile.started.nanos)
    yield f"│ written by {reconcile.controller} in its reconcile {reconcile.number}{of} at {at}"
    more = reconcile.cause_count - len(reconcile.causes)
    branches = [list(_cause(cause, known, explained)) for cause in reconcile.causes]
    branches += [[f"and {more} more changes"]] if more > 0 else []
    for position, (first, *rest) in enumerate(branches):
        last = position == len(branches) - 1
        yield f"{'└─' if last else '├─'} {first}"
        yield from (f"{'   ' if last else '│  '}{line}" for line in rest)


def _cause(cause: runtime_pb2.Cause, known: dict[Version, runtime_pb2.Write], explained: set[Version]) -> Iterator[str]:
    if cause.reason:
        yield f"because {cause.reason}"
        return
    change = cause.change
    yield f"because {_name(change.metadata)} {_HAPPENED[change.event_type]}"
    yield from _reasons(change.metadata, known, explained)


def _name(metadata: resource_pb2.Metadata) -> str:
    return f"{metadata.type}({metadata.namespace}/{metadata.id}@{metadata.version})"


def _version(metadata: resource_pb2.Metadata) -> Version:
    created = metadata.created
    return (metadata.namespace, metadata.type, metadata.id, created.seconds, created.nanos, metadata.version)


def _clock(seconds: int, nanoseconds: int) -> str:
    return f"{time.strftime('%H:%M:%S', time.localtime(seconds))}.{nanoseconds // _MILLISECOND:03d}"


def _plain(write: runtime_pb2.Write) -> dict[str, object]:
    told: dict[str, object] = {"resource": _name(write.metadata), "owner": write.metadata.owner}
    if write.HasField("reconcile"):
        reconcile = write.reconcile
        told["controller"] = reconcile.controller
        told["reconcile"] = reconcile.number
        told["started"] = reconcile.started.ToJsonString()
        told["item"] = reconcile.item.id if reconcile.HasField("item") else None
        told["causes"] = [
            cause.reason or f"{_name(cause.change.metadata)} {_HAPPENED[cause.change.event_type]}"
            for cause in reconcile.causes
        ]
        told["causeCount"] = reconcile.cause_count
    return told
