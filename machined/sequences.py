"""What the node's sequences consist of: booting, restarting, stopping, and an upgrade followed by a restart.

Names of sequences, phases and tasks are Talos's where it has the like, as talosctl looks for some of them: it takes
`stopAllServices` for the end of a shutdown.
"""

from __future__ import annotations

import anyio

from cosi.state.event import Event
from cosi.state.state import State
from machined import upgrading
from machined.events import Events
from machined.power import Ending, Power
from machined.sequencer import SequenceFailed, Sequencer, Step
from resources import boot_status
from resources.boot_status import BootStatus
from resources.sequence_status import SequenceName


class Sequences:
    """Starts the sequences of one start of the node."""

    def __init__(self, sequencer: Sequencer, state: State, events: Events, power: Power) -> None:
        self._sequencer = sequencer
        self._state = state
        self._events = events
        self._power = power

    def boot(self) -> None:
        """Boot: it is over when a boot image is active."""
        self._sequencer.start(SequenceName.BOOT, [Step("boot", "activateExtensions", self._until_active)])

    def reboot(self, *, actor: str = "", take_over: bool = False) -> None:
        """Start the node again, once who follows the events can see that it goes."""
        steps = [Step("reboot", "reboot", self._reboot)]
        self._sequencer.start(SequenceName.REBOOT, steps, actor=actor, take_over=take_over)

    def shut_down(self, *, actor: str) -> None:
        """End the node, whatever else is under way."""
        steps = [Step("stopEverything", "stopAllServices", self._shut_down)]
        self._sequencer.start(SequenceName.SHUTDOWN, steps, actor=actor, take_over=True)

    def upgrade(self, *, actor: str, stage: bool) -> None:
        """Install what the config asks for, then start again to activate it."""
        name = SequenceName.STAGE_UPGRADE if stage else SequenceName.UPGRADE
        steps = [Step("upgrade", "upgrade", self._install), Step("reboot", "reboot", self._restart)]
        self._sequencer.start(name, steps, actor=actor)

    async def _until_active(self) -> None:
        def active(event: Event) -> bool:
            return isinstance(event.resource, BootStatus) and event.resource.spec.image != ""

        await self._state.watch_for(BootStatus.pointer_to(boot_status.ID), active)

    async def _install(self) -> None:
        try:
            answer = await upgrading.ask(self._state, upgrading.request(stage=True))
        except TimeoutError:
            raise SequenceFailed(upgrading.TOO_LONG) from None
        if not answer.upgraded:
            raise SequenceFailed(answer.outcome)

    async def _reboot(self) -> None:
        await self._events.until_followed_again()
        await self._restart()

    async def _restart(self) -> None:
        self._power.end(Ending.REBOOT)
        await anyio.sleep_forever()  # until the end cancels this: nobody hears of a step after it

    async def _shut_down(self) -> None:
        self._power.end(Ending.SHUTDOWN)
        await anyio.sleep_forever()
