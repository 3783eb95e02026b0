"""Every type of resource that a node has, in the order in which it announces them."""

from __future__ import annotations

from typing import Final

from cosi.resource import meta
from cosi.resource.controllers import ControllerDefinition
from resources.boot_image import BootImage
from resources.boot_status import BootStatus
from resources.config_document import ConfigDocument
from resources.config_request import ConfigRequest
from resources.config_status import ConfigStatus
from resources.extension_image import ExtensionImage
from resources.extension_manifest import ExtensionManifest
from resources.extension_plan import ExtensionPlan
from resources.extension_service import ExtensionService
from resources.extension_spec import ExtensionSpec
from resources.extension_status import ExtensionStatus
from resources.hostname_status import HostnameStatus
from resources.machine_config import MachineConfig
from resources.machine_status import MachineStatus
from resources.member import Member
from resources.pull_request import PullRequest
from resources.registries_config import RegistriesConfig
from resources.sequence_status import SequenceStatus
from resources.upgrade_request import UpgradeRequest
from resources.version import Version

RESOURCES: Final = (
    meta.Namespace,
    meta.ResourceDefinition,
    ControllerDefinition,
    MachineConfig,
    ConfigDocument,
    ConfigStatus,
    ConfigRequest,
    RegistriesConfig,
    ExtensionSpec,
    ExtensionImage,
    ExtensionManifest,
    ExtensionPlan,
    ExtensionStatus,
    ExtensionService,
    PullRequest,
    UpgradeRequest,
    BootImage,
    BootStatus,
    Member,
    HostnameStatus,
    Version,
    SequenceStatus,
    MachineStatus,
)
