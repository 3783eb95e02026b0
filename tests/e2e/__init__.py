"""The programs as a user runs them: real processes, a real registry, their output byte for byte."""
