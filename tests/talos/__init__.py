"""Promises of Talos's words and mechanics."""
