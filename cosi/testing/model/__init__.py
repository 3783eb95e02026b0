"""The model kit: whatever is done to a state in whatever order, it answers as a dict and a list of events would.

Whoever writes a backend makes a state machine of it in ten lines (see `cosi.testing.model.machine`), and hypothesis
looks for the shortest story in which the two disagree.
"""

import pytest

# Without this a failed assert in the kit would not tell what it compared. Must come before the modules are imported.
pytest.register_assert_rewrite(*(f"{__name__}.{noun}" for noun in ("changes", "machine", "reads", "stage", "told")))
