"""Tests of talos.config."""
