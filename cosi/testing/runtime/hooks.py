"""What a runtime promises about hooks: one runs beside the queue, again while it fails, the other at the end."""

from __future__ import annotations

from cosi.testing.runtime.items import Hooked
from cosi.testing.runtime.numbers import number, word
from cosi.testing.runtime.stage import Stage, Staged


class Hooks(Staged):
    """Hooks run when they should."""

    async def test_the_run_hook_runs_beside_the_queue_and_again_if_it_fails(self, stage: Stage) -> None:
        controller = Hooked()
        async with stage.running(controller) as engine:
            await stage.state.create(number("one", 1))
            await stage.eventually(word("one", "1"))
            await stage.pass_time()
            await stage.eventually(word("hook", "2"))

            assert engine.counters[Hooked.name].crashes == 1

    async def test_the_shutdown_hook_runs_once_at_the_end(self, stage: Stage) -> None:
        controller = Hooked()
        async with stage.running(controller):
            await stage.state.create(number("one", 1))
            await stage.eventually(word("one", "1"))
            before = controller.shut_down

        assert (before, controller.shut_down) == (0, 1)
