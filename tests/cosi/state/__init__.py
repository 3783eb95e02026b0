"""Promises of states."""
