"""`make run`: a node on examples/machine.yaml, watched until its extensions are active, then left running.

The node is an ordinary `machined run`; what is shown comes from its socket, as `cosi get` would see it.
"""

import signal
import subprocess
import sys
from pathlib import Path

import anyio
from anyio.abc import TaskStatus

from cosi.resource.registry import Registry
from cosi.rpc.address import Address, default_socket
from cosi.rpc.remote.state import connected
from cosi.state import errors
from cosi.state.core import WatchKindOptions
from cosi.state.event import EventType
from cosi.state.state import State
from machined.progress import bar
from resources import boot_status
from resources.boot_status import BootStatus
from resources.extension_image import ExtensionImage

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 30.0
ACTIVE_SECONDS = 120.0
RETRY_SECONDS = 0.1
NEXT_STEPS = """
The node is running. From a second terminal:

    . .venv/bin/activate                    # puts cosi and machined on the path
    cosi get extensions -o yaml             # what talosctl shows, byte for byte
    cosi get extensions --watch             # and again whenever it changes
    cosi get plan                           # desired, staged, active, and why they differ
    cosi get rd                             # every type there is

Take a line out of examples/machine.yaml and see `cosi get plan`; then `machined upgrade`.
Ctrl-C stops the node.
"""


def main(state_directory: Path) -> int:
    """Run the node in the foreground; return its exit code."""
    bin = Path(sys.executable).parent
    node = subprocess.Popen(
        [
            bin / "machined",
            "run",
            "--config",
            ROOT / "examples/machine.yaml",
            "--state",
            state_directory,
            "--log-level=warning",
        ],
        start_new_session=True,  # Ctrl-C is ours to pass on, once
    )
    try:
        try:
            anyio.run(_show_progress, node)
            subprocess.run([bin / "cosi", "get", "extensions"], check=True)
            print(NEXT_STEPS, flush=True)
        except (TimeoutError, errors.StateError) as error:
            if node.poll() is None:
                print(f"make run: {error or 'the extensions did not become active'}; see `cosi get plan`", flush=True)
        return node.wait()
    except KeyboardInterrupt:
        node.send_signal(signal.SIGINT)
        return node.wait()


async def _show_progress(node: subprocess.Popen[bytes]) -> None:
    registry = Registry((ExtensionImage, BootStatus))
    async with connected(Address(path=default_socket()), registry) as core:
        state = State(core)
        await _wait_for_socket(node, state)
        with anyio.fail_after(ACTIVE_SECONDS):
            async with anyio.create_task_group() as tasks:
                await tasks.start(_print_fetches, state)
                boot = await state.watch_for(
                    BootStatus.pointer_to(boot_status.ID),
                    lambda event: isinstance(event.resource, BootStatus) and bool(event.resource.spec.image),
                )
                tasks.cancel_scope.cancel()
        assert isinstance(boot.resource, BootStatus)
        print(f"booted {boot.resource.spec.image} at {boot.resource.spec.root}\n", flush=True)


async def _wait_for_socket(node: subprocess.Popen[bytes], state: State) -> None:
    with anyio.fail_after(START_SECONDS):
        while True:
            if node.poll() is not None:
                raise errors.Unavailable("the node did not start")
            try:
                await state.list(ExtensionImage)
                return
            except errors.Unavailable:
                await anyio.sleep(RETRY_SECONDS)


async def _print_fetches(state: State, *, task_status: TaskStatus[None]) -> None:
    """Print a line whenever a fetch has come further; reports started once what there was has been printed."""
    shown: dict[str, str] = {}
    async with state.watch_kind(ExtensionImage.kind(), WatchKindOptions(bootstrap_contents=True)) as watch:
        async for event in watch:
            if event.type is EventType.BOOTSTRAPPED:
                task_status.started()
            if isinstance(event.resource, ExtensionImage) and event.type in (EventType.CREATED, EventType.UPDATED):
                line = _progress_line(event.resource)
                if shown.get(event.resource.id) != line:
                    shown[event.resource.id] = line
                    print(line, flush=True)


def _progress_line(image: ExtensionImage) -> str:
    spec = image.spec
    return f"{spec.state:>8} {bar(spec.fetched, spec.size)} {spec.fetched:>9,} B  {spec.image} {spec.problem}".rstrip()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
