"""The engine: its pure parts one by one, then the whole."""
