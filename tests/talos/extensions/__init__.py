"""Tests of talos.extensions."""
