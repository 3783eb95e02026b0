"""The authority that a config brings becomes the node's, and with the first config maintenance ends: in that order.

So whoever has a login of that authority gets in as soon as nobody gets in without one. Only a config that is in force
and lasts counts: who tries one for a time does not lose their login over it.
"""

from __future__ import annotations

import structlog
from anyio import to_thread

from cosi.state.state import State
from machined.login import now
from machined.maintenance import Maintenance
from resources import machine_config
from resources.machine_config import MachineConfig
from talos.access.authorities import Authorities
from talos.config.machine_config import parse

_log = structlog.get_logger(component="door")


async def follow(state: State, authorities: Authorities, maintenance: Maintenance) -> None:
    """Do so with each config, until cancelled."""
    async with state.watch_kind(MachineConfig.kind()) as watch:
        while True:
            await _look(state, authorities, maintenance)
            for event in await watch.batch():
                if event.error is not None:
                    raise event.error


async def _look(state: State, authorities: Authorities, maintenance: Maintenance) -> None:
    in_force = await state.find(MachineConfig, machine_config.ID)
    lasting = await state.find(MachineConfig, machine_config.LASTING_ID)
    if in_force is None:
        return
    if lasting is not None and lasting.spec == in_force.spec:
        try:
            if await to_thread.run_sync(_adopt, authorities, in_force.spec.yaml_marshalled):
                _log.info("the authorities are those of the config")
        except (OSError, ValueError) as error:
            _log.error("the authority of the config is not in force", problem=str(error))
    maintenance.end()


def _adopt(authorities: Authorities, raw: bytes) -> bool:
    found = parse(raw, source="the config in force").authority
    return authorities.adopt(found.own, found.accepted, now())
