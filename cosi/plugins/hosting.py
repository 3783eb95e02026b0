"""Takes what was loaded into a host: resource types first, so that every controller finds its own announced."""

from __future__ import annotations

from collections.abc import Sequence

from cosi.controller.host import Host
from cosi.plugins.loading import Failure, Loaded, Plugin


async def add_to(host: Host, plugins: Sequence[Plugin]) -> None:
    """Announce types, register controllers, and put down what can't be; nothing of it keeps the rest from working."""
    loaded = [plugin for plugin in plugins if isinstance(plugin, Loaded)]
    for plugin in loaded:
        for resource_class in plugin.resources:
            await host.add_type(resource_class, plugin.origin)
    for plugin in loaded:
        for controller in plugin.controllers:
            await host.add(controller, plugin.origin)
    for failure in plugins:
        if isinstance(failure, Failure):
            await host.refuse(failure.name, failure.origin, failure.problem)
