"""The engine: wakes controllers when their inputs change, and restarts those that fail."""
