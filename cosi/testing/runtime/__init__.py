"""The conformance kit for controller runtimes, in parts; `cosi.testing.runtime_conformance` is the whole."""

import pytest

# Without this a failed assert in the kit would not tell what it compared. Must come before the modules are imported.
pytest.register_assert_rewrite(
    *(
        f"{__name__}.{part}"
        for part in ("caching", "failing", "hooks", "mapping", "queueing", "retrying", "waking", "wiring", "writing")
    )
)
