"""A reactive resource and controller runtime, wire-compatible with COSI."""
