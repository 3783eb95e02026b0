"""What a runtime promises about Controllers that fail: they are started again, later each time, and alone."""

from __future__ import annotations

from cosi.backoff import INITIAL_SECONDS, JITTER
from cosi.controller.dependencies import weak
from cosi.controller.runtime import Runtime
from cosi.testing.resources import IntResource
from cosi.testing.runtime.numbers import SOURCE, Acting, Failing, Sum, number, result, word
from cosi.testing.runtime.stage import Stage, Staged

SHORT_SECONDS = INITIAL_SECONDS * (1 + JITTER)
"""The longest first wait."""


class Failures(Staged):
    """A failure is put down to who failed, and is not the end."""

    async def test_a_controller_that_fails_is_started_again_whatever_it_raises(self, stage: Stage) -> None:
        failures = RuntimeError("as requested"), SystemExit(3), ExceptionGroup("two", [ValueError(), KeyError()])
        async with stage.running(Failing(*failures), Sum("sum")) as engine:
            await stage.in_time(*(result(f"start-{start}", start) for start in range(4)), result("seen", 0))

            assert engine.counters["kit.Failing"].crashes == 3
            assert engine.counters["kit.Sum.sum"].crashes == 0

    async def test_who_keeps_failing_waits_longer_and_longer(self, stage: Stage) -> None:
        async with stage.running(Failing(*[RuntimeError("as requested")] * 8)):
            waits = [await stage.pass_time() for _ in range(8)]
            await stage.eventually(result("seen", 0))

        assert waits[0] <= SHORT_SECONDS < waits[-1]

    async def test_who_has_worked_again_begins_with_a_short_wait(self, stage: Stage) -> None:
        fails = iter([True] * 8 + [False, True, False])

        async def now_and_then(runtime: Runtime) -> None:
            if next(fails):
                raise RuntimeError("as requested")
            await runtime.modify(word("worked", str(failing.reconciles)))

        failing = Acting(now_and_then, weak(IntResource, namespace=SOURCE))
        async with stage.running(failing):
            waits = [await stage.pass_time() for _ in range(8)]
            await stage.eventually(word("worked", "9"))
            await stage.state.create(number("one", 1))
            again = await stage.pass_time()
            await stage.eventually(word("worked", "11"))

        assert again <= SHORT_SECONDS < waits[-1]

    async def test_the_others_do_not_wait_for_who_fails_and_it_misses_nothing(self, stage: Stage) -> None:
        async with stage.running(Failing(RuntimeError("as requested")), Sum("sum")):
            await stage.eventually(result("start-0", 0))
            await stage.state.create(number("one", 1))
            await stage.eventually(result("sum", 1))
            assert await stage.state.find(result("seen", 0).pointer) is None
            await stage.in_time(result("seen", 1))
