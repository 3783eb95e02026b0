"""Promises of the state in memory."""
