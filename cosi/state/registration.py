"""Announcing resource types and namespaces: each is itself a resource, in namespace `meta`.

`cosi get TYPE` and `talosctl get TYPE` know no type by themselves; they resolve every word through these.
"""

from __future__ import annotations

from collections.abc import Mapping

from cosi.resource import meta
from cosi.resource.registry import Registry
from cosi.resource.resource import AnyResource
from cosi.state.state import State


async def announce(state: State, registry: Registry, namespaces: Mapping[str, str]) -> None:
    """Create the ResourceDefinition of every type of a registry, and the namespaces with their descriptions."""
    for name, description in namespaces.items():
        await state.create(meta.Namespace.new(name, meta.NamespaceSpec(description=description)), owner=meta.OWNER)
    for resource_class in registry:
        await announce_type(state, resource_class)


async def announce_type(state: State, resource_class: type[AnyResource]) -> None:
    """Create the ResourceDefinition of one type. Raises AlreadyExists."""
    await state.create(meta.describe(resource_class.definition), owner=meta.OWNER)
