"""The resources that the tests print."""

import io

from cosi.cli.output import Definition, Event, Record, writer_for

NODE = "172.20.0.2"

GVISOR = Record(
    namespace="runtime",
    type="ExtensionStatuses.runtime.talos.dev",
    id="000.ghcr.io-talos-systems-gvisor-54b831d",
    version="1",
    owner="runtime.ExtensionStatusController",
    phase="running",
    created_ns=1644517504_123456789,
    updated_ns=1644517504_999999999,
    labels={},
    annotations={},
    finalizers=(),
    yaml_spec="""\
image: 000.ghcr.io-talos-systems-gvisor-54b831d.sqsh
metadata:
    name: gvisor
    version: 20220117.0-v1.0.0
    author: Andrew Rynhard
    description: |
        This system extension provides gVisor using containerd's runtime handler.
    compatibility:
        talos:
            version: '>= v1.0.0'
""",
)

EXTENSION_STATUS = Definition(
    type="ExtensionStatuses.runtime.talos.dev",
    display_type="ExtensionStatus",
    columns=(("Name", "{.metadata.name}"), ("Version", "{.metadata.version}")),
)


def printed(
    format: str,
    *changes: tuple[Record, Event],
    definition: Definition = EXTENSION_STATUS,
    with_events: bool = False,
    node: str = NODE,
) -> str:
    """Return what a writer of this format prints, flushed once at the end."""
    stream = io.StringIO()
    writer = writer_for(format, stream)
    writer.header(definition, with_events=with_events)
    for record, event in changes:
        writer.resource(node, record, event)
    writer.flush()
    return stream.getvalue()
