"""The state machine that hypothesis plays: several owners change a state, watchers come, read late and are overrun.

    class MyStateMachine(StateMachine):
        history, gap = 64, 4

        @asynccontextmanager
        async def backend(self) -> AsyncIterator[CoreState]:
            async with my_backend() as core:
                yield core

    TestMyState = MyStateMachine.TestCase

Every result, every refusal and every event is foreseen by a model (`cosi.testing.model.model`). A small history makes
overruns common. What two operations at the same moment do to each other is not told here but in the conformance
suite: here one follows the other.
"""

from __future__ import annotations

import sys

from hypothesis.stateful import rule

from cosi.testing.model.changes import Changes
from cosi.testing.model.reads import Reads
from cosi.testing.model.steps import Step, steps_of

__all__ = ["StateMachine"]


class StateMachine(Changes, Reads):
    """Subclass it in a test module, say `history` and `gap` of the state, and override `backend`."""

    @rule(step=steps_of(Changes, Reads))
    def play(self, step: Step) -> None:
        """Take one step of the story."""
        getattr(self, step.what)(**step.how)

    def teardown(self) -> None:
        """Let every watcher hear the rest of the story, then close what is open."""
        try:
            # hypothesis calls this on a failure, too, which must not be hidden by another one.
            if sys.exc_info()[0] is None:
                self.expect_nothing_more()
                self.read_to_the_end()
        finally:
            super().teardown()
