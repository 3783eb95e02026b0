"""Takes what was loaded into a host: resource types first, so that every controller finds its own announced.

What can't join is on the roster under its name, with where it came from and what the problem is, and is logged once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from cosi.controller.host import Host
from cosi.plugins.loading import Failure, Loaded, Plugin


async def add_to(host: Host, plugins: Sequence[Plugin]) -> None:
    """Announce types, register controllers, and put down what can't be; nothing of it keeps the rest from working."""
    loaded = [plugin for plugin in plugins if isinstance(plugin, Loaded)]
    for plugin in loaded:
        for resource_class in plugin.resources:
            added = host.add_type(resource_class, plugin.origin)
            await _or_refuse(host, added, resource_class.__qualname__, plugin.origin)
    for plugin in loaded:
        for controller in plugin.controllers:
            await _or_refuse(host, host.add(controller, plugin.origin), controller.name, plugin.origin)
    for failure in plugins:
        if isinstance(failure, Failure):
            await host.refuse(failure.name, failure.origin, failure.problem)


async def _or_refuse(host: Host, added: Awaitable[None], name: str, origin: str) -> None:
    """Refuse what is so odd that the host itself stumbles over it."""
    try:
        await added
    except Exception as error:
        await host.refuse(name, origin, f"{type(error).__name__}: {error}")
