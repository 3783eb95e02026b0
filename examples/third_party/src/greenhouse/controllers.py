"""What happens in a greenhouse: a window for each thermometer, and an eye on all windows."""

from __future__ import annotations

from typing import Final

from cosi import Controller, QRuntime, QTransform, Runtime, exclusive, weak
from greenhouse.resources import Climate, ClimateSpec, Reading, Window, WindowSpec

TOO_WARM_CELSIUS: Final = 28


class WindowController(QTransform[Reading, Window]):
    """Opens the window where it is too warm."""

    name = "greenhouse.WindowController"

    async def transform(self, runtime: QRuntime, source: Reading) -> Window:
        return Window.new(source.id, WindowSpec(open=source.spec.celsius > TOO_WARM_CELSIUS))


class ClimateController(Controller):
    """Counts the windows."""

    name = "greenhouse.ClimateController"
    inputs = (weak(Window),)
    outputs = (exclusive(Climate),)

    async def run(self, runtime: Runtime) -> None:
        async for _ in runtime.reconcile():
            windows = await runtime.list(Window)
            spec = ClimateSpec(windows=len(windows), open=sum(window.spec.open for window in windows))
            await runtime.modify(Climate.new("greenhouse", spec))
