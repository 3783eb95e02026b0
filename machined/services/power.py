"""machine.MachineService's Reboot, Shutdown, Upgrade and Rollback: each is answered at once, and events tell the rest.

Answers are Talos's (internal/app/machined/internal/server/v1alpha1): the actor in whose name the events will be.
"""

from __future__ import annotations

import uuid

import structlog

from cosi.rpc.codec import parse
from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Call, Frames, Refusal, Service, frame
from cosi.state.state import State
from machined import upgrading
from machined.sequences import Sequences
from machined.services.machine import NAME
from talos._pb.machine import machine_pb2

RECEIVED = "Upgrade request received"
NOT_INSTALLED = "Talos is not installed"

_log = structlog.get_logger(component="power")


class PowerService:
    """The methods on bytes."""

    def __init__(self, state: State, sequences: Sequences) -> None:
        self._state = state
        self._sequences = sequences
        self.service = Service(
            NAME,
            unary={
                "Reboot": self._reboot,
                "Shutdown": self._shut_down,
                "Upgrade": self._upgrade,
                "Rollback": self._roll_back,
            },
        )

    async def _reboot(self, request: bytes, _: Call) -> Frames:
        """Answer with RebootResponse. All modes are one: the process stays, and all that it does starts anew."""
        parse(machine_pb2.RebootRequest, request)
        actor = _actor("reboot")
        self._sequences.reboot(actor=actor)
        message = machine_pb2.Reboot(actor_id=actor)
        return frame(machine_pb2.RebootResponse(messages=[message]).SerializeToString())

    async def _shut_down(self, request: bytes, _: Call) -> Frames:
        """Answer with ShutdownResponse. There is nothing to drain first, so force makes no difference."""
        parse(machine_pb2.ShutdownRequest, request)
        actor = _actor("shutdown")
        self._sequences.shut_down(actor=actor)
        message = machine_pb2.Shutdown(actor_id=actor)
        return frame(machine_pb2.ShutdownResponse(messages=[message]).SerializeToString())

    async def _upgrade(self, request: bytes, _: Call) -> Frames:
        """Answer with UpgradeResponse. The image asked for is that of an installer, which this node does not use."""
        asked = parse(machine_pb2.UpgradeRequest, request)
        await upgrading.check_installed(self._state, NOT_INSTALLED)
        actor = _actor("upgrade")
        self._sequences.upgrade(actor=actor, stage=asked.stage)
        message = machine_pb2.Upgrade(ack=RECEIVED, actor_id=actor)
        return frame(machine_pb2.UpgradeResponse(messages=[message]).SerializeToString())

    async def _roll_back(self, request: bytes, _: Call) -> Frames:
        """Answer with RollbackResponse once the other image is the one that boots."""
        parse(machine_pb2.RollbackRequest, request)
        await upgrading.check_installed(self._state, NOT_INSTALLED)
        try:
            answer = await upgrading.ask(self._state, upgrading.request(rollback=True, stage=True))
        except TimeoutError:
            raise Refusal(Code.DEADLINE_EXCEEDED, upgrading.TOO_LONG) from None
        if not answer.upgraded:
            raise Refusal(Code.FAILED_PRECONDITION, answer.outcome)
        self._sequences.reboot(take_over=True)
        return frame(machine_pb2.RollbackResponse(messages=[machine_pb2.Rollback()]).SerializeToString())


def _actor(what: str) -> str:
    actor = str(uuid.uuid4())
    _log.info("asked for", sequence=what, actor=actor)
    return actor
