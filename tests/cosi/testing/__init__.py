"""Promises of the conformance kits."""
