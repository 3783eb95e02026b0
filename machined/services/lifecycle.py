"""machine.LifecycleService/Upgrade: builds and stages a boot image, telling of each step, and ends with an exit code.

The client restarts the node itself. What goes wrong is told in the messages and the exit code and is no error of the
call, as api/machine/lifecycle.proto asks for; errors before that are Talos's (internal/app/lifecycle). An upgrade that
has begun is finished even if its client goes away.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

import anyio
import structlog
from anyio.abc import TaskStatus

from cosi.rpc.codec import parse
from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Call, Frames, Refusal, Service, frame
from cosi.state import errors
from cosi.state.state import State
from cosi.state.wakeups import Wakeups
from machined import upgrading
from machined.background import Background
from resources.extension_image import ExtensionImage, FetchState
from talos._pb.machine import lifecycle_pb2
from talos._pb.machine.lifecycle_pb2 import LifecycleServiceInstallProgress, LifecycleServiceUpgradeResponse

NAME: Final = lifecycle_pb2.DESCRIPTOR.services_by_name["LifecycleService"].full_name

DONE: Final = 0
INSTALLATION_FAILED: Final = 7
"""Both are exit codes of Talos's installer (pkg/machinery/constants)."""

SHOWN_CHARACTERS: Final = 200
"""How much of a name is repeated that a client may choose freely."""

_log = structlog.get_logger(component="lifecycle")


class LifecycleService:
    """The method on bytes."""

    def __init__(self, state: State, background: Background) -> None:
        self._state = state
        self._background = background
        self._running: Upgrade | None = None
        self.service = Service(NAME, server_streaming={"Upgrade": self._upgrade})

    async def _upgrade(self, request: bytes, _: Call) -> AsyncGenerator[Frames, None]:
        """Answer with LifecycleServiceUpgradeResponses."""
        image = parse(lifecycle_pb2.LifecycleServiceUpgradeRequest, request).source.image_name
        await upgrading.check_installed(self._state, "machine is not installed")
        if not image:
            raise Refusal(Code.INVALID_ARGUMENT, "installer image name is required")
        if self._running is not None and self._running.exit_code is None:
            raise Refusal(Code.FAILED_PRECONDITION, "another installation/upgrade is already in progress")
        upgrade = Upgrade(self._state)
        self._background.start_soon(upgrade.run)
        self._running = upgrade  # not before it has been left to the node, which may refuse it
        shown = image[:SHOWN_CHARACTERS]
        _log.info("upgrade begins", installer=shown)
        yield _message(f"{shown} is not used: what is installed are the extensions of the machine config")
        told = 0
        while True:
            while told < len(upgrade.lines):
                told += 1
                yield _message(upgrade.lines[told - 1])
            if upgrade.exit_code is not None:
                break
            await upgrade.changed.wait()
        yield _framed(LifecycleServiceInstallProgress(exit_code=upgrade.exit_code))


class Upgrade:
    """One upgrade: the lines it has told so far, and once it is over, its exit code. `changed` wakes who reads them.

    There are a few lines for each extension.
    """

    def __init__(self, state: State) -> None:
        self.lines: list[str] = []
        self.exit_code: int | None = None
        self.changed = Wakeups()
        self._state = state

    async def run(self) -> None:
        """Upgrade, telling of each step."""
        outcome, granted = "the upgrade was cut short", False
        try:
            async with anyio.create_task_group() as tasks:
                await tasks.start(self._tell_of_images)
                answer = await upgrading.ask(self._state, upgrading.request(stage=True))
                outcome, granted = answer.outcome, answer.upgraded
                tasks.cancel_scope.cancel()
        except* TimeoutError:
            outcome = upgrading.TOO_LONG
        except* errors.StateError as failures:
            outcome = f"the upgrade failed: {failures.exceptions[0]}"
        finally:
            _log.info("upgrade", granted=granted, outcome=outcome)
            self._tell(outcome)
            self.exit_code = DONE if granted else INSTALLATION_FAILED
            self.changed.wake_all()

    async def _tell_of_images(self, *, task_status: TaskStatus[None]) -> None:
        said: dict[str, str] = {}
        async with self._state.watch_kind(ExtensionImage.kind()) as watch:
            task_status.started()
            async for event in watch:
                image = event.resource
                if isinstance(image, ExtensionImage) and (line := step_of(image)) != said.get(image.id):
                    said[image.id] = line
                    self._tell(line)

    def _tell(self, line: str) -> None:
        self.lines.append(line)
        self.changed.wake_all()


def step_of(image: ExtensionImage) -> str:
    """Return how far the image of an extension is, in words that don't change with every byte."""
    spec = image.spec
    match spec.state:
        case FetchState.FETCHING:
            return f"{image.id}: looking up {spec.image}"
        case FetchState.READY:
            return f"{image.id}: {spec.manifest}, {spec.size} bytes, is here"
        case FetchState.FAILED:
            return f"{image.id}: {spec.why}"


def _message(line: str) -> Frames:
    return _framed(LifecycleServiceInstallProgress(message=f"{line}\n"))


def _framed(progress: LifecycleServiceInstallProgress) -> Frames:
    return frame(LifecycleServiceUpgradeResponse(progress=progress).SerializeToString())
