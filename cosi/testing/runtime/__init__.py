"""The conformance kit for controller runtimes, in parts; `cosi.testing.runtime_conformance` is the whole."""
