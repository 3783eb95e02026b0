"""What was loaded runs in a host; what can't run is on the roster with its problem, and keeps nobody from working."""

import anyio
import pytest

from cosi.controller.controller import Controller
from cosi.controller.dependencies import exclusive, primary
from cosi.controller.host import Host
from cosi.controller.runtime import Runtime
from cosi.plugins.hosting import add_to
from cosi.plugins.loading import Failure, Loaded
from cosi.resource import meta
from cosi.resource.controllers import ControllerDefinition
from cosi.resource.definition import Definition
from cosi.resource.registry import Registry
from cosi.resource.resource import Resource
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.resources import IntResource, IntSpec, StrResource, integer
from tests.cosi.controller.generic.spelling import LooseSpell, QSpell, Spell

pytestmark = pytest.mark.anyio


class Impostor(Resource[IntSpec]):
    """Claims a type that is somebody else's."""

    definition = Definition(type=IntResource.definition.type, default_namespace="default")


class Confused(Controller):
    """Has the input of a queue controller, and no queue."""

    name = "test.Confused"
    inputs = (primary(IntResource),)
    outputs = (exclusive(IntResource),)

    async def run(self, runtime: Runtime) -> None:
        """Never runs."""


async def members(state: State) -> dict[str, str]:
    """Return the problems of all that is on the roster, by name; none if it works."""
    return {each.id: each.spec.problem for each in await state.list(ControllerDefinition)}


async def test_types_are_announced_and_controllers_run() -> None:
    state = State(MemoryState())
    host = Host(state, Registry())
    await add_to(host, [Loaded("here", [QSpell()], [IntResource, StrResource])])

    async with anyio.create_task_group() as tasks:
        await tasks.start(host.run)
        await state.create(integer("one", 1))
        with anyio.fail_after(10):
            await state.watch_for(StrResource.pointer_to("one"), lambda event: event.resource is not None)
        tasks.cancel_scope.cancel()

    definitions = {each.id for each in await state.list(meta.ResourceDefinition)}
    assert definitions == {"ints.test.cosi.dev", "strs.test.cosi.dev"}
    assert await members(state) == {"test.QSpell": ""}


async def test_what_clashes_is_put_down_by_name_and_the_rest_works() -> None:
    state = State(MemoryState())
    host = Host(state, Registry())

    await add_to(
        host,
        [
            Failure("broken", "file broken.py", "importing it failed"),
            Loaded("first", [QSpell()], [IntResource]),
            Loaded("second", [QSpell()], [Impostor]),
            Loaded("third", [Spell(), LooseSpell()]),
            Loaded("fourth", [Confused()]),
        ],
    )

    problems = await members(state)
    assert problems["test.QSpell"] == ""
    assert problems["broken"] == "importing it failed"
    assert "is at work already (first)" in problems["test.QSpell (second)"]
    assert "is registered already" in problems["Impostor"]
    assert "test.QSpell writes it (exclusive)" in problems["test.Spell"]
    assert "test.QSpell writes it (exclusive)" in problems["test.LooseSpell"]
    assert "can't be primary" in problems["test.Confused"]
    assert set(host.engine.counters) == {"test.QSpell"}
