"""Opens and closes the windows of a greenhouse."""
