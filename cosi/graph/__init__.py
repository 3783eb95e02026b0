"""Pictures of who reads and writes what: plain data in, text out. Knows nothing of controllers, states or servers."""
