"""HTTP/2 and gRPC as pure state machines: bytes in, events and bytes out; no socket, no clock, no task."""
