"""A place where controllers run beside a state: an engine, a roster, and the answers to what people ask of both.

Whatever comes in by `add` runs, or is put down on the roster with its problem: a controller that can't join does not
keep the others from it. The host is what the ControllerRuntime service (cosi.rpc.runtime_service) is made for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import anyio
import structlog
from anyio.abc import TaskStatus

from cosi.controller.controller import Controller
from cosi.controller.engine import metrics
from cosi.controller.engine.engine import Engine
from cosi.controller.qcontroller import QController
from cosi.controller.roster import Roster, definition_of
from cosi.journal.records import Write
from cosi.resource.controllers import ControllerDefinition
from cosi.resource.metadata import Pointer
from cosi.resource.registry import Registry
from cosi.resource.resource import AnyResource
from cosi.state import errors
from cosi.state.registration import announce_type
from cosi.state.state import State

_log = structlog.get_logger(component="host")


class Host:
    """Controllers on a state whose types are in a registry. `on_overdue` is the engine's."""

    def __init__(self, state: State, registry: Registry, *, on_overdue: Callable[[], None] | None = None) -> None:
        self.roster = Roster(state)
        self.engine = Engine(state, on_overdue=on_overdue)
        self._state = state
        self._registry = registry
        self._controllers: dict[str, tuple[Controller | QController, str]] = {}

    async def add_type(self, resource_class: type[AnyResource], origin: str) -> None:
        """Announce a resource type, or put down what the problem is."""
        type = resource_class.definition.type
        try:
            if self._registry.get(type) is not resource_class:
                self._registry.add(resource_class)
                await announce_type(self._state, resource_class)
        except (ValueError, errors.StateError) as error:
            await self.refuse(resource_class.__qualname__, origin, str(error))

    async def add(self, controller: Controller | QController, origin: str) -> None:
        """Register a controller, or put down why it can't join."""
        try:
            member = definition_of(controller, origin)
            await self.roster.admit([member])
            try:
                self.engine.register(controller)
            except Exception:
                await self.roster.dismiss([member.id])
                raise
        except ValueError as error:
            await self.refuse(controller.name, origin, str(error))
        else:
            self._controllers[controller.name] = (controller, origin)

    async def refuse(self, name: str, origin: str, problem: str) -> None:
        """Put down what can't work here."""
        _log.error("not loaded", name=name, origin=origin, problem=problem)
        await self.roster.put_down(name, origin, problem)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Run the engine, and keep the roster up to date, until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._publish)
            await tasks.start(self.engine.run)
            task_status.started()

    async def join(self, members: Sequence[ControllerDefinition]) -> None:
        """Admit the controllers of another process. Raises Clash."""
        await self.roster.admit(members)
        _log.info("controllers joined", names=[member.id for member in members])

    async def leave(self, members: Sequence[ControllerDefinition]) -> None:
        """Dismiss the controllers of another process."""
        await self.roster.dismiss(member.id for member in members)
        _log.info("controllers left", names=[member.id for member in members])

    def report(self, writes: Sequence[Write]) -> None:
        """Take note of what the controllers of another process have written."""
        for write in writes:
            if write.reconcile is not None:
                self.engine.journal.record(write.metadata, write.reconcile)

    async def explain(self, pointer: Pointer) -> Sequence[Write]:
        """Return the write of a resource as it is and those that led to it. Raises NotFound."""
        return self.engine.journal.explain((await self._state.get(pointer)).metadata)

    def metrics(self) -> str:
        """Return the engine's numbers in Prometheus's text format."""
        return metrics.render(self.engine.counters)

    async def _publish(self) -> None:
        """Announce the inputs of controllers that change them while they run."""
        while True:
            await self.engine.rewired.wait()
            for controller, origin in list(self._controllers.values()):
                inputs = self.engine.graph.inputs_of(controller.name)
                await self.roster.update(definition_of(controller, origin, inputs))
