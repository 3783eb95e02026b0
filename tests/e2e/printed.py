"""What `cosi get` prints, beside what it is expected to print.

The expected files hold what talosctl prints for the same resources. Times, digests and the registry's port differ from
run to run: `<time>`, `dd…` and `PPPPP` stand for them.
"""

import re
from pathlib import Path
from typing import Final

from tests.e2e.programs import Node, without_times

EXPECTED: Final = Path(__file__).parent / "expected"

FORMS: Final = [
    (["extensions"], "extensions.txt"),
    (["extensions", "-o", "yaml"], "extensions.yaml"),
    (["extensions", "-o", "json"], "extensions.json"),
    (["rd"], "rd.txt"),
    (["machineconfig", "-o", "yaml"], "machineconfig.yaml"),
    (["plan", "-o", "jsonpath={.spec.state}"], "plan.txt"),
    (["extensions", "-o", "jsonpath={.spec.metadata.name}"], "names.txt"),
]
"""Arguments of `cosi get`, and the file with what it prints for a node that is called `localhost`."""


def shown(node: Node, *arguments: str) -> str:
    """What `cosi get` prints, with what differs from run to run made equal."""
    result = node.cosi("get", *arguments)
    assert (result.returncode, result.stderr) == (0, "")
    text = without_times(result.stdout)
    text = re.sub(r"(127\.0\.0\.1[-:])\d{5}", r"\1PPPPP", text)
    return re.sub(r"sha256([-:])[0-9a-f]{64}", r"sha256\g<1>" + "d" * 64, text)


def expected(name: str) -> str:
    return (EXPECTED / name).read_text()
