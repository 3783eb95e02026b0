"""A node as a process: talosctl finds in its log what is on standard error, whatever the format there."""

import re
from contextlib import aclosing
from pathlib import Path

import anyio
import pytest

from resources.config_status import ConfigStatus
from tests.e2e.conftest import wait_for
from tests.e2e.programs import PATIENCE_SECONDS, Node, machined_run
from tests.scenarios.door import administrator
from tests.talosctl import looks

STARTED = "node is running"


def line_with(node: Node, words: str) -> str:
    """Be `talosctl dmesg --follow` at a node until there is a line with these words."""

    async def read() -> str:
        with anyio.fail_after(PATIENCE_SECONDS):
            async with (
                administrator(node.directory).talosctl() as client,
                aclosing(looks.dmesg(client, follow=True)) as lines,
            ):
                return await anext(line async for line in lines if words in line)

    return anyio.run(read)


@pytest.mark.parametrize("format", ["console", "json"])
def test_the_log_over_the_network_looks_the_same_whatever_standard_error_does(tmp_path: Path, format: str) -> None:
    config = tmp_path / "machine.yaml"
    config.write_text("version: v1alpha1\n")
    options = ("--listen", "127.0.0.1:0", "--talosconfig", str(tmp_path / "talosconfig"), "--log-format", format)

    with machined_run(tmp_path, config, *options) as node:
        wait_for(node, ConfigStatus, "machine")
        started = line_with(node, STARTED)

    time, _, said = started.partition(" [talos] ")
    assert re.fullmatch(r"user:    info: \[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z\]:", time)
    assert said.startswith(f"{STARTED} component=node config={config} state={tmp_path}/state socket=")
    assert STARTED in node.log
