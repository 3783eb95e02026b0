"""`talosctl events` shows what happens on a node, and what happened before."""

from contextlib import aclosing
from pathlib import Path

import pytest
from google.protobuf.message import Message

from talos._pb.machine import machine_pb2
from talos._pb.machine.machine_pb2 import MachineStatusEvent, SequenceEvent
from tests.scenarios.door import administrator, login, opened
from tests.scenarios.node import Site
from tests.talosctl.talosctl import Talosctl

pytestmark = pytest.mark.anyio


async def until_ready(talosctl: Talosctl) -> list[tuple[machine_pb2.Event, Message]]:
    """Return all events up to the one that says that the node is ready."""
    seen = []
    async with aclosing(talosctl.events(tail=-1)) as events:
        await anext(events)
        async for event, said in events:
            assert said is not None
            seen.append((event, said))
            if isinstance(said, MachineStatusEvent) and said.stage == MachineStatusEvent.RUNNING and said.status.ready:
                return seen
    raise AssertionError("the events ended before the node was ready")


async def first_of(talosctl: Talosctl, kind: type[Message]) -> Message:
    """Return the first event of a kind, past or to come."""
    async with aclosing(talosctl.events(tail=-1)) as events:
        await anext(events)
        async for _, said in events:
            if isinstance(said, kind):
                return said
    raise AssertionError(f"there was no {kind.__name__}")


async def test_a_boot_is_told_from_its_beginning_until_the_node_is_ready(tmp_path: Path) -> None:
    site = Site(tmp_path)
    image = site.add_good_image()

    async with opened(tmp_path, [image], site), administrator(tmp_path).talosctl() as talosctl:
        seen = await until_ready(talosctl)

    said = [each for _, each in seen]
    sequences = [each for each in said if isinstance(each, SequenceEvent)]
    stages = [each.stage for each in said if isinstance(each, MachineStatusEvent)]
    assert sequences == [
        SequenceEvent(sequence="boot", action=SequenceEvent.START),
        SequenceEvent(sequence="boot", action=SequenceEvent.STOP),
    ]
    assert stages[0] == MachineStatusEvent.BOOTING
    ids = [event.id for event, _ in seen]
    assert ids == sorted(ids)


async def test_a_client_goes_on_after_an_event_it_knows(tmp_path: Path) -> None:
    site = Site(tmp_path)
    image = site.add_good_image()

    async with opened(tmp_path, [image], site), administrator(tmp_path).talosctl() as talosctl:
        seen = await until_ready(talosctl)
        async with aclosing(talosctl.events(after=seen[0][0].id)) as events:
            await anext(events)
            following, _ = await anext(events)

    assert following.id == seen[1][0].id


async def test_a_config_that_is_refused_is_told(tmp_path: Path) -> None:
    site = Site(tmp_path)
    image = site.add_good_image()
    async with opened(tmp_path, [image], site), login(tmp_path, "os:reader").talosctl() as talosctl:
        await until_ready(talosctl)
        site.config.write_text("version: v1alpha1\nmachine: {install: {extensions: [{imgae: x}]}}\n")
        invalid = await first_of(talosctl, machine_pb2.ConfigValidationErrorEvent)
        site.config.write_text("version: [")
        unreadable = await first_of(talosctl, machine_pb2.ConfigLoadErrorEvent)

    assert isinstance(invalid, machine_pb2.ConfigValidationErrorEvent)
    assert "machine.install.extensions[0].imgae: unknown field" in invalid.error
    assert isinstance(unreadable, machine_pb2.ConfigLoadErrorEvent)
