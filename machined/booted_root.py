"""Where the files lie that a node has booted; until it has booted something there are none."""

from __future__ import annotations

from pathlib import Path

from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Refusal
from cosi.state.state import State
from resources import boot_status
from resources.boot_status import BootStatus


async def booted_root(state: State) -> Path:
    """Return the directory that shows the booted image. Raises Refusal where none is booted."""
    status = await state.find(BootStatus, boot_status.ID)
    if status is None or not status.spec.root:
        problem = "the node has booted no image yet: apply a config, or see why in bootstatuses"
        raise Refusal(Code.FAILED_PRECONDITION, problem)
    return Path(status.spec.root)
