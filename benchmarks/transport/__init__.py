"""What a call and an event cost on each transport, side by side: `python -m benchmarks.transport`."""
