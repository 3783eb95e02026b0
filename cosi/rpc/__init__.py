"""The same State over gRPC: what travels between a client and a server, and how."""
