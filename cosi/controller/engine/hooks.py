"""What a QController does beside its queue, and after it: the run hook and the shutdown hook.

Neither can end more than itself: a run hook that fails is run again with backoff, a shutdown hook that fails is named.
"""

from __future__ import annotations

from typing import Final

from cosi.backoff import Backoff
from cosi.controller.engine.services import Services, Shared, Worker
from cosi.controller.engine.stepping import guarded
from cosi.controller.qcontroller import QController
from cosi.controller.qruntime import QRuntime
from cosi.journal.records import Reason

HOOK_RUNS_WELL_SECONDS: Final = 60.0
"""A run hook that held out for so long begins with a short backoff again when it fails."""


async def run_hook(controller: QController, services: Services, shared: Shared) -> None:
    """Run the run hook until it returns, again and again while it fails."""
    clock = services.clock
    worker = Worker(services, controller.name, controller.inputs, controller.outputs, shared)
    backoff = Backoff()
    while True:
        worker.begin_aside(Reason.ASKED)
        started = clock.now()
        try:
            await guarded(controller.run_hook(QRuntime(worker.view)), shared.blocked)
        except Exception as error:
            if clock.now() - started > HOOK_RUNS_WELL_SECONDS:
                backoff.reset()
            delay = backoff.next()
            shared.failed("run hook failed", error, restart_in=round(delay, 3))
            await clock.sleep(delay)
        else:
            shared.log.debug("run hook finished")
            return


def shut_down(controller: QController, shared: Shared) -> None:
    """Run the shutdown hook."""
    try:
        controller.shutdown_hook()
    except Exception as error:
        shared.failed("shutdown hook failed", error)
    except SystemExit as error:
        shared.failed("shutdown hook failed", RuntimeError(f"raised {error!r}, which ends nothing else"))
