"""The conformance kit for controller runtimes: whoever builds one, or a state for one, runs the whole suite over it.

    class TestMyRuntime(RuntimeConformance):
        @pytest.fixture
        async def stage(self) -> AsyncIterator[Stage]:
            async with my_backend() as core:
                yield Stage(State(core), core)

The promises are those of the reference's own suite (pkg/controller/conformance of the Go runtime), and a few more.
"""

from __future__ import annotations

from cosi.testing.runtime.caching import Reads
from cosi.testing.runtime.failing import Failures
from cosi.testing.runtime.hooks import Hooks
from cosi.testing.runtime.mapping import Mapping
from cosi.testing.runtime.queueing import Queueing
from cosi.testing.runtime.retrying import Retrying
from cosi.testing.runtime.stage import Stage
from cosi.testing.runtime.waking import Waking
from cosi.testing.runtime.wiring import Wiring
from cosi.testing.runtime.writing import Writing

__all__ = ["RuntimeConformance", "Stage"]


class RuntimeConformance(Waking, Wiring, Writing, Reads, Failures, Queueing, Retrying, Mapping, Hooks):
    """Every promise of a controller runtime. Subclass it in a test module and override the `stage` fixture."""
