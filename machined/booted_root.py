"""The tree that a node has booted, for those who look into it: where it lies, and how its paths are told, as on Talos.

Until the node has booted something there is none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Refusal
from cosi.state.state import State
from resources import boot_status
from resources.boot_status import BootStatus
from talos.confined import words

SHOWN_CHARACTERS: Final = 200
"""How much of a path an error repeats."""


async def booted_root(state: State) -> Path:
    """Return the directory that shows the booted image. Raises Refusal where none is booted."""
    status = await state.find(BootStatus, boot_status.ID)
    if status is None or not status.spec.root:
        problem = "the node has booted no image yet: apply a config, or see why in bootstatuses"
        raise Refusal(Code.FAILED_PRECONDITION, problem)
    return Path(status.spec.root)


def whole(path: str) -> str:
    """Return a path as Talos looks for it: from the top, and without a slash at its end."""
    return f"/{path.removeprefix('/').removesuffix('/')}"


def refusal(what: str, path: str, error: OSError, code: Code = Code.UNKNOWN) -> Refusal:
    """Return what Go says of an error, with the code that Talos gives to what it does not look into."""
    return Refusal(code, f"{what} {path[:SHOWN_CHARACTERS]}: {words(error)}")
