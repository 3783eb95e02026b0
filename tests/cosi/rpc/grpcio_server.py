"""A real gRPC server, grpcio's, whose methods are functions from bytes to bytes."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

UnaryMethod = Callable[[bytes, grpc.ServicerContext], bytes]
StreamMethod = Callable[[bytes, grpc.ServicerContext], Iterator[bytes]]

UNLIMITED = -1
MAX_METADATA_BYTES = 128 * 1024


class GrpcioServer(grpc.GenericRpcHandler):
    """Serves /test/NAME for every method that a test registers, also while it runs."""

    def __init__(self) -> None:
        self._handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {}
        self._threads = ThreadPoolExecutor(8)
        self._server = grpc.server(
            self._threads,
            options=[
                ("grpc.max_send_message_length", UNLIMITED),
                ("grpc.max_receive_message_length", UNLIMITED),
                ("grpc.max_metadata_size", MAX_METADATA_BYTES),
                ("grpc.absolute_max_metadata_size", MAX_METADATA_BYTES),
            ],
        )
        self._server.add_generic_rpc_handlers((self,))

    def unary(self, method: UnaryMethod) -> str:
        """Register a method; return the path that calls it."""
        path = f"/test/{method.__name__}"
        self._handlers[path] = grpc.unary_unary_rpc_method_handler(method)
        return path

    def stream(self, method: StreamMethod) -> str:
        path = f"/test/{method.__name__}"
        self._handlers[path] = grpc.unary_stream_rpc_method_handler(method)
        return path

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        return self._handlers.get(handler_call_details.method)

    def listen_on_tcp(self) -> str:
        return f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    def listen_on_unix(self, path: Path) -> str:
        self._server.add_insecure_port(f"unix:{path}")
        return str(path)

    def stop(self, grace_seconds: float | None = None) -> None:
        """Stop and wait until all is over."""
        self._server.stop(grace_seconds).wait()

    def __enter__(self) -> "GrpcioServer":
        self._server.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()
        self._threads.shutdown()
