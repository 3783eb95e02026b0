"""Publishes the nodes that this one was told of when it started, as Talos does with those it discovers."""

from __future__ import annotations

from collections.abc import Sequence

from cosi.controller.controller import Controller
from cosi.controller.dependencies import exclusive
from cosi.controller.runtime import Runtime
from resources.member import Member, MemberSpec


class MemberController(Controller):
    """Publishes one Member for each node, under its hostname."""

    name = "cluster.MemberController"
    inputs = ()
    outputs = (exclusive(Member),)

    def __init__(self, members: Sequence[MemberSpec]) -> None:
        self._members = members

    async def run(self, runtime: Runtime) -> None:
        """Publish them once: who is a member does not change while a node runs."""
        async for _ in runtime.reconcile():
            for member in self._members:
                await runtime.modify(Member.new(member.hostname, member))
