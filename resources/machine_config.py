"""MachineConfig: the machine config in force, and the one the next start begins with, as Talos publishes them.

Each is byte for byte as it was given. The two differ while a config is on trial, and while one is staged.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Self

from cosi.resource.definition import Definition
from cosi.resource.resource import Resource
from cosi.resource.spec import Spec, field
from resources import names

ID: Final = "v1alpha1"
"""The id of the config in force."""

LASTING_ID: Final = "persistent"
"""The id of the config that the next start begins with."""

YAML_SPEC_ANNOTATION: Final = "talos.dev/yaml-spec"
"""Tells clients that the spec's YAML is a string that holds the config, not the config itself."""


class MachineConfigSpec(Spec):
    """The config's bytes."""

    yaml_marshalled: bytes = field(1, default=b"")

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Show nothing in logs: a config holds passwords."""
        return ()

    def yaml_value(self) -> object:
        """Return the config as one string."""
        return self.yaml_marshalled.decode()


class MachineConfig(Resource[MachineConfigSpec]):
    """A machine config of the node."""

    definition = Definition(type="MachineConfigs.config.talos.dev", default_namespace=names.CONFIG, sensitive=True)

    @classmethod
    def active(cls, raw: bytes) -> Self:
        """Return the resource of the config in force."""
        return cls.new(ID, MachineConfigSpec(yaml_marshalled=raw), annotations={YAML_SPEC_ANNOTATION: "1"})

    @classmethod
    def lasting(cls, raw: bytes) -> Self:
        """Return the resource of the config that the next start begins with."""
        return cls.new(LASTING_ID, MachineConfigSpec(yaml_marshalled=raw), annotations={YAML_SPEC_ANNOTATION: "1"})
