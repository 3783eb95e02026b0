"""The in-memory backend: collections of resources, each with its event log."""
