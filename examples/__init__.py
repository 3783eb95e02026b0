"""Programs and files to learn from; every one of them runs in the tests."""
