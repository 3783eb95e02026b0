"""`machined` says at once what it can do: what a command works with is imported when it is done."""

import subprocess
import sys

HEAVY = ["socket", "anyio", "msgspec", "pydantic", "structlog", "yaml", "cryptography", "google.protobuf", "talos"]


def test_nothing_heavy_is_imported_to_know_the_commands() -> None:
    program = f"import sys, machined.main; print([name for name in {HEAVY} if name in sys.modules])"

    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert result.stdout == "[]\n"
