"""Promises of the controller engine."""
