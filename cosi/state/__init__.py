"""Where resources live: the core interface, its errors, the derived State, and the backends."""
