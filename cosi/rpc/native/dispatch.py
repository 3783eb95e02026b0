"""From events to handlers and back: which calls of a connection are under way, and who answers them.

    Began, RequestMessage, … ──▶ a request in the making ──▶ its handler ──▶ answered at once
                                                                      └────▶ a running call: `calls`, `streams`

While the client does not take what it was answered, no new call is begun and none that streams goes on; they wait here.
A handler holds its request for as long as it runs, and a watch runs for ever: those requests are counted, too.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import structlog

from cosi.rpc.http2.server_connection import ServerConnection
from cosi.rpc.http2.server_events import Began, Cancelled, RequestEnded, RequestMessage, ServerEvent
from cosi.rpc.http2.status import Code
from cosi.rpc.native.calls import EXPIRED, OneAnswer, RunningCall, cancelled_or_refused
from cosi.rpc.native.hosts import InContext
from cosi.rpc.native.requests import OneRequest, Requests
from cosi.rpc.native.routes import Route, Shape
from cosi.rpc.native.streams import ManyAnswers
from cosi.rpc.seam import Call, Frames, Peer, Refusal

if TYPE_CHECKING:
    from cosi.rpc.native.server import Server

_SHOWN_CHARACTERS: Final = 100
_ONE_REQUEST: Final = (Shape.UNARY, Shape.SERVER_STREAMING)
_log = structlog.get_logger(component="rpc")


class Dispatch:
    """The calls of one connection. `touch` is told when something is due to be sent."""

    def __init__(self, core: ServerConnection, server: Server, touch: Callable[[], None]) -> None:
        self.hosts = server.hosts
        self.peer = Peer()
        self.paused = False
        """Whether the socket takes no more."""
        self._core = core
        self._server = server
        self._touch = touch
        self._calls: dict[int, RunningCall] = {}
        self._requests: dict[int, OneRequest] = {}
        self._timed: list[int] = []  # requests of this read that have a deadline
        self._postponed: dict[int, OneRequest] = {}  # they are complete, and the client does not take its answers
        self._postponed_bytes = 0
        self._running_bytes = 0  # requests of calls that are under way
        self._stopped: list[RunningCall] = []  # calls, for the same reason

    @property
    def clogged(self) -> bool:
        """Whether the client does not take what it has been answered already."""
        return self.paused or self._core.overfull

    def receive(self, data: bytes) -> None:
        """Take what a client sent."""
        for event in self._core.receive(data):
            self._handle(event)
        for stream_id in self._timed:
            if request := self._requests.get(stream_id):
                request.end_by_deadline(self)
        self._timed.clear()

    def go_on(self) -> None:
        """Begin and continue what had to wait for the client, as far as it takes what comes of that."""
        while self._postponed and not self.clogged:
            self._start(next(iter(self._postponed.values())))
        if self._stopped and not self.clogged:
            stopped, self._stopped = self._stopped, []
            for call in stopped:
                call.writable()

    def cancel_all(self) -> None:
        """Stop all calls, because the connection is gone."""
        for stream_id in tuple(self._requests):
            self._forget_request(stream_id)
        calls, self._calls, self._running_bytes = self._calls, {}, 0
        for call in calls.values():
            call.cancel()

    def respond(self, call: RunningCall, frames: Frames) -> None:
        """Send a call's one answer."""
        if self._forget(call):
            self._core.respond(call.stream_id, frames)
            self._touch()

    def send(self, call: RunningCall, frames: Frames) -> bool:
        """Send a part of a call's answers; False if the client has to make room first, and is told of it then."""
        self._touch()
        return self._core.send(call.stream_id, frames)

    def finish(self, call: RunningCall, refusal: Refusal | None) -> None:
        """End a call's answers: all is well, or it is not."""
        if self._forget(call):
            self._finish(call.stream_id, refusal)
            self._touch()

    def taken(self, stream_id: int, message: bytes) -> None:
        """Let the client send more in place of a request message."""
        self._core.taken(stream_id, message)
        self._touch()

    def wake(self, call: ManyAnswers) -> None:
        """Let a call go on soon."""
        self._server.wake(call)

    def wait_until_unclogged(self, call: RunningCall) -> None:
        """Let a call go on when the client reads again."""
        self._stopped.append(call)

    def _handle(self, event: ServerEvent) -> None:
        stream_id = event.stream_id
        if isinstance(event, Began):
            self._begin(event)
        elif isinstance(event, RequestMessage):
            self._take_message(stream_id, event)
        elif isinstance(event, RequestEnded):
            self._end_request(stream_id)
        elif isinstance(event, Cancelled):
            self._forget_request(stream_id)
            if (call := self._calls.get(stream_id)) and self._forget(call):
                call.cancel()
        elif call := self._calls.get(stream_id):
            call.writable()

    def _begin(self, began: Began) -> None:
        route = self._server.routes.get(began.head.path)
        if route is None:
            self._core.finish(began.stream_id, Code.UNIMPLEMENTED, f"no method {began.head.path[:_SHOWN_CHARACTERS]}")
            return
        timeout = began.head.timeout_seconds
        deadline = None if timeout is None else time.monotonic() + timeout
        call = Call(began.head.metadata, deadline, self.peer)
        if route.shape in _ONE_REQUEST:
            self._requests[began.stream_id] = OneRequest(began.stream_id, route, call)
            if deadline is not None:
                self._timed.append(began.stream_id)
        else:
            self._start_streaming(began.stream_id, route, call)

    def _take_message(self, stream_id: int, event: RequestMessage) -> None:
        if request := self._requests.get(stream_id):
            if request.message is not None:
                self._forget_request(stream_id)
                self._core.finish(stream_id, Code.UNIMPLEMENTED, "the method takes one message, and several came")
                return
            request.message = event.content
        elif (call := self._calls.get(stream_id)) and call.requests is not None:
            call.requests.put(event.content)
        if event.last:
            self._end_request(stream_id)

    def _end_request(self, stream_id: int) -> None:
        if request := self._requests.get(stream_id):
            if request.message is None:
                self._forget_request(stream_id)
                self._core.finish(stream_id, Code.UNIMPLEMENTED, "the method takes one message, and none came")
            else:
                self._start_in_turn(request)
        elif (call := self._calls.get(stream_id)) and call.requests is not None:
            call.requests.end()

    def _start_in_turn(self, request: OneRequest) -> None:
        if not (self._postponed or self.clogged):
            self._start(request)
            return
        assert request.message is not None
        if self._postponed_bytes + len(request.message) > self._core.allowance.buffered_bytes:
            self._forget_request(request.stream_id)
            message = "the client has too many requests waiting, and does not take what it was answered"
            self._core.finish(request.stream_id, Code.RESOURCE_EXHAUSTED, message)
            return
        self._postponed[request.stream_id] = request
        self._postponed_bytes += len(request.message)

    def _start(self, request: OneRequest) -> None:
        stream_id, route = request.stream_id, request.route
        self._forget_request(stream_id)
        request_bytes = len(request.message or b"")
        if self._running_bytes + request_bytes > self._core.allowance.buffered_bytes:
            message = "the client's calls that are under way have requests of too many bytes together: end some of them"
            self._core.finish(stream_id, Code.RESOURCE_EXHAUSTED, message)
            return
        answers = self._called(stream_id, route, request.message, request.call)
        if answers is None:
            return
        if route.shape is Shape.UNARY:
            self._answer_once(stream_id, answers, request.call)
        else:
            self._answer_many(ManyAnswers(self, stream_id, answers), request.call)
        if running := self._calls.get(stream_id):
            running.request_bytes = request_bytes
            self._running_bytes += request_bytes

    def _start_streaming(self, stream_id: int, route: Route, call: Call) -> None:
        requests = Requests(self, stream_id)
        answers = self._called(stream_id, route, requests, call)
        if answers is None:
            return
        if route.shape is Shape.CLIENT_STREAMING:
            self._answer_once(stream_id, answers, call, requests)
        else:
            self._answer_many(ManyAnswers(self, stream_id, answers, requests), call)

    def _called(self, stream_id: int, route: Route, request: object, call: Call) -> Any:
        """Return what the handler returns: a coroutine or a generator; None if it raised before."""
        try:
            return route.handler(request, call)
        except Exception as error:
            self._finish(stream_id, cancelled_or_refused(error))
            return None

    def _answer_once(self, stream_id: int, coroutine: Any, call: Call, requests: Requests | None = None) -> None:
        host = self.hosts.take()
        if host is None:
            answer = coroutine
        else:
            try:
                answer = host.step(coroutine, contextvars.copy_context())
            except (Exception, asyncio.CancelledError) as error:
                self.hosts.give_back(host)
                self._finish(stream_id, cancelled_or_refused(error))
                return
            if not isinstance(answer, InContext):
                self.hosts.give_back(host)
                self._core.respond(stream_id, answer)
                return
        running = self._calls[stream_id] = OneAnswer(self, stream_id, requests)
        running.start(answer, host)
        running.end_by(call.deadline)

    def _answer_many(self, running: ManyAnswers, call: Call) -> None:
        self._calls[running.stream_id] = running
        running.go_on()
        if running.stream_id in self._calls:
            running.end_by(call.deadline)

    def _forget_request(self, stream_id: int) -> None:
        if request := self._requests.pop(stream_id, None):
            request.stop_timer()
            if self._postponed.pop(stream_id, None):
                self._postponed_bytes -= len(request.message or b"")

    def expire(self, stream_id: int) -> None:
        """End a call whose deadline passed before it could begin."""
        if self._requests.get(stream_id):
            self._forget_request(stream_id)
            self._finish(stream_id, EXPIRED)
            self._touch()

    def _forget(self, call: RunningCall) -> bool:
        """Forget a call that ends; False if it ended before."""
        if self._calls.pop(call.stream_id, None) is None:
            return False
        self._running_bytes -= call.request_bytes
        return True

    def _finish(self, stream_id: int, refusal: Refusal | None) -> None:
        if refusal is None:
            self._core.finish(stream_id, Code.OK)
            return
        try:
            self._core.finish(stream_id, refusal.code, refusal.message, refusal.trailers)
        except ValueError as error:
            _log.error("a call ended with trailers that gRPC can't carry", exc_info=error)
            self._core.finish(stream_id, refusal.code, refusal.message)
