"""What is shipped: generated code, the wheel, the README."""
