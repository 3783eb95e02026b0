"""The suites of the conformance kit for states, one noun a module; put together in `cosi.testing.state_conformance`."""

import pytest

# Without this a failed assert in the kit would not tell what it compared. Must come before the modules are imported.
pytest.register_assert_rewrite(
    *(
        f"{__name__}.{noun}"
        for noun in ("bookmarks", "derived", "history", "kinds", "lifecycle", "opaque", "ownership", "queries")
    )
)
pytest.register_assert_rewrite(f"{__name__}.subject", f"{__name__}.teardown", f"{__name__}.watching")
