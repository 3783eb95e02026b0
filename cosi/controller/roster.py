"""Who works on a state: the controllers of this process and of others, announced as resources.

A name belongs to one controller and an exclusive output to one controller, in whatever process: who would break that is
not admitted. Names are free again once a member is dismissed. What could not be loaded is put down with its problem, so
that people find it where they look for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from cosi.controller.controller import Controller
from cosi.controller.dependencies import Input, Output, OutputSharing
from cosi.controller.engine.graph import Clash, check_outputs
from cosi.controller.qcontroller import QController
from cosi.resource import meta
from cosi.resource.controllers import (
    ControllerDefinition,
    ControllerDefinitionSpec,
    ControllerInput,
    ControllerOutput,
)
from cosi.state import errors
from cosi.state.state import State

MAX_PROBLEM_CHARACTERS: Final = 2048
"""How much of a problem is put down."""


class Roster:
    """The controllers that work on a state, kept in it."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def admit(self, members: Sequence[ControllerDefinition]) -> None:
        """Announce controllers, all or none. Raises Clash."""
        present = {each.id: each.spec for each in await self._state.list(ControllerDefinition) if not each.spec.problem}
        for member in members:
            if member.id in present:
                raise Clash(f"a controller named {member.id} is at work already ({present[member.id].origin})")
            taken = ((name, _outputs(spec)) for name, spec in present.items())
            check_outputs(member.id, _outputs(member.spec), taken)
            present[member.id] = member.spec
        for member in members:
            await self._state.modify(member, owner=meta.OWNER)

    async def update(self, member: ControllerDefinition) -> None:
        """Announce that a member reads something else now."""
        await self._state.modify(member, owner=meta.OWNER)

    async def put_down(self, name: str, origin: str, problem: str) -> None:
        """Announce what can't work here, unless a member bears its name."""
        spec = ControllerDefinitionSpec(origin=origin, problem=problem[:MAX_PROBLEM_CHARACTERS])
        known = await self._state.find(ControllerDefinition, name)
        if known is None or known.spec.problem:
            await self._state.modify(ControllerDefinition.new(name, spec), owner=meta.OWNER)
        else:
            await self.put_down(f"{name} ({origin})", origin, problem)

    async def dismiss(self, names: Iterable[str]) -> None:
        """Take members off the roster."""
        for name in names:
            try:
                await self._state.destroy(ControllerDefinition.pointer_to(name), owner=meta.OWNER)
            except errors.NotFound:
                continue


def definition_of(
    controller: Controller | QController, origin: str, inputs: Sequence[Input] | None = None
) -> ControllerDefinition:
    """Return how a controller is announced; with the inputs that it has declared unless told."""
    queue = isinstance(controller, QController)
    spec = ControllerDefinitionSpec(
        queue=queue,
        concurrency=controller.concurrency if isinstance(controller, QController) else 0,
        inputs=tuple(
            ControllerInput(**wanted.kind._asdict(), id=wanted.id or "", mode=wanted.mode)
            for wanted in (controller.inputs if inputs is None else inputs)
        ),
        outputs=tuple(ControllerOutput(type=output.type, sharing=output.sharing) for output in controller.outputs),
        origin=origin,
    )
    return ControllerDefinition.new(controller.name, spec)


def _outputs(spec: ControllerDefinitionSpec) -> Sequence[Output]:
    return [Output(output.type, OutputSharing(output.sharing)) for output in spec.outputs]
