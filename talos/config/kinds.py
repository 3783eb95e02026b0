"""The kinds of documents that are checked, each with its model. Shapes and rules are Talos's (config/types there).

The three kinds that speak of registries have none here: `talos.config.registry_documents` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Self

from pydantic import AfterValidator, model_validator

from talos.config.document import Document
from talos.config.faults import ConfigFault
from talos.config.field_types import Duration, Flag, HostAndPort, Name, Text, Url, Variable, choice
from talos.config.schema import DocumentSection, Section, check, misfit
from talos.yaml_node import Node

MIN_WATCHDOG_SECONDS: Final = 10
MAX_HOSTNAME_CHARACTERS: Final = 253
MAX_LABEL_CHARACTERS: Final = 63


class HostnameConfig(DocumentSection):
    """The node's name, or how it gets one."""

    auto: Annotated[Text, choice("stable", "off")] | None = None
    hostname: Text = ""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if not self.auto and not self.hostname:
            raise misfit("neither auto nor hostname is given", "write `hostname: NAME` or `auto: stable`")
        if self.auto == "stable" and self.hostname:
            raise misfit("auto and hostname are both given", "remove one of them", "auto")
        if self.hostname:
            label = self.hostname.partition(".")[0]
            if len(self.hostname) > MAX_HOSTNAME_CHARACTERS or not 0 < len(label) <= MAX_LABEL_CHARACTERS:
                problem = f"a name has up to {MAX_LABEL_CHARACTERS} characters before its first dot, and "
                raise misfit(f"{problem}{MAX_HOSTNAME_CHARACTERS} in all", "write another name", "hostname")
        return self


class ConfigFile(Section):
    """A file for an extension's service."""

    content: Name
    mount_path: Name


class ExtensionServiceConfig(DocumentSection):
    """What the service of an extension gets: files and variables."""

    name: Name
    config_files: tuple[ConfigFile, ...] = ()
    environment: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.config_files and not self.environment:
            raise misfit("neither configFiles nor environment is given", "write one of them, or remove the document")
        return self


class EnvironmentConfig(DocumentSection):
    """Environment variables of all services."""

    variables: dict[Variable, Text]


def _collector(url: Url) -> Url:
    if url.scheme not in ("tcp", "udp") or url.path not in ("", "/") or not url.port:
        raise misfit("kernel messages can't go there", "write tcp://HOST:PORT/ or udp://HOST:PORT/")
    return url


class KmsgLogConfig(DocumentSection):
    """Where kernel messages go."""

    name: Name
    url: Annotated[Url, AfterValidator(_collector)]


class EventSinkConfig(DocumentSection):
    """Where events go."""

    endpoint: HostAndPort


def _patient(seconds: float) -> float:
    if seconds and seconds < MIN_WATCHDOG_SECONDS:
        raise misfit("too short", f"write {MIN_WATCHDOG_SECONDS}s or more")
    return seconds


class WatchdogTimerConfig(DocumentSection):
    """The watchdog that restarts a node which hangs."""

    device: Name
    timeout: Annotated[Duration, AfterValidator(_patient)] = 0


class SysctlConfig(DocumentSection):
    """Kernel parameters."""

    params: dict[Name, Text]


class KernelModuleConfig(DocumentSection):
    """A kernel module to load."""

    name: Name
    parameters: tuple[Text, ...] = ()


class LocalImageCache(Section):
    """The cache on the node's own disk."""

    enabled: Flag = False


class ImageCacheConfig(DocumentSection):
    """Where images are cached."""

    local: LocalImageCache | None = None


class TrustedRootsConfig(DocumentSection):
    """Authorities to trust beside the system's."""

    name: Name
    certificates: Name


MODELS: Final[dict[str, type[DocumentSection]]] = {
    model.__name__: model
    for model in (
        EnvironmentConfig,
        EventSinkConfig,
        ExtensionServiceConfig,
        HostnameConfig,
        ImageCacheConfig,
        KernelModuleConfig,
        KmsgLogConfig,
        SysctlConfig,
        TrustedRootsConfig,
        WatchdogTimerConfig,
    )
}


_SAID_ELSEWHERE: Final[Mapping[str, Sequence[str]]] = {
    "HostnameConfig": ("machine.network.hostname", "machine.features.stableHostname"),
    "ImageCacheConfig": ("machine.features.imageCache",),
}
"""Where the v1alpha1 document says what a document is about; both may not."""


def check_document(document: Document, v1alpha1: Node | None, faults: list[ConfigFault]) -> None:
    """Note what is wrong with a document that has a model, beside the v1alpha1 document that it must not contradict."""
    check(document.root, MODELS[document.kind], document.label, faults)
    for path in _SAID_ELSEWHERE.get(document.kind, ()):
        said = v1alpha1
        for key in path.split("."):
            said = said.get(key) if said is not None else None
        if said is not None and (said.text or said.fields) and said.value is not False:
            problem = f"{path} on line {said.line} says this already"
            faults.append(ConfigFault(document.line, document.label, problem, "remove one of the two"))
