"""A resource as the YAML tree that Go builds of it, from which both `-o yaml` and `-o json` are printed.

The metadata is made of plain nodes without tags, which print unquoted unless the syntax forbids it. So `version: 1`
reads back as a number and an empty owner, `owner:`, as null; and an id such as 123 is a number in the resource's JSON.
"""

import time
from collections.abc import Mapping

from cosi.cli.output.record import OutputError, Record
from cosi.resource import goyaml
from cosi.resource.goyaml import Node, mapping, scalar, sequence

__all__ = ["MACHINE_CONFIG_TYPE", "resource_node", "spec_node", "spec_value"]

MACHINE_CONFIG_TYPE = "MachineConfigs.config.talos.dev"

NANOSECONDS_PER_SECOND = 1_000_000_000


def resource_node(record: Record) -> Node:
    """Return the mapping of `metadata` and `spec`.

    A machine config is a stream of YAML documents, so it is shown as one string. Talos marks a config that already
    comes as a YAML string by the annotation `talos.dev/yaml-spec`; older ones, which have no annotations at all, put
    the documents into the spec as they are, and here is where those become a string.
    """
    bare_config = record.type == MACHINE_CONFIG_TYPE and not record.annotations
    spec = goyaml.represent(record.yaml_spec) if bare_config else spec_node(record)
    return mapping([(scalar("metadata"), _metadata_node(record)), (scalar("spec"), spec)])


def spec_node(record: Record) -> Node:
    """Return the spec as it is written; null for a tombstone, which has none. OutputError if it is not YAML."""
    if not record.yaml_spec.strip():
        return scalar("null")
    try:
        return goyaml.parse(record.yaml_spec)
    except goyaml.YAMLError as exc:
        raise _bad_spec(record, exc) from exc


def spec_value(record: Record) -> object:
    """Return the value of the spec; None for a tombstone. OutputError if it is not YAML."""
    try:
        return goyaml.construct(spec_node(record))
    except goyaml.YAMLError as exc:
        raise _bad_spec(record, exc) from exc


def _metadata_node(record: Record) -> Node:
    fields = {
        "namespace": record.namespace,
        "type": record.type,
        "id": record.id,
        "version": record.version,
        "owner": record.owner,
        "phase": record.phase,
        "created": _rfc3339(record.created_ns),
        "updated": _rfc3339(record.updated_ns),
    }
    pairs = [(scalar(name), scalar(text)) for name, text in fields.items()]
    for name, entries in (("labels", record.labels), ("annotations", record.annotations)):
        if entries:
            pairs.append((scalar(name), _entries_node(entries)))
    if record.finalizers:
        pairs.append((scalar("finalizers"), sequence(scalar(finalizer) for finalizer in record.finalizers)))
    return mapping(pairs)


def _entries_node(entries: Mapping[str, str]) -> Node:
    return mapping((scalar(key), scalar(entries[key])) for key in sorted(entries))


def _rfc3339(nanoseconds: int) -> str:
    try:
        moment = time.gmtime(nanoseconds // NANOSECONDS_PER_SECOND)
    except (OverflowError, ValueError, OSError) as exc:
        raise OutputError(f"the time {nanoseconds} ns after 1970 is out of range") from exc
    date = f"{moment.tm_year:04}-{moment.tm_mon:02}-{moment.tm_mday:02}"
    return f"{date}T{moment.tm_hour:02}:{moment.tm_min:02}:{moment.tm_sec:02}Z"


def _bad_spec(record: Record, problem: goyaml.YAMLError) -> OutputError:
    return OutputError(f"the spec of {record.type}({record.namespace}/{record.id}) cannot be printed: {problem}")
