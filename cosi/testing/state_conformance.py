"""The conformance kit for states: whoever writes a backend runs the whole suite over it in ten lines.

    class TestMyState(StateConformance):
        @pytest.fixture
        async def state(self) -> AsyncIterator[State]:
            async with my_backend() as core:
                yield State(core)

What the backend cannot do is said by class attributes (see `Subject`); a fixture with params runs the suite over
several configurations at once. A backend conforms if every test passes.
"""

from __future__ import annotations

from cosi.testing.conformance.bookmarks import Bookmarks
from cosi.testing.conformance.derived import Derived
from cosi.testing.conformance.history import History
from cosi.testing.conformance.kinds import Kinds
from cosi.testing.conformance.lifecycle import Lifecycle
from cosi.testing.conformance.opaque import Opaque
from cosi.testing.conformance.ownership import Ownership
from cosi.testing.conformance.queries import Queries
from cosi.testing.conformance.teardown import Teardown
from cosi.testing.conformance.watching import Watching

__all__ = ["StateConformance"]


class StateConformance(Lifecycle, Ownership, Derived, Teardown, Queries, Watching, Kinds, History, Bookmarks, Opaque):
    """Every promise of a state. Subclass it in a test module and override the `state` fixture."""
