"""A call that is passed on says who made it, and nothing that is for this node alone."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path

import anyio
import pytest

from cosi.rpc.address import Address
from cosi.rpc.http2.client_connection import STREAM_WINDOW_BYTES
from cosi.rpc.http2.status import Code
from cosi.rpc.remote.channel import open_channel
from cosi.rpc.seam import Call, Frames, Refusal, Service, frame, messages
from cosi.rpc.seam import Peer as RpcPeer
from cosi.rpc.serving import serving_services
from machined.address_book import Peer
from machined.peers import CALLS, CALLS_OF_A_CLIENT, Peers, passed_on
from talos.access.certificates import Authority
from tests.cosi.rpc.sample_service import NAME, Sample, path

PART_BYTES = 64 << 10
NOW = datetime.datetime.now(datetime.UTC)
AUTHORITY = Authority.create(NOW)

pytestmark = pytest.mark.anyio


def made_by(*roles: str, metadata: tuple[tuple[str, str | bytes], ...] = ()) -> Call:
    """Return a call of somebody who has logged in."""
    pem = AUTHORITY.for_client(roles, NOW).certificate.decode()
    return Call(metadata, peer=RpcPeer("127.0.0.1:1", ssl.PEM_cert_to_DER_cert(pem)))


@asynccontextmanager
async def reached(service: Service, directory: Path) -> AsyncIterator[tuple[Peers, Peer]]:
    """Serve something as a peer, and know it."""
    peer = Peer("b", Address(path=str(directory / "b.sock")))
    async with serving_services([service], [peer.address]), open_channel(peer.address, None) as channel:
        yield Peers("a", {peer: channel}), peer


def test_the_callers_roles_are_said_and_what_names_a_node_is_not() -> None:
    metadata = (
        ("runtime", "Talos"),
        ("node", "b"),
        ("user-agent", "grpc-go"),
        ("grpc-trace-bin", b"x"),
        ("k-bin", b"\0"),
    )

    told = passed_on(made_by("os:reader", "os:admin", metadata=metadata), "a")

    assert told == [
        ("runtime", "Talos"),
        ("k-bin", b"\0"),
        ("talos-role", "os:admin"),
        ("talos-role", "os:reader"),
        ("proxyfrom", "a"),
    ]


def test_roles_that_are_claimed_are_dropped_and_unknown_ones_not_told() -> None:
    told = passed_on(made_by("os:gardener", metadata=(("talos-role", "os:admin"), ("nodes", "b"))), "a")

    assert told == [("proxyfrom", "a")]


def test_roles_that_a_node_vouches_for_are_told_on() -> None:
    told = passed_on(made_by("os:impersonator", metadata=(("talos-role", "os:reader"),)), "a")

    assert told == [("talos-role", "os:reader"), ("proxyfrom", "a")]


def test_metadata_that_can_not_be_carried_is_refused() -> None:
    with pytest.raises(Refusal, match=r"^the call can't be passed on: metadata 'note' has characters") as refused:
        passed_on(made_by("os:admin", metadata=(("note", "é"),)), "a")

    assert refused.value.code is Code.INVALID_ARGUMENT


async def test_answers_come_as_the_peer_gives_them(tmp_path: Path) -> None:
    async with reached(Sample().service, tmp_path) as (peers, b):
        once = await peers.ask(b, path("Echo"), b"hello", made_by("os:admin"))
        async with aclosing(peers.stream(b, path("Split"), b"ab", made_by("os:admin"))) as answers:
            streamed = [message async for frames in answers for message in messages(frames)]

    assert [*messages(once)] == [b"hello"]
    assert streamed == [b"a", b"b", b"", b"end"]


async def test_the_peers_own_words_and_trailers_come_through(tmp_path: Path) -> None:
    async with reached(Sample().service, tmp_path) as (peers, b):
        with pytest.raises(Refusal) as refused:
            await peers.ask(b, path("Refuse"), b"", made_by("os:admin"))

    assert (refused.value.code, refused.value.message) == (Code.DATA_LOSS, "gone: é %")
    assert refused.value.trailers == [("where", "nowhere")]


async def test_who_gives_up_here_gives_up_there(tmp_path: Path) -> None:
    sample = Sample()
    async with reached(sample.service, tmp_path) as (peers, b):
        async with aclosing(peers.stream(b, path("Feed"), b"", made_by("os:admin"))) as answers:
            await anext(answers)
        await sample.ended.wait()


async def test_a_peer_sends_no_more_than_a_window_to_who_does_not_read(tmp_path: Path) -> None:
    made = 0

    async def endless(_: bytes, __: Call) -> AsyncGenerator[Frames, None]:
        nonlocal made
        while True:
            made += 1
            yield frame(bytes(PART_BYTES))

    service = Service(NAME, {"Echo": Sample().echo}, {"Endless": endless})
    async with (
        reached(service, tmp_path) as (peers, b),
        aclosing(peers.stream(b, path("Endless"), b"", made_by("os:admin"))) as answers,
    ):
        await anext(answers)
        for _ in range(100):  # the peer has had all the time it wants
            await peers.ask(b, path("Echo"), b"", made_by("os:admin"))
        made_for_one = made

    assert made_for_one * PART_BYTES <= 3 * STREAM_WINDOW_BYTES


async def test_time_that_is_over_is_over_there_as_well(tmp_path: Path) -> None:
    call = made_by("os:admin")
    call.deadline = 0.0
    async with reached(Sample().service, tmp_path) as (peers, b):
        with pytest.raises(Refusal) as refused:
            await peers.ask(b, path("Sleep"), b"", call)

    assert refused.value.code is Code.DEADLINE_EXCEEDED


async def test_one_login_leaves_room_for_others_and_all_together_for_a_peer(tmp_path: Path) -> None:
    async def hold(_: bytes, __: Call) -> AsyncGenerator[Frames, None]:
        yield frame(b"held")
        await anyio.sleep_forever()

    service = Service(NAME, {"Echo": Sample().echo}, {"Hold": hold})
    async with reached(service, tmp_path) as (peers, b), AsyncExitStack() as open_calls:
        greedy = made_by("os:admin")
        callers = [greedy] * CALLS_OF_A_CLIENT + [made_by("os:admin") for _ in range(CALLS - CALLS_OF_A_CLIENT)]
        for call in callers[:CALLS_OF_A_CLIENT]:
            await anext(await open_calls.enter_async_context(aclosing(peers.stream(b, path("Hold"), b"", call))))
        with pytest.raises(Refusal, match=r"^too many calls to b are under way over a: ") as of_one:
            await peers.ask(b, path("Echo"), b"", greedy)
        for call in callers[CALLS_OF_A_CLIENT:]:
            await anext(await open_calls.enter_async_context(aclosing(peers.stream(b, path("Hold"), b"", call))))
        with pytest.raises(Refusal) as of_all:
            await peers.ask(b, path("Echo"), b"", made_by("os:admin"))
        await open_calls.aclose()
        assert await peers.ask(b, path("Echo"), b"", greedy)

    assert of_one.value.code is of_all.value.code is Code.RESOURCE_EXHAUSTED
