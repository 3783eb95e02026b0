"""Promises of what `cosi get` prints."""
