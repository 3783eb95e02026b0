"""The conservative transport: services on grpcio's server.

grpcio's core writes lines of its own to standard error, past whatever log format the process has chosen, when a server
stops or a handshake fails. What they say reaches us as errors, so they are off unless the environment asks for them.
"""

import os

os.environ.setdefault("GRPC_VERBOSITY", "NONE")
