"""How fast the in-memory state is, beside a bare dict in the same run: `python -m benchmarks.state`.

Prints JSON. Rates are operations a second, the median of several rounds; `memory` is bytes for each small resource,
its event included; `flatness` is the cost of an operation among 100,000 resources over that among 1,000; `idle` is the
cost of publishing with 10,000 idle watchers of other resources over that with one; `stalled` is the cost of an update
with 1,000 watchers that never read over that with none.
"""

import asyncio
import gc
import json
import statistics
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from cosi.resource.resource import AnyResource
from cosi.state.core import Watch
from cosi.state.memory.state import MemoryState
from cosi.testing.resources import PathResource, PathSpec

ROUNDS = 5
OPERATIONS = 20_000
LISTED = 10_000
WATCHERS = 100
STALLED_WATCHERS = 1_000
DELIVERED = 3_000
WINDOW = 64
LISTS = 50
IDLE_WATCHERS = 10_000
SMALL, LARGE = 1_000, 100_000

Run = Callable[[], Awaitable[float]]


def resources(count: int) -> list[AnyResource]:
    return [PathResource.new(f"resource-{index:06d}", PathSpec(path=f"/{index}")) for index in range(count)]


async def filled(count: int) -> tuple[MemoryState, list[AnyResource]]:
    state = MemoryState()
    return state, [await state.create(resource) for resource in resources(count)]


async def bare_get() -> float:
    table = {resource.pointer: resource for resource in resources(LISTED)}
    pointers = list(table)[:1] * OPERATIONS
    begun = settled()
    for pointer in pointers:
        table[pointer]
    return OPERATIONS / (time.perf_counter() - begun)


async def bare_set() -> float:
    wanted = resources(OPERATIONS)
    table: dict[str, AnyResource] = {}
    begun = settled()
    for resource in wanted:
        table[resource.metadata.id] = resource
    return OPERATIONS / (time.perf_counter() - begun)


async def get() -> float:
    state, stored = await filled(LISTED)
    pointers = [resource.pointer for resource in stored] * (OPERATIONS // LISTED)
    begun = settled()
    for pointer in pointers:
        await state.get(pointer)
    return OPERATIONS / (time.perf_counter() - begun)


async def create() -> float:
    wanted = resources(OPERATIONS)
    state = MemoryState()
    begun = settled()
    for resource in wanted:
        await state.create(resource)
    return OPERATIONS / (time.perf_counter() - begun)


async def update() -> float:
    state, stored = await filled(OPERATIONS)
    begun = settled()
    for resource in stored:
        await state.update(resource)
    return OPERATIONS / (time.perf_counter() - begun)


async def list_() -> float:
    """Lists a second, each after a write: nothing of the last one can be used again."""
    state, stored = await filled(LISTED)
    kind, resource, taken = PathResource.kind(), stored[0], 0.0
    for _ in range(LISTS):
        resource = await state.update(resource)
        begun = time.perf_counter()
        await state.list(kind)
        taken += time.perf_counter() - begun
    return LISTS / taken


async def deliver() -> float:
    """Events delivered to all watchers together, a second; the slowest reader is at most a window behind."""
    state, stored = await filled(1)
    resource = stored[0]
    seen = [0] * WATCHERS

    async def read(number: int, watch: Watch) -> None:
        count = 0
        while count < DELIVERED:
            for _ in await watch.batch():
                count += 1
            seen[number] = count

    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        for number in range(WATCHERS):
            watch = await stack.enter_async_context(state.watch_kind(PathResource.kind()))
            tasks.create_task(read(number, watch))
        await asyncio.sleep(0)
        begun = settled()
        for index in range(DELIVERED):
            resource = await state.update(resource)
            if index % WINDOW == 0:
                while index - min(seen) > WINDOW:
                    await asyncio.sleep(0)
        while min(seen) < DELIVERED:
            await asyncio.sleep(0)
        return WATCHERS * DELIVERED / (time.perf_counter() - begun)


async def cost_of_update(count: int) -> float:
    state, stored = await filled(count)
    resource = stored[count // 2]
    begun = settled()
    for _ in range(OPERATIONS):
        resource = await state.update(resource)
    return (time.perf_counter() - begun) / OPERATIONS


async def cost_of_get(count: int) -> float:
    state, stored = await filled(count)
    pointer = stored[count // 2].pointer
    begun = settled()
    for _ in range(OPERATIONS):
        await state.get(pointer)
    return (time.perf_counter() - begun) / OPERATIONS


async def cost_with_idle(watchers: int) -> float:
    """Seconds an update of one resource takes while others wait for the events of other ones."""
    state, stored = await filled(1)
    resource = stored[0]

    async def wait(watch: Watch) -> None:
        await watch.batch()

    async with AsyncExitStack() as stack:
        waiting = []
        for index in range(watchers):
            watch = await stack.enter_async_context(state.watch(PathResource.pointer_to(f"absent-{index}")))
            await watch.batch()
            waiting.append(asyncio.create_task(wait(watch)))
        await asyncio.sleep(0)
        begun = settled()
        for _ in range(OPERATIONS):
            resource = await state.update(resource)
        taken = (time.perf_counter() - begun) / OPERATIONS
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    return taken


async def cost_with_stalled(watchers: int) -> float:
    state, stored = await filled(1)
    resource = stored[0]
    async with AsyncExitStack() as stack:
        for _ in range(watchers):
            await stack.enter_async_context(state.watch_kind(PathResource.kind()))
        begun = settled()
        for _ in range(OPERATIONS):
            resource = await state.update(resource)
        return (time.perf_counter() - begun) / OPERATIONS


async def memory() -> float:
    """Bytes for each resource, its spec and id included; the history is short, so that it does not count."""
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    state = MemoryState(history=16, gap=1)
    for resource in resources(LISTED):
        await state.create(resource)
    del resource
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (after - before) / LISTED


def settled() -> float:
    """Return the time now, after the garbage of the preparations has been collected: it is not the operation's."""
    gc.collect()
    return time.perf_counter()


def median(run: Run) -> float:
    values = []
    for _ in range(ROUNDS):
        gc.collect()
        values.append(asyncio.run(_call(run)))
    return statistics.median(values)


async def _call(run: Run) -> float:
    return await run()


def main() -> None:
    rates = {
        name: median(run)
        for name, run in {
            "bare dict get": bare_get,
            "bare dict set": bare_set,
            "get": get,
            "create": create,
            "update": update,
            "list of 10,000": list_,
            f"events to {WATCHERS} watchers": deliver,
        }.items()
    }
    report = {
        "per second": {name: round(rate, 1) for name, rate in rates.items()},
        "milliseconds for a list of 10,000": round(1000 / rates["list of 10,000"], 3),
        "memory": round(median(memory)),
        "flatness": {
            "get": round(median(lambda: cost_of_get(LARGE)) / median(lambda: cost_of_get(SMALL)), 2),
            "update": round(median(lambda: cost_of_update(LARGE)) / median(lambda: cost_of_update(SMALL)), 2),
        },
        "idle": round(median(lambda: cost_with_idle(IDLE_WATCHERS)) / median(lambda: cost_with_idle(1)), 2),
        "stalled": round(median(lambda: cost_with_stalled(STALLED_WATCHERS)) / median(lambda: cost_with_stalled(0)), 2),
    }
    print(json.dumps(report, indent=4))


if __name__ == "__main__":
    main()
