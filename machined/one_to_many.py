"""One call that asks several nodes, as old clients of Talos make it: each answer says which node it is from.

An answer of one message is a list of replies; those of several nodes, one after the other, are the list of all, as
protobuf merges bytes of one message that follow each other. The first field of a reply is its metadata, so a node's
name is added without knowing what else is in it. A node that fails has a reply too, of nothing but the failure.
Faithful to Talos's apid (pkg/backend); newer clients ask one node a call.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from typing import Final, NamedTuple, TypeVar

import anyio
from anyio.abc import ObjectSendStream
from google.protobuf.message import DecodeError, Message

from cosi.rpc.http2.grpc_response import MAX_MESSAGE_BYTES
from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Call, Feed, Frames, Refusal, ServerStreaming, frame, messages, refusal_of
from talos._pb.common import common_pb2

MessageT = TypeVar("MessageT", bound=Message)

_GO_NAMES: Final = {Code.OK: "OK", Code.CANCELLED: "Canceled"}
"""The codes that Go does not spell as the others."""


class Asked(NamedTuple):
    """A node by the name it was called, and how it answers."""

    target: str
    answers: ServerStreaming


async def joined(asked: Sequence[Asked], request: bytes, call: Call) -> Frames:
    """Return the replies of all nodes in one answer, in the order in which they were named. Raises Refusal."""
    replies = [b""] * len(asked)

    async def ask(position: int) -> None:
        replies[position] = await _replies(asked[position], request, call)

    async with anyio.create_task_group() as tasks:
        for position in range(len(asked)):
            tasks.start_soon(ask, position)
    size = sum(map(len, replies))
    if size > MAX_MESSAGE_BYTES:
        problem = f"the answers of {len(asked)} nodes have {size} bytes together; {MAX_MESSAGE_BYTES} is the most"
        raise Refusal(Code.RESOURCE_EXHAUSTED, f"{problem}: ask fewer of them at a time")
    return frame(b"".join(replies))


async def interleaved(asked: Sequence[Asked], request: bytes, call: Call) -> AsyncGenerator[Frames, None]:
    """Yield the answers of all nodes as they come, each in its turn: a node waits until its last one was taken."""
    send, receive = anyio.create_memory_object_stream[Frames]()
    async with receive, anyio.create_task_group() as tasks:
        async with send:
            for each in asked:
                tasks.start_soon(_follow, each, request, call, send.clone())
        # Nobody may raise out of a task group that a generator is closed in the middle of.
        with suppress(GeneratorExit):
            async for answer in receive:
                yield answer
        tasks.cancel_scope.cancel()


def addressed_to(target: str, call: Call) -> Call:
    """Return the call as one that asks a single node."""
    kept = [each for each in call.metadata if each[0] not in ("node", "nodes")]
    return Call([*kept, ("node", target)], call.deadline, call.peer)


def named(answer: bytes, target: str) -> bytes:
    """Return an answer of one message with the node's name in each reply. Raises Refusal if it has none."""
    response = _parsed(common_pb2.EmptyResponse, answer, target)
    for reply in response.messages:
        reply.metadata.hostname = target
    return response.SerializeToString()


def named_part(part: bytes, target: str) -> bytes:
    """Return a part of an answer that is streamed with the node's name in it. Raises Refusal if it has no room."""
    reply = _parsed(common_pb2.Empty, part, target)
    reply.metadata.hostname = target
    return reply.SerializeToString()


def failure(error: Exception, target: str) -> common_pb2.Empty:
    """Return the reply of a node that failed."""
    refusal = refusal_of(error)
    text = f"rpc error: code = {_go_name(refusal.code)} desc = {refusal.message}"
    status = common_pb2.Status(code=refusal.code, message=refusal.message)
    return common_pb2.Empty(metadata=common_pb2.Metadata(hostname=target, error=text, status=status))


async def _replies(asked: Asked, request: bytes, call: Call) -> bytes:
    try:
        async with aclosing(_messages(asked, request, call)) as parts:
            return b"".join([named(part, asked.target) async for part in parts])
    except Exception as error:
        return common_pb2.EmptyResponse(messages=[failure(error, asked.target)]).SerializeToString()


async def _follow(asked: Asked, request: bytes, call: Call, send: ObjectSendStream[Frames]) -> None:
    async with send:
        try:
            async with aclosing(_messages(asked, request, call)) as parts:
                async for part in parts:
                    await send.send(frame(named_part(part, asked.target)))
        except anyio.BrokenResourceError:
            return
        except Exception as error:
            await send.send(frame(failure(error, asked.target).SerializeToString()))


async def _messages(asked: Asked, request: bytes, call: Call) -> AsyncGenerator[bytes, None]:
    async with aclosing(asked.answers(request, call)) as answers:
        async for answer in answers:
            if isinstance(answer, Feed):
                async with aclosing(_taken(answer)) as feed:
                    async for frames in feed:
                        for message in messages(frames):
                            yield message
            else:
                for message in messages(answer):
                    yield message


async def _taken(feed: Feed) -> AsyncGenerator[Frames, None]:
    while (frames := feed.take()) is not None:
        if frames:
            yield frames
            continue
        ready = asyncio.get_running_loop().create_future()
        feed.when_ready(ready)
        try:
            await ready
        finally:
            feed.forget(ready)


def _parsed(message_class: type[MessageT], data: bytes, target: str) -> MessageT:
    # Fields that the class does not know are kept.
    try:
        return message_class.FromString(data)
    except DecodeError:
        raise Refusal(Code.INTERNAL, f"the answer of {target} has no room for its name") from None


def _go_name(code: Code) -> str:
    return _GO_NAMES.get(code) or "".join(word.capitalize() for word in code.name.split("_"))
