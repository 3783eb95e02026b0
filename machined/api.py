"""What talosctl can ask of a node: the parts of Talos's API that it serves, joined, and guarded by roles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from cosi.resource.registry import Registry
from cosi.rpc.seam import Service
from cosi.state.state import State
from machined import access
from machined.background import Background
from machined.events import Events
from machined.maintenance import Maintenance
from machined.node_log import NodeLog
from machined.sequences import Sequences
from machined.services import talos_api
from machined.services.archive import ArchiveService
from machined.services.config import ConfigService
from machined.services.containers import ContainersService
from machined.services.disk_usage import DiskUsageService
from machined.services.events import EventsService
from machined.services.files import FilesService
from machined.services.identity import IdentityService
from machined.services.images import ImagesService
from machined.services.inspect import InspectService
from machined.services.lifecycle import LifecycleService
from machined.services.login import LoginService
from machined.services.logs import LogsService
from machined.services.power import PowerService
from machined.services.service_list import ServiceListService
from machined.services.usage import UsageService
from machined.walks import Walks
from talos.access.authorities import Authorities

SYSTEM_ROOT: Final = Path("/")
"""Below it are the files by which the kernel tells what is used."""


class Workings(msgspec.Struct, frozen=True, kw_only=True):
    """What of a running node the services work on, beside its state."""

    boot_id: str
    log: NodeLog
    events: Events
    sequences: Sequences
    background: Background
    authorities: Authorities
    maintenance: Maintenance


def services(state: State, registry: Registry, identity: IdentityService, node: Workings) -> Sequence[Service]:
    """Return every service of Talos, each call of which is held against the roles of who makes it."""
    walks = Walks()
    parts = (
        identity,
        ConfigService(state, node.maintenance),
        LoginService(node.authorities),
        EventsService(node.events),
        PowerService(state, node.sequences),
        LifecycleService(state, node.background),
        ImagesService(state),
        InspectService(state),
        FilesService(state, walks, boot_id=node.boot_id),
        ArchiveService(state, walks),
        DiskUsageService(state, walks),
        ServiceListService(state),
        LogsService(node.log, state),
        ContainersService(),
        UsageService(SYSTEM_ROOT),
    )
    joined = talos_api.complete(part.service for part in parts)
    guarded = (access.guarded(service, node.maintenance) for service in joined)
    return [access.state_service(state, registry, node.maintenance), *guarded]
