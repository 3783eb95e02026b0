"""The State service on grpcio: the conservative transport, and the client."""
