"""ControllerDefinition: a controller that works on a state, announced as a resource like the types that it works on.

Whoever can list resources can see who reads and who writes what; `cosi graph` draws it. A controller that could not be
loaded, or that may not join the others, is announced as well, with what the problem is.
"""

from __future__ import annotations

from cosi.resource.definition import Definition, PrintColumn
from cosi.resource.meta import NAMESPACE
from cosi.resource.resource import Resource
from cosi.resource.spec import Spec, field


class ControllerInput(Spec):
    """What a controller reads; the mode is one of `cosi.controller.dependencies.InputMode`."""

    namespace: str = field(1, default="")
    type: str = field(2, default="")
    id: str = field(3, default="", omit_empty=True)
    mode: str = field(4, default="")


class ControllerOutput(Spec):
    """What a controller writes; the sharing is "exclusive" or "shared"."""

    type: str = field(1, default="")
    sharing: str = field(2, default="")


class ControllerDefinitionSpec(Spec):
    """A controller. `concurrency` is 0 where there is no queue; `origin` says where it came from."""

    queue: bool = field(1, default=False)
    concurrency: int = field(2, default=0, omit_empty=True)
    inputs: tuple[ControllerInput, ...] = field(3, default=())
    outputs: tuple[ControllerOutput, ...] = field(4, default=())
    origin: str = field(5, default="")
    problem: str = field(6, default="", omit_empty=True)


class ControllerDefinition(Resource[ControllerDefinitionSpec]):
    """A controller that works, or should work, on this state; the id is its name."""

    definition = Definition(
        type="ControllerDefinitions.meta.cosi.dev",
        default_namespace=NAMESPACE,
        aliases=("controllers", "controller"),
        columns=(PrintColumn("Origin", "{.origin}"), PrintColumn("Problem", "{.problem}")),
    )
