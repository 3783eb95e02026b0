"""How long a change takes to become another: `python -m benchmarks.controllers`, beside bare asyncio in the same run.

Prints JSON. Latencies are microseconds from an input's update to its output's event, median and 99th percentile:

    bare        two tasks and plain futures, no resources: what the event loop alone costs
    transform   one Controller on a state in this process
    qtransform  one QController, generic
    chain       ten transforms, each on the output of the one before
    remote      one Controller in this process on a state in another, over a unix socket

`cold_seconds` is the time from the start of an engine to the last of 10,000 outputs of as many inputs, `flatness` the
cost of one change among 10,000 over that among 100. `--uvloop` runs everything on uvloop.
"""

import argparse
import asyncio
import gc
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import structlog

from cosi.controller.controller import Controller
from cosi.controller.dependencies import exclusive, shared, weak
from cosi.controller.engine.engine import Engine
from cosi.controller.generic.qtransform import QTransform
from cosi.controller.qcontroller import QController
from cosi.controller.qruntime import QRuntime
from cosi.controller.runtime import Runtime
from cosi.rpc.address import Address
from cosi.rpc.remote.state import connected
from cosi.rpc.serving import serving
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.resources import IntResource, IntSpec, StrResource, StrSpec, integer, sample_registry

CHANGES = 3_000
WARM_UP_CHANGES = 300
CHAIN = 10
COLD = 10_000
SMALL, LARGE = 100, 10_000
ROUNDS = 3
SERVER_START_SECONDS = 30

Latencies = list[float]


class Spell(Controller):
    """Writes a number out."""

    name = "benchmark.Spell"
    inputs = (weak(IntResource, id="number"),)
    outputs = (exclusive(StrResource),)

    async def run(self, runtime: Runtime) -> None:
        async for _ in runtime.reconcile():
            number = await runtime.find(IntResource, "number")
            if number is not None:
                await runtime.modify(StrResource.new("number", StrSpec(value=str(number.spec.value))))


class QSpell(QTransform[IntResource, StrResource]):
    """Writes numbers out, each by itself."""

    name = "benchmark.QSpell"

    async def transform(self, runtime: QRuntime, source: IntResource) -> StrResource:
        return StrResource.new(source.id, StrSpec(value=str(source.spec.value)))


class Link(Controller):
    """Hands a number on to the next namespace."""

    outputs = (shared(IntResource),)

    def __init__(self, position: int) -> None:
        self.name = f"benchmark.Link{position}"
        self._source, self._target = f"link-{position}", f"link-{position + 1}"
        self.inputs = (weak(IntResource, id="number", namespace=self._source),)

    async def run(self, runtime: Runtime) -> None:
        async for _ in runtime.reconcile():
            number = await runtime.find(IntResource, "number", namespace=self._source)
            if number is not None:
                await runtime.modify(integer("number", number.spec.value, namespace=self._target))


async def bare() -> Latencies:
    """Two hops of one task waking another, each by a future."""
    loop = asyncio.get_running_loop()
    changed: asyncio.Future[None] = loop.create_future()
    answered: asyncio.Future[None] = loop.create_future()
    value, output = 0, ""

    async def controller() -> None:
        nonlocal changed, answered, output
        while True:
            await changed
            changed = loop.create_future()
            output = str(value)
            answered.set_result(None)

    async def change(number: int) -> None:
        nonlocal value, answered
        value = number
        changed.set_result(None)
        await answered
        answered = loop.create_future()
        assert output == str(number)

    task = asyncio.create_task(controller())
    await asyncio.sleep(0)
    latencies = await timed(change)
    task.cancel()
    return latencies


async def transform() -> Latencies:
    return await through(State(MemoryState()), [Spell()], StrResource)


async def qtransform() -> Latencies:
    return await through(State(MemoryState()), [QSpell()], StrResource)


async def chain() -> Latencies:
    links = [Link(position) for position in range(CHAIN)]
    return await through(State(MemoryState()), links, IntResource, first="link-0", last=f"link-{CHAIN}")


async def remote() -> Latencies:
    with tempfile.TemporaryDirectory() as directory:
        where = Address(path=str(Path(directory) / "cosi.sock"))
        server = multiprocessing.get_context("spawn").Process(target=serve, args=(where,), daemon=True)
        server.start()
        try:
            with anyio.fail_after(SERVER_START_SECONDS):
                while not await anyio.Path(where.path or "").exists():
                    await anyio.sleep(0.05)
            async with connected(where, sample_registry()) as core, connected(where, sample_registry()) as other:
                return await through(State(core), [Spell()], StrResource, client=State(other))
        finally:
            server.terminate()
            server.join()


def serve(where: Address) -> None:
    async def main() -> None:
        async with serving(State(MemoryState()), sample_registry(), [where]):
            await anyio.sleep_forever()

    anyio.run(main)


async def through(
    state: State,
    controllers: Sequence[Controller | QController],
    output: type[IntResource] | type[StrResource],
    *,
    first: str = "default",
    last: str = "default",
    client: State | None = None,
) -> Latencies:
    """Time changes of one input until the event of its output."""
    client = client or state
    async with running(state, *controllers), client.watch_kind(output.kind(namespace=last)) as watch:
        await client.create(integer("number", -1, namespace=first))
        await watch.batch()

        current = await client.get(IntResource, "number", namespace=first)  # with the finalizer of who holds it

        async def change(number: int) -> None:
            nonlocal current
            current = await client.update(current.with_spec(IntSpec(value=number)))
            await watch.batch()

        return await timed(change)


async def timed(change: Callable[[int], Awaitable[None]]) -> Latencies:
    latencies = []
    for number in range(WARM_UP_CHANGES + CHANGES):
        begun = time.perf_counter()
        await change(number)
        latencies.append((time.perf_counter() - begun) * 1e6)
        await asyncio.sleep(0)
    return latencies[WARM_UP_CHANGES:]


async def cold() -> float:
    """From the start of the engine to the last output."""
    state = State(MemoryState(history=4 * COLD))
    for index in range(COLD):
        await state.create(integer(f"number-{index:05d}", index))
    gc.collect()
    begun = time.perf_counter()
    async with state.watch_kind(StrResource.kind()) as watch, running(state, QSpell()):
        count = 0
        while count < COLD:
            count += len(await watch.batch())
        return time.perf_counter() - begun


async def one_change_among(count: int) -> float:
    """Microseconds from a change to its output, with so many other inputs and outputs around."""
    state = State(MemoryState(history=4 * LARGE))
    async with state.watch_kind(StrResource.kind()) as watch, running(state, QSpell()):
        for index in range(count):
            await state.create(integer(f"number-{index:05d}", index))
        outputs = 0
        while outputs < count:
            outputs += len(await watch.batch())
        current = await state.get(IntResource, f"number-{count // 2:05d}")

        async def change(number: int) -> None:
            nonlocal current
            current = await state.update(current.with_spec(IntSpec(value=-number - 1)))
            await watch.batch()

        return statistics.median(await timed(change))


@asynccontextmanager
async def running(state: State, *controllers: Controller | QController) -> AsyncIterator[None]:
    engine = Engine(state)
    for controller in controllers:
        engine.register(controller)
    async with anyio.create_task_group() as tasks:
        await tasks.start(engine.run)
        yield
        tasks.cancel_scope.cancel()


async def main() -> None:
    figures: dict[str, object] = {}
    for workload in (bare, transform, qtransform, chain, remote):
        rounds = [await workload() for _ in range(ROUNDS)]
        figures[workload.__name__] = {
            "median": round(statistics.median(statistics.median(latencies) for latencies in rounds), 1),
            "p99": round(statistics.median(sorted(latencies)[len(latencies) * 99 // 100] for latencies in rounds), 1),
        }
    figures["cold_seconds"] = round(statistics.median([await cold() for _ in range(ROUNDS)]), 2)
    ratios = [await one_change_among(LARGE) / await one_change_among(SMALL) for _ in range(ROUNDS)]
    figures["flatness"] = round(statistics.median(ratios), 2)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uvloop", action="store_true")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    anyio.run(main, backend_options={"use_uvloop": parser.parse_args().uvloop})
