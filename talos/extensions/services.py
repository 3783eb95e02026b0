"""A service file says which container an extension wants to have run beside the system, and what it has to wait for.

The rules are Talos's, and so is what passes: unknown fields, `Always` for `always`, anything as a mount. A second
document in a file is refused, where Talos would pass it over in silence. Source: pkg/machinery/extensions/services of
siderolabs/talos.
"""

import enum
import re

import msgspec

from talos.extensions.faults import Fault
from talos.extensions.fields import Fields, Findings, read_fields
from talos.extensions.member_path import shown

MAX_SERVICE_BYTES = 64 * 1024  # a real one has some 500
MAX_NAME_CHARACTERS = 128  # it becomes a part of the names of a directory and of a cgroup, which may have 255

NETWORK_STATES = ("addresses", "connectivity", "hostname", "etcfiles")

_NAME = re.compile(r"[-_a-z0-9]+")


class Restart(enum.StrEnum):
    """What follows when the container has ended."""

    ALWAYS = "always"
    NEVER = "never"
    UNTIL_SUCCESS = "untilSuccess"


class Mount(msgspec.Struct, frozen=True):
    """A mount of the container, as the OCI runtime specification has it."""

    destination: str = ""
    type: str = ""
    source: str = ""
    options: tuple[str, ...] = ()


class Security(msgspec.Struct, frozen=True):
    """What the container may do beyond what containers usually may."""

    writeable_sysfs: bool = False
    masked_paths: tuple[str, ...] = ()
    readonly_paths: tuple[str, ...] = ()
    writeable_rootfs: bool = False
    rootfs_propagation: str = ""


class Container(msgspec.Struct, frozen=True):
    """The program, relative to the container's root, and its surroundings."""

    entrypoint: str
    environment: tuple[str, ...] = ()
    environment_file: str = ""
    args: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    security: Security = Security()


class Dependency(msgspec.Struct, frozen=True):
    """One thing to wait for: exactly one of these is set."""

    service: str = ""
    path: str = ""
    network: tuple[str, ...] = ()
    time: bool = False
    configuration: bool = False


class Service(msgspec.Struct, frozen=True):
    """The whole of a service file."""

    name: str
    container: Container
    restart: Restart
    depends: tuple[Dependency, ...] = ()
    log_to_console: bool = False


def parse_service(text: bytes, *, file: str) -> tuple[Service | None, tuple[Fault, ...]]:
    """Read a service file, which faults call `file`; None where it breaks a rule, with a fault for every one."""
    findings = Findings(file, malformed="service-malformed")
    fields = read_fields(text, max_bytes=MAX_SERVICE_BYTES, example="name: …", findings=findings)
    if fields is None:
        return None, findings.faults
    name = _name(fields, findings)
    container = _container(fields.below("container"), findings)
    depends = tuple(_dependency(dependency, findings) for dependency in fields.each("depends"))
    restart = _restart(fields, findings)
    log_to_console = fields.flag("logToConsole")
    if findings.faults or restart is None:
        return None, findings.faults
    return Service(name, container, restart, depends, log_to_console), ()


def _name(fields: Fields, findings: Findings) -> str:
    name = fields.text("name")
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME_CHARACTERS:
        problem = f"{shown(name)} is no name of a service" if name else "missing"
        remedy = f"write `name: …` with a-z, 0-9, - and _ only, {MAX_NAME_CHARACTERS} at most"
        findings.add("service-name", fields.line("name"), "name", problem, remedy)
    return name


def _restart(fields: Fields, findings: Findings) -> Restart | None:
    text = fields.text("restart")
    for restart in Restart:
        if text.lower() == restart.lower():
            return restart
    problem = f"{shown(text)} is none of {', '.join(Restart)}" if text else "missing"
    findings.add("service-restart", fields.line("restart"), "restart", problem, f"write `restart: {Restart.ALWAYS}`")
    return None


def _container(fields: Fields, findings: Findings) -> Container:
    entrypoint = fields.text("entrypoint")
    if not entrypoint:
        remedy = "name the program to run, relative to the container's root"
        findings.add(
            "service-entrypoint", fields.line("entrypoint"), fields.at("entrypoint"), "missing or empty", remedy
        )
    return Container(
        entrypoint=entrypoint,
        environment=fields.texts("environment"),
        environment_file=fields.text("environmentFile"),
        args=fields.texts("args"),
        mounts=tuple(_mount(mount) for mount in fields.each("mounts")),
        security=_security(fields.below("security")),
    )


def _mount(fields: Fields) -> Mount:
    return Mount(fields.text("destination"), fields.text("type"), fields.text("source"), fields.texts("options"))


def _security(fields: Fields) -> Security:
    return Security(
        writeable_sysfs=fields.flag("writeableSysfs"),
        masked_paths=fields.texts("maskedPaths"),
        readonly_paths=fields.texts("readonlyPaths"),
        writeable_rootfs=fields.flag("writeableRootfs"),
        rootfs_propagation=fields.text("rootfsPropagation"),
    )


def _dependency(fields: Fields, findings: Findings) -> Dependency:
    before = len(findings.faults)
    dependency = Dependency(
        service=fields.text("service"),
        path=fields.text("path"),
        network=tuple(state.lower() for state in fields.texts("network")),
        time=fields.flag("time"),
        configuration=fields.flag("configuration"),
    )
    if len(findings.faults) > before:
        return dependency  # what could not be read is not missing

    def refuse(key: str, problem: str, remedy: str) -> None:
        path = fields.at(key) if key else fields.path
        findings.add("service-dependency", fields.line(key), path, problem, remedy)

    if dependency.path and not dependency.path.startswith("/"):
        refuse("path", f"{shown(dependency.path)} is not absolute", "start it with /")
    for state in dependency.network:
        if state not in NETWORK_STATES:
            refuse("network", f"{shown(state)} is no state of the network", f"use {', '.join(NETWORK_STATES)}")
    match sum(map(bool, msgspec.structs.astuple(dependency))):
        case 0:
            refuse("", "nothing to wait for", "name a service, a path, network, time or configuration")
        case 1:
            pass
        case _:
            refuse("", "more than one thing to wait for", "make it several items of the list")
    return dependency
