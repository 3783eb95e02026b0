"""The running node: what starts, and how people talk to it."""
