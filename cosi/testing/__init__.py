"""What tests of states and controllers need: conformance kits, sample resources. Only this room imports pytest."""
