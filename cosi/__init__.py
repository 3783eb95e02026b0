"""A reactive resource and controller runtime, compatible on the wire with COSI.

What somebody needs who writes controllers, in one place; each name is imported when it is first asked for.

    from cosi import Definition, QRuntime, QTransform, Resource, Spec, field
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cosi.controller.controller import Controller
    from cosi.controller.dependencies import (
        destroy_ready,
        exclusive,
        mapped,
        mapped_destroy_ready,
        primary,
        shared,
        strong,
        weak,
    )
    from cosi.controller.engine.engine import Engine
    from cosi.controller.generic.cleanup import Cleanup
    from cosi.controller.generic.destroy import Destroy
    from cosi.controller.generic.qtransform import QTransform
    from cosi.controller.generic.signals import DestroyOutput
    from cosi.controller.generic.transform import Transform
    from cosi.controller.outcome import Retry, Skip
    from cosi.controller.qcontroller import QController
    from cosi.controller.qruntime import QRuntime
    from cosi.controller.runtime import Runtime
    from cosi.resource.definition import Definition, PrintColumn
    from cosi.resource.metadata import Kind, Metadata, Pointer
    from cosi.resource.resource import Resource
    from cosi.resource.spec import Spec, field
    from cosi.rpc.remote.state import connected
    from cosi.state.memory.state import MemoryState
    from cosi.state.state import State

__all__ = [
    "Cleanup",
    "Controller",
    "Definition",
    "Destroy",
    "DestroyOutput",
    "Engine",
    "Kind",
    "MemoryState",
    "Metadata",
    "Pointer",
    "PrintColumn",
    "QController",
    "QRuntime",
    "QTransform",
    "Resource",
    "Retry",
    "Runtime",
    "Skip",
    "Spec",
    "State",
    "Transform",
    "connected",
    "destroy_ready",
    "exclusive",
    "field",
    "mapped",
    "mapped_destroy_ready",
    "primary",
    "shared",
    "strong",
    "weak",
]

_MODULES = {
    "cosi.controller.controller": ("Controller",),
    "cosi.controller.dependencies": (
        "destroy_ready",
        "exclusive",
        "mapped",
        "mapped_destroy_ready",
        "primary",
        "shared",
        "strong",
        "weak",
    ),
    "cosi.controller.engine.engine": ("Engine",),
    "cosi.controller.generic.cleanup": ("Cleanup",),
    "cosi.controller.generic.destroy": ("Destroy",),
    "cosi.controller.generic.qtransform": ("QTransform",),
    "cosi.controller.generic.signals": ("DestroyOutput",),
    "cosi.controller.generic.transform": ("Transform",),
    "cosi.controller.outcome": ("Retry", "Skip"),
    "cosi.controller.qcontroller": ("QController",),
    "cosi.controller.qruntime": ("QRuntime",),
    "cosi.controller.runtime": ("Runtime",),
    "cosi.resource.definition": ("Definition", "PrintColumn"),
    "cosi.resource.metadata": ("Kind", "Metadata", "Pointer"),
    "cosi.resource.resource": ("Resource",),
    "cosi.resource.spec": ("Spec", "field"),
    "cosi.rpc.remote.state": ("connected",),
    "cosi.state.memory.state": ("MemoryState",),
    "cosi.state.state": ("State",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'cosi' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
