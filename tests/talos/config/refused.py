"""What a config is refused for."""

import pytest

from talos.config.faults import ConfigError, ConfigFault
from talos.config.machine_config import parse

MACHINE = "version: v1alpha1\n"


def faults_of(text: str | bytes) -> tuple[ConfigFault, ...]:
    """Return the faults of a config that is refused."""
    with pytest.raises(ConfigError) as caught:
        parse(text if isinstance(text, bytes) else text.encode(), source="machine.yaml")
    return caught.value.faults


def said_of(text: str) -> list[tuple[int, str, str]]:
    """Return line, path and problem of each fault."""
    return [(fault.line, fault.path, fault.problem) for fault in faults_of(text)]
